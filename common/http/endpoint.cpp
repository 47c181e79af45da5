#include "common/http/endpoint.hpp"

#include <algorithm>
#include <charconv>

namespace scanmq::http {

namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::size_t kUrlBytesMax = 2048;

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// Errors: what is wrong, to follow the quoted url.
Result<Endpoint, std::string> parse(std::string_view url) {
    if (url.substr(0, 8) == "https://") {
        return fail(std::string("https is not spoken here; put a proxy in between"));
    }
    if (url.substr(0, kScheme.size()) == kScheme) url.remove_prefix(kScheme.size());
    if (url.find("://") != std::string_view::npos) {
        return fail(std::string("it must begin with http://"));
    }
    const std::size_t slash = std::min(url.find('/'), url.size());
    std::string_view authority = url.substr(0, slash);
    std::string_view prefix = url.substr(slash);
    if (prefix.find_first_of("?#") != std::string_view::npos ||
        authority.find_first_of("?#@") != std::string_view::npos) {
        return fail(std::string("it may have a host, a port and a path, nothing else"));
    }
    while (!prefix.empty() && prefix.back() == '/') prefix.remove_suffix(1);

    Endpoint endpoint;
    endpoint.prefix = prefix;
    std::string_view port;
    if (!authority.empty() && authority.front() == '[') {
        const std::size_t close = authority.find(']');
        if (close == std::string_view::npos) return fail(std::string("the bracket is not closed"));
        endpoint.host = authority.substr(1, close - 1);
        authority.remove_prefix(close + 1);
        if (!authority.empty() && authority.front() != ':') {
            return fail(std::string("only a port may follow the bracket"));
        }
        port = authority;
    } else {
        const std::size_t colon = std::min(authority.find(':'), authority.size());
        endpoint.host = authority.substr(0, colon);
        port = authority.substr(colon);
    }
    if (endpoint.host.empty()) return fail(std::string("the host is missing"));
    if (port.empty()) return endpoint;
    port.remove_prefix(1);
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (error != std::errc() || end != port.data() + port.size() || endpoint.port == 0) {
        return fail(std::string("the port must be a number from 1 to 65535"));
    }
    return endpoint;
}

}  // namespace

std::string Endpoint::authority() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Endpoint::url() const { return std::string(kScheme) + authority() + prefix; }

Result<Endpoint, std::string> parse_endpoint(std::string_view url) {
    if (url.size() > kUrlBytesMax || !is_printable(url)) {
        return fail(std::string("a URL has at most 2048 printable ASCII characters"));
    }
    auto endpoint = parse(url);
    if (endpoint) return endpoint;
    return fail("'" + std::string(url) + "': " + endpoint.error() +
                "; write http://HOST:PORT, like http://127.0.0.1:8702");
}

}  // namespace scanmq::http
