#pragma once
// WaitingRoom: the executions of one queue that do not run: by priority, apart those that run alone,
//              and those that are not due yet.
//
// Role:      one per queue; says which execution is next.
// Threads:   broker loop only. Borrows: JobTable, passed in.
// Priority:  the highest level that waits, but one of every low_share deliveries goes to a lower
//            level, those in turns.
// See:       docs/PROTOCOL.md, section 8

#include <array>
#include <cstdint>

#include "broker/core/due_heap.hpp"
#include "broker/core/job_table.hpp"

namespace scanmq::broker {

class WaitingRoom {
  public:
    static constexpr std::size_t kLevels = 10;

    // By the execution's state: waiting, alone or delayed (until extra.due).
    void add(JobTable& table, Slot execution, bool front = false);
    // In front of another one of its level; both wait.
    void add_before(JobTable& table, Slot execution, Slot other);
    void remove(JobTable& table, Slot execution);

    // The execution whose turn it is; kNoSlot: none waits. Does not take it.
    [[nodiscard]] Slot next(std::uint64_t low_share) const noexcept;
    // The one that next() named was delivered.
    void delivered(std::uint64_t low_share) noexcept;
    [[nodiscard]] Slot next_alone() const noexcept { return alone_.front(); }

    // Moves what is due to where it waits; at most `budget`. True: more is due.
    bool wake(JobTable& table, Time now, std::size_t budget);
    [[nodiscard]] Time next_due() const noexcept {
        return delayed_.empty() ? Time::max() : delayed_.next();
    }
    // An execution with a number below `before`, wherever it is; kNoSlot: there is none. Looks past
    // those that came later.
    [[nodiscard]] Slot any_before(const JobTable& table, std::uint64_t before) const noexcept;

    // How many would go before this one, counted up to `most`.
    [[nodiscard]] std::uint64_t ahead_of(const JobTable& table, Slot execution,
                                         std::uint64_t most) const noexcept;
    [[nodiscard]] bool ready() const noexcept { return waiting_ > 0; }
    [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_ + alone_.size(); }
    [[nodiscard]] std::uint64_t alone() const noexcept { return alone_.size(); }
    [[nodiscard]] std::uint64_t delayed() const noexcept { return delayed_.size(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return waiting() + delayed(); }

  private:
    [[nodiscard]] std::size_t level(std::uint64_t low_share) const noexcept;
    [[nodiscard]] static auto placer(JobTable& table) {
        return [&table](Slot slot, std::uint32_t place) { table.extra_of(slot).due_place = place; };
    }

    std::array<WaitingList, kLevels> levels_;
    WaitingList alone_;
    DueHeap delayed_;
    std::uint64_t waiting_ = 0;
    std::uint32_t used_ = 0;  // bit i: levels_[i] is not empty
    std::uint64_t turn_ = 0;
    std::size_t last_low_ = 0;
};

}  // namespace scanmq::broker
