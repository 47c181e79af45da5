#pragma once
// FlowModel: what the commit records say of flows, and whether their limits were kept.
//
// Role:      owned by Oracle, which gives it every record with the moment it was written.
// Checks:    at each delivery: the flow's attempts are not more than its in_flight_max; its deliveries
//            keep its rate with its burst, also over crashes of the broker.
// Failures:  World::fail().

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "broker/core/flow_limits.hpp"
#include "broker/core/record.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

class FlowModel {
  public:
    explicit FlowModel(const World& world) : world_(&world) {}

    void clear() { parts_.clear(); }
    // `changes`: of a record that can be read, bodies in place.
    void apply(broker::PartitionId partition, ByteView changes, Time at);

  private:
    struct Flow {
        std::uint64_t running = 0;
        broker::FlowLimits limits;
        Time even{};  // GCRA: when the next delivery is due if they are evenly spaced
    };
    struct Execution {
        std::string flow;
        bool running = false;
    };
    struct Part {
        std::map<std::string, Flow> flows;
        std::unordered_map<std::uint64_t, Execution> executions;
    };
    static void over(Part& part, std::uint64_t execution);
    void deliver(Part& part, std::uint64_t execution, Time at) const;

    const World* world_;
    std::map<broker::PartitionId, Part> parts_;
};

}  // namespace scanmq::sim
