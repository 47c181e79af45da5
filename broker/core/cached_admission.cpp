// SubmitHandler's jobs that need no worker: their result is known, or an older one will do.

#include <algorithm>
#include <chrono>
#include <string>

#include "broker/core/planted_bug.hpp"
#include "broker/core/result_keeping.hpp"
#include "broker/core/stream_hold.hpp"
#include "broker/core/submit_handler.hpp"
#include "common/base/content_hasher.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::JobOptions;
using protocol::JobVerdict;
using protocol::Verdict;

namespace {

// So many attempts in a row without an answer, the last no longer ago: its scanner fails.
constexpr std::uint64_t kFailingAttempts = 5;
constexpr Duration kFailingFor = std::chrono::seconds(10);

bool is_pure(const Queue& queue, const protocol::Job& job) noexcept {
    const std::uint32_t flags = job.options ? job.options->flags : 0;
    if ((flags & JobOptions::kNotPure) != 0) return false;
    return queue.settings.pure != 0 || (flags & JobOptions::kPure) != 0;
}

// Each field behind its length, so that bytes moved from one to another change the hash.
void add(ContentHasher& hasher, ByteView bytes) {
    const std::uint64_t size = bytes.size();
    hasher.update({reinterpret_cast<const char*>(&size), sizeof size});
    hasher.update(bytes);
}

// What both keys of a job have in common, but for what it reads.
void add_work(ContentHasher& hasher, const Queue& queue, const protocol::Job& job) {
    add(hasher, queue.name);
    add(hasher, planted(PlantedBug::mixes_versions) ? "" : queue.scanner_version);
    const std::int64_t as_of = job.options && job.options->as_of_ns ? *job.options->as_of_ns : 0;
    const char has_as_of = job.options && job.options->as_of_ns ? 1 : 0;
    add(hasher, {&has_as_of, 1});
    add(hasher, {reinterpret_cast<const char*>(&as_of), sizeof as_of});
    const char blob = job.payload.is_blob() ? 1 : 0;
    add(hasher, {&blob, 1});
    add(hasher, job.payload.bytes);
}

bool serves_older(const QueueSettings& settings) noexcept {
    return settings.stale_ms > 0 || settings.degraded_ms > 0;
}

}  // namespace

ContentId SubmitHandler::fingerprint(const Queue& queue, const protocol::Job& job,
                                     ByteView inputs) const {
    ContentHasher hasher;
    add_work(hasher, queue, job);
    add(hasher, inputs);
    return hasher.finish();
}

ContentId SubmitHandler::request_key(const Queue& queue, const protocol::Job& job) const {
    ContentHasher hasher;
    add_work(hasher, queue, job);
    add(hasher, job.inputs);
    // Never the fingerprint of a job without aliases.
    for (const std::string& alias : job.options->aliases) add(hasher, alias);
    return hasher.finish();
}

SubmitHandler::Wanted SubmitHandler::wanted(const Frame& frame, const protocol::Job& job,
                                            ByteView inputs) const {
    const Queue& queue = *frame.queue;
    const JobOptions* const options = job.options.get();
    Wanted out;
    if (options != nullptr) {
        out.fresh = (options->flags & JobOptions::kFresh) != 0;
        out.as_of_ns = options->as_of_ns;
    }
    if (!is_pure(queue, job)) return out;
    out.fingerprint = fingerprint(queue, job, inputs);
    const bool kept = keeps_results(queue);
    out.looked_up = kept && !out.fresh && (options == nullptr || options->delay_ms == 0);
    if (kept && options != nullptr && !options->aliases.empty() && serves_older(queue.settings)) {
        out.request = request_key(queue, job);
    }
    return out;
}

void SubmitHandler::set_keys(const Queue& queue, OwnJob& job, const protocol::Body& payload,
                             const std::vector<std::string>& aliases) const {
    protocol::Job asked;
    asked.payload = payload;
    asked.options = std::make_unique<JobOptions>();
    asked.options->flags = job.options.flags;
    if (!is_pure(queue, asked)) return;
    job.fingerprint = fingerprint(queue, asked, job.inputs);
    if (!keeps_results(queue) || !serves_older(queue.settings)) return;
    asked.options->aliases = aliases;
    job.request = request_key(queue, asked);
}

