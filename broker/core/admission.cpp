// SubmitHandler's jobs that were found good: their records, what they share, where they wait.

#include <algorithm>
#include <chrono>
#include <cstring>

#include "broker/core/placing.hpp"
#include "broker/core/planted_bug.hpp"
#include "broker/core/result_keeping.hpp"
#include "broker/core/stream_hold.hpp"
#include "broker/core/submit_handler.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::JobOptions;
using protocol::JobVerdict;
using protocol::Verdict;

namespace {

// Of work under an earlier scanner version: no job has it, should that version ever come back.
ContentId nobodys_fingerprint(std::uint64_t execution) noexcept {
    ContentId out;
    std::memcpy(out.bytes.data(), &execution, sizeof execution);
    return out;
}

}  // namespace

Slot SubmitHandler::add_job(Frame& frame, const NewJob& job) {
    Queue& queue = *frame.queue;
    const Slot slot = state_->table.jobs.allocate();
    if (job.subject == frame.subject) {
        state_->subjects.retain(frame.subject_slot);
    } else {
        frame.subject_slot = state_->subjects.intern(job.subject);
        frame.subject = job.subject;
    }
    JobRecord& record = state_->table.jobs[slot];
    record.id = job.id;
    record.digest = job.digest;
    record.next = kNoSlot;
    record.subject = frame.subject_slot;
    record.group = frame.group_slot;
    record.bytes = job.bytes & 0xffffff;
    record.priority = JobOptions::kDefaultPriority;
    record.extra = kNoSlot;
    if (frame.group_slot != kNoSlot) queue.groups.submitted(frame.group_slot);
    state_->table.set_holder(slot, frame.holder);
    queue.credit.occupy(frame.holder, record.bytes);
    queue.ids.add_live(slot);
    ++queue.submitted;
    state_->counters.add(Counter::jobs_accepted);
    return slot;
}

void SubmitHandler::prefetch_flows(Frame& frame, std::span<const protocol::Job> jobs) const {
    const WaitingRoom& room = frame.queue->room;
    const std::size_t most = std::min(jobs.size(), frame.flow_hashes.size());
    std::array<std::uint64_t, WaitingRoom::kPrefetchMax> distinct{};
    std::size_t found = 0;
    std::string_view before;
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < most; ++i) {
        const JobOptions* const options = jobs[i].options.get();
        if (options == nullptr || options->flow.empty()) continue;
        if (options->flow != before) {
            before = options->flow;
            hash = room.flows().hash(before);
            room.flows().prefetch(hash);
            distinct[found++] = hash;
        }
        frame.flow_hashes[i] = hash;
    }
    // One alone is used at once.
    if (found > 1) room.prefetch(state_->table, std::span(distinct).first(found));
}

Slot SubmitHandler::take_flow(Frame& frame, const protocol::Job& job) {
    FlowTable& flows = frame.queue->room.flows();
    const std::string_view name = job.options && !job.options->flow.empty()
                                      ? std::string_view(job.options->flow)
                                      : std::string_view(frame.session->name);
    if (frame.flow_slot == kNoSlot || frame.flow != name) {
        leave_flow(frame);
        const std::uint64_t known = frame.flow_hashes[frame.job % frame.flow_hashes.size()];
        const bool named = job.options && !job.options->flow.empty();
        frame.flow_slot = flows.take(name, named ? known : flows.hash(name), state_->now);
        frame.flow = name;  // of the message or the session: they outlive the frame
    }
    flows.retain(frame.flow_slot);
    return frame.flow_slot;
}

void SubmitHandler::leave_flow(Frame& frame) {
    if (frame.flow_slot == kNoSlot) return;
    frame.queue->room.flows().release(frame.flow_slot, state_->now);
    frame.flow_slot = kNoSlot;
}

