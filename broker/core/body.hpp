#pragma once
// How the core names bodies: payloads and results, whose bytes are the shell's.

#include <compare>
#include <cstdint>

#include "common/base/strong_id.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

// A queue's number in the store; 0 is what is broker-wide. Never used twice.
using PartitionId = std::uint32_t;

// A body held by the shell (bytes, or a blob reference). 0: none. The core counts no bytes of it
// but the size it was told, and hands the handle back in Effects::releases exactly once.
using BodyHandle = StrongId<struct BodyTag, std::uint32_t>;

// Where the store keeps a body after a checkpoint: an execution's payload by the execution's
// number, a result by the offset of its first entry.
struct BodyKey {
    enum class Kind : std::uint8_t { none, payload, result };
    Kind kind{};
    PartitionId partition{};
    std::uint64_t number{};
    friend auto operator<=>(const BodyKey&, const BodyKey&) = default;
};

// A body in a change or a row. Written by handle, the bytes being put in by the shell; read as bytes.
struct StoredBody {
    BodyHandle handle;
    BodyKey key;
    protocol::Body body;
};

}  // namespace scanmq::broker
