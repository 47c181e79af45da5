// Runner's way from the queue to the workers: whose turn it is, and batches of attempts.

#include <algorithm>

#include "broker/core/runner.hpp"
#include "broker/core/stream_hold.hpp"

namespace scanmq::broker {
namespace {

// So many attempts of one queue, then the next queue's turn: large enough for full batches.
constexpr std::size_t kTurn = 256;

}  // namespace

void Runner::dispatch() {
    ++pass_;
    free_reserved();
    std::size_t without_luck = 0;
    while (without_luck < state_->active.size() && state_->workers.any()) {
        Queue& queue = *state_->active.front();
        state_->active.pop_front();
        const Worker* const reserved = state_->workers.reserved();
        while (dispatch_alone(queue)) continue;
        // One worker more: those that were not lucky before may be now.
        if (reserved != nullptr && state_->workers.reserved() != reserved) without_luck = 0;
        const std::size_t given = dispatch_from(queue);
        if (queue.paused || queue.room.waiting() == 0) {
            queue.active = false;
        } else {
            state_->active.push_back(&queue);
            // A full turn: it may have more. Otherwise no worker takes from it now.
            without_luck = given == kTurn ? 0 : without_luck + 1;
        }
    }
    for (Worker* worker : started_by_) note_started(*worker);
    started_by_.clear();
}

std::size_t Runner::dispatch_from(Queue& queue) {
    std::size_t given = 0;
    if (queue.paused) return given;
    const std::uint64_t low_share = queue.settings.low_share;
    for (std::size_t ended = 0; given < kTurn;) {
        const Slot slot = queue.room.next(low_share);
        if (slot == kNoSlot) break;
        const ExecutionRecord& execution = state_->table.executions[slot];
        Worker* const worker =
            state_->workers.pick(queue.number, state_->table.jobs[execution.first_job].bytes,
                                 state_->versioned(queue, slot));
        if (worker == nullptr) break;
        if (shedding_.ends(queue, slot)) {
            if (++ended < Shedding::kSlice) continue;
            state_->unfinished = true;
            break;
        }
        if (holds(*state_, queue, slot)) break;
        if (given++ == 0) shedding_.measure(queue, slot);
        queue.room.delivered(low_share);
        queue.room.remove(state_->table, slot);
        deliver(queue, *worker, slot, false);
    }
    return given;
}

// One worker at a time is kept free of other work until it has nothing left: then it gets what runs
// alone. Its other work is delayed by no more than what it had.
bool Runner::dispatch_alone(Queue& queue) {
    if (queue.paused || queue.room.alone() == 0) return false;
    const Slot slot = queue.room.next_alone();
    const bool versioned = state_->versioned(queue, slot);
    const std::uint64_t bytes = state_->table.jobs[state_->table.executions[slot].first_job].bytes;
    Worker* worker = state_->workers.reserved();
    if (worker != nullptr && worker->takes(queue.number, versioned) && worker->running.empty() &&
        !worker->affords(bytes)) {
        // Nothing is left, and no credit came: another one may do it.
        state_->workers.release_reserved();
        worker = nullptr;
    }
    if (worker == nullptr) worker = reserve(queue, bytes, versioned);
    if (worker == nullptr || !worker->takes(queue.number, versioned) || !worker->running.empty()) {
        return false;
    }
    if (holds(*state_, queue, slot)) return false;
    state_->workers.release_reserved();
    queue.room.remove(state_->table, slot);
    deliver(queue, *worker, slot, true);
    return true;
}

// When nothing that could run alone there waits any more.
void Runner::free_reserved() {
    const Worker* const worker = state_->workers.reserved();
    if (worker == nullptr) return;
    for (const auto& queue : state_->queues) {
        if (!queue || queue->paused || queue->deleting || queue->room.alone() == 0) continue;
        if (worker->takes(queue->number, state_->versioned(*queue, queue->room.next_alone()))) {
            return;
        }
    }
    state_->workers.release_reserved();
}

Worker* Runner::reserve(Queue& queue, std::uint64_t bytes, bool versioned) {
    Worker* best = nullptr;
    // Scans that were taken back may still be stopping.
    const auto load = [](const Worker& worker) {
        return worker.running.size() + worker.revoked.size();
    };
    for (Session* session : state_->sessions.list()) {
        Worker* const worker = session->worker.get();
        if (worker == nullptr || worker->exclusive || worker->detached ||
            !worker->takes(queue.number, versioned) || worker->limit.items == 0) {
            continue;
        }
        // Credit comes with the answers to what it has; with nothing left there may come none.
        if (worker->running.empty() && !worker->affords(bytes)) continue;
        if (best == nullptr || load(*worker) < load(*best)) best = worker;
    }
    if (best != nullptr) state_->workers.reserve(*best);
    return best;
}

void Runner::deliver(Queue& queue, Worker& worker, Slot slot, bool alone) {
    ExecutionRecord& execution = state_->table.executions[slot];
    const JobRecord& job = state_->table.jobs[execution.first_job];
    if (execution.conflated) forget_conflated(queue, slot);
    const Slot run = leases_->start(worker, slot, alone);
    const std::uint64_t counter = state_->table.runs[run].counter;
    ++worker.sent.items;
    worker.sent.bytes += job.bytes;
    ++worker.delivered;
    state_->workers.update(worker);
    state_->counters.add(Counter::attempts_started);

    const std::string_view subject = state_->subjects.text(job.subject);
    const std::string_view inputs = state_->inputs.text(execution.inputs);
    if (execution.extra != kNoSlot) {
        // What the attempt before reported is over.
        ExecutionExtra& extra = state_->table.extra_of(slot);
        extra.progress_done = extra.progress_total = 0;
        extra.progress_note.clear();
    }
    const ExecutionExtra* const extra = state_->table.find_extra(slot);
    const std::size_t encoded =
        protocol::kItemFixedBytesMax + job.bytes + subject.size() + inputs.size();
    protocol::Deliver& message = open_batch(queue, worker, encoded);
    message.attempts.push_back({counter,
                                job.id,
                                subject,
                                {},
                                inputs,
                                extra == nullptr ? std::nullopt : extra->as_of_ns,
                                deadline_ms(execution)});
    worker.batch.started.push_back({execution.number, counter});
    state_->effects->sends[worker.batch.send].bodies.push_back(execution.payload);
}

// What is left until none of its jobs wants the result; 0: no deadline.
std::uint64_t Runner::deadline_ms(const ExecutionRecord& execution) const {
    Time latest{};
    for (Slot job = execution.first_job; job != kNoSlot; job = state_->table.jobs[job].next) {
        const JobExtra* const extra = state_->table.find_job_extra(job);
        if (extra == nullptr || extra->deadline == Time{} ||
            (extra->flags & protocol::JobOptions::kFinishLate) != 0) {
            return 0;
        }
        latest = std::max(latest, extra->deadline);
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(latest - state_->now).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1));
}

