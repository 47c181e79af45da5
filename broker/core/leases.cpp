#include "broker/core/leases.hpp"

#include <algorithm>

#include "broker/core/attempt_hash.hpp"

namespace scanmq::broker {

using protocol::Token;

Slot Leases::add(Slot execution_slot, Token token) {
    ExecutionRecord& execution = state_->table.executions[execution_slot];
    const Slot slot = state_->table.runs.allocate();
    RunRecord& run = state_->table.runs[slot];
    run = RunRecord{};
    run.execution = execution_slot;
    run.epoch = token.epoch;
    run.counter = token.counter;
    run.delivered = state_->now;
    execution.run = slot;
    execution.state = ExecutionState::running;
    index_.insert(attempt_hash(token.counter), slot);
    by_age_.push_back(state_->table, slot);
    Queue& queue = state_->queue(execution.queue);
    ++queue.running;
    queue.running_jobs += state_->table.jobs_of(execution_slot);
    return slot;
}

Slot Leases::start(Worker& worker, Slot execution, bool alone, std::uint32_t cost) {
    const Slot slot = add(execution, {state_->options.epoch, ++counter_});
    RunRecord& run = state_->table.runs[slot];
    run.holder = worker.session;
    run.alone = alone;
    run.cost = cost;
    worker.exclusive = worker.exclusive || alone;
    attach(worker, slot);
    return slot;
}

void Leases::begin(Worker& worker, Slot slot) {
    RunRecord& run = state_->table.runs[slot];
    run.begun = true;
    run.began = state_->now;
    ++worker.begun;
}

void Leases::attach(Worker& worker, Slot slot) {
    worker.running.push_back(state_->table, slot);
    if (worker.begun < std::max(worker.info.threads, 1U)) {
        begin(worker, slot);
    } else if (worker.not_begun == kNoSlot) {
        worker.not_begun = slot;
    }
}

void Leases::detach(Worker& worker, Slot slot) {
    const RunRecord& run = state_->table.runs[slot];
    if (worker.not_begun == slot) worker.not_begun = run.next;
    worker.running.erase(state_->table, slot);
    if (!run.begun) return;
    --worker.begun;
    if (worker.not_begun == kNoSlot) return;
    const Slot next = worker.not_begun;
    worker.not_begun = state_->table.runs[next].next;
    begin(worker, next);
}

std::optional<Duration> Leases::share(const Worker& worker, std::size_t answers) const {
    if (answers <= worker.begun || worker.begun == 0) return std::nullopt;
    // Those behind the first ones ran since some moment in between: each took as long as the other.
    Duration all{};
    Slot slot = worker.running.front();
    for (std::uint32_t i = 0; i < worker.begun && slot != kNoSlot; ++i) {
        const RunRecord& run = state_->table.runs[slot];
        if (run.begun) all += state_->now - run.began;
        slot = run.next;
    }
    return all / static_cast<std::int64_t>(answers);
}

void Leases::settle(const RunRecord& run, const Ran& ran) {
    const ExecutionRecord& execution = state_->table.executions[run.execution];
    Queue& queue = state_->queue(execution.queue);
    const Duration time = ran.time ? *ran.time : (run.begun ? state_->now - run.began : Duration{});
    const std::int64_t took = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    queue.balance += std::int64_t{run.cost} - took;
    if (ran.learn) {
        const auto us = static_cast<float>(time.count()) / 1000.0F;
        queue.room.flows().learn_cost(execution.flow, state_->table.jobs[execution.first_job].bytes,
                                      us);
        queue.room.learn(us);
    }
    if (queue.room.over(execution.flow, run.cost, took)) state_->activate(queue);
}

Slot Leases::find(const Session& session, Token token) const {
    const Slot slot = index_.find(attempt_hash(token.counter), [&](Slot s) {
        const RunRecord& run = state_->table.runs[s];
        return run.counter == token.counter && run.epoch == token.epoch;
    });
    if (slot == kNoSlot || state_->table.runs[slot].holder != session.slot) return kNoSlot;
    return slot;
}

Slot Leases::guess(std::uint64_t counter) const {
    return index_.find(attempt_hash(counter), [](Slot) { return true; });
}

void Leases::end(Slot slot, const Ran& ran) {
    RunRecord& run = state_->table.runs[slot];
    settle(run, ran);
    if (run.holder != kNoSlot) {
        Worker& worker = *state_->sessions.by_slot(run.holder)->worker;
        detach(worker, slot);
        if (run.alone) worker.exclusive = false;
    }
    index_.erase(attempt_hash(run.counter), slot);
    by_age_.erase(state_->table, slot);
    ExecutionRecord& execution = state_->table.executions[run.execution];
    execution.run = kNoSlot;
    Queue& queue = state_->queue(execution.queue);
    --queue.running;
    queue.running_jobs -= state_->table.jobs_of(run.execution);
    state_->table.runs.free(slot);
}

void Leases::revoke(Slot slot) {
    const RunRecord& run = state_->table.runs[slot];
    if (run.holder == kNoSlot) {
        // Restored, its worker not yet back: left_ must not keep it.
        for (auto it = left_.begin(); it != left_.end(); ++it) {
            for (Slot at = it->second.front(); at != kNoSlot; at = state_->table.runs[at].next) {
                if (at != slot) continue;
                it->second.erase(state_->table, slot);
                if (it->second.empty()) left_.erase(it);
                return end(slot);
            }
        }
        SCANMQ_ASSERT(false);
    }
    Worker& worker = *state_->sessions.by_slot(run.holder)->worker;
    const Token token{run.epoch, run.counter};
    worker.revoked.insert(token);
    if (worker.revoking.empty()) revoking_.push_back(worker.session);
    worker.revoking.push_back(token);
    state_->counters.add(Counter::attempts_revoked);
    end(slot);
    state_->workers.update(worker);
}

bool Leases::take_revoked(Worker& worker, Token token) { return worker.revoked.erase(token) > 0; }

void Leases::tell_revoked() {
    for (const Slot slot : revoking_) {
        Session* const session = state_->sessions.by_slot(slot);
        if (session == nullptr || !session->worker) continue;
        std::vector<Token>& tokens = session->worker->revoking;
        for (std::size_t begin = 0; begin < tokens.size();) {
            const std::size_t end =
                std::min<std::size_t>(tokens.size(), begin + protocol::kLimits.items_per_frame_max);
            state_->send(*session,
                         protocol::Revoke{{tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                           tokens.begin() + static_cast<std::ptrdiff_t>(end)}});
            begin = end;
        }
        tokens.clear();
    }
    revoking_.clear();
}

void Leases::heard(Session& session, const std::vector<Token>& running) {
    session.worker->heartbeat = state_->now;
    for (const Token& token : running) {
        const Slot slot = find(session, token);
        if (slot != kNoSlot) state_->table.runs[slot].started = true;
    }
}

Time Leases::next_overdue() const noexcept {
    if (by_age_.empty()) return Time::max();
    return state_->table.runs[by_age_.front()].delivered + state_->options.max_run;
}

Slot Leases::overdue() const noexcept {
    return next_overdue() <= state_->now ? by_age_.front() : kNoSlot;
}

void Leases::extend(Duration by) {
    for (Slot slot = by_age_.front(); slot != kNoSlot;
         slot = state_->table.runs[slot].next_by_age) {
        state_->table.runs[slot].delivered += by;
        state_->table.runs[slot].began += by;
    }
    // Otherwise what was delivered before a heartbeat would seem to have come after it.
    for (Session* session : state_->sessions.list()) {
        if (session->worker) session->worker->heartbeat += by;
    }
    if (!left_.empty()) adopt_until_ += by;
}

void Leases::adopt(Slot slot, Worker& by) {
    RunRecord& run = state_->table.runs[slot];
    if (run.holder != kNoSlot) {
        Worker& former = *state_->sessions.by_slot(run.holder)->worker;
        detach(former, slot);
        if (run.alone) former.exclusive = false;
    }
    run.holder = by.session;
    by.exclusive = by.exclusive || run.alone;
    const bool ran = run.begun;
    const Time since = run.began;
    run.begun = false;
    attach(by, slot);
    if (ran && run.begun) run.began = since;
    state_->counters.add(Counter::attempts_adopted);
}

void Leases::restore(Slot execution, Token token, const std::string& worker,
                     const Id128& instance) {
    const Slot slot = add(execution, token);
    const ExecutionRecord& record = state_->table.executions[execution];
    RunRecord& run = state_->table.runs[slot];
    run.alone = ready_state(record) == ExecutionState::alone;
    run.begun = true;
    run.began = state_->now;
    state_->queue(record.queue).room.resumed(record.flow);
    left_[{worker, instance}].push_back(state_->table, slot);
    adopt_until_ = state_->now + state_->options.adopt_window;
}

std::vector<Slot> Leases::left_by(const std::string& worker, const Id128& instance) {
    std::vector<Slot> runs;
    const auto found = left_.find({worker, instance});
    if (found == left_.end()) return runs;
    for (Slot at = found->second.front(); at != kNoSlot; at = state_->table.runs[at].next) {
        runs.push_back(at);
    }
    left_.erase(found);
    return runs;
}

std::vector<Slot> Leases::abandoned() {
    std::vector<Slot> runs;
    if (next_abandoned() > state_->now) return runs;
    for (auto& [identity, list] : left_) {
        for (Slot at = list.front(); at != kNoSlot; at = state_->table.runs[at].next) {
            runs.push_back(at);
        }
    }
    left_.clear();
    return runs;
}

}  // namespace scanmq::broker
