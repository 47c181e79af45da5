// PartitionRun: what was there before the run, and writing what is there after it.

#include <algorithm>

#include "broker/store/partition_run.hpp"

namespace scanmq::broker {

Result<bool, StateError> PartitionRun::load(PartitionId partition) {
    partition_ = partition;
    row_ = {};
    auto there = context_->before->get(Table::queues, NumberKey(partition));
    if (!there) return fail(std::move(there).error());
    stored_ = there->has_value();
    if (stored_ && !decode_row(**there, row_)) return damage("the queue's row cannot be read");
    base_ = row_.next_execution;
    return stored_;
}

void PartitionRun::clear() {
    stored_ = removed_ = trimmed_ = false;
    // A queue that was busy once does not keep the memory for it.
    if (fresh_.capacity() > kFreshKept && fresh_.size() < fresh_.capacity() / 8) fresh_ = {};
    fresh_.clear();
    old_.clear();
    if (old_index_.size() > 0) old_index_ = {};
    starts_.clear();
    extras_.clear();
    entries_.clear();
    ids_.clear();
    results_.clear();
    groups_.clear();
    last_group_ = {};
    last_group_net_ = nullptr;
    cursors_.clear();
    flows_.clear();
    standing_.clear();
    dropped_.clear();
    row_ = {};
}

PartitionRun::Done PartitionRun::open(RowChunks& chunks, std::uint64_t first, std::uint64_t next) {
    if (chunks.is_open()) return {};
    auto opened = chunks.open(*context_->before, partition_, first, next);
    if (!opened) return fail(std::move(opened).error());
    if (!*opened) return damage("the rows before its entries are not there");
    return {};
}

PartitionRun::Execution* PartitionRun::find(std::uint64_t number) {
    if (number >= base_) {
        const std::uint64_t place = number - base_;
        if (place >= fresh_.size() || fresh_[place].fate != Fate::live) return nullptr;
        return &fresh_[place];
    }
    const std::uint64_t hash = hash_number(number);
    const Slot slot = old_index_.find(hash, [&](Slot at) { return old_[at - 1].number == number; });
    if (slot != kNoSlot) return old_[slot - 1].fate == Fate::live ? &old_[slot - 1] : nullptr;
    old_index_.insert(hash, static_cast<Slot>(old_.size() + 1));
    Execution& execution = old_.emplace_back();
    execution.number = number;
    execution.fate = Fate::live;
    return &execution;
}

PartitionRun::Extra& PartitionRun::extra_of(Execution& execution) {
    if (execution.extra == kNone) {
        extras_.emplace_back();
        execution.extra = static_cast<std::uint32_t>(extras_.size());
    }
    return extras_[execution.extra - 1];
}

Result<PartitionRun::Extra*, StateError> PartitionRun::jobs_of(Execution& execution) {
    Extra& extra = extra_of(execution);
    if (extra.jobs_known) return &extra;
    ByteView bytes;
    std::uint64_t jobs = 1;
    if (execution.job != nullptr) {
        bytes = {execution.job, execution.bytes};
    } else {
        auto row =
            context_->before->get(Table::executions, NumberKey(partition_, execution.number));
        if (!row) return fail(std::move(row).error());
        if (!*row) return damage("execution " + std::to_string(execution.number) + " is not there");
        ExecutionRow whole;
        if (!decode_row(**row, whole)) return damage("the row of an execution cannot be read");
        bytes = context_->arena.keep(**row);
        jobs = whole.jobs.size();
        ArchiveReader count(bytes);
        count.uint(jobs);
        bytes = count.rest();
    }
    ArchiveReader reader(bytes);
    for (; jobs > 0; --jobs) {
        const ByteView begin = reader.rest();
        JobRow job;
        job.fields(reader);
        extra.jobs.push_back({job.id, begin.substr(0, begin.size() - reader.rest().size())});
    }
    SCANMQ_ASSERT(reader.ok());
    extra.rest = reader.rest();
    extra.jobs_known = true;
    return &extra;
}

Result<PartitionRun::GroupNet*, StateError> PartitionRun::group(const Id128& id) {
    if (last_group_net_ != nullptr && last_group_ == id) return last_group_net_;
    const auto [at, added] = groups_.try_emplace(id);
    GroupNet& net = at->second;
    if (added) {
        auto row = context_->before->get(Table::groups, name_key(partition_, id.view()));
        if (!row) return fail(std::move(row).error());
        net.there = net.stored = row->has_value();
        if (net.there && !decode_row(**row, net.row)) return damage("a group's row cannot be read");
    }
    last_group_ = id;
    last_group_net_ = &net;
    return &net;
}

Result<bool, StateError> PartitionRun::write(StateStore& store) {
    if (auto done = write_executions(store); !done) return fail(std::move(done).error());
    auto entries =
        entries_.write(store, *context_->before, partition_, row_.stream_first, row_.stream_next);
    if (!entries) return entries;
    auto ids = ids_.write(store, *context_->before, partition_, row_.ids_begin, row_.ids_end);
    if (!ids) return ids;
    bool all_erased = *entries && *ids;
    if (trimmed_) {
        auto erased =
            store.erase_range(Table::results, NumberKey(partition_, 0),
                              NumberKey(partition_, row_.stream_first), RowChunks::kTrimBudget);
        if (!erased) return fail(std::move(erased).error());
        all_erased = all_erased && *erased < RowChunks::kTrimBudget;
    }
    if (auto done = write_results(store); !done) return fail(std::move(done).error());
    if (auto done = write_named(store); !done) return fail(std::move(done).error());
    scratch_.clear();
    encode_row(row_, scratch_);
    if (auto done = store.put(Table::queues, NumberKey(partition_), scratch_); !done) {
        return fail(std::move(done).error());
    }
    return all_erased;
}

PartitionRun::Done PartitionRun::write_executions(StateStore& store) {
    std::sort(old_.begin(), old_.end(),
              [](const Execution& a, const Execution& b) { return a.number < b.number; });
    for (Execution& execution : old_) {
        if (auto done = write_one(store, execution, false); !done) return done;
    }
    for (Execution& execution : fresh_) {
        if (execution.fate == Fate::over || execution.fate == Fate::unused) continue;
        if (auto done = write_one(store, execution, true); !done) return done;
    }
    std::sort(dropped_.begin(), dropped_.end());
    for (const std::uint64_t number : dropped_) {
        auto erased = store.erase(Table::dead, NumberKey(partition_, number));
        if (!erased) return fail(std::move(erased).error());
        if (!*erased) return damage("dead letter " + std::to_string(number) + " is not there");
    }
    return {};
}

PartitionRun::Done PartitionRun::write_one(StateStore& store, Execution& execution, bool fresh) {
    const NumberKey key(partition_, execution.number);
    if (execution.fate == Fate::dead) {
        // Its rows, before they go.
        if (auto jobs = jobs_of(execution); !jobs) return fail(std::move(jobs).error());
        if (auto done = write_dead(store, execution, fresh); !done) return done;
    }
    if (execution.fate == Fate::live) {
        const bool jobs_changed =
            execution.extra != kNone && extras_[execution.extra - 1].jobs_known;
        if (fresh || jobs_changed) {
            const ByteView row = execution_row(execution);
            auto done = fresh ? store.put_append(Table::executions, key, row)
                              : store.put(Table::executions, key, row);
            if (!done) return done;
        }
        return write_run(store, execution, fresh);
    }
    if (fresh) return {};
    auto erased = store.erase(Table::executions, key);
    if (!erased) return fail(std::move(erased).error());
    if (!*erased) {
        return damage("execution " + std::to_string(execution.number) + " ended and is not there");
    }
    if (auto run = store.erase(Table::runs, key); !run) return fail(std::move(run).error());
    return {};
}

ByteView PartitionRun::execution_row(const Execution& execution) {
    if (execution.extra == kNone || !extras_[execution.extra - 1].jobs_known) {
        // The byte before the job told that it is not attached; now it is the number of jobs.
        SCANMQ_ASSERT(execution.job != nullptr);
        execution.job[-1] = 1;
        return {execution.job - 1, execution.bytes + std::size_t{1}};
    }
    const Extra& extra = extras_[execution.extra - 1];
    scratch_.clear();
    {
        ArchiveWriter writer(scratch_, nullptr);
        writer.uint(extra.jobs.size());
    }
    for (const Job& job : extra.jobs) scratch_.append(job.bytes);
    scratch_.append(extra.rest);
    return scratch_;
}

Result<bool, StateError> PartitionRun::old_run(const Execution& execution, RunRow& row) {
    auto bytes = context_->before->get(Table::runs, NumberKey(partition_, execution.number));
    if (!bytes) return fail(std::move(bytes).error());
    if (!*bytes) return false;
    if (!decode_row(**bytes, row)) return damage("the row of a run cannot be read");
    return true;
}

namespace {
void add_history(std::vector<AttemptRow>& history, const std::vector<AttemptRow>& newer) {
    history.insert(history.end(), newer.begin(), newer.end());
    if (history.size() > RunRow::kHistoryMax) {
        history.erase(history.begin(), history.end() - RunRow::kHistoryMax);
    }
}
}  // namespace

PartitionRun::Done PartitionRun::write_run(StateStore& store, const Execution& execution,
                                           bool fresh) {
    const Extra* const extra = execution.extra == kNone ? nullptr : &extras_[execution.extra - 1];
    const bool released = extra != nullptr && extra->released;
    if (!released && execution.start == kNone) return {};
    const NumberKey key(partition_, execution.number);
    RunRow row;
    if (!fresh) {
        // Nothing else of this run reads the execution's own row.
        auto there = context_->before->get(Table::executions, key);
        if (!there) return fail(std::move(there).error());
        if (!*there) return damage("an attempt of an execution that is not there");
        if (auto run = old_run(execution, row); !run) return fail(std::move(run).error());
    }
    if (released) {
        row.failures = extra->last.failures;
        row.crashes = extra->last.crashes;
        row.suspect = extra->last.suspect;
        row.due = extra->last.due;
        row.live_epoch = row.live_counter = 0;
        row.worker = {};
        row.instance = {};
        add_history(row.history, extra->history);
    }
    if (execution.start != kNone) {
        const Start& start = starts_[execution.start - 1];
        row.live_epoch = start.epoch;
        row.live_counter = execution.counter;
        row.worker = start.worker;
        row.instance = start.instance;
    }
    scratch_.clear();
    encode_row(row, scratch_);
    return fresh ? store.put_append(Table::runs, key, scratch_)
                 : store.put(Table::runs, key, scratch_);
}

PartitionRun::Done PartitionRun::write_dead(StateStore& store, const Execution& execution,
                                            bool fresh) {
    Extra& extra = extras_[execution.extra - 1];
    RunRow run;
    if (!fresh) {
        if (auto there = old_run(execution, run); !there) return fail(std::move(there).error());
    }
    if (extra.released) {
        run.failures = extra.last.failures;
        run.crashes = extra.last.crashes;
    }
    DeadRow row = extra.death;
    row.failures = run.failures;
    row.crashes = run.crashes;
    row.history = std::move(run.history);
    add_history(row.history, extra.history);
    if (extra.last_attempt) {
        const AttemptRow& last = *extra.last_attempt;
        if (last.charged_crash) {
            ++row.crashes;
        } else if (last.outcome == protocol::AttemptOutcome::failed) {
            ++row.failures;
        }
        add_history(row.history, {last});
    }
    const ByteView jobs = execution_row(execution);  // in scratch_
    std::string value;
    encode_row(row, value);
    value.append(jobs);
    return store.put_append(Table::dead, NumberKey(partition_, execution.number), value);
}

PartitionRun::Done PartitionRun::write_results(StateStore& store) {
    for (const Body& body : results_) {
        if (body.last_offset < row_.stream_first) continue;
        ResultRow row;
        row.entries = body.entries;
        row.body.body = body.body;
        scratch_.clear();
        encode_row(row, scratch_);
        auto done =
            store.put_append(Table::results, NumberKey(partition_, body.last_offset), scratch_);
        if (!done) return done;
    }
    return {};
}

PartitionRun::Done PartitionRun::write_named(StateStore& store) {
    for (const auto& [id, net] : groups_) {
        const std::string key = name_key(partition_, id.view());
        if (net.there) {
            scratch_.clear();
            encode_row(net.row, scratch_);
            if (auto done = store.put(Table::groups, key, scratch_); !done) return done;
        } else if (net.stored) {
            auto erased = store.erase(Table::groups, key);
            if (!erased) return fail(std::move(erased).error());
        }
    }
    for (const auto& [name, net] : cursors_) {
        const std::string key = name_key(partition_, name);
        if (net.there) {
            scratch_.clear();
            encode_row(net.row, scratch_);
            if (auto done = store.put(Table::cursors, key, scratch_); !done) return done;
        } else {
            auto erased = store.erase(Table::cursors, key);
            if (!erased) return fail(std::move(erased).error());
        }
    }
    for (const auto& [name, row] : flows_) {
        const std::string key = name_key(partition_, name);
        if (!row.limits.empty()) {
            scratch_.clear();
            encode_row(row, scratch_);
            if (auto done = store.put(Table::flows, key, scratch_); !done) return done;
        } else {
            auto erased = store.erase(Table::flows, key);
            if (!erased) return fail(std::move(erased).error());
        }
    }
    return write_standing(store);
}

PartitionRun::Done PartitionRun::write_standing(StateStore& store) {
    for (const auto& [name, net] : standing_) {
        const std::string key = name_key(partition_, name);
        if (!net.there) {
            for (const Table table : {Table::standing, Table::standing_runs}) {
                auto erased = store.erase(table, key);
                if (!erased) return fail(std::move(erased).error());
            }
            continue;
        }
        if (net.row) {
            scratch_.clear();
            encode_row(*net.row, scratch_);
            if (auto done = store.put(Table::standing, key, scratch_); !done) return done;
        }
        scratch_.clear();
        encode_row(net.run, scratch_);
        if (auto done = store.put(Table::standing_runs, key, scratch_); !done) return done;
    }
    return {};
}

}  // namespace scanmq::broker
