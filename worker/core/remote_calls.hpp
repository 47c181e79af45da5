#pragma once
// RemoteCalls: the calls of one remote target: when each is sent, tried again, given up; and whether the
//              target is worth giving work to.
//
// Role:      pure state machine between WorkerCore, which starts attempts, and a shell that speaks HTTP
//            (or a pipe). It joins limiter, bulkhead, circuit breaker, retry budget and time-outs.
// Threads:   worker loop only. No IO, no clock, no randomness but the seed.
// Owns:      what it knows of each call. Requests, responses and connections stay with the shell.
// Invariant: each call that was submitted is finished once; no more exchanges are under way than the
//            limiter allows; none is sent while the breaker is open or the target paused; an exchange
//            the core gave up is never heard of again.
// Limits:    options.calls_max calls at once, beyond which a call is finished `returned` at once.
//
// The shell's contract. It calls one function per event, and carries out the effects, in this order:
//   aborts     close that exchange, whatever its state; report nothing of it (a report that was under way
//              is dropped here, by its number)
//   sends      send the request of that attempt now, and report its end by on_result() with the same
//              exchange number. `timeout` is for headers and payload (a deadline the target may be told);
//              the shell need not watch it: tick() aborts in time. The connection is to be made within
//              the shell's own connect timeout, 500 ms unless set: longer, and a dead host is noticed late
//   probe      ask the target for its health once (HTTP: GET /healthz), drop the probe before, answer by
//              on_probe() with the number. 200: good, another answer: bad, none: unreachable
//   finishes   the attempt is over: FinishedEvent{attempt, outcome, body, code, sentence, service} for
//              WorkerCore. For `done` the body is that of the last on_result(), which the shell has kept
//   gate       GateEvent for WorkerCore, in the same batch and before the FinishedEvents
//   notes      log them
// Then it arms one timer for next_deadline(), and calls tick() when it is due.
// WorkerCore's effects go the other way: starts -> submit(), cancels -> cancel().
// With a limiter that several targets share, tick() of the others is called after a release here.
// See:       call_result.hpp (which answer is what), docs/CONFIG.md, docs/PROTOCOL.md (codes 41 to 45)

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/rng.hpp"
#include "common/protocol/kinds.hpp"
#include "worker/core/call_result.hpp"
#include "worker/core/circuit_breaker.hpp"
#include "worker/core/concurrency_limiters.hpp"
#include "worker/core/events.hpp"
#include "worker/core/free_returns.hpp"
#include "worker/core/limiter.hpp"
#include "worker/core/retry_budget.hpp"

namespace scanmq::worker {

struct RemoteOptions {
    std::string target;  // as sentences name it: http://127.0.0.1:8702
    CircuitBreaker::Options breaker;
    RetryBudget::Options budget;
    FreeReturns::Options returns;
    std::uint32_t tries_max = 3;                       // exchanges of one call
    Duration call_timeout = std::chrono::seconds(10);  // one exchange, connecting included
    Duration attempt_timeout =
        std::chrono::seconds(30);  // waiting, exchanges and back-offs of a call
    Duration probe_timeout = std::chrono::milliseconds(400);
    Duration backoff_first = std::chrono::milliseconds(100);  // doubled per try, full jitter
    Duration backoff_max = std::chrono::seconds(2);
    Duration pause_max = std::chrono::seconds(60);       // a longer Retry-After counts as this
    Duration hold_max = std::chrono::milliseconds(500);  // a longer pause gives work back
    std::uint32_t calls_max = 4096;
    std::uint64_t seed{};
};

struct CallRequest {
    AttemptId attempt;
    // Which job it is, across attempts: a hash of DELIVER's job id.
    std::uint64_t job{};
    std::uint64_t bytes{};  // of the request or the chain: what its time depends on
    double cost = 1.0;      // for the rate limiter
    Time deadline = Time::max();
};

using ExchangeId = std::uint64_t;

struct SendCall {
    AttemptId attempt;
    ExchangeId exchange{};
    std::uint32_t tries{};  // 1: the first
    Duration timeout{};
};

struct FinishCall {
    AttemptId attempt;
    protocol::AttemptOutcome outcome{};
    protocol::ErrorCode code{};
    std::string sentence;
    Duration service{};
};

struct RemoteEffects {
    std::vector<ExchangeId> aborts;
    std::vector<SendCall> sends;
    std::optional<std::uint64_t> probe;  // its number
    std::vector<FinishCall> finishes;
    std::optional<GateEvent> gate;  // its reason lives as long as RemoteCalls, until the next gate
    std::vector<Note> notes;

