#include "common/config/file.hpp"

#include <toml++/toml.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace scanmq::config {
namespace {

std::string place_of(const std::string& path, const toml::node& node) {
    return path + ":" + std::to_string(node.source().begin.line);
}

std::optional<std::string> text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
    if (const auto* decimal = node.as_floating_point()) {
        std::ostringstream out;
        out << decimal->get();
        return out.str();
    }
    return std::nullopt;
}

Result<void, std::string> take(const toml::table& table, const std::string& path, FileValues& out) {
    for (const auto& [key, node] : table) {
        if (node.is_table()) continue;
        FileValue value;
        value.place = place_of(path, node);
        const toml::array* items = node.as_array();
        const std::size_t count = items != nullptr ? items->size() : 1;
        for (std::size_t i = 0; i < count; ++i) {
            auto text = text_of(items != nullptr ? (*items)[i] : node);
            if (!text) {
                return fail(value.place + ": " + std::string(key.str()) +
                            " must be a text, a number, true, false or an array of them");
            }
            value.values.push_back(std::move(*text));
        }
        out.insert_or_assign(std::string(key.str()), std::move(value));
    }
    return {};
}

}  // namespace

Result<FileValues, std::string> read_file(const std::string& path, std::string_view section,
                                          std::string_view flag) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return fail(std::string(flag) + ": cannot read \"" + path + "\": " + std::strerror(errno) +
                    "; give the path of a TOML file");
    }
    std::ostringstream content;
    content << file.rdbuf();
    FileValues out;
    try {
        const toml::table table = toml::parse(content.str(), path);
        if (auto taken = take(table, path, out); !taken) return fail(std::move(taken).error());
        if (const auto* own = table[section].as_table()) {
            if (auto taken = take(*own, path, out); !taken) return fail(std::move(taken).error());
        }
    } catch (const toml::parse_error& error) {
        return fail(path + ":" + std::to_string(error.source().begin.line) +
                    ": not TOML: " + std::string(error.description()));
    }
    return out;
}

}  // namespace scanmq::config
