#pragma once
// RemoteScans: the shell of RemoteCalls in a simulated worker: sends, probes, aborts, and hands back what
// became of attempts.
//
// Life:    of one worker process. Answers come into an inbox and are taken in by the worker's turn.
// Checks:  nothing is sent while the breaker is open; no attempt ends twice.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/remote_target.hpp"
#include "worker/core/remote_calls.hpp"

namespace scanmq::sim {

class RemoteScans {
  public:
    struct Ended {
        worker::FinishCall call;
        std::string body;
    };

    RemoteScans(World& world, RemoteTarget& target, std::uint64_t seed, std::function<void()> wake);

    // `result`: what comes of it when it goes well.
    void submit(worker::AttemptId attempt, const std::string& payload, std::string result,
                Time now);
    void cancel(worker::AttemptId attempt, Time now);
    // Takes in what arrived, and does what is due.
    void turn(Time now);
    [[nodiscard]] std::optional<Time> next_deadline() const { return calls_.next_deadline(); }

    // What came of it since the last time.
    [[nodiscard]] std::vector<Ended> take_ended() { return std::exchange(ended_, {}); }
    [[nodiscard]] std::optional<worker::GateEvent> take_gate() { return std::exchange(gate_, {}); }
    [[nodiscard]] const worker::RemoteCalls& calls() const noexcept { return calls_; }

  private:
    struct Inbox {
        std::vector<std::pair<worker::ExchangeId, RemoteTarget::Answer>> answers;
        std::vector<std::pair<std::uint64_t, worker::ProbeResult>> probes;
    };
    struct Exchange {
        std::uint64_t call{};
        worker::AttemptId attempt;
    };
    void carry_out();

    World& world_;
    RemoteTarget& target_;
    worker::RemoteCalls calls_;
    worker::RemoteEffects effects_;
    std::function<void()> wake_;
    std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();  // answers may outlive the process
    std::map<worker::ExchangeId, Exchange> exchanges_;
    std::map<std::uint32_t, std::string> payloads_;  // by slot
    std::map<std::uint32_t, std::string> results_;
    std::map<std::uint32_t, std::string> bodies_;  // of the last answer
    std::vector<Ended> ended_;
    std::optional<worker::GateEvent> gate_;
};

}  // namespace scanmq::sim
