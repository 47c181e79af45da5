#pragma once
// StreamHold: how a lossless queue holds when its stream has no room, and goes on by itself.
//
// Role:      asked before a delivery, before grants, and after entries were dropped or acknowledged.
//            Functions on CoreState: what they decide is StreamRoom's.
// Threads:   broker loop only.
// Cost:      one comparison in a queue that is not lossless.
// See:       docs/PROTOCOL.md, section 9, "Lossless streams"

#include "broker/core/core_state.hpp"
#include "broker/core/stream_room.hpp"

namespace scanmq::broker {

[[nodiscard]] inline bool lossless(const Queue& queue) noexcept {
    return queue.settings.lossless != 0;
}
[[nodiscard]] StreamRoom stream_room(const Queue& queue) noexcept;

// Whether a lossless stream has no room for the execution's results.
[[nodiscard]] bool stream_full(CoreState& state, Queue& queue, Slot execution);
// The same of any queue: it is not to be delivered, and nothing else of the queue.
[[nodiscard]] inline bool holds(CoreState& state, Queue& queue, Slot execution) {
    return lossless(queue) && stream_full(state, queue, execution);
}
// Whether the stream has room for one more job of the execution.
[[nodiscard]] bool may_join(const CoreState& state, const Queue& queue, Slot execution);
// Before grants: the queue's room is what the stream leaves of it.
void set_submit_room(Queue& queue) noexcept;
// After entries were dropped or acknowledged: what was held goes on in the next call, which is at once.
void resume(CoreState& state, Queue& queue) noexcept;

}  // namespace scanmq::broker
