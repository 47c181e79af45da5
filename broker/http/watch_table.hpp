#pragma once
// WatchTable: which subscriptions the gateway needs, by queue and pattern.
//
// Why:     a subscription costs the broker a comparison an entry; without jobs under way there is none,
//          but each is kept a while, as the next request often follows.
// Threads: a value of the gateway's thread; time is passed in.
// Limits:  watches_max; full() says so before a job is tracked.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/assert.hpp"
#include "common/base/time.hpp"

namespace scanmq::gateway {

class WatchTable {
  public:
    using Key = std::pair<std::string, std::string>;  // queue, pattern
    struct Watch {
        std::uint64_t subscription{};
        std::uint64_t jobs{};
        Time idle_since{};  // when jobs became 0
    };

    WatchTable(std::uint32_t watches_max, Duration linger)
        : watches_max_(watches_max), linger_(linger) {}

    [[nodiscard]] Watch* find(const Key& key) {
        const auto found = watches_.find(key);
        return found == watches_.end() ? nullptr : &found->second;
    }
    // Whether one more cannot be had even by ending an idle one.
    [[nodiscard]] bool full(const Key& key) const {
        if (watches_.contains(key) || watches_.size() < watches_max_) return false;
        for (const auto& [other, watch] : watches_) {
            if (watch.jobs == 0) return false;
        }
        return true;
    }
    // Precondition: not there, and not full.
    Watch& add(const Key& key, std::uint64_t subscription) {
        SCANMQ_ASSERT(watches_.size() < watches_max_);
        return watches_.emplace(key, Watch{subscription, 0, {}}).first->second;
    }
    void begin(const Key& key) {
        if (Watch* watch = find(key)) ++watch->jobs;
    }
    void end(const Key& key, Time now) {
        Watch* watch = find(key);
        if (watch == nullptr || watch->jobs == 0) return;
        if (--watch->jobs == 0) watch->idle_since = now;
    }
    // Takes out what is not needed any more, and with `place` one that is idle when there is no other
    // room. Subscriptions to end.
    [[nodiscard]] std::vector<std::uint64_t> retire(Time now, bool place = false) {
        std::vector<std::uint64_t> out;
        for (auto at = watches_.begin(); at != watches_.end();) {
            const Watch& watch = at->second;
            const bool old = watch.jobs == 0 && watch.idle_since + linger_ <= now;
            if (old || (place && watch.jobs == 0 && watches_.size() >= watches_max_)) {
                out.push_back(watch.subscription);
                at = watches_.erase(at);
            } else {
                ++at;
            }
        }
        return out;
    }
    // The subscription failed: its key, and it is gone. Empty: no watch has it.
    [[nodiscard]] Key drop(std::uint64_t subscription) {
        for (auto at = watches_.begin(); at != watches_.end(); ++at) {
            if (at->second.subscription != subscription) continue;
            Key key = at->first;
            watches_.erase(at);
            return key;
        }
        return {};
    }
    [[nodiscard]] Time next_deadline() const {
        Time due = Time::max();
        for (const auto& [key, watch] : watches_) {
            if (watch.jobs == 0) due = std::min(due, watch.idle_since + linger_);
        }
        return due;
    }
    [[nodiscard]] std::size_t size() const noexcept { return watches_.size(); }

  private:
    std::uint32_t watches_max_;
    Duration linger_;
    std::map<Key, Watch> watches_;
};

}  // namespace scanmq::gateway
