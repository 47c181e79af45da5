#pragma once
// What the reader of --columns files promises for any text: a mapping that a CSV can be read by, or a
// sentence that says what is wrong.
//
// Bytes: the TOML; behind a NUL a CSV to read by it, else a small one that has every column.

#include <string>
#include <string_view>

#include "client/cli/columns_file.hpp"
#include "tests/fuzz/chain_check.hpp"

namespace scanmq::tests {

// A row under the names of fields, which a mapping may use.
inline std::string every_column_csv(char delimiter) {
    std::string header;
    std::string row;
    for (const std::string_view name : market::kFieldNames) {
        const std::string_view value = name == "option_symbol" ? "SPXW  240621C05000000"
                                       : name == "symbol" || name == "root" ? "SPXW"
                                       : name == "date"                     ? "2024-06-10"
                                       : name == "quoted"                   ? "2024-06-10 15:45:00"
                                       : name == "expiry"                   ? "2024-06-21"
                                       : name == "right"                    ? "C"
                                       : name == "style"                    ? "E"
                                       : name == "settlement"               ? "pm"
                                       : name == "multiplier"               ? "100"
                                       : name == "strike"                   ? "5000"
                                       : name == "ask"                      ? "3"
                                                                            : "2";
        header.append(name).append(1, delimiter);
        row.append(value).append(1, delimiter);
    }
    header.back() = row.back() = '\n';
    return header + row;
}

inline bool columns_keep_promises(std::string_view bytes) {
    const auto end = std::min(bytes.find('\0'), bytes.size());
    const auto mapping = cli::parse_columns_file(bytes.substr(0, end), "columns.toml");
    if (!mapping) return mapping.error().substr(0, 12) == "columns.toml";
    if (!market::mapping_problem(*mapping).empty()) return false;
    const std::string csv = end == bytes.size() ? every_column_csv(mapping->delimiter)
                                                : std::string(bytes.substr(end + 1));
    market::ReadOptions options;
    options.columns = &*mapping;
    return chains_keep_promises_with(csv, options);
}

}  // namespace scanmq::tests
