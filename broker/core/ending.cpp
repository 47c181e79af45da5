#include "broker/core/ending.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/placing.hpp"
#include "broker/core/planted_bug.hpp"
#include "broker/core/result_keeping.hpp"
#include "broker/core/stream_hold.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::FinalOutcome;

namespace {

// Of a change::Ended for each job, and for the group that it may complete; and for all else.
constexpr std::uint64_t kEndedJobBytesMax = 192 + 192;
constexpr std::uint64_t kEndedBytesMax = 4'096;

}  // namespace

HowEnded Ending::how(FinalOutcome outcome, ErrorCode code, std::string_view sentence) {
    HowEnded out;
    out.outcome = outcome;
    out.code = code;
    out.text = state_->texts.intern(sentence);
    return out;
}

HowEnded Ending::how_with(Queue& queue, CachedResult& result, std::uint64_t jobs,
                          std::string_view older_note) {
    state_->bodies.share(result.body);
    HowEnded out{FinalOutcome::done, ErrorCode::none,     kNoSlot,
                 result.body,        result.inline_bytes, result.body_is_blob};
    const Duration age = state_->now - result.made;
    if (!older_note.empty()) {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(age).count();
        out.code = ErrorCode::stale;
        out.text = state_->texts.intern(std::to_string(ms) + " ms old: " + std::string(older_note));
        queue.stale += jobs;
        state_->counters.add(Counter::jobs_stale, jobs);
    }
    state_->results.note_hit(age);
    result.offset = queue.stream.next();
    queue.cached += jobs;
    state_->counters.add(Counter::jobs_cached, jobs);
    return out;
}

CachedResult* Ending::instead_of_dead(Queue& queue, Slot slot) {
    const ExecutionExtra* const extra = state_->table.find_extra(slot);
    if (queue.settings.degraded_ms == 0 || extra == nullptr || !keeps_result(queue, *extra)) {
        return nullptr;
    }
    // A fresh job wants none, and one of another request not this one's.
    if (extra->request.is_zero() || extra->fresh || extra->mixed) return nullptr;
    CachedResult* const found =
        older_result(*state_, queue, extra->request, queue.settings.degraded_ms);
    const bool fits = found != nullptr && found->inline_bytes <= queue.settings.max_result_bytes;
    return fits ? found : nullptr;
}

void Ending::give_up(Slot slot, ErrorCode code, std::string_view sentence) {
    Queue& queue = state_->queue(state_->table.executions[slot].queue);
    CachedResult* const older = instead_of_dead(queue, slot);
    if (older == nullptr) return end(slot, how(FinalOutcome::dead, code, sentence));
    state_->counters.add(Counter::dead_averted);
    end(slot, how_with(queue, *older, state_->table.jobs_of(slot),
                       "of its request's inputs before the newest, whose scan failed for good"));
}

void Ending::withdraw(Slot slot) {
    ExecutionRecord& execution = state_->table.executions[slot];
    if (execution.state == ExecutionState::looking) {
        state_->look_ups.take(state_->table.find_extra(slot)->look_up);
        state_->looked_up(slot);
    } else if (execution.state == ExecutionState::following) {
        stop_following(*state_, slot);
    } else if (execution.state != ExecutionState::running) {
        state_->queue(execution.queue).room.remove(state_->table, slot);
        execution.state = ExecutionState::running;
    } else if (execution.run != kNoSlot) {
        leases_->revoke(execution.run);
    }
    // One that runs and has no run was just answered: it is in no list.
}

void Ending::end(Slot slot, const HowEnded& how) {
    const Slot first = take_followers(*state_, slot);
    if (first == kNoSlot) return end_one(slot, how);
    Queue& queue = state_->queue(state_->table.executions[slot].queue);
    // A holder of what the followers end with, whatever becomes of the first entries.
    state_->bodies.share(how.body);
    state_->texts.retain(how.text);
    end_one(slot, how);
    const bool answers = how.outcome == FinalOutcome::done && how.code == ErrorCode::none;
    const Slot left = answers ? end_followers(queue, first, how) : first;
    state_->release(how.body, how.body_is_blob);
    state_->texts.release(how.text);
    if (left != kNoSlot && !planted(PlantedBug::strands_followers)) lead(*state_, left);
}

Slot Ending::end_followers(Queue& queue, Slot first, HowEnded how) {
    how.tell_tier = false;  // it has it
    for (Slot slot = first; slot != kNoSlot;) {
        // For the leader's jobs only a lossless stream has room for sure.
        if (lossless(queue) && !stream_room(queue).delivery_fits(state_->table.jobs_of(slot))) {
            return slot;
        }
        const Slot next = state_->table.find_extra(slot)->next_follower;
        leave_chain(*state_, slot);
        state_->bodies.share(how.body);
        state_->texts.retain(how.text);
        end_one(slot, how);
        state_->counters.add(Counter::followers_ended);
        slot = next;
    }
    return kNoSlot;
}

