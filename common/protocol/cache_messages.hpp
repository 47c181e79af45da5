#pragma once
// The messages about kept results as values; docs/PROTOCOL.md, section 8, "Cache", says what each field means.
//
// Lifetimes: as in messages.hpp, which includes this.
// Threads:   plain values.

#include <cstdint>
#include <string>
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
    std::uint64_t results{};
};

}  // namespace scanmq::protocol
