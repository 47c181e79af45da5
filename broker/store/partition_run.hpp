#pragma once
// PartitionRun: what a run of commit records changed in one partition, net, in memory.
//
// Role:      of Materialiser: apply() takes the records in order, write() puts what is left of them
//            into the tables of rows.hpp. An execution that was accepted and ended in between
//            leaves its entries and ids only.
// Threads:   the checkpoint's.
// Views:     into the records' copies (RunContext::arena) and into rows as they were before the run
//            (RunContext::before); both are kept until clear().
// Memory:    40 bytes an execution, beside its records' bytes; buffers are used again.
// Errors:    damaged, naming partition and sequence: a change does not fit what is there. After an
//            error only clear() may follow.

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/core/record.hpp"
#include "broker/core/slot_index.hpp"
#include "broker/store/commit_log.hpp"
#include "broker/store/row_chunks.hpp"

namespace scanmq::broker {

struct RunContext {
    ByteArena arena;
    std::unique_ptr<StateSnapshot> before;
};

class PartitionRun {
  public:
    using Done = Result<void, StateError>;

    explicit PartitionRun(RunContext& context) : context_(&context) {}

    // Reads the partition's row. False: there is none.
    [[nodiscard]] Result<bool, StateError> load(PartitionId partition);
    // A record of it. Precondition: its changes are in the context's arena, which is the caller's
    // to change.
    [[nodiscard]] Done apply(const RecordView& record);
    // Of partition 0's records:
    [[nodiscard]] Done create(const change::QueueCreated& queue, std::uint64_t sequence);
    [[nodiscard]] Done alter(const change::QueueAltered& queue, std::uint64_t sequence);
    void remove() noexcept { removed_ = true; }

    [[nodiscard]] bool removed() const noexcept { return removed_; }
    [[nodiscard]] bool stored() const noexcept { return stored_; }
    [[nodiscard]] PartitionId partition() const noexcept { return partition_; }

    // Within the store's transaction. False: some of what was trimmed is left to erase; touch the
    // partition again in the next one. Precondition: not removed.
    [[nodiscard]] Result<bool, StateError> write(StateStore& store);
    // Trimmed rows that an earlier transaction left are erased by write(). After load().
    void trim_again() {
        entries_.trim(false);
        ids_.trim(false);
        trimmed_ = true;
    }
    void clear();

  private:
    static constexpr std::uint32_t kNone = 0;
    static constexpr std::uint64_t kExecutionGapMax = 1U << 20;
    static constexpr std::size_t kFreshKept = 1U << 14;

    enum class Fate : std::uint8_t { unused, live, over, dead };
    struct Execution {
        std::uint64_t number{};
        char* job{};  // as accepted in this run: JobRow and what follows, after a byte that is ours
        std::uint64_t counter{};  // of the attempt started last
        std::uint32_t bytes{};    // at `job`
        std::uint32_t start{};    // in starts_, from 1; kNone: none in this run
        std::uint32_t extra{};    // in extras_, from 1
        Fate fate{};
    };
    // Who attempts were given to.
    struct Start {
        std::string_view worker;
        Id128 instance;
        std::uint64_t epoch{};
    };
    struct Job {
        Id128 id;
        ByteView bytes;
    };
    // Of the few executions that are more than started and over.
    struct Extra {
        bool jobs_known = false;
        std::vector<Job> jobs;
        ByteView rest;  // the ExecutionRow behind its jobs
        bool released = false;
        change::Released last;
        std::vector<AttemptRow> history;  // of this run
        DeadRow death;
        std::optional<AttemptRow> last_attempt;
    };
    struct GroupNet {
        GroupRow row;
        bool there = false;
        bool stored = false;
    };
    struct Body {
        std::uint64_t last_offset{};
        std::uint64_t entries{};
        protocol::Body body;
    };
    struct CursorNet {
        CursorRow row;
        bool there = false;
    };
    struct StandingNet {
        std::optional<StandingRow> row;  // set in this run
        StandingRunRow run;
        bool there = false;
    };

