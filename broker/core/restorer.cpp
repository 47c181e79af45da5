#include "broker/core/restorer.hpp"

#include <algorithm>

#include "broker/core/placing.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {

namespace {

Failure<std::string> damaged(std::string what) {
    return fail("the store is damaged: " + std::move(what) + "; restore a backup");
}

}  // namespace

Time Restorer::at(WallMillis wall, Duration most) const {
    const auto ahead = std::chrono::milliseconds(wall - state_->wall_millis());
    return state_->now + std::clamp<Duration>(ahead, Duration{0}, most);
}

Time Restorer::came(WallMillis accepted) const {
    return std::min(state_->time_at(accepted), state_->now);
}

Result<Queue*, std::string> Restorer::find(PartitionId partition) const {
    const auto found = queues_.find(partition);
    if (found == queues_.end()) {
        return damaged("rows of partition " + std::to_string(partition) + ", which has no queue");
    }
    return found->second;
}

Restorer::Done Restorer::queue(PartitionId partition, const QueueRow& row) {
    const std::string name(row.name);
    if (!protocol::valid_queue_name(name) || state_->find_queue(name) != nullptr ||
        queues_.contains(partition)) {
        return damaged("queue '" + name + "' of partition " + std::to_string(partition));
    }
    protocol::Settings settings;
    for (const SettingRow& setting : row.settings) {
        settings.emplace_back(std::string(setting.name), setting.value);
    }
    const auto values = with_changes(QueueSettings{}, settings);
    if (!values) return damaged("queue '" + name + "': " + values.error());
    Queue& queue = state_->restore_queue(partition, name, *values, row.incarnation);
    queues_.emplace(partition, &queue);
    queue.paused = row.paused;
    queue.draining = row.draining;
    queue.scanner_version = std::string(row.scanner_version);
    queue.version_pinned = row.version_pinned;
    queue.version_since = row.version_since;
    queue.next_execution = row.next_execution;
    queue.journal.sequence = row.sequence;
    writer_->begin_at(queue, row.stream_first, row.incarnation);
    queue.told_first = row.stream_first;
    queue.ids.start_at(row.ids_begin);
    queue.told_ids_begin = row.ids_begin;
    return {};
}

Restorer::Done Restorer::flow(PartitionId partition, std::string_view name, const FlowRow& row) {
    auto queue = find(partition);
    if (!queue) return fail(queue.error());
    protocol::Settings settings;
    for (const SettingRow& one : row.limits) {
        settings.emplace_back(std::string(one.name), one.value);
    }
    const auto limits = with_changes(FlowLimits{}, settings);
    if (!limits) return damaged("flow '" + std::string(name) + "': " + limits.error());
    WaitingRoom& room = (*queue)->room;
    const Slot flow = room.flows().take(name, state_->now);
    room.set_limits(flow, *limits, state_->now);
    room.flows().release(flow, state_->now);
    return {};
}

Restorer::Done Restorer::group(PartitionId partition, const Id128& id, const GroupRow& row) {
    auto queue = find(partition);
    if (!queue) return fail(queue.error());
    groups_->restore(**queue, id, row);
    return {};
}

void Restorer::alias(std::string_view name, const AliasRow& row) {
    const std::size_t lost = state_->aliases.restore(name, row, state_->now);
    state_->counters.add(Counter::restored_without_blob, lost);
}

