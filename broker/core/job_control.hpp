#pragma once
// JobControl: what is done to jobs from outside and by the clock: cancel, pause, drain, purge, dead
//             letters, delays and deadlines.
//
// Threads:   broker loop only. Borrows: CoreState, Ending, SubmitHandler (outlive this).
// Limits:    kSlice jobs of a queue in one step; the rest follows in the next.
// See:       docs/PROTOCOL.md, section 8

#include "broker/core/core_state.hpp"
#include "broker/core/ending.hpp"
#include "broker/core/submit_handler.hpp"

namespace scanmq::broker {

class JobControl {
  public:
    JobControl(CoreState& state, Ending& ending, SubmitHandler& submits)
        : state_(&state), ending_(&ending), submits_(&submits) {}

    void cancel(Session& session, const protocol::Header& header, const protocol::Cancel& message);
    void control(Session& session, const protocol::Header& header,
                 const protocol::QueueControl& message);
    void dead_letters(Session& session, const protocol::Header& header,
                      const protocol::DeadLetters& message);

    // Wakes what is due, ends what is past its deadline, goes on with purges.
    void step();
    // When step() has something to do.
    [[nodiscard]] Time next_due() const noexcept;
    // Ends what waits in the queue and came before that execution, at most kSlice. True: that was all.
    bool purge(Queue& queue, std::uint64_t before);

  private:
    static constexpr std::size_t kSlice = 4'096;

    void expire(Queue& queue);
    // The same of those whose results are looked for.
    bool purge_looking(const Queue& queue, std::uint64_t before);
    void end_purged(const Queue& queue, Slot execution);
    [[nodiscard]] std::vector<Id128> chosen(const Queue& queue,
                                            const protocol::DeadLetters& message) const;

    CoreState* state_;
    Ending* ending_;
    SubmitHandler* submits_;
};

}  // namespace scanmq::broker
