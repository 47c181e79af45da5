#pragma once
// Redis commands as bytes (RESP 2).
//
// Role:      RedisTier's; pure.
// Keys:      prefix and the key in hexadecimal, so that an operator can type them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace scanmq::cache {

// Each appends one command. Preconditions: keys is not empty.
void append_mget(std::string& out, std::string_view prefix, std::span<const ContentId> keys);
void append_unlink(std::string& out, std::string_view prefix, std::span<const ContentId> keys);
// ttl is rounded up to whole milliseconds, at least one.
void append_set(std::string& out, std::string_view prefix, const ContentId& key, ByteView value,
                Duration ttl);
// user may be empty.
void append_auth(std::string& out, std::string_view user, std::string_view password);
void append_select(std::string& out, std::uint32_t database);
void append_ping(std::string& out);

}  // namespace scanmq::cache
