#include "common/cache/envelope.hpp"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace scanmq::cache {
namespace {

constexpr std::string_view kMagic = "smqc";
constexpr std::size_t kFormatAt = 4;
constexpr std::string_view kFormat("\x01\0\0\0", 4);  // with the reserved bytes
constexpr std::size_t kKeyAt = 8;
static_assert(kFormat[0] == kEnvelopeFormat);
constexpr std::size_t kMadeAt = 40;
constexpr std::size_t kSizeAt = 48;
constexpr std::size_t kChecksumBytes = kEnvelopeBytes - kEnvelopeHeadBytes;
static_assert(sizeof(XXH128_canonical_t) == kChecksumBytes);

void append_u64(std::string& out, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t read_u64(ByteView bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
    return value;
}

XXH128_canonical_t checksum(ByteView bytes) {
    XXH128_canonical_t out;
    XXH128_canonicalFromHash(&out, XXH3_128bits(bytes.data(), bytes.size()));
    return out;
}

}  // namespace

std::string_view name_of(EnvelopeError error) noexcept {
    switch (error) {
        case EnvelopeError::truncated:
            return "truncated";
        case EnvelopeError::trailing:
            return "trailing";
        case EnvelopeError::wrong_magic:
            return "wrong_magic";
        case EnvelopeError::other_format:
            return "other_format";
        case EnvelopeError::checksum:
            return "checksum";
        case EnvelopeError::other_key:
            return "other_key";
    }
    return "unknown";
}

std::string encode_envelope(const ContentId& key, WallMillis made, ByteView body) {
    std::string out;
    out.reserve(kEnvelopeBytes + body.size());
    out += kMagic;
    out += kFormat;
    out += key.view();
    append_u64(out, static_cast<std::uint64_t>(made));
    append_u64(out, body.size());
    out += body;
    const XXH128_canonical_t sum = checksum(out);
    const void* raw = sum.digest;
    out.append(static_cast<const char*>(raw), kChecksumBytes);
    return out;
}

Result<Envelope, EnvelopeError> decode_envelope(const ContentId& key, ByteView bytes) {
    // What is something else, or of another version, need not have our length.
    if (bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size()))
        return fail(EnvelopeError::wrong_magic);
    const ByteView format = bytes.substr(std::min(bytes.size(), kFormatAt), kFormat.size());
    if (format != kFormat.substr(0, format.size())) return fail(EnvelopeError::other_format);
    if (bytes.size() < kEnvelopeBytes) return fail(EnvelopeError::truncated);
    const std::uint64_t size = read_u64(bytes.substr(kSizeAt));
    const std::uint64_t there = bytes.size() - kEnvelopeBytes;
    if (there < size) return fail(EnvelopeError::truncated);
    if (there > size) return fail(EnvelopeError::trailing);
    const ByteView sealed = bytes.substr(0, bytes.size() - kChecksumBytes);
    const XXH128_canonical_t sum = checksum(sealed);
    if (std::memcmp(sum.digest, bytes.data() + sealed.size(), kChecksumBytes) != 0)
        return fail(EnvelopeError::checksum);
    if (bytes.substr(kKeyAt, ContentId::kSize) != key.view()) return fail(EnvelopeError::other_key);
    return Envelope{static_cast<WallMillis>(read_u64(bytes.substr(kMadeAt))),
                    sealed.substr(kEnvelopeHeadBytes)};
}

}  // namespace scanmq::cache
