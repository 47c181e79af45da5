#pragma once
// ProducerBook: what each producer has under way, and the answers on their way to it.
//
// Role:      owned by ClientCore; SubmitLinks report through it.
// Threads:   the core's.
// Invariant: a job is counted once: waiting, unanswered, or answered.

#include <cstdint>
#include <string>
#include <vector>

#include "client/core/job_arena.hpp"
#include "client/core/outbox.hpp"

namespace scanmq::client {

struct ProducerStats {
    std::uint64_t submitted{};   // taken by submit()
    std::uint64_t accepted{};    // taken by the broker, whatever the verdict
    std::uint64_t duplicates{};  // of those, duplicates
    std::uint64_t coalesced{};   // of those, joined to work that was there
    std::uint64_t cached{};      // of those, ended at once by a known result
    std::uint64_t refused{};
    std::uint64_t waiting{};         // not sent yet (or not in this session)
    std::uint64_t unanswered{};      // sent
    std::uint64_t frames{};          // SUBMITs that began with a job of it
    std::uint64_t buffered_bytes{};  // of what waits and what is unanswered
    // Why its queue gives no credit at present: store_full, asked again with growing pauses; or
    // none.
    protocol::ErrorCode held{};
};

struct ProducerSettings {
    std::uint32_t buffer_items_max = 65'536;
    std::uint64_t buffer_bytes_max = 64U << 20;
    bool wants_answers{};
    bool journaled{};  // ids drawn for its jobs are told (Effects::stamps) before the jobs are sent
};

class ProducerBook {
  public:
    std::uint32_t add(const ProducerSettings& settings, std::size_t link);
    // Its jobs go on, its answers go nowhere. Of a journaled one only what was stamped goes on: the
    // rest will be submitted from the journal, under other ids.
    void remove(std::uint32_t producer);

    [[nodiscard]] std::size_t link(std::uint32_t producer) const { return rows_[producer].link; }
    [[nodiscard]] const ProducerStats& stats(std::uint32_t producer) const {
        return rows_[producer].stats;
    }
    // Whether a job of this size fits the buffer; an empty buffer takes any.
    [[nodiscard]] bool room(std::uint32_t producer, std::size_t bytes) const noexcept;
    [[nodiscard]] bool idle(std::uint32_t producer) const noexcept;

    [[nodiscard]] Ticket take(std::uint32_t producer, std::size_t bytes);
    void sent(const StoredJob& job) noexcept;
    void unsent(const StoredJob& job) noexcept;  // its session ended, or its body is put again
    [[nodiscard]] bool journaled(std::uint32_t producer) const noexcept {
        return rows_[producer].settings.journaled;
    }
    [[nodiscard]] bool abandoned(const StoredJob& job) const noexcept {
        return rows_[job.producer].removed && journaled(job.producer) && job.id.is_zero();
    }
    void drop(const StoredJob& job) noexcept;  // abandoned: no answer
    void count_frame(std::uint32_t producer) noexcept { ++rows_[producer].stats.frames; }
    // Precondition: the job is counted waiting (was_sent false) or unanswered (true).
    void answer(const StoredJob& job, JobAnswer answer, bool was_sent);
    // Hands the collected answers out.
    void flush(Outbox& outbox);

  private:
    struct Row {
        ProducerSettings settings;
        std::size_t link{};
        ProducerStats stats;
        bool removed{};
        std::vector<JobAnswer> answers;
        std::vector<std::string> sentences;
    };

    std::vector<Row> rows_;
    std::vector<std::uint32_t> dirty_;
};

}  // namespace scanmq::client
