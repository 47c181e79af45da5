#include "broker/core/runner.hpp"

#include <algorithm>

#include "broker/core/attempt_hash.hpp"

namespace scanmq::broker {

using protocol::AttemptOutcome;
using protocol::ErrorCode;
using protocol::FinalOutcome;

Slot Runner::find_attempt(const Session& session, std::uint64_t counter) const {
    const Slot slot = state_->attempts.find(attempt_hash(counter), [&](Slot s) {
        return state_->table.executions[s].attempt == counter;
    });
    if (slot == kNoSlot || state_->table.executions[slot].holder != session.slot) return kNoSlot;
    return slot;
}

void Runner::detach(Worker& worker, Slot slot) {
    ExecutionRecord& execution = state_->table.executions[slot];
    worker.running.erase(state_->table, slot);
    state_->attempts.erase(attempt_hash(execution.attempt), slot);
    execution.holder = kNoSlot;
    --state_->queue(execution.queue).running;
}

void Runner::done(Session& session, const protocol::Header& header, const protocol::Done& message,
                  std::span<const BodyIn> bodies) {
    SCANMQ_ASSERT(bodies.size() == message.outcomes.size());
    Worker& worker = *session.worker;
    std::size_t stale = 0;
    std::uint64_t first_stale = 0;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        const protocol::Outcome& outcome = message.outcomes[i];
        const Slot slot = message.epoch == state_->options.epoch
                              ? find_attempt(session, outcome.counter)
                              : kNoSlot;
        if (slot == kNoSlot) {
            if (stale++ == 0) first_stale = outcome.counter;
            state_->release(bodies[i].handle);
            continue;
        }
        detach(worker, slot);
        answer(worker, slot, outcome, bodies[i].handle);
    }
    requeue();
    raise_limit(session, message.limit);
    state_->workers.update(worker);
    if (stale == 0) return;
    state_->counters.add(Counter::attempts_stale, stale);
    state_->refuse(
        session, header.seq, protocol::Kind::done, ErrorCode::stale_attempt,
        std::to_string(stale) + " of " + std::to_string(bodies.size()) +
            " answers are for attempts that this session does not hold, the first for attempt " +
            std::to_string(first_stale) + "; drop those results");
}

void Runner::answer(Worker& worker, Slot slot, const protocol::Outcome& outcome, BodyHandle body) {
    const bool is_blob = outcome.body.is_blob();
    switch (outcome.outcome) {
        case AttemptOutcome::done:
            ++worker.done;
            answer_done(slot, outcome, body);
            return;
        case AttemptOutcome::rejected: {
            // What explains a refusal is inline; a blob is not kept for it.
            if (is_blob) state_->release(body);
            const std::size_t bytes = is_blob ? 0 : outcome.body.bytes.size();
            ++worker.failed;
            end(slot, {FinalOutcome::rejected, outcome.code, state_->texts.intern(outcome.sentence),
                       is_blob ? BodyHandle{} : body, static_cast<std::uint32_t>(bytes), false});
            return;
        }
        case AttemptOutcome::returned:
            state_->release(body);
            --state_->table.executions[slot].attempts;
            state_->counters.add(Counter::attempts_returned);
            put_back(slot, AttemptOutcome::returned);
            return;
        case AttemptOutcome::failed:
        case AttemptOutcome::lost:
            break;
    }
    state_->release(body);
    ++worker.failed;
    state_->counters.add(Counter::attempts_failed);
    again_or_dead(slot, AttemptOutcome::failed, ErrorCode::attempts_exhausted, outcome.sentence);
}

