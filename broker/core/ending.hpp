#pragma once
// Ending: the end of jobs and executions: entries, groups, credit, dead letters.
//
// Role:      owned by BrokerCore::Impl; whatever ends a job ends it here.
// Threads:   broker loop only. Borrows: CoreState, StreamWriter, Leases (outlive this).
// Invariant: each accepted job gets exactly one final entry; the entries of jobs that end together
//            have offsets in a row.
// See:       docs/PROTOCOL.md, section 8

#include <string_view>
#include <vector>

#include "broker/core/core_state.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/stream_writer.hpp"

namespace scanmq::broker {

// How jobs end. `text` is a reference in CoreState::texts that passes to the entries, `body` a
// handle that does.
struct HowEnded {
    protocol::FinalOutcome outcome{};
    protocol::ErrorCode code{};
    Slot text = kNoSlot;
    BodyHandle body;
    std::uint32_t inline_bytes = 0;
    bool body_is_blob = false;
    bool keep = false;  // for later jobs: it was made by a worker of the queue's scanner version
    bool tell_tier = true;  // what is kept goes into the shared tier, too
    Duration age{};         // of a result that was made before
};

class Ending {
  public:
    Ending(CoreState& state, StreamWriter& writer, Leases& leases)
        : state_(&state), writer_(&writer), leases_(&leases) {}

    // Ends the execution and all its jobs, wherever it is; a run of it is revoked. What follows it ends
    // in the same way when it has a result; otherwise the first of those takes its place.
    void end(Slot execution, const HowEnded& how);
    // Ends one job; its execution goes on while it has others.
    void end_job(Slot job, const HowEnded& how);
    // Sentences of ends that many jobs have alike.
    [[nodiscard]] HowEnded how(protocol::FinalOutcome outcome, protocol::ErrorCode code,
                               std::string_view sentence);
    // So many jobs are answered with a result that is there, an older one when a note says what of.
    [[nodiscard]] HowEnded how_with(Queue& queue, CachedResult& result, std::uint64_t jobs,
                                    std::string_view older_note);
    // No further attempt is made: it is dead, or an older result will do.
    void give_up(Slot execution, protocol::ErrorCode code, std::string_view sentence);
    // An attempt of it came to an end that a dead letter should tell.
    void note_attempt(Slot execution, const AttemptNote& note);

    // The dead letter is gone: what it refers to is released. `own_bytes`: see CoreState::change().
    void drop_dead(Queue& queue, std::uint64_t execution,
                   std::uint64_t own_bytes = CoreState::kChangeBytesMax);

  private:
    void end_one(Slot execution, const HowEnded& how);
    // In a queue that serves older results when it is degraded; nullptr: none will do.
    [[nodiscard]] CachedResult* instead_of_dead(Queue& queue, Slot execution);
    // From the first one on, which all follow nothing any more; `how` holds nothing. The first that does
    // not fit in a lossless stream; kNoSlot: all did.
    Slot end_followers(Queue& queue, Slot first, HowEnded how);
    void withdraw(Slot execution);
    // Entries for the jobs from `first` on, which are freed.
    void append(Queue& queue, Slot first, const HowEnded& how, change::Ended& ended);
    // The result answers later jobs, from the entry at `offset` on.
    void keep_result(const Queue& queue, Slot execution, const HowEnded& how, std::uint64_t offset);
    void free_job(Queue& queue, Slot job);
    void free_execution(Queue& queue, Slot execution, bool keep_payload);
    void keep_dead(Slot execution, const HowEnded& how);
    void note_last_attempt(Slot execution, change::Ended& ended) const;
    void release(DeadLetter& letter);
    void count(Queue& queue, protocol::FinalOutcome outcome);

    CoreState* state_;
    StreamWriter* writer_;
    Leases* leases_;
    std::vector<std::pair<Slot, protocol::FinalOutcome>> groups_left_;
    DeadLetter letter_;
};

}  // namespace scanmq::broker
