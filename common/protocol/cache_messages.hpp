#pragma once
// The messages about kept results as values; docs/PROTOCOL.md, section 8, "Cache", says what each field means.
//
// Lifetimes: as in messages.hpp, which includes this.
// Threads:   plain values.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/protocol/fields.hpp"

namespace scanmq::protocol {

// Results that the broker keeps, by fingerprint.
struct CacheGet {
    std::string queue;
    std::vector<ContentId> keys;
};

// Those of them that are there and fit a frame, in the order asked for.
struct CacheValues {
    struct One {
        ContentId key;
        std::uint64_t age_ms{};
        std::string bytes;          // of the body: a copy, as these are few
        std::uint64_t blob_size{};  // as Body::blob_size
        [[nodiscard]] Body body() const noexcept { return {bytes, blob_size}; }
    };
    std::uint64_t re{};
    std::vector<One> values;
};

// No keys: all of the queue; no queue: of every queue.
struct CacheDrop {
    std::string queue;
    std::vector<ContentId> keys;
};

struct CacheDropped {
    std::uint64_t re{};
    std::uint64_t results{};
};

}  // namespace scanmq::protocol