Slot SubmitHandler::add_execution(Frame& frame, Slot job_slot, const NewExecution& parts) {
    const ByteView inputs = parts.inputs;
    const Slot slot = state_->table.executions.allocate();
    // Whoever held them last may be gone: a later job of the frame took its place, and joined what runs.
    const bool same = inputs == frame.inputs;
    if (same && (inputs.empty() || state_->inputs.references(frame.inputs_slot) > 0)) {
        state_->inputs.retain(frame.inputs_slot);
    } else {
        frame.inputs_slot = state_->hold_inputs(inputs);
        // What is kept for the next job has to outlive this one.
        frame.inputs = state_->inputs.text(frame.inputs_slot);
    }
    ExecutionRecord& execution = state_->table.executions[slot];
    execution = ExecutionRecord{};
    execution.number = frame.queue->next_execution++;
    execution.first_job = job_slot;
    execution.inputs = frame.inputs_slot;
    execution.payload = parts.payload;
    execution.flow = parts.flow;
    execution.queue = frame.queue->number;
    execution.priority = JobOptions::kDefaultPriority;
    execution.payload_is_blob = parts.payload_is_blob;
    state_->table.jobs[job_slot].execution = slot;
    return slot;
}

Slot SubmitHandler::add_execution(Frame& frame, Slot job_slot, const protocol::Job& job,
                                  const BodyIn& body, ByteView inputs) {
    const bool is_blob = job.payload.is_blob();
    if (is_blob) {
        state_->bodies.pin(body.handle, *ContentId::from_bytes(job.payload.bytes), state_->now);
    }
    return add_execution(frame, job_slot, {body.handle, is_blob, inputs, take_flow(frame, job)});
}

void SubmitHandler::accept_plain(Frame& frame, const protocol::Job& job, const BodyIn& body) {
    Queue& queue = *frame.queue;
    const Slot job_slot = add_job(frame, {job.id, body.digest, job.subject, credit_bytes(job)});
    const Slot execution = add_execution(frame, job_slot, job, body, job.inputs);
    queue.room.add(state_->table, execution);
    note_accepted(queue, job_slot, false);
}

std::optional<JobVerdict> SubmitHandler::accept(Frame& frame, const protocol::Job& job,
                                                const BodyIn& body) {
    Queue& queue = *frame.queue;
    const ByteView inputs = job.options ? ByteView(frame.resolved) : job.inputs;
    const Wanted wanted = this->wanted(frame, job, inputs);
    Shared known = joinable(queue, wanted.fingerprint, wanted.fresh);
    const Answer found = cached_answer(frame, wanted, known.execution != kNoSlot);
    if (found.result != nullptr) known = {};
    const Slot job_slot = add_job(frame, {job.id, body.digest, job.subject, credit_bytes(job)});
    if (job.options) set_options(queue, job_slot, *job.options);
    if (known.execution != kNoSlot && !known.full) {
        const protocol::JobState was = state_of(known.execution);
        state_->release(body.handle);
        join(queue, job_slot, known.execution, wanted);
        return JobVerdict{0, Verdict::coalesced, was, ErrorCode::none, {}};
    }
    const Slot execution = add_execution(frame, job_slot, job, body, inputs);
    if (found.result != nullptr) {
        // The execution lets go of it at once.
        if (found.refresh) state_->bodies.share(body.handle);
        end_with(frame, job_slot, execution, found);
        if (found.refresh) refresh(frame, job, body, wanted);
        return JobVerdict{0, Verdict::cached, protocol::JobState::finished, ErrorCode::none, {}};
    }
    if (known.full && !planted(PlantedBug::runs_followers)) {
        const protocol::JobState was = state_of(known.execution);
        follow(queue, job_slot, execution, wanted, known.execution);
        return JobVerdict{0, Verdict::coalesced, was, ErrorCode::none, {}};
    }
    enter(queue, job_slot, execution, wanted);
    return std::nullopt;
}

bool SubmitHandler::has_place(Queue& queue, std::uint64_t bytes) {
    if (queue.draining || queue.deleting) return false;
    set_submit_room(queue);
    const protocol::Credit room = queue.credit.free_room();
    return room.items > 0 && room.bytes >= bytes;
}

// A retry needs no more than a place: what it takes besides, its dead letter had.
bool SubmitHandler::has_room(Queue& queue, std::uint64_t bytes) const {
    return !state_->store_full && !state_->memory.grants_held() && has_place(queue, bytes);
}

