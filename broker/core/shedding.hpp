#pragma once
// Shedding: how long what is delivered has waited, and which sheddable jobs end instead.
//
// Role:      the dispatcher asks it about the execution whose turn it is.
// Threads:   broker loop only. Borrows: CoreState, Ending (outlive this).
// Rules:     only in a queue with `overload` = shed, only an execution all of whose jobs are
//            sheddable; a job past its deadline ends `expired` before anything else is judged.
// Waiting:   from the acceptance of the execution's first job, or from when it was due, or its retry,
//            if that is later. Jobs with options, and so all sheddable ones, have a stamp; of a plain
//            one, ArrivalTimes tells it.
// Limits:    kSlice executions end in one turn of a queue; the rest at once in the next call.
// See:       docs/PROTOCOL.md, section 8, "Overload"

#include "broker/core/core_state.hpp"
#include "broker/core/ending.hpp"

namespace scanmq::broker {

class Shedding {
  public:
    static constexpr std::size_t kSlice = 1'024;

    Shedding(CoreState& state, Ending& ending) : state_(&state), ending_(&ending) {}

    // The execution has its turn and a worker. True: it ended instead, shed or expired, or lost a job
    // that is past its deadline; another one may have its turn now.
    [[nodiscard]] bool ends(Queue& queue, Slot execution) {
        return queue.settings.overload == static_cast<std::uint64_t>(Overload::shed) &&
               judge(queue, execution);
    }
    // The queue's row tells of it: one of each turn is enough.
    void measure(Queue& queue, Slot execution) const;
    [[nodiscard]] Duration waited(const Queue& queue, Slot execution) const;

  private:
    [[nodiscard]] bool judge(Queue& queue, Slot execution);
    [[nodiscard]] bool expire_one(Slot execution);
    [[nodiscard]] bool sheddable(Slot execution) const;

    CoreState* state_;
    Ending* ending_;
};

}  // namespace scanmq::broker