void Runner::answer_done(Slot slot, const protocol::Outcome& outcome, BodyHandle body) {
    const Queue& queue = state_->queue(state_->table.executions[slot].queue);
    const bool is_blob = outcome.body.is_blob();
    const std::uint64_t bytes = is_blob ? outcome.body.blob_size : outcome.body.bytes.size();
    if (bytes > queue.settings.max_result_bytes) {
        state_->release(body);
        state_->counters.add(Counter::results_too_large);
        end(slot, {FinalOutcome::rejected, ErrorCode::item_too_large,
                   state_->texts.intern("the result has " + std::to_string(bytes) +
                                        " bytes, the queue's max_result_bytes is " +
                                        std::to_string(queue.settings.max_result_bytes)),
                   BodyHandle{}, 0, false});
        return;
    }
    if (is_blob) {
        const auto id = ContentId::from_bytes(outcome.body.bytes);
        const BlobRecord* const blob = id ? state_->blobs.find(*id) : nullptr;
        if (blob == nullptr || blob->bytes != bytes) {
            // The worker may put it again: as if the attempt had failed.
            state_->release(body);
            state_->counters.add(Counter::results_unknown_blob);
            state_->counters.add(Counter::attempts_failed);
            again_or_dead(slot, AttemptOutcome::failed, ErrorCode::attempts_exhausted,
                          "unknown_blob: the result's blob is not in the store");
            return;
        }
        state_->bodies.pin(body, *id, state_->now);
    }
    end(slot, {FinalOutcome::done, ErrorCode::none, kNoSlot, body,
               static_cast<std::uint32_t>(is_blob ? 0 : bytes), is_blob});
}

void Runner::again_or_dead(Slot slot, AttemptOutcome outcome, ErrorCode dead_code,
                           std::string_view sentence) {
    const ExecutionRecord& execution = state_->table.executions[slot];
    if (execution.attempts < state_->queue(execution.queue).settings.max_attempts) {
        put_back(slot, outcome);
        return;
    }
    end(slot,
        {FinalOutcome::dead, dead_code, state_->texts.intern(sentence), BodyHandle{}, 0, false});
}

void Runner::put_back(Slot slot, AttemptOutcome outcome) {
    ExecutionRecord& execution = state_->table.executions[slot];
    change::Released released;
    released.execution = execution.number;
    released.failures = execution.attempts;
    released.attempt.outcome = outcome;
    state_->change(state_->queue(execution.queue), released);
    put_back_.push_back(slot);
}

void Runner::requeue() {
    // Counters rise with delivery: the latest goes to the front first.
    std::sort(put_back_.begin(), put_back_.end(), [&](Slot a, Slot b) {
        return state_->table.executions[a].attempt > state_->table.executions[b].attempt;
    });
    for (const Slot slot : put_back_) {
        ExecutionRecord& execution = state_->table.executions[slot];
        execution.attempt = 0;
        Queue& queue = state_->queue(execution.queue);
        queue.waiting.push_front(state_->table, slot);
        state_->activate(queue);
    }
    put_back_.clear();
}

