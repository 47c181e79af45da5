#pragma once
// FlowHandler: FLOW_SET: an operator gives a flow of a queue limits, or takes them away; and what is
//              told of flows.
//
// Threads:   broker loop only. Borrows: CoreState (outlives this).
// Limits:    options.flow_limits_max flows of a queue have limits.
// See:       docs/PROTOCOL.md, section 8, "Flows", and section 11

#include <vector>

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class FlowHandler {
  public:
    explicit FlowHandler(CoreState& state) : state_(&state) {}

    void set(Session& session, const protocol::Header& header, const protocol::FlowSet& message);

    // Why the flow is held back: "", flow_rate or flow_in_flight.
    [[nodiscard]] static std::string_view held(const FlowTable& flows, Slot flow);
    // The topic `flows`: at most one row more than an ANSWER holds; `left_out`: the others.
    [[nodiscard]] static std::vector<protocol::Row> rows(const Queue& queue,
                                                         std::uint64_t& left_out);

  private:
    CoreState* state_;
};

}  // namespace scanmq::broker
