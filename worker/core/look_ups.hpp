#pragma once
// LookUps: the attempts whose results are looked for in a cache before they are run.
//
// Role:      says who still waits for an answer: an attempt that is looking ends its look-up exactly once,
//            by an answer, its deadline, or forget() (cancelled), whichever is first.
// Threads:   worker loop only. No IO, no clock.
// Batches:   attempts that begin together are one batch, answered at once. An answer of a batch that nobody
//            waits for any more, and a second one, are for nobody.
// Limits:    holds no more than the attempts the core has started (its credit window).
// See:       docs/adr/0004-cache.md

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/time.hpp"
#include "worker/core/events.hpp"

namespace scanmq::worker {

class LookUps {
  public:
    struct Ask {
        AttemptId attempt;
        Time deadline{};  // not looked for any longer
    };
    struct Waiting {
        AttemptId attempt;
        std::size_t place{};  // in its batch, from 0
    };

    // The new batch's number. Precondition: there is at least one, and none of them is looking.
    std::uint64_t begin(std::span<const Ask> asks);
    // The batch was answered: those who still waited for it, in order. They look no more.
    [[nodiscard]] std::vector<Waiting> answer(std::uint64_t number);
    // Its answer is wanted no more. False: it is not looking.
    bool forget(AttemptId attempt);
    // Those whose deadline has come. They look no more.
    [[nodiscard]] std::vector<AttemptId> overdue(Time now);

    [[nodiscard]] std::optional<Time> next_deadline() const;
    [[nodiscard]] bool looking(AttemptId attempt) const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return looking_; }

  private:
    struct Batch {
        std::vector<Ask> asks;
        std::size_t open{};
        Time earliest{};  // deadline of those who wait
    };
    // By the attempt's slot.
    struct Place {
        std::uint32_t generation{};
        std::uint64_t batch{};  // 0: it is not looking
    };

    using Batches = std::unordered_map<std::uint64_t, Batch>;

    [[nodiscard]] bool waits(AttemptId attempt, std::uint64_t number) const noexcept;
    void leave(AttemptId attempt) noexcept;
    void erase(Batches::iterator batch);

    Batches batches_;
    std::set<std::pair<Time, std::uint64_t>> deadlines_;  // earliest of each batch
    std::vector<Place> places_;
    std::uint64_t last_ = 0;
    std::size_t looking_ = 0;
};

}  // namespace scanmq::worker
