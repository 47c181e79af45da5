#pragma once
// CoreState: what the parts of BrokerCore share: the tables, the call under way, and what is to be
//            sent.
//
// Role:      owned by BrokerCore; SessionHandler, SubmitHandler, Runner, Publisher ... each work on
//            it.
// Threads:   broker loop only.
// Lifetimes: `effects` is set for the length of one call.

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/alias_table.hpp"
#include "broker/core/arrival_times.hpp"
#include "broker/core/bodies.hpp"
#include "broker/core/broker_core.hpp"
#include "broker/core/codel.hpp"
#include "broker/core/cost_table.hpp"
#include "broker/core/counters.hpp"
#include "broker/core/cursor_table.hpp"
#include "broker/core/dead_table.hpp"
#include "broker/core/fingerprint_index.hpp"
#include "broker/core/group_table.hpp"
#include "broker/core/id_window.hpp"
#include "broker/core/intern_table.hpp"
#include "broker/core/job_table.hpp"
#include "broker/core/look_ups.hpp"
#include "broker/core/peer_cache.hpp"
#include "broker/core/queue_settings.hpp"
#include "broker/core/result_cache.hpp"
#include "broker/core/session_table.hpp"
#include "broker/core/standing_table.hpp"
#include "broker/core/stream.hpp"
#include "broker/core/submit_credit.hpp"
#include "broker/core/waiting_room.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::broker {

// What a partition's batch changed so far, on its way into commit records.
struct Journal {
    PartitionId partition = 0;
    std::uint64_t sequence = 0;  // of the last record
    CommitRecord open;
    std::uint64_t body_bytes = 0;  // of the bodies at open.bodies
    std::size_t size = 0;          // of the last record, to reserve for the next
    bool touched = false;          // in CoreState's list
};

struct Queue {
    // What all queues of a broker have in common; outlives them.
    struct Common {
        const BrokerOptions& options;
        GrantPool& pool;
        const JobTable& table;
        InternTable& texts;
        CostTable& costs;
    };
    Queue(std::uint16_t n, PartitionId partition, std::string text, const QueueSettings& values,
          const Common& common, const Id128& incarnation);

    void apply(const QueueSettings& values);

    std::uint16_t number;
    std::string name;
    QueueSettings settings;
    SubmitCredit credit;
    WaitingRoom room;
    IdWindow ids;
    GroupTable groups;
    Stream stream;
    std::vector<Subscription*> subscriptions;
    DueHeap deadlines;                         // of jobs
    FingerprintIndex fingerprints;             // of executions that may be shared
    WaitingList followers;                     // of executions, in order of their numbers
    std::unordered_map<Slot, Slot> conflated;  // key, in CoreState::texts, to the job that waits
    DeadTable dead;
    CursorTable cursors;
    ArrivalTimes arrivals;  // of executions
    Codel codel;            // while overload is shed
    Duration waited{};      // what was delivered of late
    Duration waited_low{};  // the same, of what is below the default priority
    Time delivered_at{};    // the last delivery
    Time waits_since{};     // while active: something that may go has waited since then
    // Attempts that failed or were lost with their worker since one was answered; and the last of them.
    std::uint64_t failures_in_row = 0;
    Time failed_at{};
    std::uint64_t running = 0;
    std::int64_t balance = 0;   // microseconds that its turn may spend; below zero: it owes them
    std::uint64_t no_luck = 0;  // the dispatch in which no worker took from it
    std::uint64_t looking = 0;  // executions whose results are looked for
    std::uint64_t running_jobs = 0;  // of the executions that run
    // While its stream is lossless and has no room:
    Time held_since{};            // nothing was delivered since then; Time{}: it is not held
    std::uint64_t held_jobs = 0;  // of the execution that did not fit
    bool producers_held = false;  // grants are bounded by the stream, not by max_jobs

    std::uint64_t submitted = 0;
    std::uint64_t coalesced = 0;
    std::uint64_t cached = 0;              // jobs that a cache answered
    std::uint64_t stale = 0;               // of those: with an older result
    std::array<std::uint64_t, 8> ended{};  // jobs, by final outcome

