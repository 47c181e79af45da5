#pragma once
// KeyTable: which job an Idempotency-Key stands for.
//
// Threads: a value of the gateway's thread; time is passed in.
// Limits:  keys_max, the oldest goes first; each key is forgotten keep_for after it was first seen,
//          about as long as the broker remembers a job's id.
// Crash:   keys are in memory only: a client whose retry must survive a restart of the broker names
//          the job's id itself.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace scanmq::gateway {

class KeyTable {
  public:
    KeyTable(std::uint32_t keys_max, Duration keep_for)
        : keys_max_(keys_max), keep_for_(keep_for) {}

    [[nodiscard]] std::optional<Id128> find(std::string_view key, Time now) {
        expire(now);
        const auto found = ids_.find(std::string(key));
        if (found == ids_.end()) return std::nullopt;
        return found->second;
    }

    // Precondition: find(key) said nothing.
    void put(std::string_view key, const Id128& id, Time now) {
        if (keys_max_ == 0) return;
        while (order_.size() >= keys_max_) pop();
        ids_.emplace(key, id);
        order_.emplace_back(now, key);
    }

    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }

  private:
    void expire(Time now) {
        while (!order_.empty() && order_.front().first + keep_for_ <= now) pop();
    }
    void pop() {
        ids_.erase(order_.front().second);
        order_.pop_front();
    }

    std::uint32_t keys_max_;
    Duration keep_for_;
    std::unordered_map<std::string, Id128> ids_;
    std::deque<std::pair<Time, std::string>> order_;
};

}  // namespace scanmq::gateway
