#include "worker/core/look_ups.hpp"

#include <algorithm>

#include "common/base/assert.hpp"

namespace scanmq::worker {

std::uint64_t LookUps::begin(std::span<const Ask> asks) {
    SCANMQ_ASSERT(!asks.empty());
    const std::uint64_t number = ++last_;
    Batch batch{{asks.begin(), asks.end()}, asks.size(), asks.front().deadline};
    for (const Ask& ask : asks) {
        const AttemptId id = ask.attempt;
        if (places_.size() <= id.slot) places_.resize(std::size_t{id.slot} + 1);
        SCANMQ_ASSERT(places_[id.slot].batch == 0);
        places_[id.slot] = {id.generation, number};
        batch.earliest = std::min(batch.earliest, ask.deadline);
    }
    looking_ += asks.size();
    deadlines_.insert({batch.earliest, number});
    batches_.emplace(number, std::move(batch));
    return number;
}

std::vector<LookUps::Waiting> LookUps::answer(std::uint64_t number) {
    std::vector<Waiting> out;
    const auto found = batches_.find(number);
    if (found == batches_.end()) return out;
    const std::vector<Ask>& asks = found->second.asks;
    out.reserve(found->second.open);
    for (std::size_t i = 0; i < asks.size(); ++i) {
        if (!waits(asks[i].attempt, number)) continue;
        leave(asks[i].attempt);
        out.push_back({asks[i].attempt, i});
    }
    erase(found);
    return out;
}

bool LookUps::forget(AttemptId attempt) {
    if (!looking(attempt)) return false;
    const auto found = batches_.find(places_[attempt.slot].batch);
    leave(attempt);
    if (--found->second.open == 0) erase(found);
    return true;
}

std::vector<AttemptId> LookUps::overdue(Time now) {
    std::vector<AttemptId> out;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const std::uint64_t number = deadlines_.begin()->second;
        const auto found = batches_.find(number);
        Batch& batch = found->second;
        Time next = Time::max();
        for (const Ask& ask : batch.asks) {
            if (!waits(ask.attempt, number)) continue;
            if (ask.deadline > now) {
                next = std::min(next, ask.deadline);
                continue;
            }
            leave(ask.attempt);
            --batch.open;
            out.push_back(ask.attempt);
        }
        if (batch.open == 0) {
            erase(found);
            continue;
        }
        deadlines_.erase(deadlines_.begin());
        batch.earliest = next;
        deadlines_.insert({next, number});
    }
    return out;
}

std::optional<Time> LookUps::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

bool LookUps::looking(AttemptId attempt) const noexcept {
    return attempt.slot < places_.size() && places_[attempt.slot].batch != 0 &&
           places_[attempt.slot].generation == attempt.generation;
}

bool LookUps::waits(AttemptId attempt, std::uint64_t number) const noexcept {
    return looking(attempt) && places_[attempt.slot].batch == number;
}

void LookUps::leave(AttemptId attempt) noexcept {
    places_[attempt.slot].batch = 0;
    --looking_;
}

void LookUps::erase(Batches::iterator batch) {
    deadlines_.erase({batch->second.earliest, batch->first});
    batches_.erase(batch);
}

}  // namespace scanmq::worker
