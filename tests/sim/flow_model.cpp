#include "tests/sim/flow_model.hpp"

#include <algorithm>

namespace scanmq::sim {

using namespace broker;

void FlowModel::over(Part& part, std::uint64_t execution) {
    Execution& one = part.executions[execution];
    if (!one.running) return;
    one.running = false;
    --part.flows[one.flow].running;
}

void FlowModel::deliver(Part& part, std::uint64_t execution, Time at) const {
    Execution& one = part.executions[execution];
    Flow& flow = part.flows[one.flow];
    one.running = true;
    ++flow.running;
    const FlowLimits& limits = flow.limits;
    if (limits.in_flight_max != 0 && flow.running > limits.in_flight_max) {
        world_->fail("flow '" + one.flow + "' has " + std::to_string(flow.running) +
                     " attempts, its in_flight_max is " + std::to_string(limits.in_flight_max));
    }
    if (limits.rate_per_s == 0) return;
    const Duration interval(1'000'000'000 / static_cast<std::int64_t>(limits.rate_per_s));
    const Duration burst = interval * static_cast<std::int64_t>(limits.burst);
    flow.even = std::max(flow.even, at) + interval;
    if (flow.even - burst > at) {
        world_->fail("flow '" + one.flow + "' gets more than its " +
                     std::to_string(limits.rate_per_s) + " deliveries a second");
    }
}

void FlowModel::apply(PartitionId partition, ByteView changes, Time at) {
    if (partition == 0) return;
    Part& part = parts_[partition];
    ArchiveReader reader(changes);
    while (!reader.at_end()) {
        change::Any any;
        if (!read_change(reader, any)) return;
        if (const auto* accepted = std::get_if<change::Accepted>(&any)) {
            if (!accepted->attached) {
                part.executions[accepted->execution] = {std::string(accepted->flow), false};
            }
        } else if (const auto* started = std::get_if<change::Started>(&any)) {
            for (const auto& attempt : started->attempts) deliver(part, attempt.execution, at);
        } else if (const auto* released = std::get_if<change::Released>(&any)) {
            over(part, released->execution);
        } else if (const auto* ended = std::get_if<change::Ended>(&any); ended && ended->over) {
            over(part, ended->execution);
            part.executions.erase(ended->execution);
        } else if (const auto* limited = std::get_if<change::FlowLimited>(&any)) {
            Flow& flow = part.flows[std::string(limited->flow)];
            const FlowLimits was = flow.limits;
            flow.limits = FlowLimits{};
            for (const SettingRow& row : limited->limits) {
                for (const FlowLimit& limit : kFlowLimits) {
                    if (limit.name == row.name) flow.limits.*(limit.value) = row.value;
                }
            }
            if (was.rate_per_s != flow.limits.rate_per_s || was.burst != flow.limits.burst) {
                flow.even = Time{};
            }
        }
    }
}

}  // namespace scanmq::sim
