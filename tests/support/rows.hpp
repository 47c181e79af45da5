#pragma once
// Rows of a broker's answers, read by the names of their columns.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/protocol/messages.hpp"

namespace scanmq::tests {

// As text; nothing: the row has no such column.
[[nodiscard]] inline std::optional<std::string> column(const protocol::Row& row,
                                                       std::string_view wanted) {
    for (const auto& [name, value] : row) {
        if (name != wanted) continue;
        if (const auto* text = std::get_if<std::string>(&value)) return *text;
        return std::to_string(std::get<std::uint64_t>(value));
    }
    return std::nullopt;
}

// Nothing: it has no such column, or text there.
[[nodiscard]] inline std::optional<std::uint64_t> figure(const protocol::Row& row,
                                                         std::string_view wanted) {
    for (const auto& [name, value] : row) {
        if (name != wanted) continue;
        if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
    }
    return std::nullopt;
}

}  // namespace scanmq::tests
