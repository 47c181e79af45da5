#include "broker/core/flow_handler.hpp"

#include <cmath>

#include "broker/core/names.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;

void FlowHandler::set(Session& session, const protocol::Header& header,
                      const protocol::FlowSet& message) {
    const auto refuse = [&](ErrorCode code, std::string sentence) {
        state_->refuse(session, header.seq, Kind::flow_set, code, std::move(sentence));
    };
    Queue* const queue = state_->require_queue(session, header, Kind::flow_set, message.queue);
    if (queue == nullptr) return;
    if (!printable_name(message.flow)) return refuse(ErrorCode::bad_name, name_rule("a flow"));
    WaitingRoom& room = queue->room;
    FlowTable& flows = room.flows();
    const Slot known = flows.find(message.flow);
    const FlowLimits* const had = known == kNoSlot ? nullptr : flows.limits(known);
    const bool drops = message.limits.empty();
    if (drops && had == nullptr) {
        return refuse(ErrorCode::unknown_flow,
                      "flow '" + message.flow + "' of queue '" + queue->name + "' has no limits");
    }
    const auto limits = with_changes(had == nullptr ? FlowLimits{} : *had, message.limits);
    if (!limits) return refuse(ErrorCode::bad_setting, limits.error());
    if (had == nullptr && flows.limited() >= state_->options.flow_limits_max) {
        return refuse(ErrorCode::over_limit, "flow_limits_max is " +
                                                 std::to_string(state_->options.flow_limits_max) +
                                                 "; take the limits of some flows away");
    }
    const Slot flow = flows.take(message.flow, state_->now);
    change::FlowLimited change{flows.name(flow), {}};
    if (drops) {
        room.drop_limits(flow);
    } else {
        room.set_limits(flow, *limits, state_->now);
        change.limits = limit_rows(*limits);
    }
    state_->change(*queue, change);
    state_->counters.add(Counter::flows_limited);
    flows.release(flow, state_->now);
    if (room.active()) state_->activate(*queue);
    state_->send(session, protocol::Ok{header.seq}, true);
}

std::string_view FlowHandler::held(const FlowTable& flows, Slot slot) {
    const Flow& flow = flows[slot];
    if (!flow.held) return "";
    return flow.due_place != 0 ? "flow_rate" : "flow_in_flight";
}

std::vector<protocol::Row> FlowHandler::rows(const Queue& queue, std::uint64_t& left_out) {
    const FlowTable& flows = queue.room.flows();
    std::vector<protocol::Row> rows;
    for (const Slot slot : flows.all()) {
        const Flow& flow = flows[slot];
        if (flow.idle) continue;
        if (rows.size() > protocol::kLimits.items_per_frame_max) {
            ++left_out;
            continue;
        }
        const FlowLimits* const set = flows.limits(slot);
        const FlowLimits limits = set == nullptr ? FlowLimits{} : *set;
        protocol::Row row{{"queue", queue.name}, {"flow", std::string(flows.name(slot))}};
        for (const FlowLimit& limit : kFlowLimits) {
            row.emplace_back(std::string(limit.name), limits.*(limit.value));
        }
        row.emplace_back("waiting", std::uint64_t{flow.live - flow.running});
        row.emplace_back("running", std::uint64_t{flow.running});
        row.emplace_back("delivered", flow.delivered);
        row.emplace_back("cost_us", static_cast<std::uint64_t>(std::llround(flow.cost.mean)));
        row.emplace_back("held", std::string(held(flows, slot)));
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace scanmq::broker
