#pragma once
// TierRequests: gets that are not answered, and until when.
//
// Role:      owned by a tier that asks a server; pure. Its answer may come in parts: of a Redis, MGETs; of a
//            broker, keys.
// Limits:    none of its own: its owner bounds what is asked for, and each get has a deadline.

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/cache/tier.hpp"
#include "common/cache/tier_load.hpp"

namespace scanmq::cache {

class TierRequests {
  public:
    struct Request {
        std::vector<ContentId> keys;
        Tier::Values values;    // as many as keys
        std::size_t parts = 0;  // not answered
        bool failed = false;    // one of them was not answered as it should be
        Time deadline;
        TierLoad::Asked asked{};   // of a tier that bounds its load
        std::size_t keys_asked{};  // the first so many of keys: the others are misses
        Tier::GetDone done;
    };

    // The id of the request, never 0.
    std::uint64_t add(Request request) {
        const std::uint64_t id = ++last_id_;
        deadlines_.insert({request.deadline, id});
        requests_.emplace(id, std::move(request));
        return id;
    }
    // nullptr: it is over.
    [[nodiscard]] Request* find(std::uint64_t id) {
        const auto found = requests_.find(id);
        return found == requests_.end() ? nullptr : &found->second;
    }
    // Precondition: find(id) != nullptr.
    Request take(std::uint64_t id) {
        const auto found = requests_.find(id);
        Request out = std::move(found->second);
        deadlines_.erase({out.deadline, id});
        requests_.erase(found);
        return out;
    }
    // One whose deadline is over: to be taken.
    [[nodiscard]] std::optional<std::uint64_t> overdue(Time now) const {
        if (deadlines_.empty() || deadlines_.begin()->first > now) return std::nullopt;
        return deadlines_.begin()->second;
    }
    [[nodiscard]] std::optional<Time> next_deadline() const {
        return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.begin()->first);
    }

  private:
    std::unordered_map<std::uint64_t, Request> requests_;
    std::set<std::pair<Time, std::uint64_t>> deadlines_;
    std::uint64_t last_id_ = 0;
};

}  // namespace scanmq::cache
