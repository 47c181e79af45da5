#pragma once
// What workers tell of the results they keep: of each, and of all together.
//
// Role:      SessionHandler notes it with each HEARTBEAT, QueryHandler shows it.
// Threads:   broker loop only.
// Believe:   figures are a worker's word; nothing is decided by them.
// See:       docs/PROTOCOL.md, section 3, "Figures of a worker's cache"

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

// Its counters since its session began: what they rose by is added to the broker's.
void note_worker_cache(CoreState& state, Worker& worker, const protocol::CacheFigures& figures);
// Adds the worker's to its row of topic `workers`, if it told any.
void add_cache_figures(const Worker& worker, protocol::Row& row);
// The row of all workers in topic `cache`.
[[nodiscard]] protocol::Row worker_tier(const CoreState& state);

}  // namespace scanmq::broker
