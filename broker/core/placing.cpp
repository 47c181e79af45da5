#include "broker/core/placing.hpp"

#include <algorithm>

namespace scanmq::broker {

namespace {

// Of its own jobs.
Time earliest_start(const JobTable& table, Slot slot) {
    Time due = Time::max();
    for (Slot job = table.executions[slot].first_job; job != kNoSlot && due != Time{};
         job = table.jobs[job].next) {
        const JobExtra* const extra = table.find_job_extra(job);
        due = std::min(due, extra == nullptr ? Time{} : extra->due);
    }
    return due;
}

std::uint8_t highest_priority(const JobTable& table, Slot slot) {
    std::uint8_t priority = 0;
    for (Slot job = table.executions[slot].first_job; job != kNoSlot; job = table.jobs[job].next) {
        priority = std::max<std::uint8_t>(priority, table.jobs[job].priority);
    }
    return priority;
}

template <class Visit>
void for_each_follower(const JobTable& table, Slot leader, Visit&& visit) {
    const ExecutionExtra* const extra = table.find_extra(leader);
    if (extra == nullptr) return;
    for (Slot slot = extra->first_follower; slot != kNoSlot;
         slot = table.find_extra(slot)->next_follower) {
        visit(slot);
    }
}

// What its leader takes from it.
void reposition_follower(CoreState& state, Slot slot) {
    ExecutionRecord& execution = state.table.executions[slot];
    ExecutionExtra& extra = state.table.extra_of(slot);
    const std::uint8_t priority = highest_priority(state.table, slot);
    const Time due = earliest_start(state.table, slot);
    if (priority == execution.priority && due == extra.due) return;
    execution.priority = priority & 0xf;
    extra.due = due;
    reposition(state, extra.leader);
}

}  // namespace

Time due_of(const CoreState& state, Slot slot) {
    Time due = earliest_start(state.table, slot);
    const ExecutionExtra* const extra = state.table.find_extra(slot);
    if (extra == nullptr) return due;
    for_each_follower(state.table, slot, [&](Slot follower) {
        due = std::min(due, state.table.find_extra(follower)->due);
    });
    return std::max(due, extra->retry_due);
}

void reposition(CoreState& state, Slot slot) {
    ExecutionRecord& execution = state.table.executions[slot];
    if (execution.state == ExecutionState::following) return reposition_follower(state, slot);
    Queue& queue = state.queue(execution.queue);
    std::uint8_t priority = highest_priority(state.table, slot);
    for_each_follower(state.table, slot, [&](Slot follower) {
        priority = std::max<std::uint8_t>(priority, state.table.executions[follower].priority);
    });
    const bool moves_level = priority != execution.priority;
    if (execution.state == ExecutionState::running || execution.state == ExecutionState::looking) {
        execution.priority = priority & 0xf;
        return;
    }
    const Time due = due_of(state, slot);
    const ExecutionState now = due > state.now ? ExecutionState::delayed : ready_state(execution);
    const bool stays = now == execution.state && (now != ExecutionState::waiting || !moves_level) &&
                       (now != ExecutionState::delayed || due == state.table.extra_of(slot).due);
    if (!stays) queue.room.remove(state.table, slot);
    execution.priority = priority & 0xf;
    if (stays) return;
    execution.state = now;
    if (now == ExecutionState::delayed) {
        state.table.extra_of(slot).due = due;
        state.schedule(due);
    }
    queue.room.add(state.table, slot);
    state.activate(queue);
}

void follow(CoreState& state, Slot slot, Slot last) {
    JobTable& table = state.table;
    ExecutionRecord& execution = table.executions[slot];
    Queue& queue = state.queue(execution.queue);
    ExecutionExtra& extra = table.extra_of(slot);
    if (table.executions[last].shared) queue.fingerprints.erase(extra.fingerprint, last);
    table.executions[last].shared = false;
    execution.shared = true;
    queue.fingerprints.insert(extra.fingerprint, slot);

    extra.leader = table.leader_of(last);
    ExecutionExtra& before = table.extra_of(last);
    if (extra.leader == last) {
        before.first_follower = slot;
    } else {
        before.next_follower = slot;
        extra.previous_follower = last;
    }
    execution.state = ExecutionState::following;
    execution.priority = highest_priority(table, slot) & 0xf;
    extra.due = earliest_start(table, slot);
    queue.followers.push_back(table, slot);
    state.counters.add(Counter::followers_made);
    reposition(state, extra.leader);
}

void stop_following(CoreState& state, Slot slot) {
    JobTable& table = state.table;
    ExecutionRecord& execution = table.executions[slot];
    Queue& queue = state.queue(execution.queue);
    ExecutionExtra& extra = table.extra_of(slot);
    const Slot leader = extra.leader;
    const Slot next = extra.next_follower;
    const Slot before = extra.previous_follower;
    if (execution.shared) {
        const Slot last = before == kNoSlot ? leader : before;
        queue.fingerprints.erase(extra.fingerprint, slot);
        execution.shared = false;
        queue.fingerprints.insert(extra.fingerprint, last);
        table.executions[last].shared = true;
    }
    if (before != kNoSlot) {
        table.extra_of(before).next_follower = next;
    } else if (leader != kNoSlot) {
        table.extra_of(leader).first_follower = next;
    }
    if (next != kNoSlot) table.extra_of(next).previous_follower = before;
    extra.leader = extra.next_follower = extra.previous_follower = kNoSlot;
    queue.followers.erase(table, slot);
    execution.state = ExecutionState::running;
    if (leader != kNoSlot) reposition(state, leader);
}

void leave_chain(CoreState& state, Slot first) {
    JobTable& table = state.table;
    ExecutionRecord& execution = table.executions[first];
    ExecutionExtra& extra = table.extra_of(first);
    if (extra.next_follower != kNoSlot) {
        table.extra_of(extra.next_follower).previous_follower = kNoSlot;
    }
    extra.leader = extra.next_follower = kNoSlot;
    state.queue(execution.queue).followers.erase(table, first);
    execution.state = ExecutionState::running;
}

Slot take_followers(CoreState& state, Slot leader) {
    if (state.table.executions[leader].extra == kNoSlot) return kNoSlot;
    ExecutionExtra& extra = state.table.extra_of(leader);
    const Slot first = extra.first_follower;
    extra.first_follower = kNoSlot;
    return first;
}

void lead(CoreState& state, Slot first) {
    JobTable& table = state.table;
    const Slot next = table.find_extra(first)->next_follower;
    leave_chain(state, first);
    table.extra_of(first).first_follower = next;
    for (Slot slot = next; slot != kNoSlot; slot = table.find_extra(slot)->next_follower) {
        table.extra_of(slot).leader = first;
    }
    ExecutionRecord& execution = table.executions[first];
    Queue& queue = state.queue(execution.queue);
    state.counters.add(Counter::followers_led);
    for_each_follower(table, first, [&](Slot follower) {
        if (table.executions[follower].priority > execution.priority) {
            execution.priority = table.executions[follower].priority & 0xf;
        }
    });
    const Time due = due_of(state, first);
    execution.state = due > state.now ? ExecutionState::delayed : ready_state(execution);
    if (execution.state == ExecutionState::delayed) {
        table.extra_of(first).due = due;
        state.schedule(due);
    }
    queue.room.add(table, first);
    state.activate(queue);
}

}  // namespace scanmq::broker
