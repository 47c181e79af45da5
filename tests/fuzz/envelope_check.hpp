#pragma once
// What decoding an envelope promises for any bytes: a refusal, or exactly the bytes that encoding gives.

#include "common/cache/envelope.hpp"

namespace scanmq::tests {

// The key that the corpus was written with: of "key", by BLAKE2b.
inline bool envelope_keeps_promises(ByteView bytes) {
    const ContentId key = content_id("key");
    const auto decoded = cache::decode_envelope(key, bytes);
    if (!decoded) return cache::name_of(decoded.error()) != "unknown";
    return cache::encode_envelope(key, decoded->made, decoded->body) == bytes;
}

}  // namespace scanmq::tests
