#include "client/cli/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "client/cli/table.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

Json object_of(const protocol::Row& row) {
    Json object = Json::object();
    for (const auto& [key, value] : row) {
        std::visit([&, &k = key](const auto& v) { object[k] = v; }, value);
    }
    return object;
}

void print_json(const std::vector<protocol::Row>& rows, std::string_view name) {
    Json list = Json::array();
    for (const protocol::Row& row : rows) list.push_back(object_of(row));
    Json out;
    out[std::string(name)] = std::move(list);
    fmt::print("{}\n", out.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

const protocol::Value* find_value(const protocol::Row& row, std::string_view key) noexcept {
    for (const auto& [name, value] : row) {
        if (name == key) return &value;
    }
    return nullptr;
}

std::uint64_t number_of(const protocol::Row& row, std::string_view key) noexcept {
    const protocol::Value* value = find_value(row, key);
    const auto* number = value == nullptr ? nullptr : std::get_if<std::uint64_t>(value);
    return number == nullptr ? 0 : *number;
}

std::string text_of(const protocol::Row& row, std::string_view key) {
    const protocol::Value* value = find_value(row, key);
    if (value == nullptr) return {};
    if (const auto* number = std::get_if<std::uint64_t>(value)) return grouped(*number);
    return std::get<std::string>(*value);
}

void print_row(const protocol::Row& row, bool json) {
    if (json) {
        fmt::print("{}\n", object_of(row).dump(-1, ' ', false, Json::error_handler_t::replace));
        return;
    }
    std::size_t width = 0;
    for (const auto& [key, value] : row) width = std::max(width, key.size());
    for (const auto& [key, value] : row) {
        fmt::print("{:<{}}  {}\n", printable(key), width, printable(text_of(row, key)));
    }
}

void print_rows(const std::vector<protocol::Row>& rows, std::string_view name,
                std::initializer_list<std::string_view> columns, bool json) {
    if (json) return print_json(rows, name);
    std::vector<Column> titles;
    for (const std::string_view column : columns) {
        bool numeric = false;
        for (const protocol::Row& row : rows) {
            const protocol::Value* value = find_value(row, column);
            numeric =
                numeric || (value != nullptr && std::holds_alternative<std::uint64_t>(*value));
        }
        titles.push_back({std::string(column), numeric ? Align::right : Align::left});
    }
    Table table(std::move(titles));
    std::uint64_t left_out = 0;
    for (const protocol::Row& row : rows) {
        if (const std::uint64_t cut = number_of(row, "truncated"); cut > 0) {
            left_out = cut;
            continue;
        }
        std::vector<std::string> cells;
        for (const std::string_view column : columns) cells.push_back(text_of(row, column));
        table.add(std::move(cells));
    }
    fmt::print("{}", table.text());
    if (left_out > 0) fmt::print("... and {} more\n", grouped(left_out));
}

}  // namespace scanmq::cli