Slot SubmitHandler::submit_own(Queue& queue, const OwnJob& own) {
    const bool is_retry = !own.retry_of.is_zero();
    if (is_retry ? !has_place(queue, own.bytes) : !has_room(queue, own.bytes)) return kNoSlot;
    // A retry runs by itself, whatever else does the same work.
    ContentId shared = own.fingerprint;
    if (!own.shared || (is_retry && queue.fingerprints.find(state_->table, shared) != kNoSlot)) {
        shared = {};
    }
    Frame frame;
    frame.queue = &queue;
    const bool fresh = (own.options.flags & JobOptions::kFresh) != 0;
    const Shared known = joinable(queue, shared, fresh);
    // What nobody has to wait for: a retry is asked for because it ran, and is run.
    const Wanted wanted{shared, own.request,
                        !is_retry && !fresh && !shared.is_zero() && keeps_results(queue), fresh,
                        own.options.as_of_ns};
    const Answer found =
        cached_answer(frame, {shared, {}, wanted.looked_up, fresh, {}}, known.execution != kNoSlot);
    const Slot job_slot =
        add_job(frame, {own.id, hash_id(is_retry ? own.retry_of : own.id), own.subject, own.bytes});
    set_options(queue, job_slot, own.options);
    if (is_retry) extra_of_job(job_slot).retry_of = own.retry_of;
    if (known.execution != kNoSlot && !known.full) {
        state_->release(own.payload, own.payload_is_blob);
        join(queue, job_slot, known.execution, wanted);
        return job_slot;
    }
    const Slot flow = queue.room.flows().take(own.options.flow, state_->now);
    const Slot execution =
        add_execution(frame, job_slot, {own.payload, own.payload_is_blob, own.inputs, flow});
    if (found.result != nullptr) {
        end_with(frame, job_slot, execution, found);
        return job_slot;
    }
    if (!own.fingerprint.is_zero()) {
        state_->table.extra_of(execution).fingerprint = own.fingerprint;
    }
    if (known.full) {
        follow(queue, job_slot, execution, wanted, known.execution);
    } else {
        enter(queue, job_slot, execution, wanted);
    }
    queue.arrivals.note(queue.next_execution, state_->now);
    if (queue.room.active()) state_->activate(queue);
    return job_slot;
}

Slot SubmitHandler::retry(Queue& queue, const DeadLetter& letter, const Id128& id) {
    OwnJob job;
    job.id = id;
    job.subject = state_->subjects.text(letter.subject);
    job.payload = letter.payload;
    job.payload_is_blob = letter.payload_is_blob;
    job.inputs = state_->inputs.text(letter.inputs);
    if (!letter.fingerprint.is_zero()) {
        job.shared = letter.execution >= queue.version_since;
        job.fingerprint =
            job.shared ? letter.fingerprint : nobodys_fingerprint(queue.next_execution);
    }
    job.bytes = letter.bytes;
    job.retry_of = letter.job;
    job.options.flow = state_->texts.text(letter.flow);
    job.options.priority = letter.priority;
    job.options.flags = letter.flags;
    job.options.as_of_ns = letter.as_of_ns;
    // The letter lets go of it when it is dropped: its key in the store changes in that record.
    state_->bodies.share(letter.payload);
    const Slot slot = submit_own(queue, job);
    if (slot == kNoSlot) {
        state_->release(letter.payload, letter.payload_is_blob);
        return kNoSlot;
    }
    state_->counters.add(Counter::dead_letters_retried);
    return slot;
}

// The execution that a job of this fingerprint shares its work with.
SubmitHandler::Shared SubmitHandler::joinable(Queue& queue, const ContentId& fingerprint,
                                              bool fresh) {
    if (fingerprint.is_zero()) return {};
    const Slot known = queue.fingerprints.find(state_->table, fingerprint);
    if (known == kNoSlot) return {};
    const ExecutionExtra& extra = *state_->table.find_extra(known);
    const ExecutionState state = state_->table.executions[known].state;
    const bool cached =
        state == ExecutionState::looking || (state == ExecutionState::running && extra.offered);
    // Whether what it follows is run, only a fresh one says for sure.
    const bool runs = state == ExecutionState::following ? extra.fresh : !cached;
    // Accepted under another scanner version, its result may be of a third.
    if (extra.version_stamp == queue.version_stamp && (!fresh || runs)) {
        return {known, extra.jobs >= state_->options.jobs_per_execution_max ||
                           !may_join(*state_, queue, known) || planted(PlantedBug::follows_early)};
    }
    queue.fingerprints.erase(fingerprint, known);
    state_->table.executions[known].shared = false;
    return {};
}

