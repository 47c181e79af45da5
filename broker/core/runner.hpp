#pragma once
// Runner: the life of an execution from waiting to its end: attempts given, answered, lost; final
//         entries.
//
// Threads:   broker loop only. Borrows: CoreState, StreamWriter (outlive this).
// Invariant: an execution has at most one live attempt; each of its jobs gets exactly one final
//            entry.
// See:       docs/PROTOCOL.md, section 8

#include <span>
#include <string>
#include <vector>

#include "broker/core/core_state.hpp"
#include "broker/core/stream_writer.hpp"

namespace scanmq::broker {

class Runner {
  public:
    Runner(CoreState& state, StreamWriter& writer) : state_(&state), writer_(&writer) {}

    // Gives waiting executions to workers with credit, queue by queue in turns. dispatcher.cpp
    void dispatch();
    // DONE of a worker's session.
    void done(Session& session, const protocol::Header& header, const protocol::Done& message,
              std::span<const BodyIn> bodies);
    // The worker says how much it takes: DONE's limit and CREDIT.
    void raise_limit(Session& session, protocol::Credit limit);
    // The session is about to close: its attempts are lost, charged, and run again.
    void lose(Session& session);
    // Ends the queue's running executions as cancelled, and at most `budget` waiting ones.
    void cancel_running(Queue& queue);
    void cancel_waiting(Queue& queue, std::size_t budget);

  private:
    // How an execution ends. `text` is a reference in CoreState::texts that passes to the entries.
    struct End {
        protocol::FinalOutcome outcome{};
        protocol::ErrorCode code{};
        Slot text = kNoSlot;
        BodyHandle body;
        std::uint32_t inline_bytes = 0;
        bool body_is_blob = false;
    };

    // The live attempt of this counter if the session holds it, otherwise kNoSlot.
    [[nodiscard]] Slot find_attempt(const Session& session, std::uint64_t counter) const;
    // Takes the attempt away from its worker.
    void detach(Worker& worker, Slot execution);
    void answer(Worker& worker, Slot execution, const protocol::Outcome& outcome, BodyHandle body);
    void answer_done(Slot execution, const protocol::Outcome& outcome, BodyHandle body);
    // A charged attempt came to nothing: again, unless its attempts are used up.
    void again_or_dead(Slot execution, protocol::AttemptOutcome outcome,
                       protocol::ErrorCode dead_code, std::string_view sentence);
    void put_back(Slot execution, protocol::AttemptOutcome outcome);
    // Puts what put_back() collected at the front of its queues, the earliest delivered first.
    void requeue();
    void end(Slot execution, const End& how);
    void count(Queue& queue, protocol::FinalOutcome outcome);
    void leave_group(Queue& queue, Slot group, protocol::FinalOutcome outcome);
    // dispatcher.cpp
    std::size_t dispatch_from(Queue& queue);
    void deliver(Queue& queue, Worker& worker, Slot execution);
    protocol::Deliver& open_batch(Queue& queue, Worker& worker, std::size_t encoded_bytes);

    CoreState* state_;
    StreamWriter* writer_;
    void note_started(Worker& worker);

    std::vector<Slot> put_back_;
    std::vector<Slot> groups_left_;    // by the jobs of the execution being ended
    std::vector<Worker*> started_by_;  // in the dispatch under way
    std::uint64_t pass_ = 0;
};

}  // namespace scanmq::broker