void Ending::end_one(Slot slot, const HowEnded& how) {
    ExecutionRecord& execution = state_->table.executions[slot];
    Queue& queue = state_->queue(execution.queue);
    withdraw(slot);
    change::Ended ended;
    ended.over = true;
    ended.dead_letter = how.outcome == FinalOutcome::dead && queue.settings.dead_max > 0;
    if (ended.dead_letter) {
        note_last_attempt(slot, ended);
        keep_dead(slot, how);
    }
    const std::uint64_t offset = queue.stream.next();
    append(queue, execution.first_job, how, ended);
    if (how.keep) keep_result(queue, slot, how, offset);
    free_execution(queue, slot, ended.dead_letter);
    if (ended.dead_letter) {
        queue.dead.add(std::exchange(letter_, {}));
        while (queue.dead.size() > queue.settings.dead_max) {
            drop_dead(queue, queue.dead.all().begin()->first);
            state_->counters.add(Counter::dead_letters_pushed_out);
        }
    }
}

void Ending::end_job(Slot job_slot, const HowEnded& how) {
    JobRecord& job = state_->table.jobs[job_slot];
    const Slot slot = job.execution;
    ExecutionRecord& execution = state_->table.executions[slot];
    if (execution.first_job == job_slot && job.next == kNoSlot) return end(slot, how);
    Queue& queue = state_->queue(execution.queue);
    Slot* link = &execution.first_job;
    while (*link != job_slot) link = &state_->table.jobs[*link].next;
    *link = job.next;
    job.next = kNoSlot;
    --state_->table.extra_of(slot).jobs;
    if (has_run(execution)) --queue.running_jobs;
    change::Ended ended;
    append(queue, job_slot, how, ended);
    reposition(*state_, slot);
}

void Ending::append(Queue& queue, Slot first, const HowEnded& how, change::Ended& ended) {
    ended.execution = state_->table.executions[state_->table.jobs[first].execution].number;
    ended.outcome = how.outcome;
    ended.code = how.code;
    ended.at = state_->wall_millis();
    ended.first_offset = queue.stream.next();
    ended.first_id_position = queue.ids.end();
    ended.sentence = state_->texts.text(how.text);
    ended.body = {how.body, {BodyKey::Kind::result, queue.partition(), queue.stream.next()}, {}};
    for (Slot next = first; next != kNoSlot;) {
        const Slot job_slot = next;
        const JobRecord& job = state_->table.jobs[job_slot];
        next = job.next;
        if (job_slot != first) {
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
            groups_left_.emplace_back(job.group, how.outcome);
        }
        free_job(queue, job_slot);
        count(queue, how.outcome);
        writer_->append(queue, entry);
    }
    // One that is replaced ends with the acceptance of the other.
    const std::uint64_t own_bytes =
        how.outcome == FinalOutcome::superseded
            ? CoreState::kFollows
            : std::max<std::uint64_t>(CoreState::kChangeBytesMax,
                                      ended.jobs.size() * kEndedJobBytesMax + kEndedBytesMax);
    state_->change(queue, ended, how.inline_bytes, own_bytes);
    // After the last entry: offsets of entries that share a body are in a row.
    for (const auto& [group, outcome] : std::exchange(groups_left_, {})) {
        if (!queue.groups.finished(group, outcome, state_->now)) continue;
        writer_->append_completion(queue, group, CoreState::kFollows);
        state_->schedule(queue.groups.next_expiry());
    }
    state_->schedule(state_->now + state_->options.id_window_ttl);
}

void Ending::keep_result(const Queue& queue, Slot slot, const HowEnded& how, std::uint64_t offset) {
    const ExecutionRecord& execution = state_->table.executions[slot];
    const ExecutionExtra* const extra = state_->table.find_extra(slot);
    if (extra == nullptr || !keeps_result(queue, *extra)) return;
    const Duration ttl = std::chrono::milliseconds(queue.settings.cache_ttl_ms) - how.age;
    if (ttl <= Duration{}) return;
    keep(*state_, queue, *extra, execution.number,
         {how.body, how.inline_bytes, how.body_is_blob, queue.partition(), offset,
          state_->now - how.age},
         ttl);
    if (state_->options.cache_shared && !how.body_is_blob && how.tell_tier) {
        state_->effects->cache_keeps.push_back({extra->fingerprint, how.body, ttl, how.age});
    }
}

void Ending::free_job(Queue& queue, Slot slot) {
    JobRecord& job = state_->table.jobs[slot];
    if (job.extra != kNoSlot) {
        JobExtra& extra = state_->table.job_extras[job.extra];
        if (extra.deadline_place != 0) {
            queue.deadlines.erase(extra.deadline_place, deadline_placer(state_->table));
        }
        if (extra.conflate != kNoSlot) {
            queue.forget_conflated(extra.conflate, slot);
            state_->texts.release(extra.conflate);
        }
        state_->table.job_extras.free(job.extra);
        job.extra = kNoSlot;
    }
    if (!planted(PlantedBug::leaks_room)) {
        queue.credit.vacate(state_->table.holder_of(slot), job.bytes);
    }
    queue.ids.finish(slot, state_->now);
    state_->table.jobs.free(slot);
}

