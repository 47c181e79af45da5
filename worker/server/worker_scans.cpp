// The worker's scans: how attempts are run, and how their ends reach the core.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "common/base/assert.hpp"
#include "worker/server/worker_loop.hpp"

namespace scanmq::worker {

namespace {

using protocol::AttemptOutcome;
using protocol::ErrorCode;

Time clock_now() { return std::chrono::steady_clock::now(); }

CallId call_id(AttemptId id) { return {(std::uint64_t{id.generation} << 32U) | id.slot}; }

AttemptId attempt_id(CallId call) {
    return {static_cast<std::uint32_t>(call.value), static_cast<std::uint32_t>(call.value >> 32U)};
}

ErrorCode code_or(ErrorCode code, ErrorCode instead) {
    return code == ErrorCode::none ? instead : code;
}

}  // namespace

void WorkerServer::Impl::start(std::span<const AttemptId> starts) {
    if (settings_.core.run_on_loop) {
        run_on_loop(starts);
    } else if (async_ != nullptr) {
        for (const AttemptId id : starts) start_asynchronous(id);
    } else {
        for (const AttemptId id : starts) start_on_pool(id);
    }
}

void WorkerServer::Impl::run_on_loop(std::span<const AttemptId> starts) {
    if (starts.empty()) return;
    const Time begin = clock_now();
    for (const AttemptId id : starts) {
        TaskSlot& slot = *tasks_.find(id);
        scanner_->run(slot.task, slot.outcome);
    }
    const Duration each = (clock_now() - begin) / static_cast<Duration::rep>(starts.size());
    for (const AttemptId id : starts) {
        TaskSlot& slot = *tasks_.find(id);
        slot.service = each;
        push_finished(slot);
    }
}

void WorkerServer::Impl::start_on_pool(AttemptId id) {
    TaskSlot& slot = *tasks_.find(id);
    slot.own();
    slot.task.inputs = slot.inputs;
    pool_.post(call_id(id).value, [this, &slot] {
        run_task(slot);
        complete_later(slot.id);
    });
}

// From any thread.
void WorkerServer::Impl::complete_later(AttemptId id) {
    bool first = false;
    {
        const std::lock_guard lock(completions_mutex_);
        first = completions_.empty();
        completions_.push_back(id);
    }
    // One wake-up takes all that has gathered by then.
    if (first) boost::asio::post(loop_, [this] { on_completions(); });
}

void WorkerServer::Impl::attach_scanner() {
    if (async_ == nullptr) return;
    async_->attach({&loop_, [this](CallId call) { on_call_finished(call); },
                    [this](Availability availability) { on_availability(std::move(availability)); },
                    [this] { on_renew(); }});
}

// What only asynchronous scanners are told. A deadline counts from now: an attempt may wait here before it
// is started.
void WorkerServer::Impl::complete_tasks(std::span<const Taken> all) {
    const Time now = clock_now();
    for (const Taken& taken : all) {
        Task& task = tasks_.find(taken.id)->task;
        task.job = hash_id(taken.attempt->job);
        task.deadline.reset();
        if (taken.attempt->deadline_ms != 0)
            task.deadline = deadline_from(now, taken.attempt->deadline_ms);
    }
}

void WorkerServer::Impl::start_asynchronous(AttemptId id) {
    TaskSlot& slot = *tasks_.find(id);
    slot.own();
    slot.task.inputs = slot.inputs;
    slot.started = clock_now();
    const Time given_up = slot.started + core_.max_run();
    slot.task.deadline = std::min(slot.task.deadline.value_or(given_up), given_up);
    slot.under_way = true;
    async_->start({call_id(id), &slot.task, &slot.outcome});
}

// The core may be at work: it may have been called from within start() or cancel().
void WorkerServer::Impl::on_call_finished(CallId call) {
    const AttemptId id = attempt_id(call);
    TaskSlot* slot = tasks_.find(id);
    SCANMQ_ASSERT(slot != nullptr && slot->under_way);
    slot->under_way = false;
    slot->progress.note.store("", std::memory_order_relaxed);  // it may have been the call's own
    slot->service = clock_now() - slot->started;
    complete_later(id);
}

// Told to the core before what finishes after it; the core may be at work now.
void WorkerServer::Impl::on_availability(Availability availability) {
    const bool waits = availability_.has_value();
    availability_ = std::move(availability);
    if (!waits) boost::asio::post(loop_, [this] { on_completions(); });
}

void WorkerServer::Impl::push_availability() {
    if (!availability_) return;
    told_ = *std::exchange(availability_, std::nullopt);
    GateEvent gate;
    gate.slots = told_.slots;
    gate.code = told_.code;
    gate.reason = told_.sentence;
    if (!told_.open) {
        gate.mode = GateMode::shut;
        if (!core_.shut()) {
            spdlog::warn("the scanner is not available, work is given back: {}", told_.sentence);
        }
    } else {
        gate.mode = told_.slots == 0 ? GateMode::hold
                    : told_.trial    ? GateMode::trial
                                     : GateMode::open;
        if (core_.shut()) spdlog::info("the scanner is available, with {} slots", told_.slots);
    }
    follow_up_.emplace_back(gate);
}

// The scanner's version has changed. Results are told apart by the version of their session, so nothing
// may be held when it changes; the scanner says that it is closed until then.
void WorkerServer::Impl::on_renew() {
    renew_ = true;
    boost::asio::post(loop_,
                      [this] { renew_if_empty(); });  // and after each step, until it is done
}

void WorkerServer::Impl::renew_if_empty() {
    if (!renew_ || exit_ || stepping_ || core_.held() > 0) return;
    renew_ = false;
    core_.set_scanner_version(async_->version());
    const WorkerCore::Phase phase = core_.phase();
    if (phase == WorkerCore::Phase::open || phase == WorkerCore::Phase::greeting) {
        const std::array<Event, 2> again{DisconnectedEvent{}, ConnectedEvent{}};
        step(again);
    }
    async_->renewed();
}

// Only what waits for a thread: a look-up ends soon, and may be all that is needed.
void WorkerServer::Impl::recall(AttemptId id) {
    TaskSlot* slot = tasks_.find(id);
    if (slot == nullptr || async_ != nullptr || !pool_.withdraw(call_id(id).value)) return;
    slot->outcome.status = ScanStatus::returned;
    push_finished(*slot);
}

void WorkerServer::Impl::cancel(AttemptId id) {
    TaskSlot* slot = tasks_.find(id);
    if (slot == nullptr) return;
    slot->cancel.store(true, std::memory_order_relaxed);
    if (known_ && known_->forget(id)) {
        slot->outcome.failed("cancelled while its result was looked for");
        return push_finished(*slot);
    }
    if (slot->under_way) async_->cancel(call_id(id));
}

void WorkerServer::Impl::run_task(TaskSlot& slot) const {
    const Time begin = clock_now();
    if (slot.task.cancelled()) {
        slot.outcome.failed("cancelled before it began");  // while it waited for a thread
    } else {
        scanner_->run(slot.task, slot.outcome);
    }
    slot.service = clock_now() - begin;
    if (slot.outcome.body.size() > protocol::kLimits.inline_bytes_max) {
        slot.body_id = content_id(slot.outcome.body);  // here, not on the loop
        slot.body_hashed = true;
    }
}

void WorkerServer::Impl::on_completions() {
    if (exit_) return;
    push_availability();
    {
        const std::lock_guard lock(completions_mutex_);
        completed_.swap(completions_);
    }
    for (const AttemptId id : completed_) push_finished(*tasks_.find(id));
    completed_.clear();
    // settle() hands what was pushed to the core.
    step({});
}

void WorkerServer::Impl::push_finished(TaskSlot& slot) {
    if (slot.keyed) keep_result(slot);
    FinishedEvent event;
    event.cached = slot.known != nullptr;
    event.age = slot.known_age;
    event.attempt = slot.id;
    event.body = slot.outcome.body;
    event.sentence = slot.outcome.sentence;
    event.service = slot.service;
    switch (slot.outcome.status) {
        case ScanStatus::done:
            event.outcome = AttemptOutcome::done;
            break;
        case ScanStatus::failed:
            event.outcome = AttemptOutcome::failed;
            event.code = code_or(slot.outcome.code, ErrorCode::scan_failed);
            break;
        case ScanStatus::rejected:
            event.outcome = AttemptOutcome::rejected;
            event.code = code_or(slot.outcome.code, ErrorCode::bad_payload);
            break;
        case ScanStatus::returned:
            event.outcome = AttemptOutcome::returned;
            event.code = slot.outcome.code;
            break;
    }
    follow_up_.emplace_back(event);
}

void WorkerServer::Impl::push_progress(const TaskSlot& slot) {
    constexpr auto kOrder = std::memory_order_relaxed;
    follow_up_.emplace_back(ProgressEvent{slot.id, slot.progress.done.load(kOrder),
                                          slot.progress.total.load(kOrder),
                                          slot.progress.note.load(kOrder)});
}

}  // namespace scanmq::worker
