#include "common/base/id.hpp"

#include <sodium.h>

#include <algorithm>

namespace scanmq {

ContentId content_id(ByteView bytes) {
    ContentId out;
    const int rc = crypto_generichash(out.bytes.data(), out.bytes.size(),
                                      reinterpret_cast<const unsigned char*>(bytes.data()),
                                      bytes.size(), nullptr, 0);
    SCANMQ_ASSERT(rc == 0);
    return out;
}

Id128 random_id(Rng& rng) {
    Id128 out;
    const std::uint64_t words[2] = {rng.next(), rng.next()};
    std::memcpy(out.bytes.data(), words, sizeof words);
    return out;
}

Id128 UuidV7::next(WallMillis now) {
    last_ = std::max(static_cast<std::uint64_t>(now) << 12, last_ + 1);
    const std::uint64_t ms = last_ >> 12;
    const std::uint64_t counter = last_ & 0xfff;
    const std::uint64_t random = rng_.next();
    Id128 out;
    for (int i = 0; i < 6; ++i) out.bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    out.bytes[6] = static_cast<std::uint8_t>(0x70 | (counter >> 8));
    out.bytes[7] = static_cast<std::uint8_t>(counter);
    std::memcpy(out.bytes.data() + 8, &random, 8);
    out.bytes[8] = static_cast<std::uint8_t>(0x80 | (out.bytes[8] & 0x3f));
    return out;
}

}  // namespace scanmq
