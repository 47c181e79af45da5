#pragma once
// StreamRoom: the room of a lossless stream: what is in it, what is promised, what else fits.
//
// Role:      a value made of a queue's figures; says whether to deliver, to accept, to trim.
// Threads:   any; pure.
// Promises:  a place for the head of each entry that is sure to come: of live jobs, of places granted
//            to producers, of groups that have not ended; and a result for each job that runs, an
//            inline one (of a blob the stream holds the head only) and its sentence.
// Shares:    the chain has to hold in order, and must not lock itself. Places take half of the room at
//            most, so that what was accepted can run. Deliveries leave an eighth: producers are held
//            after them. What is acknowledged is dropped to keep a quarter free, so that deliveries do
//            not wait for it. And when nothing runs and nothing is unacknowledged, one delivery always
//            fits, and one place, however small the room.
// Invariant: bytes + reserved() stays within bytes_max, but for: that one delivery, beside the newest
//            entry, which is always kept; the sentences of entries that needed no worker and the bodies
//            of group completions, at most 192 bytes each; a room that was made smaller.
// See:       docs/PROTOCOL.md, section 9, "Lossless streams"

#include <algorithm>
#include <cstdint>

#include "common/protocol/limits.hpp"

namespace scanmq::broker {

struct StreamRoom {
    static constexpr std::uint64_t kPlaceBytes = protocol::kLimits.item_overhead_bytes;

    std::uint64_t bytes_max = 0;     // stream_max_bytes
    std::uint64_t bytes = 0;         // of the entries that are kept
    std::uint64_t jobs = 0;          // live ones, and places granted
    std::uint64_t groups = 0;        // not ended
    std::uint64_t running_jobs = 0;  // of the executions that run
    std::uint64_t result_bytes = 0;  // reserved for each of those
    bool acknowledged = false;       // nothing that is kept is needed any more

    // What a result may take beside its entry's head.
    [[nodiscard]] static std::uint64_t result_bytes_of(std::uint64_t max_result_bytes) noexcept {
        return std::min<std::uint64_t>(max_result_bytes, protocol::kLimits.inline_bytes_max) +
               protocol::kLimits.sentence_bytes_max;
    }
    [[nodiscard]] std::uint64_t reserved() const noexcept {
        return (jobs + groups) * kPlaceBytes + running_jobs * result_bytes;
    }
    // An execution of so many jobs may start.
    [[nodiscard]] bool delivery_fits(std::uint64_t its_jobs) const noexcept {
        return more_fits(its_jobs) || (acknowledged && running_jobs == 0);
    }
    // The same for a job that joins one that runs: it can as well have an execution of its own.
    [[nodiscard]] bool more_fits(std::uint64_t its_jobs) const noexcept {
        return bytes + reserved() + its_jobs * result_bytes <= bytes_max - bytes_max / 8;
    }
    // So many jobs and granted places may there be.
    [[nodiscard]] std::uint64_t jobs_max() const noexcept {
        const std::uint64_t other = bytes + running_jobs * result_bytes;
        const std::uint64_t left =
            std::min(bytes_max / 2, bytes_max - std::min(bytes_max, other)) / kPlaceBytes;
        const std::uint64_t most = left - std::min(left, groups);
        return acknowledged && running_jobs == 0 ? std::max<std::uint64_t>(most, 1) : most;
    }
    // So many jobs may one execution have, to fit when its turn comes.
    [[nodiscard]] std::uint64_t jobs_per_execution_max() const noexcept {
        return std::max<std::uint64_t>(1, bytes_max / 4 / std::max<std::uint64_t>(1, result_bytes));
    }
    // What is acknowledged should go.
    [[nodiscard]] bool crowded() const noexcept {
        return bytes + reserved() > bytes_max - bytes_max / 4;
    }
};

}  // namespace scanmq::broker
