#pragma once
// MemoryBudget: what the broker may hold in memory, shared out, and who has to wait when it is short.
//
// Role:      owned by CoreState; the shell and the core tell it what is held, the handlers ask it.
// Threads:   broker loop only. No clock, no IO.
// Counts:    bodies in memory, records of jobs, entries and ids, and frames that wait for peers are
//            counted as they come and go. What the process really has (its resident anonymous memory)
//            is told now and then and corrects the counts: allocators keep pages, so that it decides
//            only after they were asked to give them back.
// Promise:   counted and granted together never pass the high mark by a grant; above it only results
//            of what runs are added, for which the rest is kept; a delivery is made only when the
//            largest result of everything under way still fits. What was accepted goes on always: a
//            few attempts may run whatever is held.
// See:       docs/OPERATIONS.md, "Memory"; docs/PROTOCOL.md, code memory_full

#include <cstddef>
#include <cstdint>

#include "broker/core/submit_credit.hpp"

namespace scanmq::broker {

// How --memory-max is shared out; everything in bytes.
struct MemoryPlan {
    std::uint64_t bytes_max = 0;        // all of it; 0: no budget
    std::uint64_t receive_pipes = 0;    // what peers sent and ZeroMQ holds, on the main socket
    std::uint64_t blob_pipes = 0;       // the same on the blob socket
    std::uint64_t send_pipes = 0;       // what ZeroMQ holds for peers, main socket
    std::uint64_t blob_send_pipes = 0;  // the same on the blob socket
    std::uint64_t outgoing = 0;         // queues of slow peers, main socket
    std::uint64_t blob_outgoing = 0;    // the same on the blob socket
    std::uint64_t blobs = 0;            // of puts under way; without a store: of all blobs
    std::uint64_t log_buffer = 0;       // records that are not written yet
    std::uint64_t checkpoint = 0;       // what a checkpoint moves at once
    std::uint64_t traffic = 0;          // the rest: jobs, results, entries, ids

    // `bytes_max` 0: no budget, and every share has no bound.
    [[nodiscard]] static MemoryPlan of(std::uint64_t bytes_max) noexcept;
    // The process itself, its code and threads, before any traffic.
    static constexpr std::uint64_t kBaseBytes = 20U << 20;
    static constexpr std::uint64_t kBytesMin = 160U << 20;
};

class MemoryBudget {
  public:
    // What records cost in memory, rounded up: with their indices and what they grow by.
    static constexpr std::uint64_t kJobBytes = 224;  // job, execution, id, its body's rounding
    static constexpr std::uint64_t kEntryBytes = 64;
    static constexpr std::uint64_t kIdBytes = 64;
    // So many attempts may be under way whatever is held: they make room.
    static constexpr std::uint64_t kRunningMin = 8;

    // What is held now.
    struct Figures {
        std::uint64_t body_bytes = 0;  // the shell's: bodies in memory
        std::uint64_t outgoing_bytes = 0;
        std::uint64_t jobs = 0;  // the core's
        std::uint64_t entries = 0;
        std::uint64_t ids = 0;
        std::uint64_t stream_bytes = 0;  // what the streams keep in memory
        std::uint64_t peer_bytes = 0;    // other brokers' results
    };

    explicit MemoryBudget(const MemoryPlan& plan);

    [[nodiscard]] const MemoryPlan& plan() const noexcept { return plan_; }
    [[nodiscard]] bool limited() const noexcept { return plan_.bytes_max != 0; }
    // What all grants of submit credit come out of.
    [[nodiscard]] GrantPool& pool() noexcept { return pool_; }
    [[nodiscard]] const GrantPool& pool() const noexcept { return pool_; }

    // True: something that was held is let go, so that work may be possible again.
    bool count(const Figures& figures);
    // Resident anonymous memory. `trimmed`: the allocator gave back what it could, just before.
    // True: as of count().
    bool resident(std::uint64_t bytes, bool trimmed);

    // The process has far more than is counted: its allocator should give back what it can.
    [[nodiscard]] bool wants_trim() const noexcept;

    // No submit credit is granted: from the high mark on until the low one.
    [[nodiscard]] bool grants_held() const noexcept { return grants_held_ || resident_held_; }
    // No sessions of peers that only bring work.
    [[nodiscard]] bool sessions_held() const noexcept;
    // Frames for slow peers fill their share: no answers to queries, no results until they took some.
    [[nodiscard]] bool outgoing_held() const noexcept { return outgoing_held_; }
    // So many bytes of results and deliveries may be sent at once, should no peer take any.
    [[nodiscard]] std::uint64_t outgoing_room() const noexcept;
    // How many more attempts may start, each with a result of so many bytes at most, beside `running`.
    [[nodiscard]] std::uint64_t attempts(std::uint64_t running,
                                         std::uint64_t result_bytes) const noexcept;
    // A stream that keeps so much in memory, one of `streams`, has to drop its oldest entries, whatever
    // its setting says: all together have a quarter of the traffic's share, and it has more than its
    // part.
    [[nodiscard]] bool stream_too_large(std::uint64_t bytes, std::size_t streams) const noexcept {
        const std::uint64_t most = plan_.traffic / 4;
        return limited() && streams_ > most && bytes > most / streams;
    }

    // Finished ids that all queues together may remember: an eighth of the traffic's share. With this
    // and stream_too_large(), what no job needs any more stays below the low mark.
    [[nodiscard]] std::uint64_t ids_max() const noexcept { return plan_.traffic / 8 / kIdBytes; }

    [[nodiscard]] std::uint64_t counted() const noexcept { return counted_; }
    [[nodiscard]] std::uint64_t resident() const noexcept { return resident_; }
    [[nodiscard]] std::uint64_t high_mark() const noexcept { return plan_.traffic / 4 * 3; }
    [[nodiscard]] std::uint64_t low_mark() const noexcept { return plan_.traffic / 8 * 5; }
    // How often grants began to be held.
    [[nodiscard]] std::uint64_t holds() const noexcept { return holds_; }

  private:
    bool judge(bool was_held, bool was_outgoing_held);

    const MemoryPlan plan_;
    GrantPool pool_;
    std::uint64_t counted_ = 0;   // of the traffic's share
    std::uint64_t outgoing_ = 0;  // frames that wait for peers
    std::uint64_t streams_ = 0;   // of counted_: what streams keep
    std::uint64_t resident_ = 0;
    bool grants_held_ = false;
    bool resident_held_ = false;
    bool outgoing_held_ = false;
    std::uint64_t holds_ = 0;
};

}  // namespace scanmq::broker
