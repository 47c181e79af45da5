#pragma once
// What a subscriber reads and is told: plain values.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/base/id.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::client {

struct StreamPosition {
    Id128 incarnation;
    std::uint64_t next_offset{};
};

// One RESULTS frame. A gap comes before the entries: those offsets are gone for good.
struct EntryBatch {
    std::span<const protocol::Entry> entries;  // views valid while the batch (its frame) lives
    std::optional<protocol::Gap> gap;
    StreamPosition position;  // where to go on after this batch
};

// What happens when the stream's incarnation is not the one the subscription was reading.
enum class ResetPolicy : std::uint8_t { stop, earliest, latest };

enum class SubscriptionState : std::uint8_t { starting, active, failed, closed };

struct SubscriptionInfo {
    SubscriptionState state{};
    StreamPosition position;       // after what was handed out
    std::uint64_t first_offset{};  // oldest kept, when the subscription was (re)established
    std::uint64_t end_offset{};    // of the next entry appended, at that time
    std::uint64_t resets{};        // how often the stream was found to be another one
    // Of a durable one, when it was (re)established: new, resumed at its cursor, or new because it
    // had lapsed.
    protocol::SubscriptionStatus status{};
    std::uint64_t acknowledged{};  // of a durable one: everything before it, as told to the broker
    protocol::ErrorCode code{};    // failed
    std::string sentence;
};

struct StreamOptions {
    std::string queue;
    std::string pattern = ">";
    protocol::StartFrom from = protocol::StartFrom::latest;
    std::uint64_t offset{};  // from == offset; from == time: ms since 1970 UTC
    Id128 incarnation;       // of the stream that offset belongs to; zero: unchecked
    ResetPolicy on_reset = ResetPolicy::stop;
    // Not empty: the broker keeps a cursor under this name, per queue, and the subscription starts
    // there whatever `from` says, unless the name is new or has lapsed.
    std::string durable_name;
    // Of a durable one: batches that were handled are acknowledged by themselves, at most 200 ms
    // later and when it ends. Else the program does it, with ack().
    bool auto_ack = true;
    std::uint32_t credit_items = 32'768;     // entries under way or not handed out yet
    std::uint64_t credit_bytes = 16U << 20;  // their bodies and overhead; at least one inline body
};

}  // namespace scanmq::client
