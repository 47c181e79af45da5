#include "worker/core/attempt_table.hpp"

namespace scanmq::worker {

AttemptId AttemptTable::add(protocol::Token token, std::uint64_t bytes) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    HeldAttempt& attempt = slots_[slot];
    const std::uint32_t generation = attempt.generation;
    attempt = {};
    attempt.generation = generation;
    attempt.token = token;
    attempt.bytes = bytes;
    attempt.state = AttemptState::ready;
    ++held_;
    return {slot, attempt.generation};
}

HeldAttempt* AttemptTable::find(AttemptId id) noexcept {
    if (id.slot >= slots_.size()) return nullptr;
    HeldAttempt& attempt = slots_[id.slot];
    return attempt.state != AttemptState::free && attempt.generation == id.generation ? &attempt
                                                                                      : nullptr;
}

void AttemptTable::start(AttemptId id, Time now) {
    HeldAttempt& attempt = slots_[id.slot];
    SCANMQ_ASSERT(attempt.state == AttemptState::ready);
    attempt.state = AttemptState::running;
    attempt.started = now;
    attempt.running_at = static_cast<std::uint32_t>(running_.size());
    running_.push_back(id);
}

void AttemptTable::stop_running(AttemptId id, AttemptState next) noexcept {
    HeldAttempt& attempt = slots_[id.slot];
    SCANMQ_ASSERT(attempt.state == AttemptState::running);
    const AttemptId last = running_.back();
    running_[attempt.running_at] = last;
    slots_[last.slot].running_at = attempt.running_at;
    running_.pop_back();
    attempt.state = next;
}

void AttemptTable::free(AttemptId id) {
    HeldAttempt& attempt = slots_[id.slot];
    SCANMQ_ASSERT(attempt.state != AttemptState::free && attempt.state != AttemptState::running);
    attempt.state = AttemptState::free;
    ++attempt.generation;
    freed_.push_back(id.slot);
    --held_;
}

void AttemptTable::recycle() {
    free_.insert(free_.end(), freed_.begin(), freed_.end());
    freed_.clear();
}

}  // namespace scanmq::worker
