#pragma once
// DeadTable: the dead letters of one queue, oldest first.
//
// Threads:   broker loop only. What a letter refers to (texts, inputs, payload) is released by the
//            caller, which gets each letter back.
// Limits:    the queue's dead_max; the caller takes the oldest out beyond it.
// See:       docs/PROTOCOL.md, section 8, "Dead"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/core/job_table.hpp"

namespace scanmq::broker {

struct DeadLetter {
    std::uint64_t execution = 0;
    Id128 job;  // its first
    std::uint32_t jobs = 1;
    Slot subject = kNoSlot;  // in CoreState::subjects
    Slot inputs = kNoSlot;   // in CoreState::inputs
    Slot text = kNoSlot;     // in CoreState::texts: why
    Slot flow = kNoSlot;     // in CoreState::texts
    BodyHandle payload;
    bool payload_is_blob = false;
    std::uint8_t priority = 0;
    std::uint8_t failures = 0;
    std::uint8_t crashes = 0;
    std::uint32_t bytes = 0;  // in credit, for a retry
    std::uint32_t flags = 0;
    protocol::ErrorCode code{};
    WallMillis died{};
    std::optional<std::int64_t> as_of_ns;
    ContentId fingerprint;  // zero: not pure
    std::vector<AttemptNote> history;
};

class DeadTable {
  public:
    void add(DeadLetter letter) {
        ids_.emplace(letter.job, letter.execution);
        letters_.emplace(letter.execution, std::move(letter));
    }
    // nullptr: none whose first job has this id.
    [[nodiscard]] const DeadLetter* find(const Id128& job) const {
        const auto found = ids_.find(job);
        return found == ids_.end() ? nullptr : &letters_.at(found->second);
    }
    // Precondition: it is there.
    DeadLetter take(std::uint64_t execution) {
        const auto found = letters_.find(execution);
        SCANMQ_ASSERT(found != letters_.end());
        DeadLetter letter = std::move(found->second);
        const auto [first, last] = ids_.equal_range(letter.job);
        ids_.erase(std::find_if(first, last,
                                [&](const auto& known) { return known.second == execution; }));
        letters_.erase(found);
        return letter;
    }
    [[nodiscard]] const std::map<std::uint64_t, DeadLetter>& all() const noexcept {
        return letters_;
    }
    [[nodiscard]] std::size_t size() const noexcept { return letters_.size(); }

  private:
    std::map<std::uint64_t, DeadLetter> letters_;
    std::unordered_multimap<Id128, std::uint64_t> ids_;  // an id may be used again
};

}  // namespace scanmq::broker