    bool paused = false;
    bool draining = false;
    std::string scanner_version;      // of its pure results
    std::uint32_t version_stamp = 1;  // another one whenever scanner_version changes; never 0
    bool version_pinned = false;      // by an operator: it does not follow the workers
    std::uint64_t version_since = 0;  // executions from this number on were accepted under it
    std::uint64_t purge_before = 0;   // executions with a lower number are being ended

    [[nodiscard]] std::uint64_t ended_as(protocol::FinalOutcome outcome) const noexcept {
        return ended[static_cast<std::size_t>(outcome)];
    }
    // The job is no longer the one that a newer job of its conflate key replaces.
    void forget_conflated(Slot key, Slot job) {
        const auto found = conflated.find(key);
        if (found != conflated.end() && found->second == job) conflated.erase(found);
    }

    bool active = false;    // in CoreState::active
    bool publish = false;   // entries or credit came since the last publication
    bool trim = false;      // entries or a lower limit came since the stream was last trimmed
    bool touched = false;   // in CoreState's list: commit() looks for what moved
    bool deleting = false;  // no name any more; its jobs are being ended
    protocol::SessionId deleted_by_session;
    std::uint64_t delete_request = 0;

    std::uint64_t next_execution = 1;
    Journal journal;
    // As the journal knows them: what moved is told once a batch.
    std::uint64_t told_first = 0;
    std::uint64_t told_ids_begin = 0;

    [[nodiscard]] PartitionId partition() const noexcept { return journal.partition; }
};

class CoreState {
  public:
    CoreState(const BrokerOptions& broker_options, BlobTable& blob_table);

    // The queue of that name, unless it is being deleted.
    [[nodiscard]] Queue* find_queue(std::string_view name) const;
    // The same; when there is none, the session's frame is refused.
    [[nodiscard]] Queue* require_queue(Session& session, const protocol::Header& header,
                                       protocol::Kind kind, std::string_view name);
    [[nodiscard]] Queue& queue(std::uint16_t number) const { return *queues[number]; }
    // nullptr: none has it, or one that is being deleted.
    [[nodiscard]] Queue* queue_of(PartitionId partition) const;
    Queue& add_queue(const std::string& name, const QueueSettings& settings);
    // One that the store has.
    Queue& restore_queue(PartitionId partition, const std::string& name,
                         const QueueSettings& settings, const Id128& incarnation);
    void remove_queue(Queue& queue);
    // It has executions waiting: dispatch looks at it.
    void activate(Queue& queue);

    // Appends a frame to the session; later fields of the result may be set.
    Send& send(Session& session, protocol::Message&& message, bool after_commit = false);
    // An ERROR in answer to a frame (seq `re`), counted by its code.
    void refuse(Session& session, std::uint64_t re, protocol::Kind kind, protocol::ErrorCode code,
                std::string sentence);
    // The same to a connection without a session.
    void refuse(ConnectionId connection, std::uint64_t re, protocol::Kind kind,
                protocol::ErrorCode code, std::string sentence);

    // A change's own fields take so many bytes at most, unless its writer says otherwise. What is
    // left of it is room for changes that have to be in the same record: those say kFollows.
    static constexpr std::uint64_t kChangeBytesMax = 128U << 10;
    static constexpr std::uint64_t kFollows = 0;
    // `body_bytes`: of the bodies that the change names; `own_bytes`: all else, at most.
    template <class Change>
    void change(Queue& queue, const Change& change, std::uint64_t body_bytes = 0,
                std::uint64_t own_bytes = kChangeBytesMax) {
        if (!options.records) return;
        touch(queue);
        write_change(change, open_record(queue.journal, body_bytes, own_bytes).bytes,
                     queue.journal.open.bodies);
    }
    // Of what is broker-wide.
    template <class Change>
    void change_broker(const Change& change) {
        if (!options.records) return;
        write_change(change, open_record(broker_journal_, 0, kChangeBytesMax).bytes,
                     broker_journal_.open.bodies);
    }
    // After a restart: where the broker-wide records and the numbers of partitions go on.
    void restore_broker(std::uint64_t sequence, PartitionId last_partition) {
        broker_journal_.sequence = sequence;
        last_partition_ = last_partition > last_partition_ ? last_partition : last_partition_;
    }
    // commit() is to tell what moved in it: the stream's begin, forgotten ids, cursors.
    void touch(Queue& queue) {
        if (queue.touched) return;
        queue.touched = true;
        touched_queues_.push_back(&queue);
    }
    // The queue is gone: what it did so far stands in the records before that.
    void change_deleted(Queue& queue);
    // Moves every partition's changes into its commit records.
    void commit();
    [[nodiscard]] WallMillis wall_at(Time at) const noexcept;
    // The other way; what lies beyond the clock's range is moved to its end.
    [[nodiscard]] Time time_at(WallMillis wall) const noexcept;
    void publish(Queue& queue) noexcept { queue.publish = true; }

