#include "common/cache/redis/redis_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace scanmq::cache {
namespace {

void append_head(std::string& out, std::size_t words) {
    fmt::format_to(std::back_inserter(out), "*{}\r\n", words);
}
void append_word(std::string& out, std::string_view word) {
    fmt::format_to(std::back_inserter(out), "${}\r\n", word.size());
    out += word;
    out += "\r\n";
}
void append_key(std::string& out, std::string_view prefix, const ContentId& key) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    fmt::format_to(std::back_inserter(out), "${}\r\n", prefix.size() + 2 * ContentId::kSize);
    out += prefix;
    for (const std::uint8_t byte : key.bytes) {
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 15]);
    }
    out += "\r\n";
}
void append_keys(std::string& out, std::string_view command, std::string_view prefix,
                 std::span<const ContentId> keys) {
    out.reserve(out.size() + 32 + keys.size() * (prefix.size() + 2 * ContentId::kSize + 12));
    append_head(out, keys.size() + 1);
    append_word(out, command);
    for (const ContentId& key : keys) append_key(out, prefix, key);
}

}  // namespace

void append_mget(std::string& out, std::string_view prefix, std::span<const ContentId> keys) {
    append_keys(out, "MGET", prefix, keys);
}

void append_unlink(std::string& out, std::string_view prefix, std::span<const ContentId> keys) {
    append_keys(out, "UNLINK", prefix, keys);
}

void append_set(std::string& out, std::string_view prefix, const ContentId& key, ByteView value,
                Duration ttl) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(ttl).count();
    out.reserve(out.size() + value.size() + prefix.size() + 160);
    append_head(out, 5);
    append_word(out, "SET");
    append_key(out, prefix, key);
    append_word(out, value);
    append_word(out, "PX");
    append_word(out, fmt::format("{}", std::max<std::int64_t>(1, ms)));
}

void append_auth(std::string& out, std::string_view user, std::string_view password) {
    append_head(out, user.empty() ? 2 : 3);
    append_word(out, "AUTH");
    if (!user.empty()) append_word(out, user);
    append_word(out, password);
}

void append_select(std::string& out, std::uint32_t database) {
    append_head(out, 2);
    append_word(out, "SELECT");
    append_word(out, fmt::format("{}", database));
}

void append_ping(std::string& out) {
    append_head(out, 1);
    append_word(out, "PING");
}

}  // namespace scanmq::cache
