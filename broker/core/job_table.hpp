#pragma once
// JobTable: the records of live jobs, of their executions and of the attempts that run.
//
// Role:      one per broker. What few jobs need (options, fingerprints, histories) is in records of
//            its own, so that a plain job costs little.
// Threads:   broker loop only.
// Invariant: a live execution is in exactly one place: a lane, a list or the heap of its queue's
//            WaitingRoom, its queue's followers, the LookUps, or a RunRecord.
// Memory:    48 bytes a job and 48 an execution.

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "broker/core/events.hpp"
#include "broker/core/slab.hpp"
#include "common/base/id.hpp"

namespace scanmq::broker {

struct JobRecord {
    Id128 id;
    std::uint64_t digest = 0;
    Slot execution = kNoSlot;
    Slot next = kNoSlot;           // next job of the same execution
    Slot subject = kNoSlot;        // in CoreState::subjects
    Slot group = kNoSlot;          // in the queue's groups
    std::uint32_t bytes : 24 = 0;  // what it costs in credit
    std::uint32_t priority : 8 = 0;
    Slot extra = kNoSlot;  // JobExtra, when an option is not at its default
};
static_assert(sizeof(JobRecord) <= 48);

struct JobExtra {
    Slot next = kNoSlot;               // of the slab
    Slot conflate = kNoSlot;           // in CoreState::texts
    std::uint32_t deadline_place = 0;  // in its queue's DueHeap
    std::uint32_t flags = 0;           // JobOptions::flags
    Time due{};                        // not before; Time{}: at once
    Time deadline{};                   // Time{}: none
    Time accepted{};                   // when it came
    Id128 retry_of;
};

// looking: its result is looked for in a cache; following: another one makes it. It waits nowhere else.
enum class ExecutionState : std::uint8_t { waiting, alone, delayed, running, looking, following };

struct ExecutionRecord {
    std::uint64_t number = 0;  // in its queue, rising; names it in the store
    Slot next = kNoSlot;       // in its waiting list
    Slot previous = kNoSlot;
    Slot first_job = kNoSlot;
    Slot inputs = kNoSlot;  // in CoreState::inputs
    BodyHandle payload;
    Slot run = kNoSlot;    // while it runs; while it waits, its lane in the FlowTable
    Slot extra = kNoSlot;  // ExecutionExtra
    Slot flow = kNoSlot;   // in its queue's FlowTable, which it holds
    std::uint16_t queue = 0;
    std::uint8_t failures = 0;  // charged to max_attempts
    std::uint8_t crashes = 0;   // charged to max_crashes
    ExecutionState state{};
    std::uint8_t priority : 4 = 0;  // the highest of its jobs'
    bool payload_is_blob : 1 = false;
    bool suspect : 1 = false;    // its last attempt was lost and may have been what crashed
    bool conflated : 1 = false;  // a job of it is in its queue's table of conflate keys
    bool shared : 1 = false;     // in its queue's FingerprintIndex: further jobs may join
    bool aside = false;          // it waits apart, being too large at the moment
};
static_assert(sizeof(ExecutionRecord) <= 48);

// Whether it has a live attempt.
[[nodiscard]] inline bool has_run(const ExecutionRecord& execution) noexcept {
    return execution.state == ExecutionState::running && execution.run != kNoSlot;
}

// How it waits once it is due.
[[nodiscard]] inline ExecutionState ready_state(const ExecutionRecord& execution) noexcept {
    return execution.crashes > 0 || execution.suspect ? ExecutionState::alone
                                                      : ExecutionState::waiting;
}

// What became of an attempt, for a dead letter's history.
struct AttemptNote {
    protocol::AttemptOutcome outcome{};
    protocol::ErrorCode code{};
    bool charged_crash = false;
    WallMillis ended{};
    Slot worker = kNoSlot;    // in CoreState::texts
    Slot sentence = kNoSlot;  // in CoreState::texts
};

struct ExecutionExtra {
    Slot next = kNoSlot;          // of the slab
    std::uint32_t due_place = 0;  // in its queue's DueHeap
    std::uint32_t jobs = 1;
    Time due{};                 // while delayed
    Time retry_due{};           // not before, after a failure; Time{}: at once
    ContentId fingerprint;      // zero: not pure
    ContentId request;          // its request key, in a queue that serves older results
    std::uint64_t look_up = 0;  // while looking: its number in the LookUps
    // Queue::version_stamp when the fingerprint was made; 0: of an earlier version, or not known.
    std::uint32_t version_stamp = 0;
    bool offered = false;  // while it runs: its worker may answer it with a result that is kept
    bool fresh =
        false;  // what it ends with was run for it: a job of it, or that follows it, asks so
    bool mixed = false;  // it has jobs of another request than `request`, or of none
    // Executions of one fingerprint that wait for one result: see placing.hpp.
    Slot leader = kNoSlot;             // while following
    Slot first_follower = kNoSlot;     // of a leader
    Slot next_follower = kNoSlot;      // while following: of the same leader
    Slot previous_follower = kNoSlot;  // none: it is the leader's first
    std::optional<std::int64_t> as_of_ns;
    std::vector<AttemptNote> history;  // the newest RunRow::kHistoryMax
    std::uint64_t progress_done = 0;
    std::uint64_t progress_total = 0;
    std::string progress_note;
};

// One live attempt.
struct RunRecord {
    Slot next = kNoSlot;  // in its holder's list, in order of delivery
    Slot previous = kNoSlot;
    Slot next_by_age = kNoSlot;
    Slot previous_by_age = kNoSlot;
    Slot execution = kNoSlot;
    Slot holder = kNoSlot;  // session slot; none: its worker has not come back yet
    std::uint64_t epoch = 0;
    std::uint64_t counter = 0;
    Time delivered{};
    Time began{};            // when a thread of its worker was free for it
    std::uint32_t cost = 0;  // microseconds, as its flow was charged
    bool begun = false;
    bool started = false;  // a heartbeat listed it
    bool alone = false;
};

struct JobTable {
    Slab<JobRecord> jobs;
    std::deque<Slot> holders;  // by job: whom its place is put down to, see SubmitCredit::holder()
    Slab<JobExtra, 8> job_extras;
    Slab<ExecutionRecord> executions;
    Slab<ExecutionExtra, 8> execution_extras;
    Slab<RunRecord, 8> runs;

