#pragma once
// What the decoding of blobs promises for any bytes: both ways of it take or refuse the same frames, and
// what they give has the declared size and one content id. Input: the size in three bytes, the frame.

#include "common/compress/zstd.hpp"

namespace scanmq::tests {

inline bool zstd_keeps_promises(ByteView bytes) {
    if (bytes.size() < 3) return true;
    std::uint64_t size = 0;
    for (const char c : bytes.substr(0, 3)) size = size << 8 | static_cast<unsigned char>(c);
    const ByteView frame = bytes.substr(3);
    const auto raw = compress::unzstd(frame, size);
    const auto id = compress::content_id_of_zstd(frame, size);
    if (raw && raw->size() != size) return false;
    // A window may be too large for the one that holds no more than that.
    if (id && !raw) return false;
    return !id || *id == content_id(*raw);
}

}  // namespace scanmq::tests
