#pragma once
// IdWindow: the job ids a queue remembers: those of live jobs, and those of finished ones for a
//           while.
//
// Role:      makes submitting again harmless; one per queue.
// Threads:   broker loop only. Borrows: the live jobs' records, through JobTable (outlives this).
// Invariant: an id is in here at most once; finished ids are never more than Options::finished_max.
// Limits:    the oldest finished id is forgotten when the window is full or its time is over.

#include <cstdint>

#include "broker/core/chunk_fifo.hpp"
#include "broker/core/job_table.hpp"
#include "broker/core/slot_index.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

class IdWindow {
  public:
    struct Options {
        std::uint64_t finished_max = 1'000'000;
        Duration ttl = std::chrono::minutes(10);
    };
    struct Known {
        bool found = false;
        bool finished = false;
        Slot job = kNoSlot;  // while it lives
        std::uint64_t digest = 0;
    };

    IdWindow(const Options& options, const JobTable& jobs) : options_(options), jobs_(&jobs) {}

    [[nodiscard]] Known find(const Id128& id) const;
    void prefetch(const Id128& id) const noexcept { index_.prefetch(hash_id(id)); }
    // Precondition: the job's record holds its id, which is not in here.
    void add_live(Slot job);
    // The live job ended: its id stays for a while. To be called before its record is freed.
    void finish(Slot job, Time now);
    // After a restart: the next id to be restored is at that position.
    void start_at(std::uint64_t position) { finished_.begin_at(position); }
    // An id that finished then. Older ones were restored before.
    void restore(const Id128& id, std::uint64_t digest, Time ended);
    // Forgets finished ids whose time is over, at most `budget`. Returns how many.
    std::size_t expire(Time now, std::size_t budget);
    // Forgets the oldest finished ids until so many are left, at most `budget`. Returns how many.
    std::size_t shrink(std::uint64_t left, std::size_t budget);
    // When the oldest finished id's time is over. Precondition: finished() > 0.
    [[nodiscard]] Time next_expiry() const noexcept {
        return finished_.front().ended + options_.ttl;
    }
    // Positions of the finished ids that are kept.
    [[nodiscard]] std::uint64_t begin() const noexcept { return finished_.begin(); }
    [[nodiscard]] std::uint64_t end() const noexcept { return finished_.end(); }
    [[nodiscard]] std::uint64_t finished() const noexcept { return finished_.size(); }
    [[nodiscard]] std::size_t live() const noexcept {
        return index_.size() - static_cast<std::size_t>(finished_.size());
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return index_.bytes() + finished_.bytes(); }

  private:
    struct Finished {
        Id128 id;
        std::uint64_t digest = 0;
        Time ended;
    };
    // A slot of the index is a live job's, or, with this bit, a place in finished_.
    static constexpr Slot kFinishedBit = 1U << 31;
    static constexpr std::uint64_t kPrefetchAhead = 16;

    [[nodiscard]] static Slot finished_slot(std::uint64_t position) noexcept {
        return static_cast<Slot>(position & (kFinishedBit - 1)) | kFinishedBit;
    }
    [[nodiscard]] std::uint64_t position_of(Slot slot) const noexcept;
    void forget_oldest();

    Options options_;
    const JobTable* jobs_;
    SlotIndex index_;
    ChunkFifo<Finished, 11> finished_;
};

}  // namespace scanmq::broker
