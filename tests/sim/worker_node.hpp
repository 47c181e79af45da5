#pragma once
// WorkerNode: the worker's shell around the real core, as worker/server, with a scanner that obeys the
// payload (work.hpp) and threads that are virtual time.
//
// Life:    a crash, or the end of a drain, ends the process; another instance starts a little later.
// Checks:  no delivery beyond the credit that was announced.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/protocol/codec.hpp"
#include "tests/sim/fleet.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/remote_target.hpp"
#include "tests/sim/workload.hpp"
#include "worker/core/worker_core.hpp"

namespace scanmq::sim {

class WorkerNode final : public Node {
  public:
    // `target`: not null when scans are calls of it.
    WorkerNode(World& world, Network& network, const Options& options, Work& work, Fleet& fleet,
               RemoteTarget* target, std::string name);
    ~WorkerNode() override;

    void start();
    void crash(Duration down);
    void drain();
    // Scans do not wedge or take long any more; wedged threads end with their process, and so do
    // scanners that the fleet has no use for.
    void heal(bool first);
    [[nodiscard]] bool running() const noexcept { return process_ != nullptr; }
    [[nodiscard]] Dealer& dealer() noexcept { return dealer_; }
    [[nodiscard]] std::string state() const;
    // Of the process that runs; null: none, or no target.
    [[nodiscard]] const worker::RemoteCalls* remote() const;
    // Everything is over: nothing is held, and credit is granted.
    void check_idle() const;

  protected:
    void turn() override;

  private:
    struct Task {
        worker::AttemptId id;
        std::string payload;
        std::string inputs;
        std::string fingerprint;
        std::string body;
        protocol::AttemptOutcome outcome{};
        protocol::ErrorCode code{};
        bool cancelled{};
        bool running{};
        bool wedged{};
        bool finished{};
        bool known{};  // its result was kept
        Duration service{};
    };
    struct Process;

    bool receive_batch();
    void take_remote();
    void step(std::span<const worker::Event> events);
    void settle();
    void carry_out();
    void scan(Task& task);
    [[nodiscard]] std::string result_of(const Task& task) const;
    // Takes the result that is kept for it, if there is one.
    [[nodiscard]] bool take_known(Task& task) const;
    void start(worker::AttemptId id);
    void start_on_pool(worker::AttemptId id);
    void begin(worker::AttemptId id);
    void cancel(worker::AttemptId id);
    void recall(worker::AttemptId id);
    void finish(worker::AttemptId id);
    void push_finished(worker::AttemptId id);
    [[nodiscard]] Duration service_time(const Task& task, bool& wedged);
    void end_process(Duration down);
    [[nodiscard]] Task* find(worker::AttemptId id);

    Network& network_;
    const Options& options_;
    Work& work_;
    Fleet& fleet_;
    RemoteTarget* target_;
    Dealer dealer_;
    std::unique_ptr<Process> process_;
    std::uint64_t starts_ = 0;
    bool healing_ = false;
};

}  // namespace scanmq::sim