void SubmitHandler::join(Queue& queue, Slot job_slot, Slot execution, const Wanted& wanted) {
    attach(job_slot, execution);
    ExecutionExtra& extra = state_->table.extra_of(execution);
    extra.fresh = extra.fresh || wanted.fresh;
    extra.mixed = extra.mixed || wanted.request != extra.request;
    note_accepted(queue, job_slot, true);
    conflate(queue, job_slot);
    ++queue.coalesced;
    state_->counters.add(Counter::jobs_coalesced);
}

void SubmitHandler::follow(Queue& queue, Slot job_slot, Slot execution, const Wanted& wanted,
                           Slot full) {
    set_wanted(queue, execution, wanted);
    ExecutionExtra& leader = state_->table.extra_of(state_->table.leader_of(full));
    leader.fresh = leader.fresh || wanted.fresh;
    state_->table.extra_of(execution).fresh = leader.fresh;
    note_accepted(queue, job_slot, false);
    broker::follow(*state_, execution, full);
    conflate(queue, job_slot);
    ++queue.coalesced;
    state_->counters.add(Counter::jobs_coalesced);
}

void SubmitHandler::set_wanted(Queue& queue, Slot execution, const Wanted& wanted) {
    if (!wanted.fingerprint.is_zero()) {
        ExecutionExtra& extra = state_->table.extra_of(execution);
        extra.fingerprint = wanted.fingerprint;
        extra.version_stamp = queue.version_stamp;
        extra.request = wanted.request;
        extra.fresh = wanted.fresh;
    }
    if (wanted.as_of_ns) state_->table.extra_of(execution).as_of_ns = wanted.as_of_ns;
}

void SubmitHandler::enter(Queue& queue, Slot job_slot, Slot execution, const Wanted& wanted) {
    set_wanted(queue, execution, wanted);
    if (!wanted.fingerprint.is_zero()) {
        state_->table.executions[execution].shared = true;
        queue.fingerprints.insert(wanted.fingerprint, execution);
    }
    note_accepted(queue, job_slot, false);
    if (wanted.looked_up && look_up(queue, job_slot, execution)) return;
    place(queue, job_slot, execution);
}

void SubmitHandler::set_options(Queue& queue, Slot job_slot, const JobOptions& options) {
    JobRecord& job = state_->table.jobs[job_slot];
    job.priority = options.priority & 0xff;
    const std::uint32_t flags = options.flags;
    if (options.delay_ms == 0 && options.deadline_ms == 0 && options.conflate_key.empty() &&
        flags == 0) {
        return;
    }
    JobExtra& extra = extra_of_job(job_slot);
    extra.flags = flags;
    if (options.delay_ms != 0) {
        extra.due = state_->now + std::chrono::milliseconds(options.delay_ms);
    }
    if (!options.conflate_key.empty()) extra.conflate = state_->texts.intern(options.conflate_key);
    if (options.deadline_ms != 0) {
        extra.deadline = state_->now + std::chrono::milliseconds(options.deadline_ms);
        queue.deadlines.push(extra.deadline, job_slot, deadline_placer(state_->table));
        state_->schedule(extra.deadline);
    }
}

JobExtra& SubmitHandler::extra_of_job(Slot job_slot) {
    JobRecord& job = state_->table.jobs[job_slot];
    if (job.extra == kNoSlot) {
        job.extra = state_->table.job_extras.allocate();
        state_->table.job_extras[job.extra] = JobExtra{};
        state_->table.job_extras[job.extra].accepted = state_->now;
    }
    return state_->table.job_extras[job.extra];
}

