#pragma once
// The messages about kept results as values; docs/PROTOCOL.md, section 8, "Cache", says what each field means.
//
// Lifetimes: as in messages.hpp, which includes this.
// Threads:   plain values.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/checksum.hpp"
#include "common/base/id.hpp"
#include "common/protocol/fields.hpp"

namespace scanmq::protocol {

// Results that the broker keeps, by fingerprint.
struct CacheGet {
    std::string queue;  // empty: whatever the queue, and what other brokers put here
    std::vector<ContentId> keys;
};

// Those of the first `looked` keys that are there, in the order asked for; the other keys were left out, as
// the frame was full.
struct CacheValues {
    struct One {
        ContentId key;
        std::uint64_t age_ms{};
        std::string bytes;          // of the body: a copy, as these are few
        std::uint64_t blob_size{};  // as Body::blob_size
        std::uint64_t left_ms{};    // it answers jobs for so long
        Checksum check{};           // common/cache/value_check.hpp; zero: none
        [[nodiscard]] Body body() const noexcept { return {bytes, blob_size}; }
    };
    std::uint64_t re{};
    std::vector<One> values;
    std::uint64_t looked{};
};

// Results of another broker, to be kept for its peers.
struct CachePut {
    struct One {
        ContentId key;
        std::uint64_t age_ms{};
        std::uint64_t left_ms{};
        Checksum check{};
        ByteView bytes;
    };
    std::vector<One> values;
};

struct CacheKept {
    std::uint64_t re{};
    std::uint64_t results{};  // of those that were put
};

// No keys: all of the queue; no queue: of every queue. Keys without a queue: these, whatever their queue.
struct CacheDrop {
    std::string queue;
    std::vector<ContentId> keys;
};

struct CacheDropped {
    std::uint64_t re{};
    std::uint64_t results{};  // that were kept here
    std::uint64_t asked{};    // the shared tier is to forget so many, whether it has them or not
};

// What a worker's own results answered. The counters are since its session began.
struct CacheFigures {
    std::uint64_t hits{};    // looked for in its memory, and found
    std::uint64_t misses{};  // not found there
    std::uint64_t evicted{};
    std::uint64_t shared_hits{};  // of these misses: found in the tier it shares
    std::uint64_t shared_misses{};
    std::uint64_t shared_timeouts{};  // of these: no answer in time
    std::uint64_t results{};          // kept now
    std::uint64_t bytes{};            // kept now

    friend bool operator==(const CacheFigures&, const CacheFigures&) = default;
};

// Their names on the wire; the first kCacheCounters are counters, the others are of now.
inline constexpr std::array<std::pair<std::string_view, std::uint64_t CacheFigures::*>, 8>
    kCacheFigures{{{"hits", &CacheFigures::hits},
                   {"misses", &CacheFigures::misses},
                   {"evicted", &CacheFigures::evicted},
                   {"shared_hits", &CacheFigures::shared_hits},
                   {"shared_misses", &CacheFigures::shared_misses},
                   {"shared_timeouts", &CacheFigures::shared_timeouts},
                   {"results", &CacheFigures::results},
                   {"bytes", &CacheFigures::bytes}}};
inline constexpr std::size_t kCacheCounters = 6;

}  // namespace scanmq::protocol
