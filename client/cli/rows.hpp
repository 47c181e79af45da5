#pragma once
// Rows of a status query (docs/PROTOCOL.md, section 11) as a table or as JSON.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::cli {

// What a row says for `key`; nullptr when it does not.
[[nodiscard]] const protocol::Value* find_value(const protocol::Row& row,
                                                std::string_view key) noexcept;
[[nodiscard]] std::uint64_t number_of(const protocol::Row& row,
                                      std::string_view key) noexcept;               // 0: absent
[[nodiscard]] std::string text_of(const protocol::Row& row, std::string_view key);  // "": absent

// One row as an object, or as lines of name and value.
void print_row(const protocol::Row& row, bool json);

// --json: {"<name>": [every row with every key]}. Else a table of the columns named, numbers to the
// right, and a last line when the broker left rows out.
void print_rows(const std::vector<protocol::Row>& rows, std::string_view name,
                std::initializer_list<std::string_view> columns, bool json);

}  // namespace scanmq::cli
