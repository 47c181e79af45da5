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

class SubmitHandler {
  public:
    SubmitHandler(CoreState& state, Ending& ending) : state_(&state), ending_(&ending) {}

    void want(Session& session, const protocol::Header& header, const protocol::Want& message);
    void reclaimed(Session& session, const protocol::Header& header,
                   const protocol::Reclaimed& message);
    void submit(Session& session, const protocol::Header& header, const protocol::Submit& message,
                std::span<const BodyIn> bodies);
    // Room may have become free: grants it to who waits, and asks unused credit back when it is
    // short.
    void serve();

    // admission.cpp: a dead letter's execution again, as a new job. kNoSlot: the queue has no room.
    Slot retry(Queue& queue, const DeadLetter& letter, const Id128& id);

  private:
    // Of the SUBMIT under way: what the jobs of one frame often have in common.
    struct Frame {
        Queue* queue = nullptr;
        const Session* session = nullptr;
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
        std::size_t job = 0;   // the one being taken, in the message
        std::string resolved;  // inputs and aliases of the job being checked
        std::optional<bool> degraded;  // the queue is late, or nobody takes its jobs
        std::uint64_t sentence_bytes = 0;
    };

    void settle_want(Queue& queue, Session& session, const protocol::Header& header,
                     const protocol::Want& message);
    // Asks unused credit back from who has some, when somebody waits for it.
    void reclaim(Queue& queue);
    void take_job(Frame& frame, const protocol::Job& job, const BodyIn& body, std::uint32_t index,
                  std::vector<protocol::JobVerdict>& exceptions);
    // What stands against the job; the checks in the order of docs/PROTOCOL.md, section 8.
    [[nodiscard]] std::optional<protocol::JobVerdict> check(Frame& frame, const protocol::Job& job,
                                                            const BodyIn& body) const;
    [[nodiscard]] std::optional<protocol::JobVerdict> check_known(const IdWindow::Known& known,
                                                                  const BodyIn& body) const;
    [[nodiscard]] std::optional<protocol::JobVerdict> check_options(const protocol::Job& job) const;
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
    Slot add_job(Frame& frame, const protocol::Job& job, const BodyIn& body);
    Slot add_execution(Frame& frame, const protocol::Job& job, const BodyIn& body, Slot job_slot,
                       ByteView inputs);
    // The flow of a job, held once more for its execution.
    Slot take_flow(Frame& frame, const protocol::Job& job);
    // Brings near the flows of the next jobs.
    void prefetch_flows(Frame& frame, std::span<const protocol::Job> jobs) const;
    void leave_flow(Frame& frame);
    // Further jobs of that fingerprint join the execution.
    void share(Queue& queue, Slot execution, const ContentId& fingerprint);
    void set_options(Queue& queue, Slot job_slot, const protocol::JobOptions& options);
    void attach(Slot job_slot, Slot execution);
    void place(Queue& queue, Slot job_slot, Slot execution);
    void conflate(Queue& queue, Slot job_slot);
    [[nodiscard]] ContentId fingerprint(const Queue& queue, const protocol::Job& job,
                                        ByteView inputs) const;
    void note_accepted(Queue& queue, Slot job_slot, bool attached);

    // cached_admission.cpp
    // What a job of its own asks for and may be answered with.
    struct Wanted {
        ContentId fingerprint;  // zero: not pure
        ContentId request;      // zero: no older result is served
        bool looked_up = false;  // in caches
    };
    [[nodiscard]] Wanted wanted(const Frame& frame, const protocol::Job& job,
                                ByteView inputs) const;
    [[nodiscard]] ContentId request_key(const Queue& queue, const protocol::Job& job) const;
    // The result that is known, or an older one when the queue is degraded; nullopt: there is none.
    std::optional<protocol::JobVerdict> from_cache(Frame& frame, const protocol::Job& job,
                                                   const BodyIn& body, const Wanted& wanted,
                                                   bool executed);
    // An older one, with a refresh.
    std::optional<protocol::JobVerdict> from_older(Frame& frame, const protocol::Job& job,
                                                   const BodyIn& body, const Wanted& wanted);
    [[nodiscard]] CachedResult* find_older(Queue& queue, const Wanted& wanted,
                                           std::uint64_t most_ms);
    // `older`: its age is told.
    protocol::JobVerdict end_with(Frame& frame, const protocol::Job& job, const BodyIn& body,
                                  CachedResult& result, bool older);
    [[nodiscard]] bool degraded(Frame& frame) const;
    // Asks the shared tier; the execution waits for it. False: too many do.
    bool look_up(Queue& queue, Slot job_slot, Slot execution);

    CoreState* state_;
    Ending* ending_;
    std::vector<SubmitCredit::Grant> grants_;
    std::vector<Slot> asked_;
};

}  // namespace scanmq::broker
