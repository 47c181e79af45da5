#pragma once
// What a producer asks for and what it is told: plain values.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/strong_id.hpp"
#include "common/protocol/kinds.hpp"

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
};

struct JobAnswer {
    Ticket ticket;
    Id128 id;
    protocol::Verdict verdict{};  // refused: nothing will run for it, see code and sentence
    protocol::JobState state{};   // of a duplicate
    protocol::ErrorCode code{};   // of a refusal
    std::string_view sentence;    // of a refusal; valid during the callback

    // The job is the broker's now: it will have its final entry (or has had it).
    [[nodiscard]] bool taken() const noexcept { return verdict != protocol::Verdict::refused; }
};

}  // namespace scanmq::client