void Runner::end(Slot slot, const End& how) {
    ExecutionRecord& execution = state_->table.executions[slot];
    Queue& queue = state_->queue(execution.queue);
    change::Ended ended;
    ended.execution = execution.number;
    ended.over = true;
    ended.outcome = how.outcome;
    ended.code = how.code;
    ended.at = state_->wall_millis();
    ended.first_offset = queue.stream.next();
    ended.first_id_position = queue.ids.end();
    ended.sentence = state_->texts.text(how.text);
    ended.body = {how.body, {BodyKey::Kind::result, queue.partition(), queue.stream.next()}, {}};
    groups_left_.clear();
    for (Slot next = execution.first_job; next != kNoSlot;) {
        const Slot job_slot = next;
        const JobRecord& job = state_->table.jobs[job_slot];
        next = job.next;
        if (job_slot != execution.first_job) {
            state_->texts.retain(how.text);
            state_->bodies.share(how.body);
        }
        change::Ended::Job& note = ended.jobs.emplace_back();
        note.id = job.id;
        note.digest = job.digest;
        note.subject = state_->subjects.text(job.subject);
        StreamEntry entry;
        entry.id = job.id;
        entry.subject = job.subject;  // the reference moves from the job to its entry
        entry.text = how.text;
        entry.body = how.body;
        entry.bytes = (how.inline_bytes + protocol::kLimits.item_overhead_bytes) & 0x7fffffff;
        entry.body_is_blob = how.body_is_blob;
        entry.code = how.code;
        entry.kind = protocol::EntryKind::job;
        entry.outcome = how.outcome;
        if (job.group != kNoSlot) {
            note.group = queue.groups[job.group].id;
            entry.group = queue.groups[job.group].text;
            state_->texts.retain(entry.group);
            groups_left_.push_back(job.group);
        }
        queue.credit.vacate(job.bytes);
        queue.ids.finish(job_slot, state_->now);
        state_->table.jobs.free(job_slot);
        count(queue, how.outcome);
        writer_->append(queue, entry);
    }
    state_->change(queue, ended, how.inline_bytes);
    // After its last entry: the entries of one execution have offsets in a row.
    for (const Slot group : groups_left_) leave_group(queue, group, how.outcome);
    state_->schedule(state_->now + state_->options.id_window_ttl);
    state_->release(execution.payload, execution.payload_is_blob);
    state_->release_inputs(execution.inputs);
    state_->table.executions.free(slot);
}

void Runner::leave_group(Queue& queue, Slot group, FinalOutcome outcome) {
    if (!queue.groups.finished(group, outcome, state_->now)) return;
    writer_->append_completion(queue, group);
    state_->schedule(queue.groups.next_expiry());
}

void Runner::count(Queue& queue, FinalOutcome outcome) {
    switch (outcome) {
        case FinalOutcome::done:
            ++queue.done;
            state_->counters.add(Counter::jobs_done);
            return;
        case FinalOutcome::rejected:
            ++queue.rejected;
            state_->counters.add(Counter::jobs_rejected);
            return;
        case FinalOutcome::dead:
            ++queue.dead;
            state_->counters.add(Counter::jobs_dead);
            return;
        default:
            state_->counters.add(Counter::jobs_cancelled);
    }
}

void Runner::raise_limit(Session& session, protocol::Credit limit) {
    Worker& worker = *session.worker;
    worker.limit = {std::max(worker.limit.items, limit.items),
                    std::max(worker.limit.bytes, limit.bytes)};
    state_->workers.update(worker);
}

void Runner::lose(Session& session) {
    Worker& worker = *session.worker;
    state_->workers.leave(worker);
    const std::string sentence =
        "the session of worker '" + session.name + "' ended before it answered";
    while (!worker.running.empty()) {
        const Slot slot = worker.running.back();
        detach(worker, slot);
        state_->counters.add(Counter::attempts_lost);
        again_or_dead(slot, AttemptOutcome::lost, ErrorCode::worker_lost, sentence);
    }
    requeue();
}

void Runner::cancel_running(Queue& queue) {
    for (Session* session : state_->sessions.list()) {
        if (!session->worker) continue;
        Worker& worker = *session->worker;
        for (Slot slot = worker.running.back(); slot != kNoSlot;) {
            const ExecutionRecord& execution = state_->table.executions[slot];
            const Slot previous = execution.previous;
            if (execution.queue == queue.number) {
                detach(worker, slot);
                end(slot, {FinalOutcome::cancelled, ErrorCode::unknown_queue,
                           state_->texts.intern("the queue was deleted"), BodyHandle{}, 0, false});
            }
            slot = previous;
        }
        state_->workers.update(worker);
    }
}

void Runner::cancel_waiting(Queue& queue, std::size_t budget) {
    for (; budget > 0 && !queue.waiting.empty(); --budget) {
        const Slot slot = queue.waiting.pop_front(state_->table);
        end(slot, {FinalOutcome::cancelled, ErrorCode::unknown_queue,
                   state_->texts.intern("the queue was deleted"), BodyHandle{}, 0, false});
    }
}

}  // namespace scanmq::broker