    // The execution's extra record, made when there is none.
    ExecutionExtra& extra_of(Slot execution);
    [[nodiscard]] const ExecutionExtra* find_extra(Slot execution) const {
        const Slot extra = executions[execution].extra;
        return extra == kNoSlot ? nullptr : &execution_extras[extra];
    }
    [[nodiscard]] Slot holder_of(Slot job) const noexcept {
        return job < holders.size() ? holders[job] : kNoSlot;
    }
    void set_holder(Slot job, Slot holder) {
        if (job >= holders.size()) holders.resize(job + 1);
        holders[job] = holder;
    }
    // The execution whose result this one waits for; itself, when it follows none.
    [[nodiscard]] Slot leader_of(Slot execution) const {
        return executions[execution].state == ExecutionState::following
                   ? find_extra(execution)->leader
                   : execution;
    }
    // Whether an attempt at what it asks for is under way.
    [[nodiscard]] bool started(Slot execution) const {
        return executions[leader_of(execution)].state == ExecutionState::running;
    }
    // How many jobs the execution has.
    [[nodiscard]] std::uint32_t jobs_of(Slot execution) const {
        const ExecutionExtra* const extra = find_extra(execution);
        return extra == nullptr ? 1 : extra->jobs;
    }
    [[nodiscard]] const JobExtra* find_job_extra(Slot job) const {
        const Slot extra = jobs[job].extra;
        return extra == kNoSlot ? nullptr : &job_extras[extra];
    }
};

// Tells the jobs in a DueHeap of deadlines their places.
[[nodiscard]] inline auto deadline_placer(JobTable& table) {
    return [&table](Slot job, std::uint32_t place) {
        table.job_extras[table.jobs[job].extra].deadline_place = place;
    };
}

// First in, first out, through ExecutionRecord::next and previous.
class WaitingList {
  public:
    void push_back(JobTable& table, Slot execution);
    void push_front(JobTable& table, Slot execution);
    // Precondition: `other` is in the list.
    void insert_before(JobTable& table, Slot execution, Slot other);
    void erase(JobTable& table, Slot execution);
    [[nodiscard]] Slot front() const noexcept { return head_; }
    [[nodiscard]] Slot back() const noexcept { return tail_; }
    [[nodiscard]] bool empty() const noexcept { return head_ == kNoSlot; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  private:
    Slot head_ = kNoSlot;
    Slot tail_ = kNoSlot;
    std::uint64_t size_ = 0;
};

// Attempts in order of delivery: a worker's (RunRecord::next), or all of them (next_by_age).
template <Slot RunRecord::*Next, Slot RunRecord::*Previous>
class RunList {
  public:
    void push_back(JobTable& table, Slot run) {
        table.runs[run].*Next = kNoSlot;
        table.runs[run].*Previous = tail_;
        (tail_ == kNoSlot ? head_ : table.runs[tail_].*Next) = run;
        tail_ = run;
        ++size_;
    }
    void erase(JobTable& table, Slot run) {
        const RunRecord& record = table.runs[run];
        SCANMQ_ASSERT(size_ > 0);
        (record.*Previous == kNoSlot ? head_ : table.runs[record.*Previous].*Next) = record.*Next;
        (record.*Next == kNoSlot ? tail_ : table.runs[record.*Next].*Previous) = record.*Previous;
        --size_;
    }
    [[nodiscard]] Slot front() const noexcept { return head_; }
    [[nodiscard]] Slot back() const noexcept { return tail_; }
    [[nodiscard]] bool empty() const noexcept { return head_ == kNoSlot; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  private:
    Slot head_ = kNoSlot;
    Slot tail_ = kNoSlot;
    std::uint32_t size_ = 0;
};
using RunningList = RunList<&RunRecord::next, &RunRecord::previous>;
using AgeList = RunList<&RunRecord::next_by_age, &RunRecord::previous_by_age>;

}  // namespace scanmq::broker
