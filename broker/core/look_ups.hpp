#pragma once
// LookUps: executions whose results are asked for in another tier, until it answers or their time is
//          over.
//
// Role:      of CacheHandler. All wait equally long, so they are in order of their deadlines.
// Threads:   broker loop only.
// Limits:    as many as `most`; full() beyond. An answered one has no place any more, whatever waits.
// Trusts:    nobody: an answer for a number that is not open any more is none.

#include <algorithm>
#include <cstdint>

#include "broker/core/slab.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

class LookUps {
  public:
    explicit LookUps(std::size_t most) : most_(std::min(most, kPlaces - 1)) {}

    [[nodiscard]] bool full() const noexcept { return open_ >= most_; }
    // Its number, never used twice. Precondition: not full, and no earlier deadline than the ones before.
    std::uint64_t add(Slot execution, Time deadline) {
        const Slot place = rows_.allocate();
        places_ = std::max(places_, place + 1);
        Row& row = rows_[place];
        row = {kNoSlot, last_, execution, deadline, ++used_ * kPlaces + place};
        (last_ == kNoSlot ? first_ : rows_[last_].next) = place;
        last_ = place;
        ++open_;
        return row.number;
    }
    // The execution, which is no longer looked for; kNoSlot: that number is not open.
    Slot take(std::uint64_t number) {
        const auto place = static_cast<Slot>(number % kPlaces);
        if (place == kNoSlot || place >= places_ || rows_[place].number != number) return kNoSlot;
        Row& row = rows_[place];
        (row.previous == kNoSlot ? first_ : rows_[row.previous].next) = row.next;
        (row.next == kNoSlot ? last_ : rows_[row.next].previous) = row.previous;
        row.number = 0;
        --open_;
        const Slot execution = row.execution;
        rows_.free(place);
        return execution;
    }
    // The next one whose time is over, taken; kNoSlot: there is none.
    Slot take_late(Time now) {
        if (first_ == kNoSlot || rows_[first_].deadline > now) return kNoSlot;
        return take(rows_[first_].number);
    }
    // When the next one's time is over; Time::max(): there is none.
    [[nodiscard]] Time next_deadline() const noexcept {
        return first_ == kNoSlot ? Time::max() : rows_[first_].deadline;
    }
    // Looks at each; `visit` is given the execution.
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (Slot place = first_; place != kNoSlot; place = rows_[place].next) {
            visit(rows_[place].execution);
        }
    }
    [[nodiscard]] std::size_t size() const noexcept { return open_; }

  private:
    static constexpr std::size_t kPlaces = 1U << 24;
    struct Row {
        Slot next = kNoSlot;  // by deadline; of the slab, when free
        Slot previous = kNoSlot;
        Slot execution = kNoSlot;
        Time deadline{};
        std::uint64_t number = 0;  // 0: not open
    };
    Slab<Row, 8> rows_;
    Slot first_ = kNoSlot;
    Slot last_ = kNoSlot;
    Slot places_ = 0;  // above all that were ever used
    std::uint64_t used_ = 0;
    std::size_t open_ = 0;
    std::size_t most_;
};

}  // namespace scanmq::broker
