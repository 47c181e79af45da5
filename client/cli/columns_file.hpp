#pragma once
// The file of --columns: how to read a CSV of quotes that is of no known format.
//
// Contract: docs/SCANNER.md#other-csv-files. TOML, keys at its top or in a table [columns].
// Errors:   one sentence that names file and line and what would be right; an unknown key names the
//           nearest known one.
// Threads:  pure functions but for the file system.

#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "scanner/market/columns.hpp"

namespace scanmq::cli {

[[nodiscard]] Result<market::ColumnMapping, std::string> read_columns_file(const std::string& path);

// The same from text that is in memory; `path` stands for it in errors.
[[nodiscard]] Result<market::ColumnMapping, std::string> parse_columns_file(
    std::string_view text, const std::string& path);

}  // namespace scanmq::cli
