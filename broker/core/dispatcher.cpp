// Runner's way from the queue to the workers: whose turn it is, and batches of attempts.

#include "broker/core/attempt_hash.hpp"
#include "broker/core/runner.hpp"

namespace scanmq::broker {
namespace {

// So many attempts of one queue, then the next queue's turn: large enough for full batches.
constexpr std::size_t kTurn = 256;

}  // namespace

void Runner::dispatch() {
    ++pass_;
    std::size_t without_luck = 0;
    while (without_luck < state_->active.size() && !state_->workers.empty()) {
        Queue& queue = *state_->active.front();
        state_->active.pop_front();
        const std::size_t given = dispatch_from(queue);
        if (queue.waiting.empty()) {
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
    for (; given < kTurn && !queue.waiting.empty(); ++given) {
        const ExecutionRecord& execution = state_->table.executions[queue.waiting.front()];
        Worker* const worker =
            state_->workers.pick(queue.number, state_->table.jobs[execution.first_job].bytes);
        if (worker == nullptr) break;
        deliver(queue, *worker, queue.waiting.pop_front(state_->table));
    }
    return given;
}

void Runner::deliver(Queue& queue, Worker& worker, Slot slot) {
    ExecutionRecord& execution = state_->table.executions[slot];
    const JobRecord& job = state_->table.jobs[execution.first_job];
    execution.attempt = ++state_->attempt_counter;
    execution.holder = worker.session;
    ++execution.attempts;
    state_->attempts.insert(attempt_hash(execution.attempt), slot);
    worker.running.push_back(state_->table, slot);
    ++worker.sent.items;
    worker.sent.bytes += job.bytes;
    ++worker.delivered;
    ++queue.running;
    state_->workers.update(worker);
    state_->counters.add(Counter::attempts_started);

    const std::string_view subject = state_->subjects.text(job.subject);
    const std::string_view inputs = state_->inputs.text(execution.inputs);
    const std::size_t encoded =
        protocol::kItemFixedBytesMax + job.bytes + subject.size() + inputs.size();
    protocol::Deliver& message = open_batch(queue, worker, encoded);
    message.attempts.push_back({execution.attempt, job.id, subject, {}, inputs, std::nullopt});
    worker.batch.started.push_back({execution.number, execution.attempt});
    state_->effects->sends[worker.batch.send].bodies.push_back(execution.payload);
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
        const std::size_t expected = std::min<std::size_t>(queue.waiting.size() + 1, kTurn);
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
