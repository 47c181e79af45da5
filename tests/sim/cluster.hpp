#pragma once
// Cluster: one simulation: nodes, faults while it is busy, then healing, then the last checks.
//
// Use:      Cluster cluster(options); cluster.run();  CheckFailed is thrown when a check fails, also when
//           what has to drain does not drain in Options::heal.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/broker_node.hpp"
#include "tests/sim/durable_node.hpp"
#include "tests/sim/operator_node.hpp"
#include "tests/sim/producer_node.hpp"
#include "tests/sim/remote_target.hpp"
#include "tests/sim/subscriber_node.hpp"
#include "tests/sim/worker_node.hpp"

namespace scanmq::sim {

struct Summary {
    Oracle::Counts counts;
    std::uint64_t events{};
    std::uint64_t frames{};
    std::uint64_t digest{};  // the same for the same options
    Duration healed_in{};
    std::map<std::string, std::uint64_t> reached;  // the broker's counters in the end
};

class Cluster {
  public:
    explicit Cluster(const Options& options);

    Summary run();

    // For tests that do something at a time of their own.
    [[nodiscard]] World& world() noexcept { return world_; }
    [[nodiscard]] RemoteTarget& target() noexcept { return target_; }
    [[nodiscard]] const std::vector<std::unique_ptr<WorkerNode>>& workers() const noexcept {
        return workers_;
    }

  private:
    void make_nodes();
    void schedule_faults();
    void schedule_durable_faults();
    // Does `what` at random moments of this mean distance, while it is busy.
    void repeat(Duration every, std::function<void()> what);
    void heal();
    [[nodiscard]] std::string hanging() const;
    void wait_for(const char* what, Duration limit, const std::function<bool()>& done);
    void audit();
    template <class T>
    T& any(std::vector<std::unique_ptr<T>>& nodes) {
        return *nodes[world_.rng.below(nodes.size())];
    }
    [[nodiscard]] Dealer& any_dealer();
    [[nodiscard]] Node& any_node();

    Options options_;
    World world_;
    Network network_;
    Oracle oracle_;
    Snapshots snapshots_;
    Work work_;
    Fleet fleet_;
    RemoteTarget target_;
    std::vector<std::string> queues_;
    std::unique_ptr<BrokerNode> broker_;
    std::vector<std::unique_ptr<WorkerNode>> workers_;
    std::vector<std::unique_ptr<ProducerNode>> producers_;
    std::vector<std::unique_ptr<SubscriberNode>> subscribers_;
    std::vector<std::unique_ptr<DurableNode>> durables_;
    std::unique_ptr<OperatorNode> operator_;
    Time busy_until_{};
};

}  // namespace scanmq::sim
