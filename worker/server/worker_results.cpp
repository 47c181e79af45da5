// The worker's known results: what is looked for before it is run, and what becomes of it.
#include <chrono>

#include "common/base/assert.hpp"
#include "worker/server/worker_loop.hpp"

namespace scanmq::worker {

namespace {

Time clock_now() { return std::chrono::steady_clock::now(); }

}  // namespace

// They count from now: an attempt may wait here before it is started.
void WorkerServer::Impl::note_deadlines(std::span<const Taken> all) {
    const Time now = clock_now();
    for (const Taken& taken : all) {
        TaskSlot& slot = *tasks_.find(taken.id);
        if (slot.keyed && taken.attempt->deadline_ms != 0)
            slot.wanted_until = deadline_from(now, taken.attempt->deadline_ms);
    }
}

// Those with a fingerprint are looked for in one batch; they have started, as far as the core knows.
void WorkerServer::Impl::look_up_or_start(std::span<const AttemptId> starts) {
    std::vector<AttemptId> plain;
    std::vector<KnownResults::Ask> asks;
    for (const AttemptId id : starts) {
        const TaskSlot& slot = *tasks_.find(id);
        if (slot.keyed) {
            asks.push_back({id, slot.fingerprint, slot.wanted_until, slot.keep_for});
        } else {
            plain.push_back(id);
        }
    }
    start(plain);
    if (asks.empty()) return;
    looking_up_ = true;
    known_->ask(asks, clock_now());
    looking_up_ = false;
}

void WorkerServer::Impl::on_known(std::span<const KnownResults::Found> found) {
    if (exit_) return;
    std::vector<AttemptId> unknown;
    for (const KnownResults::Found& one : found) {
        TaskSlot* const slot = tasks_.find(one.attempt);
        SCANMQ_ASSERT(slot != nullptr);  // what the core lets go of was forgotten
        if (one.body == nullptr) {
            unknown.push_back(one.attempt);
            continue;
        }
        slot->known = one.body;
        slot->known_age = one.age;
        slot->outcome.body = *slot->known;
        slot->service = {};
        push_finished(*slot);
    }
    start(unknown);
    // settle() hands what was pushed to the core.
    if (!looking_up_) step({});
}

// Not blobs: the broker forgets those that nothing refers to. A result may be told more than once.
void WorkerServer::Impl::keep_result(TaskSlot& slot) {
    const bool done = slot.outcome.status == ScanStatus::done && !slot.task.cancelled();
    if (!known_ || slot.known != nullptr || slot.kept || !done ||
        slot.outcome.body.size() > protocol::kLimits.inline_bytes_max) {
        return;
    }
    slot.kept = true;
    known_->keep(slot.fingerprint, slot.outcome.body, slot.keep_for);
}

}  // namespace scanmq::worker
