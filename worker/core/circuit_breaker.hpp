#pragma once
// CircuitBreaker: whether a target is worth calling.
//
//   closed ──5 failures in a row, or half of the last 100 (of at least 10)──> open
//   open ──a good health probe, at once; or its time is over──> half-open
//   half-open ──10 calls, less than half failed──> closed;  ──half of them failed──> open, twice as long
//
// Role:      owned by RemoteCalls, one per target. Health probes are asked for by probe_due().
// Threads:   worker loop only. No clock.
// Calls:     take() gives a permit, record() takes it back with what came of the call. A permit of an
//            earlier state counts no more. A call that was good but slow counts as failed; throttled and
//            cancelled ones say nothing, and a trial's place is free again.
// Trials:    half-open lets `probes` calls through in all. They go out at once when there is reason to
//            believe in the target: it was just opened for the first time, or its health was bad and is
//            good now. Otherwise `trials_first` go, and one of them has to go well; not one alone, which
//            may be the job that the target fails on. A target whose health is good while its calls fail
//            is tried again after probe_every, doubling to trial_wait_max; one whose health probe finds
//            nobody is not tried at all until that changes: a dead target costs no calls.

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/time.hpp"
#include "worker/core/call_result.hpp"

namespace scanmq::worker {

enum class ProbeResult : std::uint8_t {
    good,         // the target says that it is well
    bad,          // it answered something else
    unreachable,  // nobody answered
};

class CircuitBreaker {
  public:
    enum class State : std::uint8_t { closed, open, half_open };

    struct Options {
        std::uint32_t window = 100;  // calls that are looked back at
        std::uint32_t calls_min = 10;
        double failure_share = 0.5;
        std::uint32_t failures_in_row = 5;
        Duration open_first = std::chrono::seconds(1);
        Duration open_max = std::chrono::seconds(60);
        Duration probe_every =
            std::chrono::milliseconds(500);  // 0: the target has no health to ask
        Duration trial_wait_max = std::chrono::seconds(2);
        std::uint32_t probes = 10;       // calls of a half-open phase
        std::uint32_t trials_first = 3;  // of them, where there is little reason to believe in it
        // A good answer is slow when it took as long as both of these: so long, and so many times what is
        // usual for requests of its size. 0: none is. RemoteCalls judges it.
        Duration slow_after = std::chrono::seconds(3);
        double slow_factor = 10.0;
    };

    // Which phase a call was let through in.
    using Permit = std::uint64_t;

    explicit CircuitBreaker(const Options& options);

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] bool allows() const noexcept;
    // Precondition: allows().
    Permit take() noexcept;
    void record(Permit permit, CallClass what, bool slow, Time now);

    // While open: whether the health of the target has to be asked; asks again after probe_every.
    [[nodiscard]] bool probe_due(Time now);
    void on_probe(ProbeResult result, Time now);
    // Goes half-open when it is time to.
    void tick(Time now);
    // When probe_due() or tick() has something to do.
    [[nodiscard]] std::optional<Time> next_deadline() const noexcept;

    // Half-open: trials under way and those still to come. As many jobs are worth holding.
    [[nodiscard]] std::uint32_t trial_slots() const noexcept;

    [[nodiscard]] std::uint64_t opened() const noexcept { return opened_; }
    [[nodiscard]] std::uint64_t half_opened() const noexcept { return half_opened_; }
    [[nodiscard]] std::uint64_t closed() const noexcept { return closed_; }

  private:
    void record_closed(bool failed, Time now);
    void record_trial(bool failed, Time now);
    void open(Time now);
    void half_open(bool all_at_once);
    void close();

    Options options_;
    State state_ = State::closed;
    Permit phase_ = 1;

    // closed
    std::vector<bool> ring_;  // the last calls: failed?
    std::size_t ring_next_ = 0;
    std::uint32_t failed_ = 0;  // of the ring; half-open: of the trials
    std::uint32_t in_row_ = 0;

    // open
    std::uint32_t times_ = 0;  // opened since it was closed
    Duration open_for_{};
    Time open_until_{};
    Time probe_at_{};
    Time trusted_at_{};  // when a good probe of a target that was well all along counts
    std::optional<ProbeResult> last_probe_;

    // half-open
    std::uint32_t taken_ = 0;
    std::uint32_t ended_ = 0;
    bool all_at_once_ = false;

    std::uint64_t opened_ = 0;
    std::uint64_t half_opened_ = 0;
    std::uint64_t closed_ = 0;
};

}  // namespace scanmq::worker
