#pragma once
// SubmitHandler: WANT, RECLAIMED and SUBMIT: credit for producers, and what becomes of each job.
//
// Threads:   broker loop only. Borrows: CoreState (outlives this).
// Invariant: a job sent within credit is never refused for lack of room.
// See:       docs/PROTOCOL.md, sections 7 and 8

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/core/core_state.hpp"
#include "broker/core/ending.hpp"

namespace scanmq::broker {

// What the job costs in credit.
[[nodiscard]] inline std::uint64_t credit_bytes(const protocol::Job& job) noexcept {
    return protocol::kLimits.item_overhead_bytes +
           (job.payload.is_blob() ? 0 : job.payload.bytes.size());
}

// A job that the broker makes itself: a dead letter's retry, a standing scan's run ...
struct OwnJob {
    Id128 id;  // SubmitHandler::own_id()
    std::string_view subject;
    // Passes to the job, unless kNoSlot is returned: then it stays the caller's. A blob's is pinned
    // (Bodies::pin). No other live execution may hold it: a body has one key in the store.
    BodyHandle payload;
    bool payload_is_blob = false;
    ByteView inputs;               // the blobs are stored
    ContentId fingerprint;         // zero: not pure
    bool shared = true;            // with jobs of the same fingerprint
    ContentId request;             // its request key; zero: none
    std::uint32_t bytes = 0;       // in credit: see credit_bytes()
    Id128 retry_of;                // zero: of no dead letter
    protocol::JobOptions options;  // a flow; no headers, no aliases
};

class SubmitHandler {
  public:
    SubmitHandler(CoreState& state, Ending& ending)
        : state_(&state), ending_(&ending), own_ids_(state.rng.next()) {}

    void want(Session& session, const protocol::Header& header, const protocol::Want& message);
    void reclaimed(Session& session, const protocol::Header& header,
                   const protocol::Reclaimed& message);
    void submit(Session& session, const protocol::Header& header, const protocol::Submit& message,
                std::span<const BodyIn> bodies);
    // Room may have become free: grants it to who waits, and asks unused credit back when it is
    // short.
    void serve();

    // admission.cpp
    [[nodiscard]] Id128 own_id() { return own_ids_.next(state_->wall_millis()); }
    // The job takes the way of any other: it joins what has its fingerprint (but for a retry), takes
    // the place of what waits under its conflate key, counts against the queue's room, and is
    // journalled. Views need not outlive the call. kNoSlot: nothing was done, as the queue has no
    // room or is draining, or the store is full.
    Slot submit_own(Queue& queue, const OwnJob& job);
    // Whether submit_own() takes so many credit bytes.
    [[nodiscard]] bool has_room(Queue& queue, std::uint64_t bytes) const;
    // The broker needs room itself: asks unused credit back from who has some.
    void make_room(Queue& queue) { reclaim(queue, true); }
    // cached_admission.cpp: gives the job its fingerprint and request key, when it is pure.
    void set_keys(const Queue& queue, OwnJob& job, const protocol::Body& payload,
                  const std::vector<std::string>& aliases) const;
    // What stands against the options of a job with so many inputs and aliases; nothing: they are fine.
    [[nodiscard]] std::optional<protocol::JobVerdict> check_options(
        const protocol::JobOptions& options, std::size_t inputs) const;
    // A dead letter's execution again, as a new job. kNoSlot: the queue has no room.
    Slot retry(Queue& queue, const DeadLetter& letter, const Id128& id);

  private:
    // Of the SUBMIT under way: what the jobs of one frame often have in common.
    struct Frame {
        Queue* queue = nullptr;
        const Session* session = nullptr;
        Slot holder = kNoSlot;  // whom its jobs' places are put down to
        Id128 group;
        Slot group_slot = kNoSlot;
        std::uint64_t generation = 0;  // of the aliases its jobs see
        std::string_view subject;      // of the job before
        Slot subject_slot = kNoSlot;
        ByteView inputs;
        Slot inputs_slot = kNoSlot;
        std::string_view flow;  // of the execution before, which the frame holds
        Slot flow_slot = kNoSlot;
        // Of the flows that the jobs from here on name, one a job; 0: it names none.
        std::array<std::uint64_t, WaitingRoom::kPrefetchMax> flow_hashes{};
        std::size_t job = 0;           // the one being taken, in the message
        std::string resolved;          // inputs and aliases of the job being checked
        std::optional<bool> degraded;  // the queue is late or failing, or nobody takes its jobs
        std::uint64_t sentence_bytes = 0;
    };

