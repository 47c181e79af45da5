#pragma once
// Materialiser: applies commit records to the tables of rows.hpp.
//
// Role:      of Checkpoint. add() takes records in order and keeps their net effect in memory;
//            write() puts it into one transaction, with the position of the last record. Then it
//            begins again.
// Threads:   the checkpoint's, the only one that writes the store. Borrows: StateStore (outlives
//            this).
// Invariant: the tables hold exactly the records up to their position; where rows begin and end
//            does not depend on how the records were cut into transactions.
// Memory:    the records' bytes, once, and about 40 bytes an execution; the caller bounds it by
//            bytes(). A snapshot is held from the first add() until write() or drop().
// Work:      a deleted queue's rows are erased kSweepRows in a transaction, the rest of what was
//            trimmed in RowChunks::kTrimBudget; Written::more asks for another write().
// Errors:    those of StateStore; damaged when a record cannot be read or does not fit the rows.
//            After one of add() or write(), drop() has to follow: nothing has happened.

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/store/partition_run.hpp"

namespace scanmq::broker {

class Materialiser {
  public:
    static constexpr std::size_t kSweepRows = 4096;

    explicit Materialiser(StateStore& store) : store_(&store) {}

    // Of the last record that is in the store, or was added since.
    [[nodiscard]] Result<LogPosition, StateError> position();
    // One that is at or before the position is passed over.
    [[nodiscard]] Result<void, StateError> add(const RecordView& record);
    // Of the records added since the last write().
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    struct Written {
        LogPosition position{};
        bool more = false;  // rows are left to erase: call it again
    };
    // Durable when it returns. Without anything to write: no transaction.
    [[nodiscard]] Result<Written, StateError> write();
    // Forgets what was added and not written.
    void drop();

  private:
    using Done = Result<void, StateError>;

    [[nodiscard]] Done begin_run();
    [[nodiscard]] Done apply_broker(const RecordView& record);
    [[nodiscard]] Done apply_queue_change(ArchiveReader& reader, const RecordView& record);
    // Null: the partition is of a deleted queue.
    [[nodiscard]] Result<PartitionRun*, StateError> run_of(PartitionId partition);
    [[nodiscard]] Done write_all();
    [[nodiscard]] Done write_runs();
    [[nodiscard]] Done write_broker();
    [[nodiscard]] Done sweep();
    [[nodiscard]] Result<bool, StateError> sweep_one(PartitionId partition, std::size_t& budget);
    void end_run();
    [[nodiscard]] static Failure<StateError> damage(const RecordView& record,
                                                    std::string_view what);

    StateStore* store_;
    RunContext context_;
    BrokerRow broker_;  // while a run is open
    bool changed_ = false;
    std::size_t bytes_ = 0;
    std::map<PartitionId, std::unique_ptr<PartitionRun>> runs_;
    std::vector<std::unique_ptr<PartitionRun>> spare_;  // with their buffers
    PartitionRun* last_ = nullptr;
    std::map<std::string_view, AliasRow> aliases_;  // zero id, no history: goes
    std::vector<PartitionId> gone_;                 // deleted, rows left; as in the store
    bool gone_read_ = false;
    std::vector<PartitionId> trims_;       // rows left to erase
    std::vector<PartitionId> next_trims_;  // after this transaction
    std::vector<PartitionId> next_gone_;
};

}  // namespace scanmq::broker