Restorer::Done Restorer::standing(PartitionId partition, std::string_view name,
                                  const StandingRow& row, const StandingRunRow& run) {
    auto queue = find(partition);
    if (!queue) return fail(queue.error());
    StandingTable& table = state_->standing;
    // Moves from now on are later than what it saw.
    state_->aliases.raise(run.generation);
    if (const StandingScan* const other = table.find(name)) {
        if (other->set_at > row.set_at) {
            table.add_stale((*queue)->name, std::string(name));
            return {};
        }
        table.add_stale(other->job.queue, other->name);
        if (other->job.is_blob()) {
            state_->blobs.unpin(*ContentId::from_bytes(other->job.payload), state_->now);
        }
        table.drop(*other);
    }
    StandingScan scan;
    scan.name = name;
    scan.job.queue = (*queue)->name;
    scan.job.subject = row.subject;
    scan.job.payload = row.payload;
    scan.job.blob_size = row.blob_size;
    for (const StandingRow::Input& input : row.inputs) scan.job.aliases.emplace_back(input.alias);
    scan.job.min_interval_ms = row.min_interval_ms;
    scan.job.deadline_ms = row.deadline_ms;
    scan.job.flow = row.flow;
    scan.job.priority = std::min<std::uint8_t>(row.priority, 9);
    scan.job.flags = row.flags;
    scan.set_at = row.set_at;
    scan.generation = run.generation;
    scan.runs = run.runs;
    if (run.at != 0) scan.last_run = came(run.at);
    if (scan.job.is_blob()) {
        const auto id = ContentId::from_bytes(scan.job.payload);
        if (!id || state_->blobs.find(*id) == nullptr) {
            return damaged("the payload's blob of standing scan '" + scan.name + "' is missing");
        }
        state_->blobs.pin(*id, state_->now);
    }
    table.restore(std::move(scan));
    return {};
}

Restorer::Done Restorer::cursor(PartitionId partition, std::string_view name,
                                const CursorRow& row) {
    auto queue = find(partition);
    if (!queue) return fail(queue.error());
    publisher_->restore(**queue, name, row);
    return {};
}

Result<Slot, std::string> Restorer::inputs(ByteView inputs) {
    for (std::size_t i = 0; i + ContentId::kSize <= inputs.size(); i += ContentId::kSize) {
        const ContentId id = *ContentId::from_bytes(inputs.substr(i, ContentId::kSize));
        if (state_->blobs.find(id) == nullptr) return damaged("blob " + id.hex() + " is missing");
    }
    return state_->hold_inputs(inputs);
}

Restorer::Done Restorer::payload(const StoredBody& body, BodyHandle handle, bool& is_blob) {
    is_blob = body.body.is_blob();
    if (!is_blob) return {};
    const auto id = ContentId::from_bytes(body.body.bytes);
    if (!id || state_->blobs.find(*id) == nullptr) {
        return damaged("blob " + (id ? id->hex() : std::string("of a body")) + " is missing");
    }
    state_->bodies.pin(handle, *id, state_->now);
    return {};
}

Result<Slot, std::string> Restorer::job(Queue& queue, const JobRow& row, Slot execution) {
    if (queue.ids.find(row.id).found) return damaged("job " + row.id.hex() + " is there twice");
    const Slot slot = state_->table.jobs.allocate();
    JobRecord& job = state_->table.jobs[slot];
    job = JobRecord{};
    job.id = row.id;
    job.digest = row.digest;
    job.execution = execution;
    job.subject = state_->subjects.intern(row.subject);
    job.bytes = row.bytes & 0xffffff;
    job.priority = std::min<std::uint8_t>(row.priority, 9);
    if (!row.group.is_zero()) {
        job.group = queue.groups.find(row.group);
        if (job.group == kNoSlot) return damaged("group " + row.group.hex() + " is missing");
    }
    if (row.due != 0 || row.deadline != 0 || row.flags != 0 || !row.conflate_key.empty() ||
        !row.retry_of.is_zero()) {
        job.extra = state_->table.job_extras.allocate();
        JobExtra& extra = state_->table.job_extras[job.extra];
        extra = JobExtra{};
        extra.flags = row.flags;
        extra.retry_of = row.retry_of;
        extra.accepted = came(row.accepted);
        if (row.due != 0) {
            extra.due = at(row.due, std::chrono::milliseconds(row.due - row.accepted));
        }
        if (!row.conflate_key.empty()) extra.conflate = state_->texts.intern(row.conflate_key);
        if (row.deadline != 0) {
            extra.deadline =
                at(row.deadline, std::chrono::milliseconds(row.deadline - row.accepted));
            queue.deadlines.push(extra.deadline, slot, deadline_placer(state_->table));
        }
    }
    state_->table.set_holder(slot, kNoSlot);
    queue.credit.occupy(kNoSlot, job.bytes);
    queue.ids.add_live(slot);
    return slot;
}

