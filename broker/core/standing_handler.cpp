#include "broker/core/standing_handler.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/millis.hpp"
#include "broker/core/names.hpp"
#include "broker/core/planted_bug.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::JobOptions;
using protocol::Kind;

namespace {

StandingJob job_of(const protocol::StandingSet& message, const Session& session) {
    StandingJob job;
    job.queue = message.queue;
    job.subject = message.subject;
    job.payload = message.payload.bytes;
    job.blob_size = message.payload.blob_size;
    job.aliases = message.aliases;
    job.min_interval_ms = message.min_interval_ms;
    const JobOptions defaults;
    const JobOptions& options = message.options ? *message.options : defaults;
    job.deadline_ms = options.deadline_ms;
    job.flow = options.flow.empty() ? session.name : options.flow;
    job.priority = options.priority;
    job.flags = options.flags;
    return job;
}

std::uint64_t credit_of(const StandingJob& job) noexcept {
    return protocol::kLimits.item_overhead_bytes + job.bytes();
}

ContentId blob_of(const StandingJob& job) { return *ContentId::from_bytes(job.payload); }

StandingRow row_of(const StandingScan& scan) {
    const StandingJob& job = scan.job;
    StandingRow row;
    row.subject = job.subject;
    row.payload = job.payload;
    row.blob_size = job.blob_size;
    for (const std::string& alias : job.aliases) row.inputs.push_back({alias});
    row.min_interval_ms = job.min_interval_ms;
    row.deadline_ms = job.deadline_ms;
    row.flow = job.flow;
    row.priority = static_cast<std::uint8_t>(job.priority);
    row.flags = static_cast<std::uint8_t>(job.flags);
    row.set_at = scan.set_at;
    return row;
}

StandingRunRow run_of(const CoreState& state, const StandingScan& scan) {
    return {scan.generation, scan.last_run == Time{} ? 0 : state.wall_at(scan.last_run), scan.runs};
}

// Options of a job that a standing scan's runs cannot have.
const char* foreign_option(const JobOptions& options) {
    if (options.delay_ms != 0) return "delay_ms";
    if (!options.conflate_key.empty()) return "conflate_key";
    if (options.as_of_ns) return "as_of_ns";
    if (!options.aliases.empty()) return "aliases (among the options)";
    return nullptr;
}

}  // namespace

std::optional<StandingHandler::Refusal> StandingHandler::check(
    const Queue& queue, const protocol::StandingSet& message) const {
    if (!protocol::valid_subject(message.subject)) {
        return Refusal{ErrorCode::bad_subject,
                       "a subject is tokens of printable characters without blank, '*' and '>', "
                       "separated by dots"};
    }
    if (message.aliases.empty()) {
        return Refusal{ErrorCode::bad_option, "a standing scan runs when an alias moves: name one"};
    }
    if (!std::ranges::all_of(message.aliases, printable_name)) {
        return Refusal{ErrorCode::bad_name, name_rule("an alias")};
    }
    const JobOptions defaults;
    const JobOptions& options = message.options ? *message.options : defaults;
    if (const char* const option = foreign_option(options)) {
        return Refusal{ErrorCode::bad_option,
                       std::string(option) + ": a standing scan's jobs have none; leave it out"};
    }
    if (auto verdict = submits_->check_options(options, message.aliases.size())) {
        return Refusal{verdict->code, std::move(verdict->sentence)};
    }
    const std::uint64_t most = millis(state_->options.delay_max);
    if (message.min_interval_ms > most) {
        return Refusal{ErrorCode::bad_option,
                       "min_interval_ms is at most delay_max, " + std::to_string(most)};
    }
    const protocol::Body& payload = message.payload;
    if (payload.is_blob()) {
        const auto id = ContentId::from_bytes(payload.bytes);
        const BlobRecord* const blob = id ? state_->blobs.find(*id) : nullptr;
        if (blob == nullptr || blob->bytes != payload.blob_size) {
            return Refusal{ErrorCode::unknown_snapshot,
                           "the payload's blob is not in the store with that size; put it, then "
                           "set the standing scan again"};
        }
    } else if (protocol::kLimits.item_overhead_bytes + payload.bytes.size() >
               queue.settings.max_bytes) {
        return Refusal{ErrorCode::item_too_large, "a run is larger than the queue's max_bytes"};
    }
    return check_limits(message);
}

std::optional<StandingHandler::Refusal> StandingHandler::check_limits(
    const protocol::StandingSet& message) const {
    const StandingScan* const former = state_->standing.find(message.name);
    if (former == nullptr && state_->standing.size() >= state_->options.standing_max) {
        return Refusal{ErrorCode::over_limit, "standing_max is " +
                                                  std::to_string(state_->options.standing_max) +
                                                  "; drop standing scans that nobody needs"};
    }
    if (message.payload.is_blob()) return std::nullopt;
    const std::uint64_t bytes = state_->standing.bytes() + message.payload.bytes.size() -
                                (former == nullptr ? 0 : former->job.bytes());
    if (bytes > state_->options.standing_bytes_max) {
        return Refusal{ErrorCode::over_limit,
                       "the payloads of standing scans would take more than standing_bytes_max, " +
                           std::to_string(state_->options.standing_bytes_max) +
                           "; put the payload as a blob"};
    }
    return std::nullopt;
}

