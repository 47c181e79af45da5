#pragma once
// Restorer: takes the rows of a store back into the core's tables, before the first event.
//
// Role:      used once, after a restart. Nothing is journalled: the store has it all.
// Threads:   broker loop only. Borrows: CoreState and the parts it is made with (outlive this).
// Order:     aliases and queues, then a queue's groups, flows, executions, entries (by offset), ids (by
//            position), cursors and dead letters. Blobs are in the BlobTable before.
// Errors:    a row that contradicts the others, as a sentence: the store is damaged.
// Times:     wall clock in the rows, the core's own in the tables; a delay never grows by it.

#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/core/core_state.hpp"
#include "broker/core/group_handler.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/stream_writer.hpp"

namespace scanmq::broker {

class Restorer {
  public:
    using Done = Result<void, std::string>;

    struct Parts {
        Leases& leases;
        StreamWriter& writer;
        GroupHandler& groups;
        Publisher& publisher;
    };
    Restorer(CoreState& state, const Parts& parts)
        : state_(&state),
          leases_(&parts.leases),
          writer_(&parts.writer),
          groups_(&parts.groups),
          publisher_(&parts.publisher) {}

    void alias(std::string_view name, const AliasRow& row);
    // After the queues.
    [[nodiscard]] Done standing(PartitionId partition, std::string_view name,
                                const StandingRow& row, const StandingRunRow& run);

    [[nodiscard]] Done queue(PartitionId partition, const QueueRow& row);
    // Before the queue's executions.
    [[nodiscard]] Done flow(PartitionId partition, std::string_view name, const FlowRow& row);
    [[nodiscard]] Done group(PartitionId partition, const Id128& id, const GroupRow& row);
    [[nodiscard]] Done execution(PartitionId partition, std::uint64_t number,
                                 const ExecutionRow& row, const RunRow* run, BodyHandle payload);
    [[nodiscard]] Done entry(PartitionId partition, std::uint64_t offset, const EntryRow& row,
                             BodyHandle body);
    [[nodiscard]] Done id(PartitionId partition, std::uint64_t position, const IdRow& row);
    [[nodiscard]] Done dead(PartitionId partition, std::uint64_t number, const DeadRow& row,
                            const ExecutionRow& execution, BodyHandle payload);
    [[nodiscard]] Done cursor(PartitionId partition, std::string_view name, const CursorRow& row);
    // All rows were given.
    void finish();

  private:
    [[nodiscard]] Result<Queue*, std::string> find(PartitionId partition) const;
    [[nodiscard]] Result<Slot, std::string> inputs(ByteView inputs);
    [[nodiscard]] Done payload(const StoredBody& body, BodyHandle handle, bool& is_blob);
    [[nodiscard]] Result<Slot, std::string> job(Queue& queue, const JobRow& row, Slot execution);
    void attempt(Slot execution, const RunRow& run);
    [[nodiscard]] bool may_follow(const ExecutionRow& row, Slot execution, Slot last) const;
    [[nodiscard]] AttemptNote note(const AttemptRow& row);
    // The moment of the core's clock at that of the wall's, no later than `most` from now.
    [[nodiscard]] Time at(WallMillis wall, Duration most) const;
    // When a job was accepted: in the past, whatever the wall clock did.
    [[nodiscard]] Time came(WallMillis accepted) const;

    CoreState* state_;
    Leases* leases_;
    StreamWriter* writer_;
    GroupHandler* groups_;
    Publisher* publisher_;
    std::unordered_map<PartitionId, Queue*> queues_;
};

}  // namespace scanmq::broker
