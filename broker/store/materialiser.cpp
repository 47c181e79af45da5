#include "broker/store/materialiser.hpp"

#include <array>

#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

constexpr std::array<Table, 11> kPartitioned = {
    Table::executions, Table::runs,     Table::entries,      Table::results,
    Table::ids,        Table::groups,   Table::cursors,      Table::dead,
    Table::flows,      Table::standing, Table::standing_runs};
constexpr std::size_t kSpareRuns = 64;

std::string gone_key(PartitionId partition) {
    return std::string(kMetaGone).append(ByteView(NumberKey(partition)));
}

}  // namespace

Failure<StateError> Materialiser::damage(const RecordView& record, std::string_view what) {
    return fail(StateError{StateError::Kind::damaged,
                           "partition " + std::to_string(record.partition) + ", record " +
                               std::to_string(record.sequence) + ": " + std::string(what) +
                               "; log and state do not fit, restore a backup"});
}

Materialiser::Done Materialiser::begin_run() {
    if (context_.before) return {};
    auto snapshot = store_->snapshot();
    if (!snapshot) return fail(std::move(snapshot).error());
    context_.before = std::move(*snapshot);
    auto row = context_.before->get(Table::meta, kMetaBroker);
    if (!row) return fail(std::move(row).error());
    broker_ = {};
    if (*row && !decode_row(**row, broker_)) {
        return fail(StateError{StateError::Kind::damaged,
                               "the state's row of the broker cannot be read; restore a backup"});
    }
    if (gone_read_) return {};
    gone_.clear();
    auto read = context_.before->scan(Table::meta, kMetaGone, [&](ByteView key, ByteView) {
        PartitionId partition = 0;
        if (!key.starts_with(kMetaGone)) return false;
        if (partition_of(key.substr(kMetaGone.size()), partition)) gone_.push_back(partition);
        return true;
    });
    if (!read) return read;
    gone_read_ = true;
    return {};
}

Result<LogPosition, StateError> Materialiser::position() {
    if (auto begun = begin_run(); !begun) return fail(std::move(begun).error());
    return broker_.position;
}

Materialiser::Done Materialiser::add(const RecordView& record) {
    if (auto begun = begin_run(); !begun) return begun;
    if (record.position <= broker_.position) return {};
    RecordView kept = record;
    kept.changes = context_.arena.keep(record.changes);
    bytes_ += record.changes.size();
    changed_ = true;
    if (record.partition == 0) {
        if (auto done = apply_broker(kept); !done) return done;
    } else {
        auto run = run_of(record.partition);
        if (!run) return fail(std::move(run).error());
        if (*run != nullptr) {
            if (auto done = (*run)->apply(kept); !done) return done;
        }
    }
    broker_.position = record.position;
    return {};
}

Result<PartitionRun*, StateError> Materialiser::run_of(PartitionId partition) {
    if (last_ != nullptr && last_->partition() == partition) {
        return last_->removed() ? nullptr : last_;
    }
    const auto [at, added] = runs_.try_emplace(partition);
    if (added) {
        if (spare_.empty()) {
            at->second = std::make_unique<PartitionRun>(context_);
        } else {
            at->second = std::move(spare_.back());
            spare_.pop_back();
        }
        auto there = at->second->load(partition);
        if (!there) return fail(std::move(there).error());
        if (!*there && partition <= broker_.last_partition) at->second->remove();
        // A new queue's first records may come before the one that names it, in the same batch.
        if (partition > broker_.last_partition) broker_.last_partition = partition;
    }
    last_ = at->second.get();
    return last_->removed() ? nullptr : last_;
}

Materialiser::Done Materialiser::apply_broker(const RecordView& record) {
    if (record.previous != broker_.sequence || record.sequence <= record.previous) {
        return damage(record, "it follows " + std::to_string(record.previous) +
                                  ", the last one was " + std::to_string(broker_.sequence));
    }
    broker_.sequence = record.sequence;
    ArchiveReader reader(record.changes);
    while (!reader.at_end()) {
        if (auto done = apply_queue_change(reader, record); !done) return done;
    }
    return {};
}

