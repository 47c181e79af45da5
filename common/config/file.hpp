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
using FileTables =
    std::map<std::string, FileValues>;  // by path: "" the top, "roots.SPX" inside one

inline constexpr std::size_t kFileBytesMax = 16U << 20;

// The keys at the top of the file, replaced by those in table `section`; other tables are skipped.
// `flag` is what named the path. Errors (a sentence): cannot be read, over kFileBytesMax, is not TOML, a
// value that is no text, number, truth or array of them.
[[nodiscard]] Result<FileValues, std::string> read_file(const std::string& path,
                                                        std::string_view section,
                                                        std::string_view flag = "--config");
// Every table of a file, each with its own keys. Errors as read_file.
[[nodiscard]] Result<FileTables, std::string> read_tables(const std::string& path,
                                                          std::string_view flag);

// The same of text that is in memory; `path` stands for it in errors.
[[nodiscard]] Result<FileValues, std::string> parse_file(std::string_view text,
                                                         const std::string& path,
                                                         std::string_view section);
[[nodiscard]] Result<FileTables, std::string> parse_tables(std::string_view text,
                                                           const std::string& path);

}  // namespace scanmq::config
