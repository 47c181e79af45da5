#pragma once
// LookUps: executions whose results are asked for in another tier, until it answers or their time is
//          over.
//
// Role:      of CacheHandler. All wait equally long, so they are in order of their deadlines.
// Threads:   broker loop only.
// Limits:    as many as `most`; full() beyond.
// Trusts:    nobody: an answer for a number that is not open any more is none.

#include <cstdint>
#include <deque>

#include "broker/core/slab.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

class LookUps {
  public:
    explicit LookUps(std::size_t most) : most_(most) {}

    [[nodiscard]] bool full() const noexcept { return open_ >= most_; }
    // Its number, never used twice. Precondition: not full, and no earlier deadline than the ones before.
    std::uint64_t add(Slot execution, Time deadline) {
        rows_.push_back({execution, deadline});
        ++open_;
        return first_ + rows_.size() - 1;
    }
    // The execution, which is no longer looked for; kNoSlot: that number is not open.
    Slot take(std::uint64_t number) {
        if (number < first_ || number - first_ >= rows_.size()) return kNoSlot;
        Slot& execution = rows_[number - first_].execution;
        const Slot taken = execution;
        if (taken == kNoSlot) return kNoSlot;
        execution = kNoSlot;
        --open_;
        while (!rows_.empty() && rows_.front().execution == kNoSlot) {
            rows_.pop_front();
            ++first_;
        }
        return taken;
    }
    // The next one whose time is over, taken; kNoSlot: there is none.
    Slot take_late(Time now) {
        if (rows_.empty() || rows_.front().deadline > now) return kNoSlot;
        return take(first_);
    }
    // When the next one's time is over; Time::max(): there is none.
    [[nodiscard]] Time next_deadline() const noexcept {
        return rows_.empty() ? Time::max() : rows_.front().deadline;
    }
    // Looks at each; `visit` is given the execution.
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (const Row& row : rows_) {
            if (row.execution != kNoSlot) visit(row.execution);
        }
    }
    [[nodiscard]] std::size_t size() const noexcept { return open_; }

  private:
    struct Row {
        Slot execution = kNoSlot;  // none: taken
        Time deadline{};
    };
    std::deque<Row> rows_;     // the first is open
    std::uint64_t first_ = 1;  // the number of the first
    std::size_t open_ = 0;
    std::size_t most_;
};

}  // namespace scanmq::broker
