#pragma once
// Recovery: a broker's restart: the log's tail goes into the state, the state into the core.
//
// Role:      called by the shell before its loop starts. load() streams rows; a RestoreSink makes
//            the core's tables of them.
// Order:     broker, queues, groups, executions, entries, ids, cursors, dead letters, aliases,
//            standing scans; rows
//            of a table by key, so that queues come before what is in them, groups before their
//            jobs, offsets and positions in a row.
// Views:     of rows live until the call returns. Bodies are views into the store, not copies; with
//            StoredBody::key they can be read again (BodyReader).
// Errors:    damaged, naming table, partition and number: a row cannot be read, is missing, or the
//            sink refused it.

#include "broker/store/commit_log.hpp"
#include "broker/store/state_keys.hpp"
#include "broker/store/state_store.hpp"

namespace scanmq::broker {

// False: the row does not fit what came before it.
class RestoreSink {
  public:
    virtual ~RestoreSink() = default;
    // First. `restored`: the state is a backup's; streams need new incarnations (mark_settled()).
    [[nodiscard]] virtual bool broker(const BrokerRow& row, bool restored) = 0;
    [[nodiscard]] virtual bool queue(PartitionId partition, const QueueRow& row) = 0;
    [[nodiscard]] virtual bool group(PartitionId partition, const Id128& id,
                                     const GroupRow& row) = 0;
    [[nodiscard]] virtual bool flow(PartitionId partition, std::string_view name,
                                    const FlowRow& row) = 0;
    // `run`: null when no attempt was made yet.
    [[nodiscard]] virtual bool execution(PartitionId partition, std::uint64_t number,
                                         const ExecutionRow& row, const RunRow* run) = 0;
    // The body is there wherever it is kept; entries with the same body have the same key.
    [[nodiscard]] virtual bool entry(PartitionId partition, std::uint64_t offset,
                                     const EntryRow& row) = 0;
    [[nodiscard]] virtual bool id(PartitionId partition, std::uint64_t position,
                                  const IdRow& row) = 0;
    [[nodiscard]] virtual bool cursor(PartitionId partition, std::string_view name,
                                      const CursorRow& row) = 0;
    [[nodiscard]] virtual bool dead(PartitionId partition, std::uint64_t number, const DeadRow& row,
                                    const ExecutionRow& execution) = 0;
    [[nodiscard]] virtual bool alias(std::string_view alias, const AliasRow& row) = 0;
    [[nodiscard]] virtual bool standing(PartitionId partition, std::string_view name,
                                        const StandingRow& row, const StandingRunRow& run) = 0;
};

// Everything durable in the log goes into the state. The position then.
[[nodiscard]] Result<LogPosition, StateError> recover(CommitLog& log, StateStore& store);

// Everything in the state goes to the sink.
[[nodiscard]] Result<void, StateError> load(StateStore& store, RestoreSink& sink);

// The mark of a restored backup is taken off: its streams have new incarnations.
[[nodiscard]] Result<void, StateError> mark_settled(StateStore& store);

}  // namespace scanmq::broker
