#include "common/config/file.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
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
    // The shortest text that reads back to the same number.
    if (const auto* decimal = node.as_floating_point()) return fmt::format("{}", decimal->get());
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

// Adds the table and those inside it, under their paths.
Result<void, std::string> take_all(const toml::table& table, const std::string& path,
                                   const std::string& name, FileTables& out) {
    if (auto taken = take(table, path, out[name]); !taken) return taken;
    for (const auto& [key, node] : table) {
        const auto* inner = node.as_table();
        if (inner == nullptr) continue;
        const std::string key_text(key.str());
        auto taken = take_all(*inner, path, name.empty() ? key_text : name + "." + key_text, out);
        if (!taken) return taken;
    }
    return {};
}

Result<std::string, std::string> read_text(const std::string& path, std::string_view flag) {
    std::ifstream file(path, std::ios::binary);
    std::string text;
    std::array<char, 65'536> chunk{};
    while (file && text.size() <= kFileBytesMax) {
        file.read(chunk.data(), chunk.size());
        text.append(chunk.data(), static_cast<std::size_t>(file.gcount()));
    }
    // Opening a directory succeeds, reading it does not.
    if (!file.is_open() || file.bad()) {
        return fail(fmt::format("{}: cannot read \"{}\": {}; give the path of a TOML file", flag,
                                path, std::strerror(errno)));
    }
    if (text.size() > kFileBytesMax) {
        return fail(fmt::format("{}: {} has over {} bytes; give the path of a TOML file", flag,
                                path, kFileBytesMax));
    }
    return text;
}

// Parses the text and hands its top table to `use`.
template <class Use>
Result<void, std::string> with_table(std::string_view text, const std::string& path, Use use) {
    try {
        return use(toml::parse(text, path));
    } catch (const toml::parse_error& error) {
        return fail(fmt::format("{}:{}: not TOML: {}", path, error.source().begin.line,
                                error.description()));
    }
}

}  // namespace

Result<FileValues, std::string> parse_file(std::string_view text, const std::string& path,
                                           std::string_view section) {
    FileValues out;
    auto read = with_table(text, path, [&](const toml::table& table) -> Result<void, std::string> {
        if (auto taken = take(table, path, out); !taken) return taken;
        const auto* own = table[section].as_table();
        return own != nullptr ? take(*own, path, out) : Result<void, std::string>{};
    });
    if (!read) return fail(std::move(read).error());
    return out;
}

Result<FileTables, std::string> parse_tables(std::string_view text, const std::string& path) {
    FileTables out;
    auto read = with_table(
        text, path, [&](const toml::table& table) { return take_all(table, path, "", out); });
    if (!read) return fail(std::move(read).error());
    return out;
}

Result<FileValues, std::string> read_file(const std::string& path, std::string_view section,
                                          std::string_view flag) {
    const auto text = read_text(path, flag);
    if (!text) return fail(text.error());
    return parse_file(*text, path, section);
}

Result<FileTables, std::string> read_tables(const std::string& path, std::string_view flag) {
    const auto text = read_text(path, flag);
    if (!text) return fail(text.error());
    return parse_tables(*text, path);
}

}  // namespace scanmq::config