void StandingHandler::set(Session& session, const protocol::Header& header,
                          const protocol::StandingSet& message) {
    const auto refuse = [&](ErrorCode code, std::string sentence) {
        state_->refuse(session, header.seq, Kind::standing_set, code, std::move(sentence));
    };
    if (!printable_name(message.name)) {
        return refuse(ErrorCode::bad_name, name_rule("a standing scan"));
    }
    Queue* const queue = state_->require_queue(session, header, Kind::standing_set, message.queue);
    if (queue == nullptr) return;
    if (auto refusal = check(*queue, message)) {
        return refuse(refusal->code, std::move(refusal->sentence));
    }
    StandingJob job = job_of(message, session);
    const StandingScan* const former = state_->standing.find(message.name);
    if (former == nullptr || former->job != job) {
        // Pinned before the former one lets go: it may be the same blob.
        if (job.is_blob()) state_->blobs.pin(blob_of(job), state_->now);
        if (former != nullptr) {
            if (former->job.is_blob()) state_->blobs.unpin(blob_of(former->job), state_->now);
            Queue* const other = state_->find_queue(former->job.queue);
            if (other != nullptr && other != queue) {
                state_->change(*other, change::StandingDropped{former->name});
            }
        }
        const StandingScan& scan =
            state_->standing.set(message.name, std::move(job), state_->wall_millis(), state_->now);
        if (!planted(PlantedBug::forgets_standing)) {
            state_->change(*queue,
                           change::StandingSet{scan.name, row_of(scan), run_of(*state_, scan)}, 0,
                           CoreState::kChangeBytesMax + scan.job.bytes());
        }
    }
    state_->send(session, protocol::Ok{header.seq}, true);
}

void StandingHandler::drop(Session& session, const protocol::Header& header,
                           const protocol::StandingDrop& message) {
    const StandingScan* const scan = state_->standing.find(message.name);
    if (scan == nullptr) {
        return state_->refuse(session, header.seq, Kind::standing_drop, ErrorCode::unknown_standing,
                              "no standing scan '" + message.name + "'");
    }
    if (Queue* const queue = state_->find_queue(scan->job.queue)) {
        state_->change(*queue, change::StandingDropped{scan->name});
    }
    if (scan->job.is_blob()) state_->blobs.unpin(blob_of(scan->job), state_->now);
    state_->standing.drop(*scan);
    state_->send(session, protocol::Ok{header.seq}, true);
}

void StandingHandler::step_all() {
    for (const auto& [queue, name] : state_->standing.take_stale()) {
        if (Queue* const found = state_->find_queue(queue)) {
            state_->change(*found, change::StandingDropped{name});
        }
    }
    std::size_t left = kSlice;
    step_held(left);
    while (StandingScan* const scan = state_->standing.due(state_->now)) {
        if (left == 0) {
            state_->unfinished = true;
            return;
        }
        --left;
        run(*scan);
    }
}

void StandingHandler::step_held(std::size_t& left) {
    for (const std::string& name : state_->standing.held_queues()) {
        while (StandingScan* const scan = state_->standing.held(name)) {
            if (left == 0) {
                state_->unfinished = true;
                return;
            }
            Queue* const queue = state_->find_queue(name);  // it goes with its queue
            if (!submits_->has_room(*queue, credit_of(scan->job))) {
                submits_->make_room(*queue);
                break;
            }
            --left;
            run(*scan);
        }
    }
}

void StandingHandler::run(StandingScan& scan) {
    const StandingJob& job = scan.job;
    Queue& queue = *state_->find_queue(job.queue);  // it goes with its queue
    if (!submits_->has_room(queue, credit_of(job))) {
        state_->counters.add(Counter::standing_held);
        state_->standing.hold(scan, queue.draining
                                        ? "queue '" + queue.name + "' takes no more jobs; resume it"
                                        : "queue '" + queue.name + "' has no room");
        submits_->make_room(queue);
        return;
    }
    const std::uint64_t generation = state_->aliases.generation();
    std::string inputs;
    for (const std::string& alias : job.aliases) {
        const ContentId* const id = state_->aliases.resolve(alias, generation);
        if (id == nullptr) {
            state_->standing.give_up(scan, "no alias '" + alias + "'; it runs when it is set");
            return;
        }
        inputs.append(id->view());
    }
    const protocol::Body payload{job.payload, job.blob_size};
    OwnJob own;
    own.id = submits_->own_id();
    own.subject = job.subject;
    own.payload = bodies_->put(payload);
    own.payload_is_blob = job.is_blob();
    if (own.payload_is_blob) state_->bodies.pin(own.payload, blob_of(job), state_->now);
    own.inputs = inputs;
    own.bytes = static_cast<std::uint32_t>(credit_of(job));
    own.options.priority = job.priority;
    own.options.flags = job.flags;
    own.options.deadline_ms = job.deadline_ms;
    own.options.flow = job.flow;
    own.options.conflate_key = kOwnConflateKey;
    own.options.conflate_key += scan.name;
    submits_->set_keys(queue, own, payload, job.aliases);
    const Slot slot = submits_->submit_own(queue, own);
    SCANMQ_ASSERT(slot != kNoSlot);
    state_->standing.ran(scan, generation, state_->now);
    state_->counters.add(Counter::standing_runs);
    state_->change(queue, change::StandingRan{scan.name, run_of(*state_, scan)});
}

std::uint64_t drop_standing(CoreState& state, const Queue& queue) {
    std::vector<const StandingScan*> gone;
    for (const auto& [name, scan] : state.standing.all()) {
        if (scan.job.queue == queue.name) gone.push_back(&scan);
    }
    for (const StandingScan* const scan : gone) {
        if (scan->job.is_blob()) state.blobs.unpin(blob_of(scan->job), state.now);
        state.standing.drop(*scan);
    }
    return gone.size();
}

}  // namespace scanmq::broker