    // partition_run.cpp: the changes
    [[nodiscard]] Done apply_one(ArchiveReader& reader);
    template <class Change>
    [[nodiscard]] Done read_and_do(ArchiveReader& reader);
    [[nodiscard]] Done accepted(ArchiveReader& reader);
    [[nodiscard]] Done started(ArchiveReader& reader);
    [[nodiscard]] Done ended(ArchiveReader& reader);
    [[nodiscard]] Done entries_of(const change::Ended& ended);
    [[nodiscard]] Done died(Execution& execution, const change::Ended& ended);
    [[nodiscard]] Done on(const change::Released& change);
    [[nodiscard]] Done on(const change::GroupOpened& change);
    [[nodiscard]] Done on(const change::GroupSealed& change);
    [[nodiscard]] Done on(const change::GroupEnded& change);
    [[nodiscard]] Done on(const change::GroupForgotten& change);
    [[nodiscard]] Done on(const change::CursorSet& change);
    [[nodiscard]] Done on(const change::CursorForgotten& change);
    [[nodiscard]] Done on(const change::DeadDropped& change);
    [[nodiscard]] Done on(const change::StreamTrimmed& change);
    [[nodiscard]] Done on(const change::IdsForgotten& change);
    [[nodiscard]] Done on(const change::QueueMarked& change);
    [[nodiscard]] Done on(const change::VersionPinned& change);
    [[nodiscard]] Done on(const change::FlowLimited& change);
    [[nodiscard]] Done on(const change::StandingSet& change);
    [[nodiscard]] Done on(const change::StandingRan& change);
    [[nodiscard]] Done on(const change::StandingDropped& change);
    [[nodiscard]] Done append_entry(const EntryRow& row);

    // partition_rows.cpp: what is there, and writing it
    // Null: it can not be there any more. One of before the run is taken to be there; write() sees.
    [[nodiscard]] Execution* find(std::uint64_t number);
    [[nodiscard]] Extra& extra_of(Execution& execution);
    [[nodiscard]] Result<Extra*, StateError> jobs_of(Execution& execution);
    [[nodiscard]] Result<GroupNet*, StateError> group(const Id128& id);
    [[nodiscard]] Done open(RowChunks& chunks, std::uint64_t first, std::uint64_t next);
    [[nodiscard]] Done write_executions(StateStore& store);
    [[nodiscard]] Done write_one(StateStore& store, Execution& execution, bool fresh);
    [[nodiscard]] Done write_dead(StateStore& store, const Execution& execution, bool fresh);
    [[nodiscard]] Done write_run(StateStore& store, const Execution& execution, bool fresh);
    [[nodiscard]] Result<bool, StateError> old_run(const Execution& execution, RunRow& row);
    [[nodiscard]] Done write_results(StateStore& store);
    [[nodiscard]] Done write_named(StateStore& store);
    [[nodiscard]] Done write_standing(StateStore& store);
    [[nodiscard]] ByteView execution_row(const Execution& execution);

    [[nodiscard]] Failure<StateError> damage(std::string_view what) const;
    [[nodiscard]] static std::uint64_t hash_number(std::uint64_t number) noexcept {
        const std::uint64_t h = number * 0x9e3779b97f4a7c15ULL;
        return h ^ h >> 32;
    }

    RunContext* context_;
    PartitionId partition_ = 0;
    QueueRow row_;
    bool stored_ = false;  // it had a row before the run
    bool removed_ = false;
    bool trimmed_ = false;
    std::uint64_t sequence_ = 0;    // of the record being applied
    std::uint64_t epoch_ = 0;       // of it
    std::uint64_t base_ = 0;        // executions from here on are of this run
    std::vector<Execution> fresh_;  // by number - base_
    std::vector<Execution> old_;    // those of before that changed
    SlotIndex old_index_;           // places in old_, from 1
    std::vector<Start> starts_;
    std::vector<Extra> extras_;
    RowChunks entries_{Table::entries};
    RowChunks ids_{Table::ids};
    std::vector<Body> results_;
    std::unordered_map<Id128, GroupNet> groups_;
    Id128 last_group_;  // the one asked for last
    GroupNet* last_group_net_ = nullptr;
    std::map<std::string_view, CursorNet> cursors_;
    std::map<std::string_view, FlowRow> flows_;  // no limits: goes
    std::map<std::string_view, StandingNet> standing_;
    std::vector<std::uint64_t> dropped_;  // dead letters of before
    // Read into again and again, for their lists' memory.
    JobRow job_;
    change::Started started_;
    change::Ended ended_;
    std::string scratch_;
};

}  // namespace scanmq::broker