SubmitHandler::Answer SubmitHandler::cached_answer(Frame& frame, const Wanted& wanted,
                                                   bool executed) {
    Queue& queue = *frame.queue;
    if (!wanted.looked_up || !state_->results.enabled()) return {};
    if (lossless(queue) && !stream_room(queue).delivery_fits(1)) return {};
    if (!executed) {
        CachedResult* const exact = state_->results.look_up(wanted.fingerprint, place_of(queue),
                                                            state_->now, *state_->effects);
        if (exact != nullptr) return {exact};
    }
    if (wanted.request.is_zero()) return {};
    const QueueSettings& settings = queue.settings;
    if (settings.degraded_ms > 0 && degraded(frame)) {
        if (CachedResult* const older =
                older_result(*state_, queue, wanted.request, settings.degraded_ms)) {
            return {older, true};
        }
    }
    if (executed || settings.stale_ms == 0) return {};
    return {older_result(*state_, queue, wanted.request, settings.stale_ms), true, true};
}

void SubmitHandler::end_with(Frame& frame, Slot job_slot, Slot execution, const Answer& answer) {
    Queue& queue = *frame.queue;
    CachedResult& result = *answer.result;
    // As if it had run and were just answered.
    state_->table.executions[execution].state = ExecutionState::running;
    note_accepted(queue, job_slot, false);
    conflate(queue, job_slot);
    std::string note;
    if (answer.older) note = "of its request's inputs before the newest";
    ending_->end(execution, ending_->how_with(queue, result, 1, note));
    // They may have gone with it.
    frame.inputs = {};
    frame.inputs_slot = kNoSlot;
}

// Later jobs of the fingerprint join it: one scan, however many ask. The holder of the payload that is
// meant for it is the caller's.
void SubmitHandler::refresh(Frame& frame, const protocol::Job& job, const BodyIn& body,
                            const Wanted& wanted) {
    OwnJob own;
    own.id = own_id();
    own.subject = job.subject;
    own.payload = body.handle;
    own.payload_is_blob = job.payload.is_blob();
    own.inputs = frame.resolved;
    own.fingerprint = wanted.fingerprint;
    own.request = wanted.request;
    own.bytes = static_cast<std::uint32_t>(credit_bytes(job));
    own.options.flow = job.options->flow.empty() ? frame.session->name : job.options->flow;
    own.options.priority = job.options->priority;
    own.options.as_of_ns = job.options->as_of_ns;
    if (submit_own(*frame.queue, own) != kNoSlot) {
        state_->counters.add(Counter::refreshes);
    } else {
        state_->release(own.payload, own.payload_is_blob);
    }
}

bool SubmitHandler::degraded(Frame& frame) const {
    if (frame.degraded) return *frame.degraded;
    const Queue& queue = *frame.queue;
    const Duration target = std::chrono::milliseconds(queue.settings.shed_target_ms);
    const bool measured_late = queue.delivered_at >= queue.waits_since && queue.waited > target;
    const Duration without = state_->now - std::max(queue.delivered_at, queue.waits_since);
    const bool late =
        queue.room.waiting() > 0 && queue.active && (measured_late || without > target);
    const bool failing =
        queue.failures_in_row >= kFailingAttempts && state_->now - queue.failed_at <= kFailingFor;
    const auto takes = [&](const Session* session) {
        const Worker* const worker = session->worker.get();
        return worker != nullptr && !worker->detached && !worker->gave_back &&
               worker->takes(queue.number, true);
    };
    const auto& sessions = state_->sessions.list();
    frame.degraded = late || failing || std::none_of(sessions.begin(), sessions.end(), takes);
    return *frame.degraded;
}

bool SubmitHandler::look_up(Queue& queue, Slot job_slot, Slot slot) {
    if (!state_->options.cache_shared) return false;
    if (state_->look_ups.full()) {
        state_->counters.add(Counter::cache_skipped);
        return false;
    }
    ExecutionExtra& extra = state_->table.extra_of(slot);
    const Time deadline = state_->now + state_->options.cache_wait;
    ExecutionRecord& execution = state_->table.executions[slot];
    execution.state = ExecutionState::looking;
    ++queue.looking;
    execution.priority = state_->table.jobs[job_slot].priority & 0xf;
    extra.look_up = state_->look_ups.add(slot, deadline);
    state_->effects->cache_asks.push_back({extra.look_up, extra.fingerprint});
    state_->counters.add(Counter::cache_asks);
    state_->schedule(deadline);
    conflate(queue, job_slot);
    return true;
}

}  // namespace scanmq::broker
