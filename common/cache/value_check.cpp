#include "common/cache/value_check.hpp"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <cstring>

namespace scanmq::cache {
namespace {

constexpr std::uint64_t kFormat = 1;  // of what is checked: another one is damage
static_assert(sizeof(XXH128_canonical_t) == Checksum::kSize);

}  // namespace

Checksum value_check(const ContentId& key, ByteView body) {
    const std::uint64_t seed = XXH3_64bits_withSeed(key.bytes.data(), ContentId::kSize, kFormat);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(body.data(), body.size(), seed));
    Checksum out;
    std::memcpy(out.bytes.data(), &canonical, sizeof canonical);
    return out;
}

}  // namespace scanmq::cache