    void settle_want(Queue& queue, Session& session, const protocol::Header& header,
                     const protocol::Want& message);
    // Asks unused credit back from who has some, when somebody waits for it.
    void reclaim(Queue& queue, bool is_wanted = false);
    void take_job(Frame& frame, const protocol::Job& job, const BodyIn& body, std::uint32_t index,
                  std::vector<protocol::JobVerdict>& exceptions);
    // What stands against the job; the checks in the order of docs/PROTOCOL.md, section 8.
    [[nodiscard]] std::optional<protocol::JobVerdict> check(Frame& frame, const protocol::Job& job,
                                                            const BodyIn& body) const;
    [[nodiscard]] std::optional<protocol::JobVerdict> check_known(const IdWindow::Known& known,
                                                                  const BodyIn& body) const;
    [[nodiscard]] std::optional<protocol::JobVerdict> resolve(Frame& frame,
                                                              const protocol::Job& job) const;
    [[nodiscard]] protocol::JobState state_of(Slot execution) const;
    [[nodiscard]] bool too_old(const Session& session, const Id128& id) const;
    [[nodiscard]] std::optional<std::string> missing_blob(const protocol::Job& job) const;
    // Grants; a CREDIT to each session but `quiet`, which hears of it otherwise.
    void grant(Queue& queue, Slot quiet);

    // admission.cpp
    void accept_plain(Frame& frame, const protocol::Job& job, const BodyIn& body);
    // nullopt: accepted; otherwise what it was coalesced with.
    std::optional<protocol::JobVerdict> accept(Frame& frame, const protocol::Job& job,
                                               const BodyIn& body);
    struct NewJob {
        const Id128& id;
        std::uint64_t digest;
        std::string_view subject;
        std::uint64_t bytes;  // in credit
    };
    Slot add_job(Frame& frame, const NewJob& job);
    struct NewExecution {
        BodyHandle payload;  // pinned, when it is a blob
        bool payload_is_blob;
        ByteView inputs;
        Slot flow;  // held
    };
    Slot add_execution(Frame& frame, Slot job_slot, const NewExecution& parts);
    Slot add_execution(Frame& frame, Slot job_slot, const protocol::Job& job, const BodyIn& body,
                       ByteView inputs);
    // The flow of a job, held once more for its execution.
    Slot take_flow(Frame& frame, const protocol::Job& job);
    // Brings near the flows of the next jobs.
    void prefetch_flows(Frame& frame, std::span<const protocol::Job> jobs) const;
    void leave_flow(Frame& frame);
    [[nodiscard]] static bool has_place(Queue& queue, std::uint64_t bytes);
    // The execution that a job shares its work with.
    struct Shared {
        Slot execution = kNoSlot;  // none
        bool full = false;         // it takes no more jobs: one that follows it does
    };
    // `fresh`: not one that may end with a result of a cache.
    [[nodiscard]] Shared joinable(Queue& queue, const ContentId& fingerprint, bool fresh);
    // What a job asks for, and may be answered with.
    struct Wanted {
        ContentId fingerprint;   // zero: not pure
        ContentId request;       // zero: no older result is served
        bool looked_up = false;  // in caches
        bool fresh = false;      // it has to be run
        std::optional<std::int64_t> as_of_ns;
    };
    void join(Queue& queue, Slot job_slot, Slot execution, const Wanted& wanted);
    // An execution of its own waits for the result of that one, which is full.
    void follow(Queue& queue, Slot job_slot, Slot execution, const Wanted& wanted, Slot full);
    // An execution of its own goes where it waits.
    void enter(Queue& queue, Slot job_slot, Slot execution, const Wanted& wanted);
    void set_wanted(Queue& queue, Slot execution, const Wanted& wanted);
    void set_options(Queue& queue, Slot job_slot, const protocol::JobOptions& options);
    [[nodiscard]] JobExtra& extra_of_job(Slot job_slot);
    void attach(Slot job_slot, Slot execution);
    void place(Queue& queue, Slot job_slot, Slot execution);
    void conflate(Queue& queue, Slot job_slot);
    [[nodiscard]] ContentId fingerprint(const Queue& queue, const protocol::Job& job,
                                        ByteView inputs) const;
    void note_accepted(Queue& queue, Slot job_slot, bool attached);

    // cached_admission.cpp
    [[nodiscard]] Wanted wanted(const Frame& frame, const protocol::Job& job,
                                ByteView inputs) const;
    [[nodiscard]] ContentId request_key(const Queue& queue, const protocol::Job& job) const;
    // A result that is there. `older`: not of these inputs; `refresh`: a newer one is to be made.
    struct Answer {
        CachedResult* result = nullptr;  // none
        bool older = false;
        bool refresh = false;
    };
    // `executed`: the work is under way, so that its own result cannot be there.
    [[nodiscard]] Answer cached_answer(Frame& frame, const Wanted& wanted, bool executed);
    // The new execution ends with it.
    void end_with(Frame& frame, Slot job_slot, Slot execution, const Answer& answer);
    // A job of the broker's own for what the job asked for.
    void refresh(Frame& frame, const protocol::Job& job, const BodyIn& body, const Wanted& wanted);
    [[nodiscard]] bool degraded(Frame& frame) const;
    // Asks the shared tier; the execution waits for it. False: too many do.
    bool look_up(Queue& queue, Slot job_slot, Slot execution);

    CoreState* state_;
    Ending* ending_;
    UuidV7 own_ids_;
    std::vector<SubmitCredit::Grant> grants_;
    std::vector<Slot> asked_;
};

}  // namespace scanmq::broker
