#include "broker/core/stream_hold.hpp"

#include <algorithm>

namespace scanmq::broker {

StreamRoom stream_room(const Queue& queue) noexcept {
    StreamRoom room;
    room.bytes_max = queue.settings.stream_max_bytes;
    room.bytes = queue.stream.bytes();
    room.jobs = queue.credit.used().items + queue.credit.granted().items;
    room.groups = queue.groups.live();
    room.running_jobs = queue.running_jobs;
    room.result_bytes = StreamRoom::result_bytes_of(queue.settings.max_result_bytes);
    room.acknowledged = queue.cursors.needed_from() >= queue.stream.next();
    return room;
}

bool stream_full(CoreState& state, Queue& queue, Slot execution) {
    const std::uint64_t jobs = state.table.jobs_of(execution);
    if (stream_room(queue).delivery_fits(jobs)) {
        queue.held_since = Time{};
        return false;
    }
    if (queue.held_since == Time{}) {
        queue.held_since = state.now;
        state.counters.add(Counter::queues_held);
    }
    queue.held_jobs = jobs;
    queue.trim = true;  // what is acknowledged makes room
    return true;
}

bool may_join(const CoreState& state, const Queue& queue, Slot execution) {
    if (!lossless(queue)) return true;
    const StreamRoom room = stream_room(queue);
    if (state.table.jobs_of(execution) >= room.jobs_per_execution_max()) return false;
    const bool runs = state.table.executions[execution].state == ExecutionState::running;
    return !runs || room.more_fits(1);
}

void set_submit_room(Queue& queue) noexcept {
    if (!lossless(queue)) return;
    const std::uint64_t most = stream_room(queue).jobs_max();
    queue.credit.set_room({std::min(queue.settings.max_jobs, most), queue.settings.max_bytes});
    queue.producers_held = most < queue.settings.max_jobs;
    if (queue.producers_held) queue.trim = true;
}

void resume(CoreState& state, Queue& queue) noexcept {
    const StreamRoom room = stream_room(queue);
    if (queue.held_since != Time{} && room.delivery_fits(queue.held_jobs)) {
        queue.held_since = Time{};
        state.unfinished = true;
    }
    if (queue.producers_held && queue.credit.starving() && room.jobs_max() > room.jobs) {
        queue.producers_held = false;
        state.unfinished = true;
    }
}

}  // namespace scanmq::broker
