#include "broker/core/waiting_room.hpp"

#include <bit>

namespace scanmq::broker {

void WaitingRoom::add(JobTable& table, Slot slot, bool front) {
    const ExecutionRecord& execution = table.executions[slot];
    switch (execution.state) {
        case ExecutionState::waiting: {
            WaitingList& list = levels_[execution.priority];
            front ? list.push_front(table, slot) : list.push_back(table, slot);
            used_ |= 1U << execution.priority;
            ++waiting_;
            return;
        }
        case ExecutionState::alone:
            front ? alone_.push_front(table, slot) : alone_.push_back(table, slot);
            return;
        case ExecutionState::delayed:
            delayed_.push(table.extra_of(slot).due, slot, placer(table));
            return;
        case ExecutionState::running:
            break;
    }
    SCANMQ_ASSERT(false);
}

void WaitingRoom::add_before(JobTable& table, Slot slot, Slot other) {
    levels_[table.executions[slot].priority].insert_before(table, slot, other);
    ++waiting_;
}

void WaitingRoom::remove(JobTable& table, Slot slot) {
    const ExecutionRecord& execution = table.executions[slot];
    switch (execution.state) {
        case ExecutionState::waiting: {
            WaitingList& list = levels_[execution.priority];
            list.erase(table, slot);
            if (list.empty()) used_ &= ~(1U << execution.priority);
            --waiting_;
            return;
        }
        case ExecutionState::alone:
            return alone_.erase(table, slot);
        case ExecutionState::delayed:
            return delayed_.erase(table.extra_of(slot).due_place, placer(table));
        case ExecutionState::running:
            break;
    }
    SCANMQ_ASSERT(false);
}

std::size_t WaitingRoom::level(std::uint64_t low_share) const noexcept {
    const auto highest = static_cast<std::size_t>(std::bit_width(used_) - 1);
    const std::uint32_t lower = used_ & ~(1U << highest);
    if (lower == 0 || (turn_ + 1) % low_share != 0) return highest;
    // The next lower level after the one that had the last such turn, going down and round.
    const std::uint32_t below = lower & ((1U << last_low_) - 1);
    return static_cast<std::size_t>(std::bit_width(below != 0 ? below : lower) - 1);
}

Slot WaitingRoom::next(std::uint64_t low_share) const noexcept {
    return used_ == 0 ? kNoSlot : levels_[level(low_share)].front();
}

void WaitingRoom::delivered(std::uint64_t low_share) noexcept {
    const std::size_t from = level(low_share);
    ++turn_;
    if (turn_ % low_share == 0) last_low_ = from;
}

bool WaitingRoom::wake(JobTable& table, Time now, std::size_t budget) {
    for (; !delayed_.empty() && delayed_.next() <= now; --budget) {
        if (budget == 0) return true;
        const Slot slot = delayed_.front();
        remove(table, slot);
        ExecutionRecord& execution = table.executions[slot];
        execution.state = ready_state(execution);
        add(table, slot);
    }
    return false;
}

Slot WaitingRoom::any_before(const JobTable& table, std::uint64_t before) const noexcept {
    const auto search = [&](const WaitingList& list) {
        Slot slot = list.front();
        while (slot != kNoSlot && table.executions[slot].number >= before) {
            slot = table.executions[slot].next;
        }
        return slot;
    };
    for (const WaitingList& list : levels_) {
        if (const Slot slot = search(list); slot != kNoSlot) return slot;
    }
    if (const Slot slot = search(alone_); slot != kNoSlot) return slot;
    for (std::size_t i = delayed_.size(); i-- > 0;) {
        if (table.executions[delayed_.at(i)].number < before) return delayed_.at(i);
    }
    return kNoSlot;
}

std::uint64_t WaitingRoom::ahead_of(const JobTable& table, Slot slot,
                                    std::uint64_t most) const noexcept {
    const ExecutionRecord& execution = table.executions[slot];
    std::uint64_t ahead = 0;
    const bool alone = execution.state == ExecutionState::alone;
    if (!alone) {
        for (std::size_t i = execution.priority + std::size_t{1}; i < kLevels; ++i) {
            ahead += levels_[i].size();
        }
    }
    const WaitingList& list = alone ? alone_ : levels_[execution.priority];
    for (Slot at = list.front(); at != slot && at != kNoSlot && ahead < most;
         at = table.executions[at].next) {
        ++ahead;
    }
    return ahead;
}

}  // namespace scanmq::broker
