#pragma once
// QueryHandler: answers QUERY: what the broker, its queues, workers, sessions and snapshots are
//               doing.
//
// Threads: broker loop only. Borrows: CoreState (outlives this).
// Limits:  an ANSWER keeps the frame's limits; rows left out are counted in its last row.
// See:     docs/PROTOCOL.md, section 11

#include "broker/core/core_state.hpp"
#include "broker/core/job_query.hpp"

namespace scanmq::broker {

class QueryHandler {
  public:
    explicit QueryHandler(const CoreState& state) : state_(&state), jobs_(state) {}

    void set_gauges(BrokerCore::Gauges gauges) { gauges_ = std::move(gauges); }
    void answer(CoreState& state, Session& session, const protocol::Header& header,
                const protocol::Query& message) const;

  private:
    using Rows = std::vector<protocol::Row>;
    [[nodiscard]] Rows broker() const;
    [[nodiscard]] Rows counters() const;
    [[nodiscard]] Rows queues(const std::string& key) const;
    [[nodiscard]] Rows workers() const;
    [[nodiscard]] Rows sessions() const;
    [[nodiscard]] Rows snapshots() const;
    [[nodiscard]] Rows store() const;

    const CoreState* state_;
    JobQuery jobs_;
    BrokerCore::Gauges gauges_;
};

// Cuts the rows at what one ANSWER holds; then the last row is {"truncated": rows left out}.
void cut_rows(std::vector<protocol::Row>& rows);

}  // namespace scanmq::broker
