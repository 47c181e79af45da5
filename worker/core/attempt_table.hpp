#pragma once
// AttemptTable: the attempts a worker holds, by slot.
//
// Role:      owned by WorkerCore; plain bookkeeping.
// Threads:   worker loop only.
// Invariant: a slot that was freed is handed out again only after recycle(), so that one batch of
//            effects never names a slot twice for two attempts.
// Limits:    holds no more than the credit windows let in: that of the session, and those of former
//            sessions whose attempts were kept or still run.

#include <cstdint>
#include <vector>

#include "common/base/assert.hpp"
#include "common/base/time.hpp"
#include "worker/core/events.hpp"

namespace scanmq::worker {

enum class AttemptState : std::uint8_t {
    free,
    fetching,
    ready,
    running,
    storing,   // its result is being put as a blob, or has to be once there is a session
    finished,  // the shell has its result: told without a session, or about to be told again
    answered,  // in this batch's outcomes
};

struct HeldAttempt {
    protocol::Token token;
    std::uint64_t bytes{};  // in credit
    std::uint64_t progress_done{};
    std::uint64_t progress_total{};
    std::uint32_t generation{};
    std::uint32_t running_at{};  // index in running(), while it runs
    Time started{};
    AttemptState state{AttemptState::free};
    // Of an answered one: what it becomes again when the session ends before the answer has left;
    // free: nothing.
    AttemptState unsent{AttemptState::free};
    bool adopted{};   // came from a former session: outside this one's credit
    bool orphan{};    // wanted no more, only its thread is still busy
    bool wedged{};    // an orphan, or to be one, that outlived max_run
    bool revoked{};   // runs, but the broker has taken it back
    bool reported{};  // its progress, in this session
};

class AttemptTable {
  public:
    [[nodiscard]] AttemptId add(protocol::Token token, std::uint64_t bytes);
    // nullptr when it was freed. The pointer lives until the next add().
    [[nodiscard]] HeldAttempt* find(AttemptId id) noexcept;
    void start(AttemptId id, Time now);
    // Precondition: it runs.
    void stop_running(AttemptId id, AttemptState next) noexcept;
    // Precondition: it does not run.
    void free(AttemptId id);
    void recycle();

    [[nodiscard]] const std::vector<AttemptId>& running() const noexcept { return running_; }
    [[nodiscard]] std::size_t held() const noexcept { return held_; }
    [[nodiscard]] const HeldAttempt& at(AttemptId id) const noexcept { return slots_[id.slot]; }

    // Calls visit(AttemptId, HeldAttempt&) for each attempt held; visit may free it.
    template <class Visit>
    void for_each(Visit&& visit) {
        for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
            if (slots_[slot].state == AttemptState::free) continue;
            visit(AttemptId{slot, slots_[slot].generation}, slots_[slot]);
        }
    }

  private:
    std::vector<HeldAttempt> slots_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> freed_;  // of this batch
    std::vector<AttemptId> running_;
    std::size_t held_ = 0;
};

}  // namespace scanmq::worker
