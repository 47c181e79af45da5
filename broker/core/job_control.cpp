#include "broker/core/job_control.hpp"

#include <algorithm>

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::JobState;
using protocol::Kind;
using protocol::QueueAction;

void JobControl::cancel(Session& session, const protocol::Header& header,
                        const protocol::Cancel& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::cancel, message.queue);
    if (queue == nullptr) return;
    protocol::Cancelled answer{header.seq, {}};
    answer.states.reserve(message.jobs.size());
    for (const Id128& id : message.jobs) {
        const IdWindow::Known known = queue->ids.find(id);
        if (!known.found || known.finished) {
            answer.states.push_back(known.found ? JobState::finished : JobState::unknown);
            continue;
        }
        const Slot execution = state_->table.jobs[known.job].execution;
        const bool running = state_->table.started(execution);
        answer.states.push_back(running ? JobState::running : JobState::queued);
        ending_->end_job(known.job, ending_->how(FinalOutcome::cancelled, ErrorCode::cancelled,
                                                 "cancelled by '" + session.name + "'"));
    }
    state_->send(session, std::move(answer), true);
}

void JobControl::control(Session& session, const protocol::Header& header,
                         const protocol::QueueControl& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::queue_control, message.queue);
    if (queue == nullptr) return;
    switch (message.action) {
        case QueueAction::pause:
            queue->paused = true;
            if (queue->active) {
                std::erase(state_->active, queue);
                queue->active = false;
            }
            break;
        case QueueAction::resume:
            queue->paused = false;
            queue->draining = false;
            if (queue->room.active()) state_->activate(*queue);
            break;
        case QueueAction::drain:
            queue->draining = true;
            break;
        case QueueAction::purge:
            queue->purge_before = queue->next_execution;
            state_->schedule(state_->now);
            break;
    }
    if (message.action != QueueAction::purge) state_->note_marks(*queue);
    state_->send(session, protocol::Ok{header.seq}, true);
}

std::vector<Id128> JobControl::chosen(const Queue& queue,
                                      const protocol::DeadLetters& message) const {
    if (!message.jobs.empty()) return message.jobs;
    std::vector<Id128> all;
    for (const auto& [execution, letter] : queue.dead.all()) {
        if (all.size() == protocol::kLimits.items_per_frame_max) break;
        all.push_back(letter.job);
    }
    return all;
}

void JobControl::dead_letters(Session& session, const protocol::Header& header,
                              const protocol::DeadLetters& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::dead_letters, message.queue);
    if (queue == nullptr) return;
    const bool retries = message.action == protocol::DeadAction::retry;
    if (retries && queue->draining) {
        return state_->refuse(session, header.seq, Kind::dead_letters, ErrorCode::queue_draining,
                              "queue '" + queue->name + "' takes no more jobs; resume it");
    }
    protocol::DeadDone answer{header.seq, {}};
    bool full = false;
    for (const Id128& id : chosen(*queue, message)) {
        const DeadLetter* const letter = queue->dead.find(id);
        if (letter == nullptr) continue;
        const std::uint64_t execution = letter->execution;
        Id128 retry;
        if (retries) {
            retry = submits_->own_id();
            full = submits_->retry(*queue, *letter, retry) == kNoSlot;
            if (full) break;
        } else {
            state_->counters.add(Counter::dead_letters_dropped);
        }
        answer.jobs.push_back({id, retry});
        // In one record with the retry's acceptance: a crash leaves one of the two.
        ending_->drop_dead(*queue, execution,
                           retries ? CoreState::kFollows : CoreState::kChangeBytesMax);
    }
    if (full && answer.jobs.empty()) {
        return state_->refuse(session, header.seq, Kind::dead_letters, ErrorCode::queue_full,
                              "queue '" + queue->name +
                                  "' has no room for the retry; wait, or raise max_jobs or "
                                  "max_bytes");
    }
    state_->send(session, std::move(answer), true);
}

bool JobControl::purge(Queue& queue, std::uint64_t before) {
    for (std::size_t left = kSlice; left > 0; --left) {
        // Followers first: none is to take the place of what it follows.
        Slot slot = queue.followers.front();
        if (slot == kNoSlot || state_->table.executions[slot].number >= before) {
            slot = queue.room.any_before(state_->table, before);
        }
        if (slot == kNoSlot) return purge_looking(queue, before);
        end_purged(queue, slot);
    }
    return false;
}

bool JobControl::purge_looking(const Queue& queue, std::uint64_t before) {
    std::vector<Slot> found;
    state_->look_ups.for_each([&](Slot slot) {
        const ExecutionRecord& execution = state_->table.executions[slot];
        if (execution.queue == queue.number && execution.number < before) found.push_back(slot);
    });
    const std::size_t most = std::min(found.size(), kSlice);
    for (std::size_t i = 0; i < most; ++i) end_purged(queue, found[i]);
    return most == found.size();
}

void JobControl::end_purged(const Queue& queue, Slot slot) {
    ending_->end(slot,
                 ending_->how(FinalOutcome::cancelled, ErrorCode::purged,
                              queue.deleting ? "the queue was deleted" : "the queue was purged"));
}

void JobControl::expire(Queue& queue) {
    for (std::size_t left = kSlice;
         !queue.deadlines.empty() && queue.deadlines.next() <= state_->now; --left) {
        if (left == 0) {
            state_->unfinished = true;
            return;
        }
        const Slot job = queue.deadlines.front();
        const JobExtra& extra = *state_->table.find_job_extra(job);
        const Slot execution = state_->table.jobs[job].execution;
        const bool running = state_->table.started(execution);
        if (running && (extra.flags & protocol::JobOptions::kFinishLate) != 0) {
            queue.deadlines.erase(extra.deadline_place, deadline_placer(state_->table));
            continue;
        }
        ending_->end_job(job, ending_->how(FinalOutcome::expired, ErrorCode::deadline_passed,
                                           running ? "its deadline passed while it ran"
                                                   : "its deadline passed before it started"));
    }
}

void JobControl::step() {
    for (const auto& queue : state_->queues) {
        if (!queue || queue->deleting) continue;
        expire(*queue);
        if (queue->room.wake(state_->table, state_->now, kSlice)) state_->unfinished = true;
        if (queue->room.active()) state_->activate(*queue);
        if (queue->purge_before == 0) continue;
        if (purge(*queue, queue->purge_before)) {
            queue->purge_before = 0;
        } else {
            state_->unfinished = true;
        }
    }
}

Time JobControl::next_due() const noexcept {
    Time next = Time::max();
    for (const auto& queue : state_->queues) {
        if (!queue || queue->deleting) continue;
        next = std::min(next, queue->room.next_due());
        if (!queue->deadlines.empty()) next = std::min(next, queue->deadlines.next());
    }
    return next;
}

}  // namespace scanmq::broker
