#pragma once
// Envelope: a cached value as bytes, for a tier that others may damage, mix up or have written with another
//           version of this program.
//
//   0   4  "smqc"
//   4   1  format version: 1
//   5   3  0; anything else is another format
//   8  32  the key
//   40  8  when the value was made, wall milliseconds, little-endian
//   48  8  bytes of the body, little-endian
//   56  …  the body
//   …  16  checksum: XXH3-128 (canonical) of all before
//
// Role:      RedisTier writes and reads it. The body is the caller's; nothing here knows what it means.
// Threads:   any; no state.
// Errors:    EnvelopeError. decode() makes no other promise than these checks: the checksum finds damage,
//            not malice; who may write to the tier may write what results say.
// Limits:    none of its own: a body is as large as its tier takes.
// See:       docs/adr/0004-cache.md

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace scanmq::cache {

inline constexpr std::uint8_t kEnvelopeFormat = 1;
inline constexpr std::size_t kEnvelopeHeadBytes = 56;
inline constexpr std::size_t kEnvelopeBytes = kEnvelopeHeadBytes + 16;  // beside the body

enum class EnvelopeError : std::uint8_t {
    wrong_magic,   // something else
    other_format,  // of another version of this program
    truncated,     // fewer bytes than it says, or than any has
    trailing,      // more bytes than it says
    checksum,      // damaged
    other_key,     // somebody else's value
};

// "wrong_magic", "other_format" …
[[nodiscard]] std::string_view name_of(EnvelopeError error) noexcept;

struct Envelope {
    WallMillis made{};
    ByteView body;  // borrows the bytes that were decoded
};

[[nodiscard]] std::string encode_envelope(const ContentId& key, WallMillis made, ByteView body);
// Checks in the order of EnvelopeError; the first that fails is the error.
[[nodiscard]] Result<Envelope, EnvelopeError> decode_envelope(const ContentId& key, ByteView bytes);

}  // namespace scanmq::cache
