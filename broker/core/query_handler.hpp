#pragma once
// QueryHandler: answers QUERY: what the broker, its queues, workers, sessions, snapshots,
//               subscriptions, aliases and standing scans are doing.
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
    [[nodiscard]] Rows cache() const;
    [[nodiscard]] Rows store() const;
    // query_streams.cpp; at most one row more than an ANSWER holds. `left_out`: the others.
    [[nodiscard]] Rows subscriptions(const std::string& key, std::uint64_t& left_out) const;
    [[nodiscard]] Rows aliases(std::uint64_t& left_out) const;
    [[nodiscard]] Rows standing(std::uint64_t& left_out) const;

    const CoreState* state_;
    JobQuery jobs_;
    BrokerCore::Gauges gauges_;
};

// Cuts the rows at what one ANSWER holds; then the last row is {"truncated": rows left out}, those
// that were never made included.
void cut_rows(std::vector<protocol::Row>& rows, std::uint64_t never_made = 0);
// Subscriptions of a queue that the topic shows: its sessions' and the durable ones without one.
[[nodiscard]] std::uint64_t subscription_count(const Queue& queue);

}  // namespace scanmq::broker