void Ending::free_execution(Queue& queue, Slot slot, bool keep_payload) {
    ExecutionRecord& execution = state_->table.executions[slot];
    if (execution.extra != kNoSlot) {
        ExecutionExtra& extra = state_->table.execution_extras[execution.extra];
        if (execution.shared) queue.fingerprints.erase(extra.fingerprint, slot);
        for (const AttemptNote& note : extra.history) {
            state_->texts.release(note.worker);
            state_->texts.release(note.sentence);
        }
        const Slot freed = execution.extra;
        extra = ExecutionExtra{};
        state_->table.execution_extras.free(freed);
    }
    queue.room.flows().release(execution.flow, state_->now);
    if (!keep_payload) {
        state_->release(execution.payload, execution.payload_is_blob);
        state_->release_inputs(execution.inputs);
    }
    state_->table.executions.free(slot);
}

void Ending::keep_dead(Slot slot, const HowEnded& how) {
    const ExecutionRecord& execution = state_->table.executions[slot];
    const JobRecord& job = state_->table.jobs[execution.first_job];
    ExecutionExtra& extra = state_->table.extra_of(slot);
    letter_.execution = execution.number;
    letter_.job = job.id;
    letter_.jobs = extra.jobs;
    letter_.subject = job.subject;
    state_->subjects.retain(job.subject);
    letter_.inputs = execution.inputs;
    letter_.flow =
        state_->texts.intern(state_->queue(execution.queue).room.flows().name(execution.flow));
    letter_.text = how.text;
    state_->texts.retain(how.text);
    letter_.payload = execution.payload;
    letter_.payload_is_blob = execution.payload_is_blob;
    letter_.priority = execution.priority;
    letter_.failures = execution.failures;
    letter_.crashes = execution.crashes;
    letter_.bytes = job.bytes;
    if (const JobExtra* options = state_->table.find_job_extra(execution.first_job)) {
        letter_.flags = options->flags;
    }
    letter_.code = how.code;
    letter_.died = state_->wall_millis();
    letter_.as_of_ns = extra.as_of_ns;
    letter_.fingerprint = extra.fingerprint;
    letter_.history = std::move(extra.history);
    extra.history.clear();
}

void Ending::note_attempt(Slot slot, const AttemptNote& note) {
    std::vector<AttemptNote>& history = state_->table.extra_of(slot).history;
    if (history.size() == RunRow::kHistoryMax) {
        state_->texts.release(history.front().worker);
        state_->texts.release(history.front().sentence);
        history.erase(history.begin());
    }
    history.push_back(note);
}

void Ending::note_last_attempt(Slot slot, change::Ended& ended) const {
    const ExecutionExtra* extra = state_->table.find_extra(slot);
    if (extra == nullptr || extra->history.empty()) return;
    const AttemptNote& note = extra->history.back();
    ended.has_attempt = true;
    ended.attempt = {note.outcome,
                     note.code,
                     note.charged_crash,
                     note.ended,
                     state_->texts.text(note.worker),
                     state_->texts.text(note.sentence)};
}

void Ending::drop_dead(Queue& queue, std::uint64_t execution, std::uint64_t own_bytes) {
    DeadLetter letter = queue.dead.take(execution);
    state_->change(queue, change::DeadDropped{execution}, 0, own_bytes);
    state_->release(letter.payload, letter.payload_is_blob);
    state_->release_inputs(letter.inputs);
    release(letter);
}

void Ending::release(DeadLetter& letter) {
    state_->subjects.release(letter.subject);
    state_->texts.release(letter.flow);
    state_->texts.release(letter.text);
    for (const AttemptNote& note : letter.history) {
        state_->texts.release(note.worker);
        state_->texts.release(note.sentence);
    }
}

void Ending::count(Queue& queue, FinalOutcome outcome) {
    ++queue.ended[static_cast<std::size_t>(outcome)];
    switch (outcome) {
        case FinalOutcome::done:
            return state_->counters.add(Counter::jobs_done);
        case FinalOutcome::rejected:
            return state_->counters.add(Counter::jobs_rejected);
        case FinalOutcome::dead:
            return state_->counters.add(Counter::jobs_dead);
        case FinalOutcome::cancelled:
            return state_->counters.add(Counter::jobs_cancelled);
        case FinalOutcome::expired:
            return state_->counters.add(Counter::jobs_expired);
        case FinalOutcome::superseded:
            return state_->counters.add(Counter::jobs_superseded);
        case FinalOutcome::shed:
            return state_->counters.add(Counter::jobs_shed);
    }
}

}  // namespace scanmq::broker