void SubmitHandler::attach(Slot job_slot, Slot slot) {
    ExecutionRecord& execution = state_->table.executions[slot];
    JobRecord& job = state_->table.jobs[job_slot];
    job.execution = slot;
    JobRecord& first = state_->table.jobs[execution.first_job];
    job.next = first.next;
    first.next = job_slot;
    ++state_->table.extra_of(slot).jobs;
    if (has_run(execution)) ++state_->queue(execution.queue).running_jobs;
    reposition(*state_, slot);
}

// An execution of its own: at the back of its level, delayed, or in the place of what it replaces.
void SubmitHandler::place(Queue& queue, Slot job_slot, Slot slot) {
    ExecutionRecord& execution = state_->table.executions[slot];
    const JobRecord& job = state_->table.jobs[job_slot];
    execution.priority = job.priority & 0xf;
    const JobExtra* const extra = state_->table.find_job_extra(job_slot);
    if (extra != nullptr && extra->due > state_->now) {
        execution.state = ExecutionState::delayed;
        state_->table.extra_of(slot).due = extra->due;
        state_->schedule(extra->due);
    }
    if (extra != nullptr && extra->conflate != kNoSlot &&
        execution.state == ExecutionState::waiting) {
        const auto other = queue.conflated.find(extra->conflate);
        if (other != queue.conflated.end()) {
            queue.room.add_at(state_->table, slot, state_->table.jobs[other->second].execution);
            return conflate(queue, job_slot);
        }
    }
    queue.room.add(state_->table, slot);
    conflate(queue, job_slot);
}

void SubmitHandler::conflate(Queue& queue, Slot job_slot) {
    const JobExtra* const extra = state_->table.find_job_extra(job_slot);
    if (extra == nullptr || extra->conflate == kNoSlot) return;
    const Slot key = extra->conflate;
    if (const auto other = queue.conflated.find(key); other != queue.conflated.end()) {
        const Slot replaced = other->second;
        queue.conflated.erase(other);
        ending_->end_job(replaced, ending_->how(FinalOutcome::superseded, ErrorCode::superseded,
                                                "a newer job of its conflate key took its place"));
    }
    ExecutionRecord& execution = state_->table.executions[state_->table.jobs[job_slot].execution];
    if (execution.state == ExecutionState::running) return;
    execution.conflated = true;
    queue.conflated[key] = job_slot;
}

void SubmitHandler::note_accepted(Queue& queue, Slot job_slot, bool attached) {
    if (!state_->options.records) return;
    const JobRecord& job = state_->table.jobs[job_slot];
    const ExecutionRecord& execution = state_->table.executions[job.execution];
    change::Accepted accepted;
    accepted.execution = execution.number;
    accepted.attached = attached;
    accepted.job.id = job.id;
    accepted.job.digest = job.digest;
    accepted.job.subject = state_->subjects.text(job.subject);
    if (job.group != kNoSlot) accepted.job.group = queue.groups[job.group].id;
    accepted.job.bytes = job.bytes;
    accepted.job.priority = static_cast<std::uint8_t>(job.priority);
    accepted.job.accepted = state_->wall_millis();
    if (const JobExtra* const extra = state_->table.find_job_extra(job_slot)) {
        accepted.job.flags = static_cast<std::uint8_t>(extra->flags);
        if (extra->due != Time{}) accepted.job.due = state_->wall_at(extra->due);
        if (extra->deadline != Time{}) accepted.job.deadline = state_->wall_at(extra->deadline);
        accepted.job.conflate_key = state_->texts.text(extra->conflate);
        accepted.job.retry_of = extra->retry_of;
    }
    if (!attached) {
        accepted.flow = queue.room.flows().name(execution.flow);
        accepted.inputs = state_->inputs.text(execution.inputs);
        if (const ExecutionExtra* const extra = state_->table.find_extra(job.execution)) {
            accepted.as_of_ns = extra->as_of_ns;
            accepted.fingerprint = extra->fingerprint;
        }
        accepted.payload = {
            execution.payload, {BodyKey::Kind::payload, queue.partition(), execution.number}, {}};
    }
    state_->change(queue, accepted, attached ? 0 : job.bytes);
}

}  // namespace scanmq::broker
