#pragma once
// RedisUrl: where a Redis is, read from "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]".
//
// Secrets:   a password is in none of the sentences and in no text made here.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace scanmq::cache {

struct RedisUrl {
    std::string host;  // a name or an address; IPv6 without its brackets
    std::uint16_t port = 6379;
    std::string user;      // empty: Redis' default user
    std::string password;  // empty: no AUTH
    std::uint32_t database = 0;

    // "redis://host:port/db": for logs, without user and password.
    [[nodiscard]] std::string shown() const;
};

// User and password may be percent-encoded. Errors: a sentence that says which part is wrong, where it
// begins in the text, and what is right; it quotes nothing of the text.
[[nodiscard]] Result<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace scanmq::cache
