#include "common/cache/redis/redis_url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/base/bytes.hpp"

namespace scanmq::cache {
namespace {

constexpr std::string_view kScheme = "redis://";
constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::uint32_t kDatabaseMax = 1'000'000;

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::uint8_t byte = static_cast<std::uint8_t>(text[0]);
        std::size_t used = 1;
        if (text[0] == '%') {
            if (text.size() < 3 || !from_hex(text.substr(1, 2), &byte, 1)) return std::nullopt;
            used = 3;
        }
        out.push_back(static_cast<char>(byte));
        text.remove_prefix(used);
    }
    return out;
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

// Reads one part after the other; `text` is all of it, for places.
class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<RedisUrl, std::string> parse() {
        if (text_.size() > kUrlBytesMax ||
            !std::all_of(text_.begin(), text_.end(), [](char c) { return c > ' ' && c < '\x7f'; }))
            return fail(std::string("it has at most 2048 printable ASCII characters"));
        if (text_.starts_with("rediss://"))
            return fail(
                std::string("TLS (rediss://) is not available; put a TLS proxy in between"));
        if (!text_.starts_with(kScheme)) return wrong("the scheme", text_, "must be redis://");
        std::string_view rest = text_.substr(kScheme.size());
        // The last '@' before the database: a password with one in it is still taken as a whole.
        if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
            if (const auto done = credentials(rest.substr(0, at)); !done)
                return fail(std::string(done.error()));
            rest.remove_prefix(at + 1);
        }
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        if (const auto done = authority(rest.substr(0, slash)); !done)
            return fail(std::string(done.error()));
        if (slash + 1 < rest.size()) {
            const std::string_view database = rest.substr(slash + 1);
            if (!read_number(database, url_.database) || url_.database > kDatabaseMax)
                return wrong("the database", database, "must be a number, like 0");
        }
        return url_;
    }

  private:
    [[nodiscard]] Failure<std::string> wrong(std::string_view what, std::string_view part,
                                             std::string_view right) const {
        return fail(
            fmt::format("{}, at character {}, {}", what, part.data() - text_.data() + 1, right));
    }
    Result<void, std::string> credentials(std::string_view text) {
        const std::size_t colon = text.find(':');
        if (colon == std::string_view::npos)
            return wrong("what is before the '@'", text, "must be USER:PASSWORD or :PASSWORD");
        const auto user = percent_decoded(text.substr(0, colon));
        if (!user)
            return wrong("the user", text, "has a '%' that no two hexadecimal digits follow");
        const std::string_view secret = text.substr(colon + 1);
        const auto password = percent_decoded(secret);
        if (!password)
            return wrong("the password", secret, "has a '%' that no two hexadecimal digits follow");
        if (password->empty()) return wrong("the password", secret, "is empty");
        url_.user = *user;
        url_.password = *password;
        return {};
    }
    Result<void, std::string> authority(std::string_view text) {
        std::string_view port;
        if (text.starts_with('[')) {
            const std::size_t close = text.find(']');
            if (close == std::string_view::npos) return wrong("the bracket", text, "is not closed");
            url_.host = text.substr(1, close - 1);
            port = text.substr(close + 1);
        } else {
            const std::size_t colon = std::min(text.find(':'), text.size());
            url_.host = text.substr(0, colon);
            port = text.substr(colon);
        }
        if (url_.host.empty()) return wrong("the host", text, "is missing");
        if (url_.host.find_first_of("?#") != std::string::npos)
            return wrong("the host", text, "may not have a '?' or '#' in it");
        if (port.empty()) return {};
        if (!port.starts_with(':') || !read_number(port.substr(1), url_.port) || url_.port == 0)
            return wrong("the port", port, "must be ':' and a number from 1 to 65535");
        return {};
    }

    std::string_view text_;
    RedisUrl url_;
};

}  // namespace

std::string RedisUrl::shown() const {
    const bool v6 = host.find(':') != std::string::npos;
    return fmt::format("redis://{}{}{}:{}/{}", v6 ? "[" : "", host, v6 ? "]" : "", port, database);
}

Result<RedisUrl, std::string> parse_redis_url(std::string_view text) {
    auto url = Parser(text).parse();
    if (url) return url;
    return fail("not the URL of a Redis: " + url.error() +
                "; write redis://HOST:PORT/DB or redis://USER:PASSWORD@HOST:PORT/DB");
}

}  // namespace scanmq::cache
