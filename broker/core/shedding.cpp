#include "broker/core/shedding.hpp"

#include <algorithm>

#include "broker/core/millis.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::JobOptions;

namespace {

std::string text(Duration duration) { return std::to_string(millis(duration)); }

}  // namespace

Duration Shedding::waited(const Queue& queue, Slot slot) const {
    const JobTable& table = state_->table;
    const ExecutionRecord& execution = table.executions[slot];
    Time since{};
    if (const JobExtra* const job = table.find_job_extra(execution.first_job)) {
        since = std::max(job->accepted, job->due);
    } else {
        since = queue.arrivals.of(execution.number, state_->now);
    }
    if (const ExecutionExtra* const extra = table.find_extra(slot)) {
        since = std::max(since, extra->retry_due);
    }
    return std::max(state_->now - since, Duration{});
}

void Shedding::measure(Queue& queue, Slot slot) const {
    const Duration wait = waited(queue, slot);
    queue.waited = wait;
    if (state_->table.executions[slot].priority < JobOptions::kDefaultPriority) {
        queue.waited_low = wait;
    }
}

bool Shedding::sheddable(Slot slot) const {
    Slot job = state_->table.executions[slot].first_job;
    for (; job != kNoSlot; job = state_->table.jobs[job].next) {
        const JobExtra* const extra = state_->table.find_job_extra(job);
        if (extra == nullptr || (extra->flags & JobOptions::kSheddable) == 0) return false;
    }
    return true;
}

// Deadlines are looked at when they are due, in slices: one may not have had its turn yet.
bool Shedding::expire_one(Slot slot) {
    Slot job = state_->table.executions[slot].first_job;
    for (; job != kNoSlot; job = state_->table.jobs[job].next) {
        const JobExtra* const extra = state_->table.find_job_extra(job);
        if (extra == nullptr || extra->deadline == Time{} || extra->deadline > state_->now) {
            continue;
        }
        ending_->end_job(job, ending_->how(FinalOutcome::expired, ErrorCode::deadline_passed,
                                           "its deadline passed before it started"));
        return true;
    }
    return false;
}

bool Shedding::judge(Queue& queue, Slot slot) {
    if (expire_one(slot)) return true;
    const Duration wait = waited(queue, slot);
    const Duration target = std::chrono::milliseconds(queue.settings.shed_target_ms);
    if (!queue.codel.judge(wait, target, state_->now) || !sheddable(slot)) return false;
    const Duration late = queue.codel.late_for(state_->now);
    queue.codel.shed(state_->now);
    ending_->end(slot, ending_->how(FinalOutcome::shed, ErrorCode::overloaded,
                                    "it waited " + text(wait) + " ms; for " + text(late) +
                                        " ms all that came up waited longer than shed_target_ms, " +
                                        std::to_string(queue.settings.shed_target_ms)));
    return true;
}

}  // namespace scanmq::broker
