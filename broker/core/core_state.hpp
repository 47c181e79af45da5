#pragma once
// CoreState: what the parts of BrokerCore share: the tables, the call under way, and what is to be
//            sent.
//
// Role:      owned by BrokerCore; SessionHandler, SubmitHandler, Runner, Publisher ... each work on
//            it.
// Threads:   broker loop only.
// Lifetimes: `effects` is set for the length of one call.

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/alias_table.hpp"
#include "broker/core/bodies.hpp"
#include "broker/core/broker_core.hpp"
#include "broker/core/counters.hpp"
#include "broker/core/cursor_table.hpp"
#include "broker/core/group_table.hpp"
#include "broker/core/id_window.hpp"
#include "broker/core/intern_table.hpp"
#include "broker/core/job_table.hpp"
#include "broker/core/queue_settings.hpp"
#include "broker/core/session_table.hpp"
#include "broker/core/stream.hpp"
#include "broker/core/submit_credit.hpp"
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
    Queue(std::uint16_t n, PartitionId partition, std::string text, const QueueSettings& values,
          const BrokerOptions& options, const JobTable& table, const Id128& incarnation);

    void apply(const QueueSettings& values);

    std::uint16_t number;
    std::string name;
    QueueSettings settings;
    SubmitCredit credit;
    WaitingList waiting;
    IdWindow ids;
    GroupTable groups;
    Stream stream;
    std::vector<Subscription*> subscriptions;
    CursorTable cursors;
    std::uint64_t running = 0;
    std::uint64_t submitted = 0;
    std::uint64_t done = 0;
    std::uint64_t rejected = 0;
    std::uint64_t dead = 0;

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
    [[nodiscard]] Queue& queue(std::uint16_t number) const { return *queues[number]; }
    Queue& add_queue(const std::string& name, const QueueSettings& settings);
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

    // `body_bytes`: of the bodies that the change names.
    template <class Change>
    void change(Queue& queue, const Change& change, std::uint64_t body_bytes = 0) {
        if (!options.records) return;
        touch(queue);
        write_change(change, open_record(queue.journal, body_bytes).bytes,
                     queue.journal.open.bodies);
    }
    // Of what is broker-wide.
    template <class Change>
    void change_broker(const Change& change) {
        if (!options.records) return;
        write_change(change, open_record(broker_journal_, 0).bytes, broker_journal_.open.bodies);
    }
    // commit() is to tell what moved in it: the stream's begin, forgotten ids, cursors.
    void touch(Queue& queue) {
        if (queue.touched) return;
        queue.touched = true;
        touched_queues_.push_back(&queue);
    }
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
        if (at < due) due = at;
    }
    [[nodiscard]] WallMillis wall_millis() const noexcept;

    const BrokerOptions options;
    BlobTable& blobs;
    Counters counters;
    Rng rng;
    SessionTable sessions;
    WorkerRing workers;
    JobTable table;
    InternTable subjects;
    InternTable inputs;
    InternTable texts;
    AliasTable aliases;
    Bodies bodies;
    SlotIndex attempts;  // live attempts' counters to executions
    std::uint64_t attempt_counter = 0;
    std::vector<std::unique_ptr<Queue>> queues;  // by number; null: free
    std::deque<Queue*> active;

    Time now;
    Time started;
    Effects* effects = nullptr;
    Time due = Time::max();
    bool unfinished = false;  // a slice of work was cut short: tick() at once

  private:
    // The journal's record, with room for a change.
    CommitRecord& open_record(Journal& journal, std::uint64_t body_bytes);
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
