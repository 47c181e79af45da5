#pragma once
// The file of --columns: how to read a CSV of quotes that is of no known format.
//
// Contract: docs/SCANNER.md#other-csv-files. TOML, keys at its top or in a table [columns].
// Errors:   one sentence that names file and line and what would be right; an unknown key names the
//           nearest known one.
// Threads:  pure functions but for the file system.

#include <string>

#include "common/base/result.hpp"
#include "common/config/file.hpp"
#include "scanner/market/columns.hpp"

namespace scanmq::cli {

[[nodiscard]] Result<market::ColumnMapping, std::string> read_columns_file(const std::string& path);

// The same from values that are in memory; `path` is for errors about the whole.
[[nodiscard]] Result<market::ColumnMapping, std::string> column_mapping(
    const config::FileValues& values, const std::string& path);

}  // namespace scanmq::cli
