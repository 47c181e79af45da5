#pragma once
// Id128 and ContentId: the two identities that travel on the wire.
//
// Id128      16 bytes: jobs and groups (UUIDv7, RFC 9562), process instances (random).
// ContentId  32 bytes: BLAKE2b-256 of a blob's bytes.

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/assert.hpp"
#include "common/base/bytes.hpp"
#include "common/base/rng.hpp"
#include "common/base/time.hpp"

namespace scanmq {

template <std::size_t Size, class Tag>
struct FixedBytes {
    std::array<std::uint8_t, Size> bytes{};

    static constexpr std::size_t kSize = Size;

    [[nodiscard]] ByteView view() const noexcept {
        return {reinterpret_cast<const char*>(bytes.data()), Size};
    }
    [[nodiscard]] bool is_zero() const noexcept { return *this == FixedBytes{}; }
    [[nodiscard]] std::string hex() const { return to_hex(view()); }
    [[nodiscard]] static std::optional<FixedBytes> from_bytes(ByteView raw) noexcept {
        if (raw.size() != Size) return std::nullopt;
        FixedBytes out;
        std::memcpy(out.bytes.data(), raw.data(), Size);
        return out;
    }
    [[nodiscard]] static std::optional<FixedBytes> parse_hex(std::string_view hex) {
        FixedBytes out;
        if (!from_hex(hex, out.bytes.data(), Size)) return std::nullopt;
        return out;
    }
    friend bool operator==(const FixedBytes&, const FixedBytes&) = default;
    friend auto operator<=>(const FixedBytes&, const FixedBytes&) = default;
};

using Id128 = FixedBytes<16, struct Id128Tag>;
using ContentId = FixedBytes<32, struct ContentIdTag>;

// Hash of an id: ids may be chosen by peers, so the words are mixed.
[[nodiscard]] inline std::uint64_t hash_id(const Id128& id) noexcept {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::memcpy(&a, id.bytes.data(), 8);
    std::memcpy(&b, id.bytes.data() + 8, 8);
    std::uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL;
    h ^= h >> 32;
    return h * 0xc4ceb9fe1a85ec53ULL;
}

// BLAKE2b-256 (libsodium's generichash, no key).
[[nodiscard]] ContentId content_id(ByteView bytes);

// A random id, for process instances and stream incarnations.
[[nodiscard]] Id128 random_id(Rng& rng);

// UuidV7: time-ordered job ids. 48 bits of wall time in ms, a 12-bit counter within the millisecond
// (running ahead of the clock rather than repeating), 62 random bits.
// Threads: one; give each thread its own.
class UuidV7 {
  public:
    explicit UuidV7(std::uint64_t seed) : rng_(seed) {}
    [[nodiscard]] Id128 next(WallMillis now);

  private:
    Rng rng_;
    std::uint64_t last_ = 0;  // (ms << 12) | counter
};

}  // namespace scanmq

template <>
struct std::hash<scanmq::Id128> {
    std::size_t operator()(const scanmq::Id128& id) const noexcept { return scanmq::hash_id(id); }
};
template <>
struct std::hash<scanmq::ContentId> {
    std::size_t operator()(const scanmq::ContentId& id) const noexcept {
        std::size_t h = 0;  // already a hash
        std::memcpy(&h, id.bytes.data(), sizeof h);
        return h;
    }
};
