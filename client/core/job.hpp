#pragma once
// What a producer asks for and what it is told: plain values.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/strong_id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::client {

// A producer's own count of the jobs it took, from 1.
using Ticket = StrongId<struct TicketTag>;

// Borrowed: copied by submit().
struct Job {
    std::string_view subject;  // "" or tokens with dots
    ByteView payload;
    ByteView inputs;  // content ids of snapshots, 32 bytes each
    Id128 group;      // zero: none
    // Zero: a UUIDv7 is stamped when the job takes credit, so that it is never too old however long
    // it waited. The answer tells it. Set it to make a submission repeatable across processes.
    Id128 id;

    // --- options (docs/PROTOCOL.md, section 3); those left as they are cost nothing
    std::uint32_t priority = protocol::JobOptions::kDefaultPriority;  // 0-9, higher goes first
    Duration delay{};     // not before that long after acceptance; the broker has a maximum
    Duration deadline{};  // not started later than that after acceptance; 0: none
    std::string_view conflate_key;  // a newer waiting job of the key replaces this one; "": none
    std::string_view flow;          // what the queue shares workers out by; "": the producer's name
    std::optional<bool> pure;       // absent: as the queue is
    bool finish_late = false;       // what runs past the deadline may end
    bool fresh = false;             // not answered out of a cache, nor with an older result
    bool sheddable = false;         // may end `shed` when its queue is overloaded and set to shed
    std::optional<std::int64_t>
        as_of_ns;  // pricing clock, ns since 1970 UTC; absent: the snapshot's
    // Each 1 to name_bytes_max bytes; with the inputs at most inputs_per_job_max. They become
    // content ids when the job is accepted.
    std::span<const std::string> aliases;
};

// The options as the wire has them, durations rounded up to ms; null when all are at their
// defaults.
// Precondition: delay and deadline are not negative.
[[nodiscard]] std::unique_ptr<protocol::JobOptions> options_of(const Job& job);

struct JobAnswer {
    Ticket ticket;
    Id128 id;
    protocol::Verdict verdict{};  // refused: nothing will run for it, see code and sentence
    protocol::JobState state{};   // of a duplicate; of what a coalesced job joined
    protocol::ErrorCode code{};   // of a refusal
    std::string_view sentence;    // of a refusal; valid during the callback

    // The job is the broker's now: it will have its final entry (or has had it).
    [[nodiscard]] bool taken() const noexcept { return verdict != protocol::Verdict::refused; }
};

}  // namespace scanmq::client
