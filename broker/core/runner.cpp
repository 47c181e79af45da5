#include "broker/core/runner.hpp"

#include <algorithm>
#include <array>

#include "broker/core/placing.hpp"

namespace scanmq::broker {

using protocol::AttemptOutcome;
using protocol::ErrorCode;
using protocol::FinalOutcome;

namespace {

// Of a kept result, whatever its worker says: longer than any queue keeps one.
constexpr std::uint64_t kAgeMostMs = 7ULL * 86'400'000;

}  // namespace

void Runner::done(Session& session, const protocol::Header& header, const protocol::Done& message,
                  std::span<const BodyIn> bodies) {
    SCANMQ_ASSERT(bodies.size() == message.outcomes.size());
    Worker& worker = *session.worker;
    std::size_t stale = 0;
    std::uint64_t first_stale = 0;
    const std::optional<Duration> share = leases_->share(worker, bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        if (i % kPrefetchMax == 0) prefetch(std::span(message.outcomes).subspan(i));
        const protocol::Outcome& outcome = message.outcomes[i];
        const protocol::Token token{message.epoch, outcome.counter};
        const Slot run = leases_->find(session, token);
        if (run == kNoSlot) {
            state_->release(bodies[i].handle);
            if (leases_->take_revoked(worker, token)) continue;
            if (stale++ == 0) first_stale = outcome.counter;
            continue;
        }
        const Slot execution = state_->table.runs[run].execution;
        const bool alone = state_->table.runs[run].alone;
        if (outcome.outcome == AttemptOutcome::returned) {
            leases_->end(run, {Duration{}, false});  // unstarted
        } else {
            leases_->end(run, {share, true});
        }
        answer(worker, execution, alone, outcome, bodies[i].handle);
    }
    requeue();
    raise_limit(session, message.limit);
    if (stale == 0) return;
    state_->counters.add(Counter::attempts_stale, stale);
    state_->refuse(
        session, header.seq, protocol::Kind::done, ErrorCode::stale_attempt,
        std::to_string(stale) + " of " + std::to_string(bodies.size()) +
            " answers are for attempts that this session does not hold, the first for attempt " +
            std::to_string(first_stale) + "; drop those results");
}

void Runner::prefetch(std::span<const protocol::Outcome> outcomes) const {
    const std::size_t n = std::min(outcomes.size(), kPrefetchMax);
    if (n < 2) return;  // one alone is used at once
    JobTable& table = state_->table;
    std::array<Slot, kPrefetchMax> slots{};
    // Step by step, each for all of them: what one step waits for comes at the same time.
    for (std::size_t i = 0; i < n; ++i) {
        const Slot run = leases_->guess(outcomes[i].counter);
        slots[i] = run == kNoSlot ? kNoSlot : table.runs[run].execution;
        table.executions.prefetch(slots[i]);
    }
    for (std::size_t i = 0; i < n; ++i) {
        if (slots[i] == kNoSlot) continue;
        const ExecutionRecord& execution = table.executions[slots[i]];
        table.jobs.prefetch(execution.first_job);
        state_->queue(execution.queue).room.flows().prefetch_flow(execution.flow);
    }
    for (std::size_t i = 0; i < n; ++i) {
        if (slots[i] == kNoSlot) continue;
        const ExecutionRecord& execution = table.executions[slots[i]];
        state_->queue(execution.queue).ids.prefetch(table.jobs[execution.first_job].id);
    }
}

void Runner::answer(Worker& worker, Slot slot, bool alone, const protocol::Outcome& outcome,
                    BodyHandle body) {
    const bool is_blob = outcome.body.is_blob();
    // It ran alone, and its worker lived to answer.
    if (alone && outcome.outcome != AttemptOutcome::returned) {
        state_->table.executions[slot].suspect = false;
    }
    switch (outcome.outcome) {
        case AttemptOutcome::done:
            ++worker.done;
            state_->queue(state_->table.executions[slot].queue).failures_in_row = 0;
            return answer_done(worker, slot, outcome, body);
        case AttemptOutcome::rejected: {
            // What explains a refusal is inline; a blob is not kept for it, nor what a lossless stream
            // has no place for.
            Queue& queue = state_->queue(state_->table.executions[slot].queue);
            queue.failures_in_row = 0;
            const QueueSettings& settings = queue.settings;
            const bool drops = is_blob || (settings.lossless != 0 &&
                                           outcome.body.bytes.size() > settings.max_result_bytes);
            if (drops) state_->release(body);
            const std::size_t bytes = drops ? 0 : outcome.body.bytes.size();
            ++worker.failed;
            return ending_->end(
                slot, {FinalOutcome::rejected, outcome.code, state_->texts.intern(outcome.sentence),
                       drops ? BodyHandle{} : body, static_cast<std::uint32_t>(bytes), false});
        }
        case AttemptOutcome::returned:
            state_->release(body);
            state_->counters.add(Counter::attempts_returned);
            return put_back(slot, outcome.counter);
        case AttemptOutcome::failed:
        case AttemptOutcome::lost:
            break;
    }
    state_->release(body);
    ++worker.failed;
    failed(slot, outcome.counter, state_->sessions.by_slot(worker.session)->name, outcome.code,
           outcome.sentence);
}

void Runner::answer_done(const Worker& worker, Slot slot, const protocol::Outcome& outcome,
                         BodyHandle body) {
    const Queue& queue = state_->queue(state_->table.executions[slot].queue);
    const bool is_blob = outcome.body.is_blob();
    const std::uint64_t bytes = is_blob ? outcome.body.blob_size : outcome.body.bytes.size();
    if (bytes > queue.settings.max_result_bytes) {
        state_->release(body);
        state_->counters.add(Counter::results_too_large);
        return ending_->end(slot,
                            ending_->how(FinalOutcome::rejected, ErrorCode::item_too_large,
                                         "the result has " + std::to_string(bytes) +
                                             " bytes, the queue's max_result_bytes is " +
                                             std::to_string(queue.settings.max_result_bytes)));
    }
    if (is_blob) {
        const auto id = ContentId::from_bytes(outcome.body.bytes);
        const BlobRecord* const blob = id ? state_->blobs.find(*id) : nullptr;
        if (blob == nullptr || blob->bytes != bytes) {
            // The worker may put it again: as if the attempt had failed.
            state_->release(body);
            state_->counters.add(Counter::results_unknown_blob);
            return failed(slot, outcome.counter, state_->sessions.by_slot(worker.session)->name,
                          ErrorCode::unknown_blob,
                          "unknown_blob: the result's blob is not in the store");
        }
        state_->bodies.pin(body, *id, state_->now);
    }
    HowEnded how{FinalOutcome::done,
                 ErrorCode::none,
                 kNoSlot,
                 body,
                 static_cast<std::uint32_t>(is_blob ? 0 : bytes),
                 is_blob,
                 worker.info.scanner_version == queue.scanner_version};
    how.age = std::chrono::milliseconds(std::min(outcome.age_ms, kAgeMostMs));
    ending_->end(slot, how);
}

void Runner::failed(Slot slot, std::uint64_t counter, std::string_view worker, ErrorCode code,
                    std::string_view sentence) {
    ExecutionRecord& execution = state_->table.executions[slot];
    const QueueSettings& settings = state_->queue(execution.queue).settings;
    state_->counters.add(Counter::attempts_failed);
    ++execution.failures;
    note_failure(execution);
    const AttemptNote what = note(AttemptOutcome::failed, code, false, worker, sentence);
    ending_->note_attempt(slot, what);
    if (execution.failures >= settings.max_attempts) {
        return ending_->give_up(slot, ErrorCode::attempts_exhausted, sentence);
    }
    // Exponential backoff with full jitter: a random share of a delay that doubles up to its cap.
    const unsigned doublings = std::min(execution.failures - 1U, 32U);
    const std::uint64_t longest_ms =
        std::min(settings.retry_cap_ms, settings.retry_base_ms << doublings);
    const std::uint64_t wait_us = longest_ms == 0 ? 0 : state_->rng.below(longest_ms * 1000 + 1);
    const Time due = wait_us == 0 ? Time{} : state_->now + std::chrono::microseconds(wait_us);
    if (due == Time{}) {
        put_back(slot, counter, true);
    } else {
        wait(slot, due, false);
    }
    journal(slot, &what);
}

void Runner::crashed(Slot slot, std::string_view worker, ErrorCode code,
                     std::string_view sentence) {
    ExecutionRecord& execution = state_->table.executions[slot];
    ++execution.crashes;
    execution.suspect = false;
    note_failure(execution);
    const AttemptNote what = note(AttemptOutcome::lost, code, true, worker, sentence);
    ending_->note_attempt(slot, what);
    if (execution.crashes >= state_->queue(execution.queue).settings.max_crashes) {
        return ending_->give_up(slot, code, sentence);
    }
    wait(slot, Time{}, true);
    journal(slot, &what);
}

void Runner::note_failure(const ExecutionRecord& execution) const {
    Queue& queue = state_->queue(execution.queue);
    ++queue.failures_in_row;
    queue.failed_at = state_->now;
}

AttemptNote Runner::note(AttemptOutcome outcome, ErrorCode code, bool charged_crash,
                         std::string_view worker, std::string_view sentence) {
    AttemptNote out;
    out.outcome = outcome;
    out.code = code;
    out.charged_crash = charged_crash;
    out.ended = state_->wall_millis();
    out.worker = state_->texts.intern(worker);
    out.sentence = state_->texts.intern(sentence);
    return out;
}

void Runner::put_back(Slot slot, std::uint64_t counter, bool told) {
    put_back_.push_back({counter, slot, told});
}

void Runner::requeue() {
    // Counters rise with delivery: the latest goes to the front first.
    std::sort(put_back_.begin(), put_back_.end(),
              [](const PutBack& a, const PutBack& b) { return a.counter > b.counter; });
    for (const PutBack& one : put_back_) {
        wait(one.execution, Time{}, true);
        if (!one.told) journal(one.execution, nullptr);
    }
    put_back_.clear();
}

void Runner::wait(Slot slot, Time retry_due, bool front) {
    ExecutionRecord& execution = state_->table.executions[slot];
    Queue& queue = state_->queue(execution.queue);
    if (retry_due != Time{} || execution.extra != kNoSlot) {
        state_->table.extra_of(slot).retry_due = retry_due;
    }
    if (const Time due = due_of(*state_, slot); due > state_->now) {
        execution.state = ExecutionState::delayed;
        state_->table.extra_of(slot).due = due;
        state_->schedule(due);
    } else {
        execution.state = ready_state(execution);
        state_->activate(queue);
    }
    queue.room.add(state_->table, slot, front);
}

void Runner::journal(Slot slot, const AttemptNote* note) {
    const ExecutionRecord& execution = state_->table.executions[slot];
    change::Released released;
    released.execution = execution.number;
    released.failures = execution.failures;
    released.crashes = execution.crashes;
    released.suspect = execution.suspect;
    // What its jobs wish is in their own rows.
    if (const ExecutionExtra* const extra = state_->table.find_extra(slot);
        extra != nullptr && extra->retry_due > state_->now) {
        released.due = state_->wall_at(extra->retry_due);
    }
    if (note != nullptr) {
        released.kept = true;
        released.attempt = {note->outcome,
                            note->code,
                            note->charged_crash,
                            note->ended,
                            state_->texts.text(note->worker),
                            state_->texts.text(note->sentence)};
    }
    state_->change(state_->queue(execution.queue), released);
}

void Runner::raise_limit(Session& session, protocol::Credit limit) {
    Worker& worker = *session.worker;
    if (worker.credit.raise(limit)) worker.gave_back = false;
    state_->workers.update(worker);
}

void Runner::give_back(Session& session) {
    Worker& worker = *session.worker;
    state_->counters.add(Counter::worker_reclaims);
    // Its DELIVERs so far were sent before this answer, and none follows that is not granted anew.
    state_->send(session, protocol::Reclaimed{{}, worker.credit.give_back()});
    worker.gave_back = true;
    state_->workers.update(worker);
}

void Runner::progress(Session& session, const protocol::Progress& message) {
    for (const protocol::Progress::Report& report : message.reports) {
        const Slot run = leases_->find(session, report.token);
        if (run == kNoSlot) continue;
        state_->counters.add(Counter::progress_reports);
        ExecutionExtra& extra = state_->table.extra_of(state_->table.runs[run].execution);
        extra.progress_done = report.done;
        extra.progress_total = report.total;
        extra.progress_note = report.note;
    }
}

}  // namespace scanmq::broker
