#pragma once
// Endpoint: where an HTTP service is, read from "http://host:port/prefix".

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace scanmq::http {

struct Endpoint {
    std::string host;  // a name or an address; IPv6 without its brackets
    std::uint16_t port = 80;
    std::string prefix;  // before every target: "" or "/a/b", without a slash at its end

    // "host:port", as in a Host header and in logs.
    [[nodiscard]] std::string authority() const;
    // "http://host:port/prefix".
    [[nodiscard]] std::string url() const;
};

// Errors: a sentence that names the text and what is wrong with it.
[[nodiscard]] Result<Endpoint, std::string> parse_endpoint(std::string_view url);

}  // namespace scanmq::http