// Once delivered, a newer job of the same key no longer takes its place.
void Runner::forget_conflated(Queue& queue, Slot slot) {
    ExecutionRecord& execution = state_->table.executions[slot];
    execution.conflated = false;
    for (Slot job = execution.first_job; job != kNoSlot; job = state_->table.jobs[job].next) {
        const JobExtra* const extra = state_->table.find_job_extra(job);
        if (extra != nullptr && extra->conflate != kNoSlot) {
            queue.forget_conflated(extra->conflate, job);
        }
    }
}

protocol::Deliver& Runner::open_batch(Queue& queue, Worker& worker, std::size_t encoded_bytes) {
    Worker::Batch& batch = worker.batch;
    const bool fits = batch.pass == pass_ && batch.queue == queue.number &&
                      batch.attempts < protocol::kLimits.items_per_frame_max &&
                      batch.encoded_bytes + encoded_bytes <= state_->options.batch_bytes;
    if (!fits) {
        protocol::Deliver message;
        message.epoch = state_->options.epoch;
        message.queue = queue.name;
        Session& session = *state_->sessions.by_slot(worker.session);
        note_started(worker);
        batch = {pass_,
                 queue.number,
                 state_->effects->sends.size(),
                 protocol::kEnvelopeBytesMax,
                 0,
                 std::move(batch.started)};
        started_by_.push_back(&worker);
        Send& out = state_->send(session, std::move(message));
        const std::size_t expected = std::min<std::size_t>(queue.room.waiting() + 1, kTurn);
        std::get<protocol::Deliver>(out.message).attempts.reserve(expected);
        out.bodies.reserve(expected);
    }
    ++batch.attempts;
    batch.encoded_bytes += encoded_bytes;
    return std::get<protocol::Deliver>(state_->effects->sends[batch.send].message);
}

void Runner::note_started(Worker& worker) {
    if (worker.batch.started.empty()) return;
    const Session& session = *state_->sessions.by_slot(worker.session);
    change::Started started{session.name, session.instance, std::move(worker.batch.started)};
    state_->change(state_->queue(worker.batch.queue), started);
    worker.batch.started = std::move(started.attempts);
    worker.batch.started.clear();
}

}  // namespace scanmq::broker
