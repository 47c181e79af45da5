#pragma once
// The TOML file of --config, flattened to texts; options.cpp gives them their types.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace scanmq::config {

struct FileValue {
    std::vector<std::string> values;  // one, or an array's
    std::string place;                // "scanmq.toml:12", for errors
};

using FileValues = std::map<std::string, FileValue, std::less<>>;

// The keys at the top of the file, replaced by those in table `section`; other tables are skipped.
// `flag` is what named the path. Errors (a sentence): cannot be read, is not TOML, a value that is no text, number, truth or array
// of them.
[[nodiscard]] Result<FileValues, std::string> read_file(const std::string& path,
                                                        std::string_view section,
                                                        std::string_view flag = "--config");

// Every table of a file by its path ("" is the top, "roots.SPX" a table inside one), each with its own
// keys. Errors as read_file.
[[nodiscard]] Result<std::map<std::string, FileValues>, std::string> read_tables(
    const std::string& path, std::string_view flag);

}  // namespace scanmq::config
