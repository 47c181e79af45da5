#pragma once
// Placing: where an execution waits: by its jobs' priorities and starts, or behind another one.
//
// Role:      functions on CoreState, of admission, the end of executions, retries and restore.
// Threads:   broker loop only.
// Following: an execution has a limit of jobs (jobs_per_execution_max). Those beyond it get executions of
//            their own, which follow the full one, their leader: they wait in no room, end in the same
//            step with its result (Ending), and when it has none the first of them leads the others.
//            A leader has the highest priority and the earliest start of all that follow it. In the
//            store a follower is an execution like any other: Restorer puts it behind its leader again,
//            but for those of an earlier scanner version, whose versions no row tells.
// Order:     a chain is in order of the executions' numbers, the leader's being the lowest. Only the
//            last one of a chain is in the FingerprintIndex, and takes further jobs.
// See:       docs/PROTOCOL.md, section 8, "Pure"

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

// What BrokerOptions::jobs_per_execution_max may be: one commit record holds the ends of so many.
inline constexpr std::uint32_t kJobsPerExecutionMax = 1'024;

// Its jobs changed: takes the highest of their priorities and the earliest of their starts.
void reposition(CoreState& state, Slot execution);
// Not to be delivered before: the earliest start of its jobs, or its retry's time if that is later.
[[nodiscard]] Time due_of(const CoreState& state, Slot execution);

// The new execution, which is nowhere yet, is the last of the chain of `last`, and takes its place in the
// FingerprintIndex. Precondition: it has jobs, and the fingerprint of `last`.
void follow(CoreState& state, Slot execution, Slot last);
// It follows nothing any more, and is as one that was just answered. The one before it takes further jobs.
void stop_following(CoreState& state, Slot execution);
// The same of the first of a chain that has no leader (take_followers): the next one is the first.
void leave_chain(CoreState& state, Slot first);
// Those that follow the execution, as a chain without a leader: its first. kNoSlot: none does.
[[nodiscard]] Slot take_followers(CoreState& state, Slot leader);
// The first of a chain without a leader leads it: it waits for a worker.
void lead(CoreState& state, Slot first);

}  // namespace scanmq::broker
