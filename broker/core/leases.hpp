#pragma once
// Leases: which worker holds which attempt, and until when.
//
// Role:      owned by BrokerCore::Impl; every attempt begins and ends here.
// Threads:   broker loop only. Borrows: CoreState (outlives this).
// Invariant: an execution has at most one live attempt; a token is never given twice.
// Limits:    a worker holds no more than its credit; a lease no longer than options.max_run.
// See:       docs/PROTOCOL.md, section 6, "Leases"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class Leases {
  public:
    explicit Leases(CoreState& state) : state_(&state) {}

    // The execution, which is in no list any more, runs at this worker; `cost` is what its flow was
    // charged. Returns its run.
    Slot start(Worker& worker, Slot execution, bool alone, std::uint32_t cost);
    // The live attempt of that token, if the session holds it; otherwise kNoSlot.
    [[nodiscard]] Slot find(const Session& session, protocol::Token token) const;
    // Most likely the run of that attempt, which is not looked at; kNoSlot: there is none.
    [[nodiscard]] Slot guess(std::uint64_t counter) const;
    // What is known of how long an attempt ran.
    struct Ran {
        std::optional<Duration> time;  // otherwise as far as it can be told from here
        bool learn = false;            // it ran to an end: averages take it in
    };
    // The attempt is over; its execution is in no list then. Its flow is charged what it took.
    void end(Slot run) { end(run, Ran{}); }
    void end(Slot run, const Ran& ran);
    // What each of `answers` in one message took, if there are more than can have run at once.
    [[nodiscard]] std::optional<Duration> share(const Worker& worker, std::size_t answers) const;
    // The same, against the worker's will: it is told, and its answer will not be refused.
    void revoke(Slot run);
    // True once for a token that was revoked from this worker.
    [[nodiscard]] bool take_revoked(Worker& worker, protocol::Token token);
    // Sends what revoke() collected.
    void tell_revoked();
    // A heartbeat of the worker listed these as started.
    void heard(Session& session, const std::vector<protocol::Token>& running);

    // The oldest attempt, when it has had its max_run; otherwise kNoSlot.
    [[nodiscard]] Slot overdue() const noexcept;
    [[nodiscard]] Time next_overdue() const noexcept;
    // The broker itself stood still for so long: nobody's lease ran meanwhile.
    void extend(Duration by);

    // The run goes on at another session of the same worker.
    void adopt(Slot run, Worker& by);
    // After a restart: the worker that held it may come back for it.
    void restore(Slot execution, protocol::Token token, const std::string& worker,
                 const Id128& instance);
    // Those of restore() that this worker held, and which nobody holds.
    [[nodiscard]] std::vector<Slot> left_by(const std::string& worker, const Id128& instance);
    // Those of restore() whose workers did not come back, once adopt_window is over.
    [[nodiscard]] std::vector<Slot> abandoned();
    [[nodiscard]] Time next_abandoned() const noexcept {
        return left_.empty() ? Time::max() : adopt_until_;
    }

    // The first of all live attempts, by RunRecord::next_by_age.
    [[nodiscard]] Slot oldest() const noexcept { return by_age_.front(); }
    [[nodiscard]] std::uint64_t live() const noexcept { return by_age_.size(); }

  private:
    using Identity = std::pair<std::string, Id128>;
    Slot add(Slot execution, protocol::Token token);
    // A run comes to a worker, and leaves it.
    void attach(Worker& worker, Slot run);
    void detach(Worker& worker, Slot run);
    void begin(Worker& worker, Slot run);
    void settle(const RunRecord& run, const Ran& ran);

    CoreState* state_;
    SlotIndex index_;
    AgeList by_age_;
    std::uint64_t counter_ = 0;
    std::map<Identity, RunningList> left_;
    Time adopt_until_{};
    std::vector<Slot> revoking_;  // sessions of workers with something to tell
};

}  // namespace scanmq::broker