Restorer::Done Restorer::execution(PartitionId partition, std::uint64_t number,
                                   const ExecutionRow& row, const RunRow* run, BodyHandle handle) {
    auto found = find(partition);
    if (!found) return fail(found.error());
    Queue& queue = **found;
    if (row.jobs.empty()) return damaged("an execution without jobs");
    JobTable& table = state_->table;
    const Slot slot = table.executions.allocate();
    table.executions[slot] = ExecutionRecord{};
    bool is_blob = false;
    if (auto done = payload(row.payload, handle, is_blob); !done) return done;
    const auto held = inputs(row.inputs);
    if (!held) return fail(held.error());
    {
        ExecutionRecord& execution = table.executions[slot];
        execution.number = number;
        execution.queue = queue.number;
        execution.payload = handle;
        execution.payload_is_blob = is_blob;
        execution.inputs = *held;
        execution.flow = queue.room.flows().take(row.flow, state_->now);
    }
    queue.arrivals.note(number + 1, came(row.jobs.front().accepted));
    Slot last_shared = kNoSlot;  // of its fingerprint
    if (row.as_of_ns) table.extra_of(slot).as_of_ns = row.as_of_ns;
    if (!row.fingerprint.is_zero()) {
        ExecutionExtra& extra = table.extra_of(slot);
        extra.fingerprint = row.fingerprint;
        const bool current = number >= queue.version_since;
        if (current) extra.version_stamp = queue.version_stamp;
        extra.offered = run != nullptr;  // it may have been
        extra.fresh = std::any_of(row.jobs.begin(), row.jobs.end(), [](const JobRow& one) {
            return (one.flags & protocol::JobOptions::kFresh) != 0;
        });
        if (current) last_shared = queue.fingerprints.find(table, row.fingerprint);
        if (current && last_shared == kNoSlot) {
            table.executions[slot].shared = true;
            queue.fingerprints.insert(row.fingerprint, slot);
        }
    }
    Slot last = kNoSlot;
    Time due = Time::max();
    std::uint32_t priority = 0;
    for (const JobRow& one : row.jobs) {
        const auto added = job(queue, one, slot);
        if (!added) return fail(added.error());
        (last == kNoSlot ? table.executions[slot].first_job : table.jobs[last].next) = *added;
        last = *added;
        priority = std::max<std::uint32_t>(priority, table.jobs[*added].priority);
        const JobExtra* const extra = table.find_job_extra(*added);
        due = std::min(due, extra == nullptr ? Time{} : extra->due);
    }
    if (row.jobs.size() > 1) {
        table.extra_of(slot).jobs = static_cast<std::uint32_t>(row.jobs.size());
    }
    table.executions[slot].priority = priority & 0xf;
    if (run != nullptr) attempt(slot, *run);
    ExecutionRecord& execution = table.executions[slot];
    if (execution.state == ExecutionState::running) return {};
    if (run != nullptr && run->due != 0) {
        const Time retry = at(run->due, std::chrono::milliseconds(queue.settings.retry_cap_ms));
        table.extra_of(slot).retry_due = retry;
        due = std::max(due, retry);
    }
    if (last_shared != kNoSlot && run == nullptr && may_follow(row, slot, last_shared)) {
        follow(*state_, slot, last_shared);
    } else {
        if (due > state_->now) {
            execution.state = ExecutionState::delayed;
            table.extra_of(slot).due = due;
        } else {
            execution.state = ready_state(execution);
        }
        queue.room.add(table, slot);
    }
    for (Slot at = execution.first_job; at != kNoSlot; at = table.jobs[at].next) {
        const JobExtra* const extra = table.find_job_extra(at);
        if (extra == nullptr || extra->conflate == kNoSlot) continue;
        execution.conflated = true;
        queue.conflated[extra->conflate] = at;
    }
    return {};
}

