#include "broker/core/submit_handler.hpp"

#include <algorithm>
#include <utility>

#include "common/protocol/codec.hpp"

namespace scanmq::broker {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::JobState;
using protocol::JobVerdict;
using protocol::Kind;
using protocol::Verdict;

namespace {

std::uint64_t credit_bytes(const protocol::Job& job) noexcept {
    return protocol::kLimits.item_overhead_bytes +
           (job.payload.is_blob() ? 0 : job.payload.bytes.size());
}

JobVerdict refusal(ErrorCode code, std::string sentence) {
    return {0, Verdict::refused, JobState::unknown, code, std::move(sentence)};
}

// The first option that is not at its default; nullptr: none.
const char* unsupported_option(const protocol::JobOptions& options) {
    if (options.priority != protocol::JobOptions::kDefaultPriority) return "priority";
    if (options.delay_ms != 0) return "delay_ms";
    if (options.deadline_ms != 0) return "deadline_ms";
    if (!options.flow.empty()) return "flow";
    if (!options.conflate_key.empty()) return "conflate_key";
    if (!options.headers.empty()) return "headers";
    if (options.flags != 0) return "flags";
    if (options.as_of_ns) return "as_of_ns";
    if (!options.aliases.empty()) return "aliases";
    if (options.unknown_key) return "an option of a later version";
    return nullptr;
}

// The time a UUIDv7 was made, in ms since 1970; nothing for other ids.
std::optional<WallMillis> time_of(const Id128& id) noexcept {
    if ((id.bytes[6] & 0xf0) != 0x70) return std::nullopt;
    WallMillis ms = 0;
    for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | id.bytes[i];
    return ms;
}

}  // namespace

void SubmitHandler::want(Session& session, const protocol::Header& header,
                         const protocol::Want& message) {
    Queue* const queue = state_->find_queue(message.queue);
    if (queue == nullptr) {
        return state_->refuse(session, header.seq, Kind::want, ErrorCode::unknown_queue,
                              "no queue '" + message.queue + "'; create it first");
    }
    state_->counters.add(Counter::wants);
    switch (queue->credit.want(session.slot, message.sent, message.want, state_->now)) {
        case SubmitCredit::WantResult::ok:
            break;
        case SubmitCredit::WantResult::over_credit:
            return state_->refuse(session, header.seq, Kind::want, ErrorCode::over_credit,
                                  "more was sent than was granted");
        case SubmitCredit::WantResult::item_too_large:
            return state_->refuse(session, header.seq, Kind::want, ErrorCode::item_too_large,
                                  "an item is larger than the queue's max_bytes, " +
                                      std::to_string(queue->settings.max_bytes) +
                                      "; put its body as a blob, or raise the setting");
    }
    grant(*queue, kNoSlot);
}

void SubmitHandler::reclaimed(Session& session, const protocol::Header& header,
                              const protocol::Reclaimed& message) {
    Queue* const queue = state_->find_queue(message.queue);
    if (queue == nullptr) {
        return state_->refuse(session, header.seq, Kind::reclaimed, ErrorCode::unknown_queue,
                              "no queue '" + message.queue + "'");
    }
    queue->credit.reclaimed(session.slot, message.sent);
    grant(*queue, kNoSlot);
}

void SubmitHandler::grant(Queue& queue, Slot quiet) {
    grants_.clear();
    queue.credit.serve(state_->now, grants_);
    for (const SubmitCredit::Grant& one : grants_) {
        if (one.session == quiet) continue;
        state_->send(*state_->sessions.by_slot(one.session),
                     protocol::CreditGrant{protocol::Link::submit, queue.name, 0, one.limit});
    }
}

void SubmitHandler::serve() {
    for (const auto& queue : state_->queues) {
        if (!queue || !queue->credit.starving() || queue->deleting) continue;
        grant(*queue, kNoSlot);
        asked_.clear();
        state_->schedule(queue->credit.reclaim(state_->now, asked_));
        for (const Slot session : asked_) {
            state_->counters.add(Counter::reclaims);
            state_->send(*state_->sessions.by_slot(session), protocol::Reclaim{queue->name});
        }
    }
}

void SubmitHandler::submit(Session& session, const protocol::Header& header,
                           const protocol::Submit& message, std::span<const BodyIn> bodies) {
    SCANMQ_ASSERT(bodies.size() == message.jobs.size());
    const auto refuse_all = [&](ErrorCode code, std::string sentence) {
        for (const BodyIn& body : bodies) state_->release(body.handle);
        state_->refuse(session, header.seq, Kind::submit, code, std::move(sentence));
    };
    Frame frame;
    frame.queue = state_->find_queue(message.queue);
    if (frame.queue == nullptr) {
        return refuse_all(ErrorCode::unknown_queue,
                          "no queue '" + std::string(message.queue) + "'; create it first");
    }
    Queue& queue = *frame.queue;
    Credit size{message.jobs.size(), 0};
    for (const protocol::Job& job : message.jobs) {
        size.bytes += credit_bytes(job);
        queue.ids.prefetch(job.id);
    }
    if (!queue.credit.take(session.slot, size, state_->now)) {
        return refuse_all(ErrorCode::over_credit,
                          "more jobs or bytes than were granted for queue '" + queue.name +
                              "'; none was taken: WANT first");
    }
    state_->counters.add(Counter::jobs_submitted, message.jobs.size());
    frame.session = &session;
    frame.group = message.group;
    if (!message.group.is_zero()) frame.group_slot = queue.groups.find(message.group);
    std::vector<JobVerdict> exceptions;
    for (std::uint32_t i = 0; i < bodies.size(); ++i) {
        take_job(frame, message.jobs[i], bodies[i], i, exceptions);
    }
    if (!queue.waiting.empty()) state_->activate(queue);
    grant(queue, session.slot);
    state_->send(session,
                 protocol::Accepted{header.seq, static_cast<std::uint32_t>(bodies.size()),
                                    std::move(exceptions), queue.credit.limit(session.slot)},
                 true);
}

void SubmitHandler::take_job(Frame& frame, const protocol::Job& job, const BodyIn& body,
                             std::uint32_t index, std::vector<JobVerdict>& exceptions) {
    std::optional<JobVerdict> verdict = check(frame, job, body);
    if (!verdict) return accept(frame, job, body);
    state_->release(body.handle);
    verdict->index = index;
    if (verdict->verdict == Verdict::refused) {
        state_->counters.add(Counter::jobs_refused);
        state_->counters.refused(verdict->code);
        // The answer keeps the frame limit: the code alone has to do when thousands are refused.
        frame.sentence_bytes += verdict->sentence.size();
        if (frame.sentence_bytes > protocol::kLimits.frame_bytes_max / 2) verdict->sentence.clear();
    } else {
        state_->counters.add(Counter::jobs_duplicate);
    }
    exceptions.push_back(std::move(*verdict));
}

std::optional<JobVerdict> SubmitHandler::check_known(const IdWindow::Known& known,
                                                     const BodyIn& body) const {
    if (known.digest != body.digest) {
        return refusal(ErrorCode::id_conflict, "this id was used for another job; take a new one");
    }
    JobState job_state = JobState::finished;
    if (!known.finished) {
        const Slot execution = state_->table.jobs[known.job].execution;
        job_state =
            state_->table.executions[execution].attempt != 0 ? JobState::running : JobState::queued;
    }
    return JobVerdict{0, Verdict::duplicate, job_state, ErrorCode::none, {}};
}

std::optional<JobVerdict> SubmitHandler::check(const Frame& frame, const protocol::Job& job,
                                               const BodyIn& body) const {
    const Queue& queue = *frame.queue;
    const IdWindow::Known known = queue.ids.find(job.id);
    if (known.found) return check_known(known, body);
    if (job.id.is_zero())
        return refusal(ErrorCode::malformed, "a job needs an id: 16 bytes, a UUIDv7");
    if (too_old(*frame.session, job.id)) {
        return refusal(ErrorCode::id_too_old,
                       "the id was made before the id window began; take a new one");
    }
    if (job.options) {
        if (const char* const option = unsupported_option(*job.options)) {
            return refusal(
                ErrorCode::unsupported,
                std::string(option) + ": this broker does not honour it; leave it at its default");
        }
    }
    if (job.subject != frame.subject && !protocol::valid_subject(job.subject)) {
        return refusal(ErrorCode::bad_subject,
                       "a subject is tokens of printable characters without blank, '*' and '>', "
                       "separated by dots");
    }
    if (credit_bytes(job) > queue.settings.max_bytes) {
        return refusal(ErrorCode::item_too_large, "the job is larger than the queue's max_bytes");
    }
    if (auto sentence = missing_blob(job))
        return refusal(ErrorCode::unknown_snapshot, std::move(*sentence));
    if (!frame.group.is_zero()) {
        if (frame.group_slot == kNoSlot) {
            return refusal(ErrorCode::unknown_group,
                           "the group is not open in this queue; open it first");
        }
        if (queue.groups[frame.group_slot].phase != protocol::GroupPhase::open) {
            return refusal(ErrorCode::group_sealed,
                           "the group takes no more jobs; open another one");
        }
    }
    return std::nullopt;
}

bool SubmitHandler::too_old(const Session& session, const Id128& id) const {
    const std::optional<WallMillis> made = time_of(id);
    if (!made) return false;
    const WallMillis age = state_->wall_millis() - (*made + session.behind_ms);
    return age >
           std::chrono::duration_cast<std::chrono::milliseconds>(state_->options.id_window_ttl)
               .count();
}

std::optional<std::string> SubmitHandler::missing_blob(const protocol::Job& job) const {
    for (std::size_t i = 0; i < job.inputs_count(); ++i) {
        if (state_->blobs.find(job.input(i)) == nullptr) {
            return "input " + job.input(i).hex() +
                   " is not in the store; put it, then submit again";
        }
    }
    if (job.payload.is_blob()) {
        const auto id = ContentId::from_bytes(job.payload.bytes);
        const BlobRecord* const blob = id ? state_->blobs.find(*id) : nullptr;
        if (blob == nullptr || blob->bytes != job.payload.blob_size) {
            return "the payload's blob is not in the store with that size; put it, then submit "
                   "again";
        }
    }
    return std::nullopt;
}

void SubmitHandler::accept(Frame& frame, const protocol::Job& job, const BodyIn& body) {
    Queue& queue = *frame.queue;
    JobTable& table = state_->table;
    const Slot job_slot = table.jobs.allocate();
    const Slot execution_slot = table.executions.allocate();

    if (job.subject == frame.subject) {
        state_->subjects.retain(frame.subject_slot);
    } else {
        frame.subject_slot = state_->subjects.intern(job.subject);
        frame.subject = job.subject;
    }
    if (job.inputs == frame.inputs) {
        state_->inputs.retain(frame.inputs_slot);
    } else {
        frame.inputs_slot = state_->hold_inputs(job.inputs);
        frame.inputs = job.inputs;
    }

    JobRecord& record = table.jobs[job_slot];
    record.id = job.id;
    record.digest = body.digest;
    record.execution = execution_slot;
    record.next = kNoSlot;
    record.subject = frame.subject_slot;
    record.group = frame.group_slot;
    record.bytes = static_cast<std::uint32_t>(credit_bytes(job));

    ExecutionRecord& execution = table.executions[execution_slot];
    execution = ExecutionRecord{};
    execution.number = queue.next_execution++;
    execution.first_job = job_slot;
    execution.inputs = frame.inputs_slot;
    execution.payload = body.handle;
    execution.queue = queue.number;
    execution.payload_is_blob = job.payload.is_blob();
    if (execution.payload_is_blob) {
        state_->bodies.pin(body.handle, *ContentId::from_bytes(job.payload.bytes), state_->now);
    }
    if (frame.group_slot != kNoSlot) queue.groups.submitted(frame.group_slot);
    queue.credit.occupy(record.bytes);
    queue.ids.add_live(job_slot);
    queue.waiting.push_back(table, execution_slot);
    ++queue.submitted;
    state_->counters.add(Counter::jobs_accepted);
    note_accepted(queue, execution, record, job);
}

void SubmitHandler::note_accepted(Queue& queue, const ExecutionRecord& execution,
                                  const JobRecord& record, const protocol::Job& job) {
    change::Accepted accepted;
    accepted.execution = execution.number;
    accepted.job.id = record.id;
    accepted.job.digest = record.digest;
    accepted.job.subject = job.subject;
    if (record.group != kNoSlot) accepted.job.group = queue.groups[record.group].id;
    accepted.job.bytes = record.bytes;
    accepted.job.priority = protocol::JobOptions::kDefaultPriority;
    accepted.job.accepted = state_->wall_millis();
    accepted.inputs = job.inputs;
    accepted.payload = {
        execution.payload, {BodyKey::Kind::payload, queue.partition(), execution.number}, {}};
    state_->change(queue, accepted, record.bytes);
}

}  // namespace scanmq::broker
