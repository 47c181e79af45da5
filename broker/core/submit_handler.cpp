#include "broker/core/submit_handler.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/millis.hpp"
#include "broker/core/names.hpp"
#include "broker/core/planted_bug.hpp"
#include "broker/core/stream_hold.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::JobOptions;
using protocol::JobState;
using protocol::JobVerdict;
using protocol::Kind;
using protocol::Verdict;

namespace {

constexpr std::uint32_t kKnownFlags = JobOptions::kPure | JobOptions::kSheddable |
                                      JobOptions::kFinishLate | JobOptions::kNotPure |
                                      JobOptions::kFresh;
JobVerdict refusal(ErrorCode code, std::string sentence) {
    return {0, Verdict::refused, JobState::unknown, code, std::move(sentence)};
}

// The first option that only a later version honours; nullptr: none.
const char* unsupported_option(const JobOptions& options) {
    if (!options.headers.empty()) return "headers";
    if ((options.flags & ~kKnownFlags) != 0) return "flags: a bit of a later version";
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
    Queue* const queue = state_->require_queue(session, header, Kind::want, message.queue);
    if (queue == nullptr) return;
    state_->counters.add(Counter::wants);
    if (message.want.items > 0 && queue->draining) {
        return state_->refuse(session, header.seq, Kind::want, ErrorCode::queue_draining,
                              "queue '" + queue->name + "' takes no more jobs; resume it");
    }
    if (message.want.items > 0 && state_->store_full) {
        state_->counters.add(Counter::store_full_refusals);
        return state_->refuse(session, header.seq, Kind::want, ErrorCode::store_full,
                              "the broker's store has no room for more jobs; wait, or free space");
    }
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
    settle_want(*queue, session, header, message);
}

// What becomes of a WANT that did not find the room it asked for.
void SubmitHandler::settle_want(Queue& queue, Session& session, const protocol::Header& header,
                                const protocol::Want& message) {
    if (message.want.items == 0) return;
    const Credit limit = queue.credit.limit(session.slot);
    const Credit unused{limit.items - message.sent.items, limit.bytes - message.sent.bytes};
    const std::uint64_t unit = message.want.bytes / message.want.items;
    const bool none = unused.items == 0 || unused.bytes < unit;
    const BrokerOptions& options = state_->options;
    const bool less = unused.items < std::min(message.want.items, options.submit_window_items) ||
                      unused.bytes < std::min(message.want.bytes, options.submit_window_bytes);
    if (queue.settings.overload != static_cast<std::uint64_t>(Overload::reject)) {
        if (none) state_->counters.add(Counter::wants_held);
        return;
    }
    if (!none && !less) return;
    reclaim(queue);
    // Nothing waits in a queue that rejects: what was not granted has to be asked for again.
    (void)queue.credit.want(session.slot, message.sent, {}, state_->now);
    if (!none) return;
    state_->counters.add(Counter::queue_full_refusals);
    state_->refuse(session, header.seq, Kind::want, ErrorCode::queue_full,
                   "queue '" + queue.name + "' has no room and is set to reject; try again later");
}

void SubmitHandler::reclaimed(Session& session, const protocol::Header& header,
                              const protocol::Reclaimed& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::reclaimed, message.queue);
    if (queue == nullptr) return;
    queue->credit.reclaimed(session.slot, message.sent);
    grant(*queue, kNoSlot);
}

void SubmitHandler::grant(Queue& queue, Slot quiet) {
    if (state_->store_full || queue.draining) return;
    set_submit_room(queue);
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
        reclaim(*queue);
    }
}