Materialiser::Done Materialiser::apply_queue_change(ArchiveReader& reader,
                                                    const RecordView& record) {
    change::Any any;
    if (!read_change(reader, any)) return damage(record, "a change cannot be read");
    if (const auto* alias = std::get_if<change::AliasMoved>(&any)) {
        if (alias->alias.empty() || alias->alias.size() > kStateKeyBytesMax) {
            return damage(record, "an alias without a fitting name");
        }
        aliases_[alias->alias] = {alias->id, alias->generation, alias->history};
        return {};
    }
    PartitionId partition = 0;
    if (const auto* created = std::get_if<change::QueueCreated>(&any)) {
        partition = created->partition;
    } else if (const auto* altered = std::get_if<change::QueueAltered>(&any)) {
        partition = altered->partition;
    } else if (const auto* deleted = std::get_if<change::QueueDeleted>(&any)) {
        partition = deleted->partition;
    } else {
        return damage(record, "a change of a queue in the broker's partition");
    }
    if (partition == 0) return damage(record, "a queue without a partition");
    auto run = run_of(partition);
    if (!run) return fail(std::move(run).error());
    if (*run == nullptr) return damage(record, "a change of a queue that was deleted");
    if (const auto* created = std::get_if<change::QueueCreated>(&any)) {
        return (*run)->create(*created, record.sequence);
    }
    if (const auto* altered = std::get_if<change::QueueAltered>(&any)) {
        return (*run)->alter(*altered, record.sequence);
    }
    (*run)->remove();
    return {};
}

Result<Materialiser::Written, StateError> Materialiser::write() {
    if (auto begun = begin_run(); !begun) return fail(std::move(begun).error());
    for (const PartitionId partition : trims_) {
        auto run = run_of(partition);
        if (!run) return fail(std::move(run).error());
        if (*run != nullptr) (*run)->trim_again();
        changed_ = true;
    }
    Written out{broker_.position, false};
    if (changed_ || !gone_.empty()) {
        auto done = store_->begin();
        if (done) done = write_all();
        if (done) done = store_->commit();
        if (!done) {
            store_->abort();
            return fail(std::move(done).error());
        }
        trims_.swap(next_trims_);
        gone_.swap(next_gone_);
    }
    out.more = !gone_.empty() || !trims_.empty();
    end_run();
    return out;
}

Materialiser::Done Materialiser::write_all() {
    next_trims_.clear();
    next_gone_ = gone_;
    if (auto done = write_runs(); !done) return done;
    for (const auto& [name, row] : aliases_) {
        if (row.id.is_zero() && row.history.empty()) {
            if (auto erased = store_->erase(Table::aliases, name); !erased) {
                return fail(std::move(erased).error());
            }
            continue;
        }
        std::string value;
        encode_row(row, value);
        if (auto done = store_->put(Table::aliases, name, value); !done) return done;
    }
    if (auto done = write_broker(); !done) return done;
    return sweep();
}

Materialiser::Done Materialiser::write_broker() {
    std::string value;
    encode_row(broker_, value);
    return store_->put(Table::meta, kMetaBroker, value);
}

Materialiser::Done Materialiser::write_runs() {
    for (const auto& [partition, run] : runs_) {
        if (!run->removed()) {
            auto all_erased = run->write(*store_);
            if (!all_erased) return fail(std::move(all_erased).error());
            if (!*all_erased) next_trims_.push_back(partition);
            continue;
        }
        if (!run->stored()) continue;
        auto erased = store_->erase(Table::queues, NumberKey(partition));
        if (!erased) return fail(std::move(erased).error());
        if (auto done = store_->put(Table::meta, gone_key(partition), "1"); !done) return done;
        next_gone_.push_back(partition);
    }
    return {};
}

Materialiser::Done Materialiser::sweep() {
    std::size_t budget = kSweepRows;
    while (!next_gone_.empty() && budget > 0) {
        auto empty = sweep_one(next_gone_.back(), budget);
        if (!empty) return fail(std::move(empty).error());
        if (!*empty) break;
        auto erased = store_->erase(Table::meta, gone_key(next_gone_.back()));
        if (!erased) return fail(std::move(erased).error());
        next_gone_.pop_back();
    }
    return {};
}

Result<bool, StateError> Materialiser::sweep_one(PartitionId partition, std::size_t& budget) {
    const NumberKey from(partition);
    const std::string to = partition + 1 == 0 ? std::string(kStateKeyBytesMax, '\xff')
                                              : std::string(ByteView(NumberKey(partition + 1)));
    for (const Table table : kPartitioned) {
        auto erased = store_->erase_range(table, from, to, budget);
        if (!erased) return fail(std::move(erased).error());
        budget -= *erased;
        if (budget == 0) return false;
    }
    return true;
}

void Materialiser::drop() {
    // What is left to erase may have been touched by the transaction that failed: read it again.
    gone_read_ = false;
    end_run();
}

void Materialiser::end_run() {
    for (auto& [partition, run] : runs_) {
        if (spare_.size() == kSpareRuns) break;
        run->clear();
        spare_.push_back(std::move(run));
    }
    runs_.clear();
    last_ = nullptr;
    aliases_.clear();
    context_.before.reset();
    context_.arena.clear();
    changed_ = false;
    bytes_ = 0;
}

}  // namespace scanmq::broker