    void release(BodyHandle body, bool is_blob = false) {
        bodies.release(body, is_blob, now, *effects);
    }
    // The inputs' slot with one reference more, its blobs pinned. Precondition: the blobs are stored.
    [[nodiscard]] Slot hold_inputs(ByteView inputs_bytes);
    void release_inputs(Slot slot);

    // Something is due then (ids, groups, credit): tick() is to be called.
    void schedule(Time at) noexcept {
        if (at < due) due = at < now ? now : at;
    }
    [[nodiscard]] WallMillis wall_millis() const noexcept;
    // Whether only workers of the queue's scanner version may run it.
    [[nodiscard]] bool versioned(const Queue& queue, Slot execution) const {
        if (queue.scanner_version.empty()) return false;
        const ExecutionExtra* const extra = table.find_extra(execution);
        return extra != nullptr && !extra->fingerprint.is_zero();
    }
    // The execution's look-up was taken: it is nowhere now, as one that was just answered.
    void looked_up(Slot execution) noexcept {
        ExecutionRecord& record = table.executions[execution];
        record.state = ExecutionState::running;
        --queues[record.queue]->looking;
    }
    // Sets which workers are of the queue's scanner version.
    void mark_current(const Queue& queue);
    // The queue's pure results are of that scanner version from now on.
    void set_version(Queue& queue, std::string version);
    // Unless an operator pinned it, a queue takes the scanner version on which all workers that serve it agree.
    void follow_version(Queue& queue);
    void follow_versions();
    // Tells the memory budget what is held now.
    void count_memory();
    // What the queue's stream keeps in memory.
    [[nodiscard]] std::uint64_t stream_memory(const Queue& queue) const noexcept {
        // With a store, bodies are read from there.
        return options.records ? queue.stream.size() * MemoryBudget::kEntryBytes
                               : queue.stream.bytes();
    }
    void note_marks(Queue& queue);  // journals paused, draining, scanner_version

    const BrokerOptions options;
    BlobTable& blobs;
    MemoryBudget memory;
    Counters counters;
    Rng rng;
    SessionTable sessions;
    WorkerRing workers;
    protocol::CacheFigures worker_caches;  // counters of what workers told, those that left, too
    JobTable table;
    InternTable subjects;
    InternTable inputs;
    InternTable texts;
    CostTable costs;
    AliasTable aliases;
    StandingTable standing;
    Bodies bodies;
    ResultCache results;
    PeerCache peers;  // other brokers' results
    LookUps look_ups;
    std::vector<std::unique_ptr<Queue>> queues;  // by number; null: free
    std::deque<Queue*> active;

    Time now;
    Time started;
    Effects* effects = nullptr;
    Time due = Time::max();
    bool store_full = false;     // no more jobs: the shell said so
    MemoryBudget::Figures held;  // the shell's of them
    bool dispatch_held = false;  // for lack of memory for results
    bool unfinished = false;     // a slice of work was cut short: tick() at once

  private:
    Queue& place_queue(PartitionId partition, const std::string& name,
                       const QueueSettings& settings, const Id128& incarnation);
    // The journal's record, with room for a change.
    CommitRecord& open_record(Journal& journal, std::uint64_t body_bytes, std::uint64_t own_bytes);
    void close_record(Journal& journal);
    void note_moves(Queue& queue);
    void note_cursors(Queue& queue);

    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept {
            return std::hash<std::string_view>{}(name);
        }
    };
    std::unordered_map<std::string, std::uint16_t, NameHash, std::equal_to<>> names_;
    Journal broker_journal_;
    std::vector<Journal*> touched_;
    std::vector<Queue*> touched_queues_;
    PartitionId last_partition_ = 0;
};

}  // namespace scanmq::broker