void SubmitHandler::reclaim(Queue& queue, bool is_wanted) {
    asked_.clear();
    state_->schedule(queue.credit.reclaim(state_->now, asked_, is_wanted));
    for (const Slot session : asked_) {
        state_->counters.add(Counter::reclaims);
        state_->send(*state_->sessions.by_slot(session), protocol::Reclaim{queue.name});
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
    frame.holder = queue.credit.holder(session.slot);
    state_->counters.add(Counter::jobs_submitted, message.jobs.size());
    frame.session = &session;
    frame.group = message.group;
    frame.generation = state_->aliases.generation();
    if (!message.group.is_zero()) {
        frame.group_slot = queue.groups.find(message.group);
        if (frame.group_slot != kNoSlot && !planted(PlantedBug::mixes_generations)) {
            frame.generation = queue.groups[frame.group_slot].generation;
        }
    }
    std::vector<JobVerdict> exceptions;
    for (std::uint32_t i = 0; i < bodies.size(); ++i) {
        frame.job = i;
        if (i % WaitingRoom::kPrefetchMax == 0) {
            prefetch_flows(frame, std::span(message.jobs).subspan(i));
        }
        take_job(frame, message.jobs[i], bodies[i], i, exceptions);
    }
    leave_flow(frame);
    queue.arrivals.note(queue.next_execution, state_->now);
    if (queue.room.active()) state_->activate(queue);
    grant(queue, session.slot);
    state_->send(session,
                 protocol::Accepted{header.seq, static_cast<std::uint32_t>(bodies.size()),
                                    std::move(exceptions), queue.credit.limit(session.slot)},
                 !planted(PlantedBug::acknowledges_early));
}

void SubmitHandler::take_job(Frame& frame, const protocol::Job& job, const BodyIn& body,
                             std::uint32_t index, std::vector<JobVerdict>& exceptions) {
    std::optional<JobVerdict> verdict = check(frame, job, body);
    if (!verdict) {
        // The plain path: nothing that has to be looked up.
        if (!job.options && frame.queue->settings.pure == 0) {
            return accept_plain(frame, job, body);
        }
        verdict = accept(frame, job, body);
        if (!verdict) return;
    } else {
        state_->release(body.handle);
    }
    verdict->index = index;
    if (verdict->verdict == Verdict::refused) {
        state_->counters.add(Counter::jobs_refused);
        state_->counters.refused(verdict->code);
        // The answer keeps the frame limit: the code alone has to do when thousands are refused.
        frame.sentence_bytes += verdict->sentence.size();
        if (frame.sentence_bytes > protocol::kLimits.frame_bytes_max / 2) verdict->sentence.clear();
    } else if (verdict->verdict == Verdict::duplicate) {
        state_->counters.add(Counter::jobs_duplicate);
    }
    exceptions.push_back(std::move(*verdict));
}

JobState SubmitHandler::state_of(Slot execution) const {
    return state_->table.started(execution) ? JobState::running : JobState::queued;
}

std::optional<JobVerdict> SubmitHandler::check_known(const IdWindow::Known& known,
                                                     const BodyIn& body) const {
    if (known.digest != body.digest) {
        return refusal(ErrorCode::id_conflict, "this id was used for another job; take a new one");
    }
    const JobState job_state =
        known.finished ? JobState::finished : state_of(state_->table.jobs[known.job].execution);
    return JobVerdict{0, Verdict::duplicate, job_state, ErrorCode::none, {}};
}

std::optional<JobVerdict> SubmitHandler::check_options(const JobOptions& options,
                                                       std::size_t inputs) const {
    if (const char* const option = unsupported_option(options)) {
        return refusal(
            ErrorCode::unsupported,
            std::string(option) + ": this broker does not honour it; leave it at its default");
    }
    if ((options.flags & JobOptions::kPure) != 0 && (options.flags & JobOptions::kNotPure) != 0) {
        return refusal(ErrorCode::bad_option, "flags: a job is pure or not, not both");
    }
    if (!options.flow.empty() && !printable_name(options.flow)) {
        return refusal(ErrorCode::bad_option, "flow: " + name_rule("a flow"));
    }
    if (options.priority >= WaitingRoom::kLevels) {
        return refusal(ErrorCode::bad_option,
                       "priority is " + std::to_string(options.priority) + "; it is 0 to 9");
    }
    const std::uint64_t most = millis(state_->options.delay_max);
    if (options.delay_ms > most || options.deadline_ms > most) {
        return refusal(ErrorCode::bad_option,
                       "delay_ms and deadline_ms are at most delay_max, " + std::to_string(most));
    }
    if (inputs > protocol::kLimits.inputs_per_job_max) {
        return refusal(ErrorCode::bad_option,
                       "inputs and aliases together are at most inputs_per_job_max, " +
                           std::to_string(protocol::kLimits.inputs_per_job_max));
    }
    return std::nullopt;
}

// Precondition: the job has options. Sets frame.resolved.
std::optional<JobVerdict> SubmitHandler::resolve(Frame& frame, const protocol::Job& job) const {
    frame.resolved.assign(job.inputs);
    for (const std::string& alias : job.options->aliases) {
        const ContentId* const id = state_->aliases.resolve(alias, frame.generation);
        if (id == nullptr) {
            return refusal(ErrorCode::unknown_alias,
                           "no alias '" + alias + "'; set it, then submit again");
        }
        frame.resolved.append(id->view());
    }
    return std::nullopt;
}

std::optional<JobVerdict> SubmitHandler::check(Frame& frame, const protocol::Job& job,
                                               const BodyIn& body) const {
    const Queue& queue = *frame.queue;
    const IdWindow::Known known = queue.ids.find(job.id);
    if (known.found && !(planted(PlantedBug::forgets_ids) && known.finished)) {
        return check_known(known, body);
    }
    if (job.id.is_zero())
        return refusal(ErrorCode::malformed, "a job needs an id: 16 bytes, a UUIDv7");
    if (too_old(*frame.session, job.id)) {
        return refusal(ErrorCode::id_too_old,
                       "the id was made before the id window began; take a new one");
    }
    if (job.options) {
        const std::size_t inputs = job.inputs_count() + job.options->aliases.size();
        if (auto verdict = check_options(*job.options, inputs)) return verdict;
    }
    if (job.subject != frame.subject && !protocol::valid_subject(job.subject)) {
        return refusal(ErrorCode::bad_subject,
                       "a subject is tokens of printable characters without blank, '*' and '>', "
                       "separated by dots");
    }
    if (credit_bytes(job) > queue.settings.max_bytes) {
        return refusal(ErrorCode::item_too_large, "the job is larger than the queue's max_bytes");
    }
    if (job.options) {
        if (auto verdict = resolve(frame, job)) return verdict;
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
    if (queue.draining) {
        return refusal(ErrorCode::queue_draining,
                       "queue '" + queue.name + "' takes no more jobs; resume it");
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

}  // namespace scanmq::broker
