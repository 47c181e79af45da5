// Runner's attempts that end without an answer: lost with their worker, taken up again, overdue.

#include <algorithm>
#include <map>

#include "broker/core/runner.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Token;

void Runner::lose(Session& session, bool crashed_worker) {
    Worker& worker = *session.worker;
    state_->workers.leave(worker);
    const std::string sentence =
        "the session of worker '" + session.name + "' ended before it answered";
    while (!worker.running.empty()) {
        const Slot run_slot = worker.running.back();
        const RunRecord run = state_->table.runs[run_slot];
        leases_->end(run_slot);
        state_->counters.add(Counter::attempts_lost);
        ExecutionRecord& execution = state_->table.executions[run.execution];
        if (!crashed_worker) {
            put_back(run.execution, run.counter);
        } else if (run.started || run.alone) {
            // What runs alone was all that the worker had.
            crashed(run.execution, session.name, ErrorCode::worker_lost, sentence);
        } else {
            // Delivered since its last heartbeat, it may have been started.
            execution.suspect = execution.suspect || run.delivered >= worker.heartbeat;
            put_back(run.execution, run.counter);
        }
    }
    requeue();
}

std::vector<Token> Runner::adopt(Session* former, Session& session,
                                 const std::vector<protocol::WorkerInfo::Held>& held) {
    std::vector<Slot> runs;
    if (former != nullptr) {
        state_->workers.leave(*former->worker);
        for (Slot at = former->worker->running.front(); at != kNoSlot;
             at = state_->table.runs[at].next) {
            runs.push_back(at);
        }
    } else {
        runs = leases_->left_by(session.name, session.instance);
    }
    std::map<Token, bool> has;
    for (const protocol::WorkerInfo::Held& one : held) has[one.token] = one.started;
    std::vector<Token> adopted;
    for (const Slot slot : runs) {
        RunRecord& run = state_->table.runs[slot];
        const Token token{run.epoch, run.counter};
        if (const auto found = has.find(token); found != has.end()) {
            run.started = run.started || found->second;
            leases_->adopt(slot, *session.worker);
            adopted.push_back(token);
            continue;
        }
        // It never arrived, or its answer was lost on the way.
        const Slot execution = run.execution;
        const std::uint64_t counter = run.counter;
        leases_->end(slot);
        state_->counters.add(Counter::attempts_lost);
        put_back(execution, counter);
    }
    requeue();
    return adopted;
}

bool Runner::expire(std::size_t budget) {
    for (; leases_->overdue() != kNoSlot; --budget) {
        if (budget == 0) return true;
        const Slot run_slot = leases_->overdue();
        const RunRecord run = state_->table.runs[run_slot];
        const std::string worker =
            run.holder == kNoSlot ? std::string() : state_->sessions.by_slot(run.holder)->name;
        leases_->revoke(run_slot);
        state_->counters.add(Counter::attempts_overdue);
        crashed(run.execution, worker, ErrorCode::max_run_exceeded,
                "it ran longer than max_run; raise it, or split the scan");
    }
    for (const Slot slot : leases_->abandoned()) {
        const RunRecord run = state_->table.runs[slot];
        leases_->end(slot);
        state_->counters.add(Counter::attempts_lost);
        put_back(run.execution, run.counter);
    }
    requeue();
    return false;
}

}  // namespace scanmq::broker
