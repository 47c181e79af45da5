#include "broker/store/partition_run.hpp"

#include <algorithm>

namespace scanmq::broker {

using protocol::FinalOutcome;

Failure<StateError> PartitionRun::damage(std::string_view what) const {
    return fail(StateError{StateError::Kind::damaged,
                           "partition " + std::to_string(partition_) + ", record " +
                               std::to_string(sequence_) + ": " + std::string(what) +
                               "; log and state do not fit, restore a backup"});
}

PartitionRun::Done PartitionRun::apply(const RecordView& record) {
    sequence_ = record.sequence;
    epoch_ = record.epoch;
    if (record.previous != row_.sequence || record.sequence <= record.previous) {
        return damage("it follows " + std::to_string(record.previous) + ", the last one was " +
                      std::to_string(row_.sequence));
    }
    row_.sequence = record.sequence;
    ArchiveReader reader(record.changes);
    while (!reader.at_end()) {
        if (auto done = apply_one(reader); !done) return done;
    }
    return {};
}

template <class Change>
PartitionRun::Done PartitionRun::read_and_do(ArchiveReader& reader) {
    Change change;
    change.fields(reader);
    if (!reader.ok()) return damage("a change cannot be read");
    return on(change);
}

PartitionRun::Done PartitionRun::apply_one(ArchiveReader& reader) {
    using namespace change;
    std::uint64_t number = 0;
    reader.uint(number);
    if (!reader.ok()) return damage("a change cannot be read");
    switch (number) {
        case number_of<Accepted>():
            return accepted(reader);
        case number_of<Started>():
            return started(reader);
        case number_of<Ended>():
            return ended(reader);
        case number_of<Released>():
            return read_and_do<Released>(reader);
        case number_of<GroupOpened>():
            return read_and_do<GroupOpened>(reader);
        case number_of<GroupSealed>():
            return read_and_do<GroupSealed>(reader);
        case number_of<GroupEnded>():
            return read_and_do<GroupEnded>(reader);
        case number_of<GroupForgotten>():
            return read_and_do<GroupForgotten>(reader);
        case number_of<CursorSet>():
            return read_and_do<CursorSet>(reader);
        case number_of<CursorForgotten>():
            return read_and_do<CursorForgotten>(reader);
        case number_of<DeadDropped>():
            return read_and_do<DeadDropped>(reader);
        case number_of<StreamTrimmed>():
            return read_and_do<StreamTrimmed>(reader);
        case number_of<IdsForgotten>():
            return read_and_do<IdsForgotten>(reader);
        case number_of<QueueMarked>():
            return read_and_do<QueueMarked>(reader);
        case number_of<VersionPinned>():
            return read_and_do<VersionPinned>(reader);
        case number_of<FlowLimited>():
            return read_and_do<FlowLimited>(reader);
        case number_of<StandingSet>():
            return read_and_do<StandingSet>(reader);
        case number_of<StandingRan>():
            return read_and_do<StandingRan>(reader);
        case number_of<StandingDropped>():
            return read_and_do<StandingDropped>(reader);
        default:
            return damage("it has change " + std::to_string(number) + ", which no queue has");
    }
}

// change::Accepted, field by field: the bytes from the job on are the execution's row but for the
// number of its jobs before them, and are kept as they are.
PartitionRun::Done PartitionRun::accepted(ArchiveReader& reader) {
    std::uint64_t number = 0;
    std::uint8_t kind = 0;
    reader.uint(number);
    reader.choice(kind, change::Accepted::kOwnInFlow);
    const bool attached = kind == change::Accepted::kAttached;
    const ByteView begin = reader.rest();
    job_.fields(reader);
    const ByteView behind_job = reader.rest();
    if (!attached) {
        ByteView inputs;
        std::optional<std::int64_t> as_of;
        ContentId fingerprint;
        StoredBody payload;
        reader.text(inputs);
        reader.optional_sint(as_of);
        reader.optional_id(fingerprint);
        reader.body(payload);
        std::string_view flow;
        if (kind == change::Accepted::kOwnInFlow) reader.text(flow);
    }
    if (!reader.ok()) return damage("a change cannot be read");
    if (!job_.group.is_zero()) {
        auto net = group(job_.group);
        if (!net) return fail(std::move(net).error());
        if (!(*net)->there) return damage("a job was accepted into a group that is not there");
        ++(*net)->row.submitted;
    }
    if (attached) {
        Execution* const execution = find(number);
        if (execution == nullptr) return damage("a job was attached to an execution that is over");
        auto extra = jobs_of(*execution);
        if (!extra) return fail(std::move(extra).error());
        (*extra)->jobs.push_back({job_.id, begin.substr(0, begin.size() - behind_job.size())});
        return {};
    }
    if (number < row_.next_execution || number - row_.next_execution > kExecutionGapMax) {
        return damage("execution " + std::to_string(number) + " was accepted, the next one is " +
                      std::to_string(row_.next_execution));
    }
    fresh_.resize(number - base_);
    Execution& execution = fresh_.emplace_back();
    execution.number = number;
    execution.job = const_cast<char*>(begin.data());  // of the arena's copy
    execution.bytes = static_cast<std::uint32_t>(begin.size() - reader.rest().size());
    execution.fate = Fate::live;
    row_.next_execution = number + 1;
    return {};
}

PartitionRun::Done PartitionRun::started(ArchiveReader& reader) {
    started_.fields(reader);
    if (!reader.ok()) return damage("a change cannot be read");
    starts_.push_back({started_.worker, started_.instance, epoch_});
    for (const change::Started::One& one : started_.attempts) {
        Execution* const execution = find(one.execution);
        if (execution == nullptr) return damage("an attempt of an execution that is over");
        execution->counter = one.counter;
        execution->start = static_cast<std::uint32_t>(starts_.size());
    }
    return {};
}

PartitionRun::Done PartitionRun::on(const change::Released& change) {
    Execution* const execution = find(change.execution);
    if (execution == nullptr) return damage("an attempt of an execution that is over was released");
    execution->start = kNone;
    Extra& extra = extra_of(*execution);
    extra.released = true;
    extra.last = change;
    if (!change.kept) return {};
    if (extra.history.size() == RunRow::kHistoryMax) extra.history.erase(extra.history.begin());
    extra.history.push_back(change.attempt);
    return {};
}

PartitionRun::Done PartitionRun::ended(ArchiveReader& reader) {
    ended_.fields(reader);
    if (!reader.ok()) return damage("a change cannot be read");
    Execution* const execution = find(ended_.execution);
    if (execution == nullptr) {
        return damage("execution " + std::to_string(ended_.execution) + " ended twice");
    }
    if (auto done = entries_of(ended_); !done) return done;
    if (ended_.dead_letter) return died(*execution, ended_);
    if (ended_.over) {
        execution->fate = Fate::over;
        return {};
    }
    auto extra = jobs_of(*execution);
    if (!extra) return fail(std::move(extra).error());
    std::vector<Job>& jobs = (*extra)->jobs;
    auto from = jobs.begin();
    for (const change::Ended::Job& job : ended_.jobs) {
        // Mostly in the order they were attached in.
        const auto same = [&](const Job& there) { return there.id == job.id; };
        auto found = std::find_if(from, jobs.end(), same);
        if (found == jobs.end()) found = std::find_if(jobs.begin(), jobs.end(), same);
        if (found == jobs.end()) return damage("a job ended that its execution does not have");
        from = jobs.erase(found);
    }
    if (jobs.empty()) return damage("the last job of an execution ended, and it is not over");
    return {};
}

PartitionRun::Done PartitionRun::entries_of(const change::Ended& ended) {
    if (ended.first_offset != row_.stream_next || ended.first_id_position != row_.ids_end) {
        return damage("an entry at " + std::to_string(ended.first_offset) + ", the next one is " +
                      std::to_string(row_.stream_next));
    }
    if (ended.jobs.empty()) return {};
    if (auto done = open(ids_, row_.ids_begin, row_.ids_end); !done) return done;
    const protocol::Body& body = ended.body.body;
    EntryRow row;
    row.kind = protocol::EntryKind::job;
    row.outcome = ended.outcome;
    row.code = ended.code;
    row.appended = ended.at;
    row.sentence = ended.sentence;
    // Entries that share a body refer to it, so that none needs another's row to read it.
    row.in_results =
        body.bytes.size() > kInlineEntryBytes || (ended.jobs.size() > 1 && !body.bytes.empty());
    if (row.in_results) {
        const std::uint64_t last = row_.stream_next + ended.jobs.size() - 1;
        results_.push_back({last, ended.jobs.size(), body});
    } else {
        row.body.body = body;
    }
    for (const change::Ended::Job& job : ended.jobs) {
        row.id = job.id;
        row.subject = job.subject;
        row.group = job.group;
        if (auto done = append_entry(row); !done) return done;
        ids_.append(row_.ids_end++, IdRow{job.id, job.digest, ended.at}, context_->arena);
        if (job.group.is_zero()) continue;
        auto net = group(job.group);
        if (!net) return fail(std::move(net).error());
        const auto outcome = static_cast<std::size_t>(ended.outcome);
        if (!(*net)->there || outcome >= (*net)->row.outcomes.size()) {
            return damage("a job ended of a group that is not there");
        }
        ++(*net)->row.finished;
        ++(*net)->row.outcomes[outcome];
    }
    return {};
}

PartitionRun::Done PartitionRun::append_entry(const EntryRow& row) {
    if (auto done = open(entries_, row_.stream_first, row_.stream_next); !done) return done;
    entries_.append(row_.stream_next++, row, context_->arena);
    return {};
}

PartitionRun::Done PartitionRun::died(Execution& execution, const change::Ended& ended) {
    if (!ended.over) return damage("a dead letter that is not over");
    execution.fate = Fate::dead;
    Extra& extra = extra_of(execution);
    extra.death.code = ended.code;
    extra.death.died = ended.at;
    extra.death.sentence = ended.sentence;
    if (ended.has_attempt) extra.last_attempt = ended.attempt;
    return {};
}

PartitionRun::Done PartitionRun::on(const change::DeadDropped& change) {
    if (change.execution >= row_.next_execution) return damage("no such dead letter");
    Execution* died = nullptr;
    if (change.execution >= base_) {
        died = &fresh_[change.execution - base_];
    } else {
        const auto number = change.execution;
        const Slot slot = old_index_.find(hash_number(number),
                                          [&](Slot at) { return old_[at - 1].number == number; });
        if (slot != kNoSlot) died = &old_[slot - 1];
    }
    if (died == nullptr) {
        dropped_.push_back(change.execution);
    } else if (died->fate == Fate::dead) {
        died->fate = Fate::over;
    } else {
        return damage("no such dead letter");
    }
    return {};
}

PartitionRun::Done PartitionRun::on(const change::GroupOpened& change) {
    auto net = group(change.group);
    if (!net) return fail(std::move(net).error());
    if ((*net)->there) return damage("a group was opened twice");
    (*net)->there = true;
    (*net)->row = GroupRow{};
    (*net)->row.phase = protocol::GroupPhase::open;
    (*net)->row.generation = change.generation;
    (*net)->row.opened = change.at;
    return {};
}

PartitionRun::Done PartitionRun::on(const change::GroupSealed& change) {
    auto net = group(change.group);
    if (!net) return fail(std::move(net).error());
    if (!(*net)->there) return damage("a group was sealed that is not there");
    (*net)->row.phase = protocol::GroupPhase::sealed;
    (*net)->row.count = change.count;
    return {};
}

PartitionRun::Done PartitionRun::on(const change::GroupEnded& change) {
    auto net = group(change.group);
    if (!net) return fail(std::move(net).error());
    if (!(*net)->there) return damage("a group ended that is not there");
    if (change.offset != row_.stream_next) return damage("a group's entry is not the next one");
    (*net)->row.phase = change.phase;
    (*net)->row.ended = change.at;
    EntryRow row;
    row.kind = protocol::EntryKind::group;
    row.outcome =
        change.phase == protocol::GroupPhase::complete ? FinalOutcome::done : FinalOutcome::expired;
    row.id = change.group;
    row.group = change.group;
    row.appended = change.at;
    row.body.body.bytes = change.body;
    return append_entry(row);
}

PartitionRun::Done PartitionRun::on(const change::GroupForgotten& change) {
    auto net = group(change.group);
    if (!net) return fail(std::move(net).error());
    if (!(*net)->there) return damage("a group was forgotten that is not there");
    (*net)->there = false;
    return {};
}

PartitionRun::Done PartitionRun::on(const change::CursorSet& change) {
    if (change.name.size() > kStateKeyBytesMax / 2) return damage("a cursor's name is too long");
    cursors_[change.name] = {change.cursor, true};
    return {};
}

PartitionRun::Done PartitionRun::on(const change::CursorForgotten& change) {
    if (change.name.size() > kStateKeyBytesMax / 2) return damage("a cursor's name is too long");
    cursors_[change.name] = {};
    return {};
}

PartitionRun::Done PartitionRun::on(const change::StreamTrimmed& change) {
    if (change.first < row_.stream_first || change.first > row_.stream_next) {
        return damage("the stream was trimmed to an offset that it does not have");
    }
    row_.stream_first = change.first;
    trimmed_ = true;
    entries_.trim(change.first == row_.stream_next);
    return {};
}

PartitionRun::Done PartitionRun::on(const change::IdsForgotten& change) {
    if (change.begin < row_.ids_begin || change.begin > row_.ids_end) {
        return damage("ids were forgotten that are not there");
    }
    row_.ids_begin = change.begin;
    ids_.trim(change.begin == row_.ids_end);
    return {};
}

PartitionRun::Done PartitionRun::on(const change::QueueMarked& change) {
    row_.paused = change.paused;
    row_.draining = change.draining;
    if (change.scanner_version != row_.scanner_version) row_.version_since = row_.next_execution;
    row_.scanner_version = change.scanner_version;
    return {};
}

PartitionRun::Done PartitionRun::on(const change::VersionPinned& change) {
    row_.version_pinned = change.pinned;
    return {};
}

PartitionRun::Done PartitionRun::on(const change::FlowLimited& change) {
    if (change.flow.size() > kStateKeyBytesMax / 2) return damage("a flow's name is too long");
    flows_[change.flow] = {change.limits};
    return {};
}

PartitionRun::Done PartitionRun::on(const change::StandingSet& change) {
    if (change.name.empty() || change.name.size() > kStateKeyBytesMax / 2) {
        return damage("a standing scan without a fitting name");
    }
    standing_[change.name] = {change.row, change.run, true};
    return {};
}

PartitionRun::Done PartitionRun::on(const change::StandingRan& change) {
    const auto [at, added] = standing_.try_emplace(change.name);
    if (!added && !at->second.there) return damage("a standing scan ran that is not there");
    at->second.there = true;
    at->second.run = change.run;
    return {};
}

PartitionRun::Done PartitionRun::on(const change::StandingDropped& change) {
    standing_[change.name] = {};
    return {};
}

PartitionRun::Done PartitionRun::create(const change::QueueCreated& queue, std::uint64_t sequence) {
    sequence_ = sequence;
    if (!row_.name.empty()) return damage("a queue was created twice");
    if (queue.name.empty()) return damage("a queue without a name");
    row_.name = queue.name;
    row_.incarnation = queue.incarnation;
    row_.settings = queue.settings;
    return {};
}

PartitionRun::Done PartitionRun::alter(const change::QueueAltered& queue, std::uint64_t sequence) {
    sequence_ = sequence;
    row_.settings = queue.settings;
    return {};
}

}  // namespace scanmq::broker