    void clear() {
        aborts.clear();
        sends.clear();
        probe.reset();
        finishes.clear();
        gate.reset();
        notes.clear();
    }
};

// Names for metrics: scanmq_worker_remote_<name>.
struct RemoteCounters {
    std::uint64_t submitted{};
    std::uint64_t exchanges{};  // sent, tries included
    std::uint64_t retries{};
    std::uint64_t retries_denied{};  // the budget had none left
    std::uint64_t ok{};
    std::uint64_t slow{};  // of ok: counted as failed by the breaker
    std::uint64_t final_errors{};
    std::uint64_t errors{};  // retryable
    std::uint64_t throttled{};
    std::uint64_t timeouts{};
    std::uint64_t connection_failures{};
    std::uint64_t bad_responses{};
    std::uint64_t cancelled{};
    std::uint64_t stale_results{};  // of an exchange that was aborted: dropped
    std::uint64_t returned{};       // calls finished so: the target is down
    std::uint64_t charged{};        // would have been, but came back too often already
    std::uint64_t overflowed{};     // beyond calls_max
    std::uint64_t pauses{};
    std::uint64_t probes{};
    std::uint64_t probes_good{};
    std::uint64_t gate_changes{};
};

class RemoteCalls {
  public:
    // `limiter` is this target's, not null; `shared` that of all targets of the worker, or null, and
    // must outlive this.
    RemoteCalls(const RemoteOptions& options, std::unique_ptr<Limiter> limiter,
                Limiter* shared = nullptr);

    // Precondition: this attempt has no call yet.
    void submit(const CallRequest& request, Time now, RemoteEffects& effects);
    // An exchange ended.
    void on_result(ExchangeId exchange, const CallResult& result, Time now, RemoteEffects& effects);
    void on_probe(std::uint64_t number, ProbeResult result, Time now, RemoteEffects& effects);
    // Nobody wants this attempt's result any more: it is finished `failed` at once, if it is here.
    void cancel(AttemptId attempt, Time now, RemoteEffects& effects);
    void tick(Time now, RemoteEffects& effects);
    [[nodiscard]] std::optional<Time> next_deadline() const;

    // As it is now. WorkerCore is told it before anything else; from then on effects.gate is enough.
    [[nodiscard]] GateEvent gate() const noexcept { return gate_; }
    [[nodiscard]] const CircuitBreaker& breaker() const noexcept { return breaker_; }
    [[nodiscard]] const RemoteCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] const Limiter& limiter() const noexcept { return *limiter_; }
    [[nodiscard]] std::size_t held() const noexcept { return held_; }
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }

  private:
    enum class CallState : std::uint8_t { free, waiting, backing_off, in_flight };

    struct Call {
        CallRequest request;
        CallState state{CallState::free};
        Time submitted{};
        Time timer{};  // its one entry in timers_: deadline, end of back-off or of the exchange
        Time sent_at{};
        ExchangeId exchange{};
        CircuitBreaker::Permit permit{};
        std::uint32_t tries{};
        CallClass last{CallClass::ok};                  // how its last exchange ended
        std::uint32_t points{FreeReturns::kUnreached};  // of that: what going back for it costs
        std::string sentence;
    };

    [[nodiscard]] Call* find(AttemptId attempt) noexcept;
    [[nodiscard]] Call* find(ExchangeId exchange) noexcept;
    void set_timer(Call& call, Time at);
    void clear_timer(const Call& call);
    void wait_in_line(Call& call, bool first);
    void settle(Time now, RemoteEffects& effects);
    void send_what_may(Time now, RemoteEffects& effects);
    void send(Call& call, Time now, RemoteEffects& effects);
    void end_exchange(Call& call, const CallResult& result, Time now, RemoteEffects& effects);
    void release_limits(const Call& call, CallClass what, Time now);
    [[nodiscard]] bool too_slow(Duration latency, std::uint64_t bytes);
    void after_failure(Call& call, Time now, RemoteEffects& effects);
    void pause(Duration length, Time now);
    [[nodiscard]] bool retry(Call& call, Time now);
    void out_of_time(Call& call, Time now, RemoteEffects& effects);
    void give_back_waiting(Time now, RemoteEffects& effects);
    void give_back(Call& call, protocol::ErrorCode code, Time now, RemoteEffects& effects);
    void finish(Call& call, protocol::AttemptOutcome outcome, protocol::ErrorCode code,
                std::string sentence, Time now, RemoteEffects& effects);
    void count(CallClass what);
    void tell_gate(RemoteEffects& effects);
    void note_breaker(RemoteEffects& effects);
    [[nodiscard]] std::uint32_t most_slots() const noexcept;
    [[nodiscard]] std::string describe(const Call& call) const;

    RemoteOptions options_;
    std::unique_ptr<Limiter> limiter_;
    Limiter* shared_;
    CircuitBreaker breaker_;
    SizeClasses times_;  // of good answers
    RetryBudget budget_;
    FreeReturns returns_;
    Rng rng_;
    RemoteCounters counters_;

    std::vector<Call> calls_;  // by the attempt's slot
    std::deque<AttemptId> waiting_;
    std::set<std::pair<Time, std::uint32_t>> timers_;  // the slot
    std::set<std::pair<ExchangeId, std::uint32_t>> exchanges_;
    std::size_t held_ = 0;
    std::size_t in_flight_ = 0;
    ExchangeId exchange_ = 0;

    std::optional<Time> admit_at_;  // the first in line may be sent then
    std::optional<Time> paused_until_;
    bool pause_gives_back_ = false;
    std::uint64_t probe_ = 0;  // the last one's number
    std::optional<Time> probe_expires_;
    CircuitBreaker::State told_state_ = CircuitBreaker::State::closed;
    std::string last_failure_;
    std::string reason_;  // of gate_
    GateEvent gate_;
};

}  // namespace scanmq::worker
