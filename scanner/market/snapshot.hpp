#pragma once
// The stored form of a Chain: columnar, self-describing, the same bytes for the same chain.
//
// Contract: docs/SNAPSHOT.md. Bytes are identified by their hash, so encoding is deterministic: no
//           times, no padding but zeros, one bit pattern for NaN, no negative zero.
// Errors:   decode_snapshot is for untrusted bytes: every offset, count, order and value is checked
//           before use and what it returns is a valid Chain. It never reads outside the bytes.
// Threads:  pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "scanner/market/chain.hpp"
#include "scanner/market/error.hpp"

namespace scanmq::market {

inline constexpr std::string_view kSnapshotMagic{"SCANMQCH", 8};
inline constexpr std::uint32_t kSnapshotVersion = 1;
inline constexpr std::size_t kSnapshotColumnsMax = 64;

// Precondition: the chain is as chain.hpp says and within the limits of chain_builder.hpp, as all
//               that readers make are.
[[nodiscard]] std::string encode_snapshot(const Chain& chain);

// Errors: bad_snapshot, unsupported_snapshot (a later version), too_large; the message says which
//         check failed and what to do.
[[nodiscard]] MarketResult<Chain> decode_snapshot(ByteView bytes);

// A moment that a snapshot may hold: of the years 1900 to 2999, and a few days around them for zones and
// last trades.
[[nodiscard]] bool storable_moment(WallMillis moment) noexcept;

}  // namespace scanmq::market
