// Runner's way from the queue to the workers: whose turn it is, and batches of attempts.

#include <algorithm>
#include <deque>
#include <limits>

#include "broker/core/result_keeping.hpp"
#include "broker/core/runner.hpp"
#include "broker/core/stream_hold.hpp"

namespace scanmq::broker {
namespace {

// So many attempts of one queue, then the next queue's turn: large enough for full batches.
constexpr std::size_t kTurn = 256;
// What a result takes in memory: a larger one is a blob.
constexpr std::uint64_t kResultBytesMax = protocol::kLimits.inline_bytes_max;
// Microseconds that a queue's turn is worth at least.
constexpr std::int64_t kTurnTime = 1'000;
constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max() / 2;

}  // namespace

// Between queues: deficit round robin, like that between flows. A turn is worth the time that an attempt
// takes at least, so that long ones alternate, and kTurnTime, so that short ones go in batches.
void Runner::dispatch() {
    ++pass_;
    free_reserved();
    allowed_ = state_->memory.attempts(leases_->live(), kResultBytesMax);
    outgoing_ = state_->memory.outgoing_room();
    const bool room = outgoing_ > 0;
    if (!room) allowed_ = 0;
    std::deque<Queue*>& active = state_->active;
    // So many in a row could give nothing, or owe for what they were given before.
    std::size_t without_luck = 0;
    while (allowed_ > 0 && without_luck < active.size() && state_->workers.any()) {
        Queue& queue = *active.front();
        const Worker* const reserved = state_->workers.reserved();
        while (dispatch_alone(queue, LaneKind::alone) ||
               dispatch_alone(queue, LaneKind::alone_pure)) {
        }
        // One worker more: those that were not lucky before may be now.
        if (reserved != nullptr && state_->workers.reserved() != reserved) {
            ++pass_luck_;
            without_luck = 0;
        }
        const std::int64_t grant = grant_of(queue);
        // Alone, it takes nobody's turn.
        queue.balance = active.size() == 1 ? kNoEnd : std::min(queue.balance, grant);
        if (queue.balance <= 0) queue.balance += grant;
        const bool owes = queue.balance <= 0;
        const bool tried = queue.no_luck == pass_luck_;
        std::size_t given = 0;
        if (!owes && !tried) given = dispatch_from(queue);
        // A flow that is held back goes on when its time has come.
        state_->schedule(queue.room.next_due());
        if (!queue.room.active() || !may_deliver(queue)) {
            active.pop_front();
            queue.active = false;
            queue.balance = active.empty() ? 0 : std::min<std::int64_t>(queue.balance, 0);
            continue;
        }
        if (given > 0) without_luck = 0;
        // Its turn goes on at once after a full batch, or when there is room or credit again.
        if (queue.balance > 0 && (given == kTurn || allowed_ == 0 || !state_->workers.any()))
            continue;
        // What it could not spend is not saved up.
        queue.balance = std::min(queue.balance, grant);
        active.pop_front();
        active.push_back(&queue);
        if (given > 0) continue;
        if (!owes) queue.no_luck = pass_luck_;
        if (++without_luck == active.size() && pay_debts()) without_luck = 0;
    }
    state_->dispatch_held = allowed_ == 0 && !state_->active.empty();
    if (state_->dispatch_held) state_->counters.add(Counter::dispatch_holds);
    // Only this pass has sent enough: what the peers took of it tells how much more may go.
    if (state_->dispatch_held && room && outgoing_ == 0) state_->unfinished = true;
    ++pass_luck_;
    for (Worker* worker : started_by_) note_started(*worker);
    started_by_.clear();
}

std::int64_t Runner::grant_of(const Queue& queue) const {
    const auto cost = static_cast<std::int64_t>(queue.room.mean_cost());
    return std::max(cost, kTurnTime) * static_cast<std::int64_t>(queue.settings.weight);
}

// Nobody who may spend could: as many turns pass as the first of those that owe needs. False: none owes.
bool Runner::pay_debts() {
    std::int64_t turns = 0;
    const auto needs = [&](const Queue& queue) { return -queue.balance / grant_of(queue) + 1; };
    for (const Queue* queue : state_->active) {
        if (queue->balance > 0) continue;
        turns = turns == 0 ? needs(*queue) : std::min(turns, needs(*queue));
    }
    for (Queue* queue : state_->active) {
        if (queue->balance <= 0) queue->balance += turns * grant_of(*queue);
    }
    return turns > 0;
}

// What holds a whole queue back asks here.
bool Runner::may_deliver(const Queue& queue) { return !queue.paused; }

std::size_t Runner::dispatch_from(Queue& queue) {
    if (!may_deliver(queue)) return 0;
    std::size_t given = dispatch_aside(queue);
    bool pure_too = true;
    std::size_t ended = 0;  // shed instead
    while (given < kTurn && queue.balance > 0 && allowed_ > 0) {
        const WaitingRoom::Turn turn =
            queue.room.next(state_->table, state_->now, queue.settings.low_share, pure_too);
        if (turn.execution == kNoSlot) break;
        const bool versioned = turn.kind == LaneKind::pure && !queue.scanner_version.empty();
        const std::uint64_t bytes = bytes_of(turn.execution);
        if (Worker* const worker = pick(queue, turn.execution, bytes, versioned)) {
            if (shedding_.ends(queue, turn.execution)) {
                if (++ended < Shedding::kSlice) continue;
                state_->unfinished = true;
                break;
            }
            if (holds(*state_, queue, turn.execution)) break;
            if (given++ == 0) shedding_.measure(queue, turn.execution);
            queue.room.learn_size(bytes);
            deliver(queue, *worker, turn.execution, false);
        } else if (queue.room.large(bytes) &&
                   state_->workers.pick(queue.number, queue.room.usual_size(), versioned) !=
                       nullptr) {
            // Smaller ones may go before it.
            if (!queue.room.step_aside(state_->table, turn.execution)) break;
        } else if (versioned) {
            pure_too = false;  // others need not have the version
        } else {
            break;
        }
    }
    if (queue.room.aside() > 0) make_way(queue);
    return given;
}

// Those that no worker had the bytes for.
std::size_t Runner::dispatch_aside(Queue& queue) {
    std::size_t given = 0;
    while (given < kTurn && allowed_ > 0) {
        const Slot slot = queue.room.next_aside(state_->table, state_->now);
        if (slot == kNoSlot) break;
        const std::uint64_t bytes = bytes_of(slot);
        const bool versioned = state_->versioned(queue, slot);
        Worker* worker = state_->workers.reserved();
        const bool kept = worker != nullptr && reserved_for_ == queue.number &&
                          worker->takes(queue.number, versioned);
        const bool affords = kept && worker->affords(bytes);
        // With nothing left and no credit for it, none will come: another one may do it.
        if (affords || (kept && worker->running.empty())) state_->workers.release_reserved();
        if (!affords) {
            worker = pick(queue, slot, bytes, versioned);
        }
        if (worker == nullptr || holds(*state_, queue, slot)) break;
        deliver(queue, *worker, slot, false);
        ++given;
    }
    return given;
}

// Overtaken too often, it is waited for by a worker that gets nothing else until it has the bytes.
void Runner::make_way(Queue& queue) {
    if (queue.room.overtaken() < WaitingRoom::kOvertakenMax ||
        state_->workers.reserved() != nullptr)
        return;
    const Slot slot = queue.room.next_aside(state_->table, state_->now);
    if (slot == kNoSlot) return;
    if (reserve(queue, bytes_of(slot), state_->versioned(queue, slot)) != nullptr) {
        reserved_for_ = queue.number;
    }
}

std::uint64_t Runner::bytes_of(Slot execution) const {
    return state_->table.jobs[state_->table.executions[execution].first_job].bytes;
}

// Whose turn it is, or who holds its inputs.
Worker* Runner::pick(const Queue& queue, Slot slot, std::uint64_t bytes, bool versioned) const {
    const Slot inputs = state_->table.executions[slot].inputs;
    if (inputs == kNoSlot) return state_->workers.pick(queue.number, bytes, versioned);
    return state_->workers.pick(queue.number, bytes, versioned, state_->inputs.hash(inputs));
}

// One worker at a time is kept free of other work until it has nothing left: then it gets what runs
// alone. Its other work is delayed by no more than what it had.
bool Runner::dispatch_alone(Queue& queue, LaneKind kind) {
    if (allowed_ == 0 || !queue.room.ready(kind) || !may_deliver(queue)) return false;
    const Slot slot = queue.room.next_alone(state_->table, state_->now, kind).execution;
    if (slot == kNoSlot) return false;
    if (holds(*state_, queue, slot)) return false;
    const bool versioned = kind == LaneKind::alone_pure && !queue.scanner_version.empty();
    const std::uint64_t bytes = bytes_of(slot);
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
    state_->workers.release_reserved();
    deliver(queue, *worker, slot, true);
    return true;
}

// When nothing that could run alone there waits any more.
void Runner::free_reserved() {
    const Worker* const worker = state_->workers.reserved();
    if (worker == nullptr) return;
    for (const auto& queue : state_->queues) {
        if (!queue || queue->deleting || !may_deliver(*queue)) continue;
        if (queue->held_since != Time{}) continue;  // its stream has no room
        const WaitingRoom& room = queue->room;
        const bool versioned = !queue->scanner_version.empty();
        if (room.ready(LaneKind::alone) && worker->takes(queue->number, false)) return;
        if (room.ready(LaneKind::alone_pure) && worker->takes(queue->number, versioned)) return;
        if (room.overtaken() >= WaitingRoom::kOvertakenMax && reserved_for_ == queue->number) {
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
            !worker->takes(queue.number, versioned) || worker->gave_back ||
            worker->credit.limit().items == 0) {
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
    const std::uint32_t cost = estimate(queue, execution.flow, job.bytes);
    queue.balance -= cost;
    queue.room.deliver(state_->table, slot, cost, queue.settings.low_share, state_->now);
    const Slot run = leases_->start(worker, slot, alone, cost);
    const std::uint64_t counter = state_->table.runs[run].counter;
    worker.credit.send({1, job.bytes});
    --allowed_;
    // What one pass sends has room beside the peers' pipes, should none take any.
    outgoing_ -= std::min<std::uint64_t>(outgoing_, job.bytes);
    if (outgoing_ == 0) allowed_ = 0;
    ++worker.delivered;
    queue.delivered_at = state_->now;
    state_->workers.update(worker);
    state_->counters.add(Counter::attempts_started);

    const std::string_view subject = state_->subjects.text(job.subject);
    const std::string_view inputs = state_->inputs.text(execution.inputs);
    if (execution.inputs != kNoSlot) {
        const bool local = state_->workers.give(worker, state_->inputs.hash(execution.inputs));
        state_->counters.add(local ? Counter::deliveries_local : Counter::deliveries_fetch);
    }
    if (execution.extra != kNoSlot) {
        // What the attempt before reported is over.
        ExecutionExtra& extra = state_->table.extra_of(slot);
        extra.progress_done = extra.progress_total = 0;
        extra.progress_note.clear();
        extra.offered = may_be_kept(queue, worker, slot);
    }
    const ExecutionExtra* const extra = state_->table.find_extra(slot);
    const bool offered = extra != nullptr && extra->offered;
    const ByteView fingerprint = offered ? extra->fingerprint.view() : ByteView();
    const std::size_t encoded = protocol::kItemFixedBytesMax + job.bytes + subject.size() +
                                inputs.size() + fingerprint.size();
    protocol::Deliver& message = open_batch(queue, worker, encoded);
    message.attempts.push_back({counter,
                                job.id,
                                subject,
                                {},
                                inputs,
                                extra == nullptr ? std::nullopt : extra->as_of_ns,
                                deadline_ms(execution),
                                fingerprint,
                                offered ? queue.settings.cache_ttl_ms : 0});
    worker.batch.started.push_back({execution.number, counter});
    state_->effects->sends[worker.batch.send].bodies.push_back(execution.payload);
}

// Whether the worker may answer with a result that is kept: as at admission, of this version, and none of
// its jobs asks to be run.
bool Runner::may_be_kept(const Queue& queue, const Worker& worker, Slot slot) const {
    const ExecutionExtra& extra = *state_->table.find_extra(slot);
    if (extra.fresh || !keeps_result(queue, extra) ||
        worker.info.scanner_version != queue.scanner_version) {
        return false;
    }
    for (Slot job = state_->table.executions[slot].first_job; job != kNoSlot;
         job = state_->table.jobs[job].next) {
        const JobExtra* const its = state_->table.find_job_extra(job);
        if (its == nullptr) continue;
        if ((its->flags & protocol::JobOptions::kFresh) != 0 || !its->retry_of.is_zero())
            return false;
    }
    return true;
}

std::uint32_t Runner::estimate(Queue& queue, Slot flow, std::uint64_t bytes) const {
    const float known = queue.room.flows().cost(flow, bytes);
    const float cost = known > 0 ? known : queue.room.mean_cost();
    return static_cast<std::uint32_t>(std::clamp(cost, 1.0F, 4e9F));
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
    // Of those that follow it some may want it later: the broker takes it back when none does.
    const ExecutionExtra* const shared =
        execution.extra == kNoSlot ? nullptr : &state_->table.execution_extras[execution.extra];
    if (shared != nullptr && shared->first_follower != kNoSlot) return 0;
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