// What was made while another one of its fingerprint was full. Fresh ones and retries were made for
// themselves.
bool Restorer::may_follow(const ExecutionRow& row, Slot slot, Slot last) const {
    const JobTable& table = state_->table;
    if (table.find_extra(slot)->fresh && !table.find_extra(last)->fresh) return false;
    return row.jobs.front().retry_of.is_zero();
}

AttemptNote Restorer::note(const AttemptRow& row) {
    return {row.outcome,
            row.code,
            row.charged_crash,
            row.ended,
            state_->texts.intern(row.worker),
            state_->texts.intern(row.sentence)};
}

void Restorer::attempt(Slot slot, const RunRow& run) {
    ExecutionRecord& execution = state_->table.executions[slot];
    execution.failures = run.failures;
    execution.crashes = run.crashes;
    execution.suspect = run.suspect;
    for (const AttemptRow& one : run.history) {
        state_->table.extra_of(slot).history.push_back(note(one));
    }
    if (run.live_counter == 0) return;
    leases_->restore(slot, {run.live_epoch, run.live_counter}, std::string(run.worker),
                     run.instance);
}

Restorer::Done Restorer::entry(PartitionId partition, std::uint64_t offset, const EntryRow& row,
                               BodyHandle body) {
    auto queue = find(partition);
    if (!queue) return fail(queue.error());
    if (!writer_->restore(**queue, offset, row, body)) {
        return damaged("queue '" + (*queue)->name + "': offset " + std::to_string(offset) +
                       " follows " + std::to_string((*queue)->stream.next()));
    }
    return {};
}

Restorer::Done Restorer::id(PartitionId partition, std::uint64_t position, const IdRow& row) {
    auto queue = find(partition);
    if (!queue) return fail(queue.error());
    if (position < (*queue)->ids.begin()) return {};
    if (position != (*queue)->ids.end()) {
        return damaged("queue '" + (*queue)->name + "': the finished ids have a gap");
    }
    // Remembered for a whole window from now on: the wall clock may have jumped meanwhile, and the ages
    // of ids that are submitted again are told by their producers' clocks.
    (*queue)->ids.restore(row.id, row.digest, state_->now);
    return {};
}

Restorer::Done Restorer::dead(PartitionId partition, std::uint64_t number, const DeadRow& row,
                              const ExecutionRow& execution, BodyHandle handle) {
    auto queue = find(partition);
    if (!queue) return fail(queue.error());
    if (execution.jobs.empty()) return damaged("a dead letter without jobs");
    const JobRow& job = execution.jobs.front();
    DeadLetter letter;
    letter.execution = number;
    letter.job = job.id;
    letter.jobs = static_cast<std::uint32_t>(execution.jobs.size());
    letter.subject = state_->subjects.intern(job.subject);
    const auto held = inputs(execution.inputs);
    if (!held) return fail(held.error());
    letter.inputs = *held;
    letter.text = state_->texts.intern(row.sentence);
    letter.flow = state_->texts.intern(execution.flow);
    letter.payload = handle;
    if (auto done = payload(execution.payload, handle, letter.payload_is_blob); !done) return done;
    letter.priority = std::min<std::uint8_t>(job.priority, 9);
    letter.failures = row.failures;
    letter.crashes = row.crashes;
    letter.bytes = static_cast<std::uint32_t>(job.bytes);
    letter.flags = job.flags;
    letter.code = row.code;
    letter.died = row.died;
    letter.as_of_ns = execution.as_of_ns;
    letter.fingerprint = execution.fingerprint;
    for (const AttemptRow& one : row.history) letter.history.push_back(note(one));
    (*queue)->dead.add(std::move(letter));
    return {};
}

void Restorer::finish() {
    for (const auto& [partition, queue] : queues_) {
        if (queue->room.active()) state_->activate(*queue);
        state_->mark_current(*queue);
    }
    state_->aliases.settle(state_->now);
    state_->standing.settle(state_->aliases, state_->now);
    state_->schedule(state_->now);
}

}  // namespace scanmq::broker
