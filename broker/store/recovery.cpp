#include "broker/store/recovery.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "broker/store/checkpoint.hpp"

namespace scanmq::broker {
namespace {

using Done = Result<void, StateError>;

class Loader {
  public:
    Loader(StateSnapshot& from, RestoreSink& sink) : from_(&from), sink_(&sink) {}

    Done all() {
        Done (Loader::*const steps[])() = {&Loader::broker,  &Loader::gone,    &Loader::queues,
                                           &Loader::groups,  &Loader::flows,   &Loader::executions,
                                           &Loader::entries, &Loader::ids,     &Loader::cursors,
                                           &Loader::dead,    &Loader::aliases, &Loader::standing};
        for (const auto step : steps) {
            if (auto done = (this->*step)(); !done) return done;
        }
        return {};
    }

  private:
    struct Known {
        std::uint64_t stream_first{};
        std::uint64_t stream_next{};
        std::uint64_t ids_begin{};
        std::uint64_t ids_end{};
        std::uint64_t next_execution{};
        std::uint64_t entry{};  // the next one to be given out
        std::uint64_t id{};
    };

    static StateError damage(Table table, PartitionId partition, std::string_view which,
                             std::string_view what) {
        return {StateError::Kind::damaged, "table " + std::string(name_of(table)) + ", partition " +
                                               std::to_string(partition) + ", " +
                                               std::string(which) + ": " + std::string(what) +
                                               "; restore a backup"};
    }
    static StateError damage(Table table, PartitionId partition, std::uint64_t number,
                             std::string_view what) {
        return damage(table, partition, std::to_string(number), what);
    }
    static constexpr std::string_view kUnreadable = "the row cannot be read";
    static constexpr std::string_view kRefused = "the row does not fit those before it";

    // Every row of the table whose queue is there: visit(partition, known, key, value) gives an
    // error or nothing.
    template <class Visit>
    Done rows(Table table, const Visit& visit) {
        std::optional<StateError> failed;
        PartitionId current = 0;
        Known* known = nullptr;
        auto read = from_->scan(table, {}, [&](ByteView key, ByteView value) {
            PartitionId partition = 0;
            if (!partition_of(key, partition) || partition == 0) {
                failed = damage(table, partition, "a key", kUnreadable);
                return false;
            }
            if (known == nullptr || partition != current) {
                current = partition;
                const auto found = queues_.find(partition);
                known = found == queues_.end() ? nullptr : &found->second;
                if (known == nullptr) {
                    if (std::binary_search(gone_.begin(), gone_.end(), partition)) return true;
                    failed = damage(table, partition, "a row", "there is no such queue");
                    return false;
                }
            }
            failed = visit(partition, *known, key, value);
            return !failed;
        });
        if (failed) return fail(std::move(*failed));
        return read;
    }
    // The same for keys (partition, number).
    template <class Visit>
    Done numbered(Table table, const Visit& visit) {
        return rows(table,
                    [&](PartitionId partition, Known& known, ByteView key,
                        ByteView value) -> std::optional<StateError> {
                        std::uint64_t number = 0;
                        if (!number_of_key(key, partition, number)) {
                            return damage(table, partition, "a key", kUnreadable);
                        }
                        return visit(partition, known, number, value);
                    });
    }

    Done broker() {
        auto row = from_->get(Table::meta, kMetaBroker);
        if (!row) return fail(std::move(row).error());
        BrokerRow read;
        if (*row && !decode_row(**row, read)) {
            return fail(damage(Table::meta, 0, kMetaBroker, kUnreadable));
        }
        auto restored = from_->get(Table::meta, kMetaRestored);
        if (!restored) return fail(std::move(restored).error());
        if (!sink_->broker(read, restored->has_value())) {
            return fail(damage(Table::meta, 0, kMetaBroker, kRefused));
        }
        return {};
    }
    Done gone() {
        return from_->scan(Table::meta, kMetaGone, [&](ByteView key, ByteView) {
            PartitionId partition = 0;
            if (!key.starts_with(kMetaGone)) return false;
            if (partition_of(key.substr(kMetaGone.size()), partition)) gone_.push_back(partition);
            return true;
        });
    }
    Done queues() {
        std::optional<StateError> failed;
        QueueRow row;
        auto read = from_->scan(Table::queues, {}, [&](ByteView key, ByteView value) {
            PartitionId partition = 0;
            if (!partition_of(key, partition) || key.size() != 4 || !decode_row(value, row) ||
                row.name.empty() || row.stream_first > row.stream_next ||
                row.ids_begin > row.ids_end) {
                failed = damage(Table::queues, partition, "the queue", kUnreadable);
                return false;
            }
            queues_[partition] = {row.stream_first,   row.stream_next,  row.ids_begin, row.ids_end,
                                  row.next_execution, row.stream_first, row.ids_begin};
            if (!sink_->queue(partition, row)) {
                failed = damage(Table::queues, partition, row.name, kRefused);
            }
            return !failed;
        });
        if (failed) return fail(std::move(*failed));
        return read;
    }
    Done groups() {
        GroupRow row;
        return rows(Table::groups,
                    [&](PartitionId partition, Known&, ByteView key,
                        ByteView value) -> std::optional<StateError> {
                        const auto id = Id128::from_bytes(key.substr(4));
                        if (!id || !decode_row(value, row)) {
                            return damage(Table::groups, partition, "a group", kUnreadable);
                        }
                        if (sink_->group(partition, *id, row)) return std::nullopt;
                        return damage(Table::groups, partition, id->hex(), kRefused);
                    });
    }
    Done flows() {
        FlowRow row;
        return rows(Table::flows,
                    [&](PartitionId partition, Known&, ByteView key,
                        ByteView value) -> std::optional<StateError> {
                        const ByteView name = key.substr(4);
                        if (!decode_row(value, row)) {
                            return damage(Table::flows, partition, name, kUnreadable);
                        }
                        if (sink_->flow(partition, name, row)) return std::nullopt;
                        return damage(Table::flows, partition, name, kRefused);
                    });
    }
    Done executions();
    Done entries();
    std::optional<StateError> entry(PartitionId partition, std::uint64_t offset, EntryRow& row);
    Done ids();
    Done cursors() {
        CursorRow row;
        return rows(Table::cursors,
                    [&](PartitionId partition, Known&, ByteView key,
                        ByteView value) -> std::optional<StateError> {
                        const ByteView name = key.substr(4);
                        if (!decode_row(value, row)) {
                            return damage(Table::cursors, partition, name, kUnreadable);
                        }
                        if (sink_->cursor(partition, name, row)) return std::nullopt;
                        return damage(Table::cursors, partition, name, kRefused);
                    });
    }
    Done dead() {
        return numbered(Table::dead,
                        [&](PartitionId partition, Known&, std::uint64_t number,
                            ByteView value) -> std::optional<StateError> {
                            DeadRow row;
                            ExecutionRow execution;
                            ArchiveReader reader(value);
                            row.fields(reader);
                            execution.fields(reader);
                            if (!reader.ok() || !reader.at_end()) {
                                return damage(Table::dead, partition, number, kUnreadable);
                            }
                            name_payload(execution, partition, number);
                            if (sink_->dead(partition, number, row, execution)) return std::nullopt;
                            return damage(Table::dead, partition, number, kRefused);
                        });
    }
    Done aliases() {
        std::optional<StateError> failed;
        AliasRow row;
        auto read = from_->scan(Table::aliases, {}, [&](ByteView key, ByteView value) {
            if (!decode_row(value, row)) {
                failed = damage(Table::aliases, 0, key, kUnreadable);
            } else if (!sink_->alias(key, row)) {
                failed = damage(Table::aliases, 0, key, kRefused);
            }
            return !failed;
        });
        if (failed) return fail(std::move(*failed));
        return read;
    }
    Done standing() {
        StandingRow row;
        StandingRunRow run;
        return rows(Table::standing,
                    [&](PartitionId partition, Known&, ByteView key,
                        ByteView value) -> std::optional<StateError> {
                        const ByteView name = key.substr(4);
                        auto ran = from_->get(Table::standing_runs, key);
                        if (!ran) return std::move(ran).error();
                        if (!*ran || !decode_row(value, row) || !decode_row(**ran, run)) {
                            return damage(Table::standing, partition, name, kUnreadable);
                        }
                        if (sink_->standing(partition, name, row, run)) return std::nullopt;
                        return damage(Table::standing, partition, name, kRefused);
                    });
    }
    static void name_payload(ExecutionRow& row, PartitionId partition, std::uint64_t number) {
        row.payload.key = {};
        if (row.payload.body.bytes.empty()) return;
        row.payload.key = {BodyKey::Kind::payload, partition, number};
    }

    StateSnapshot* from_;
    RestoreSink* sink_;
    std::map<PartitionId, Known> queues_;
    std::vector<PartitionId> gone_;
    // The result that holds the last entry asked for.
    PartitionId result_partition_ = 0;
    std::uint64_t result_first_ = 1;
    std::uint64_t result_last_ = 0;
    ResultRow result_;
};

Done Loader::executions() {
    // Both tables are in the same order: the next run waits for its execution.
    std::optional<StateRow> next_run;
    std::string from;
    const auto advance = [&](ByteView key) -> std::optional<StateError> {
        auto row = from_->ceiling(Table::runs, key);
        if (!row) return std::move(row).error();
        next_run = *row;
        return std::nullopt;
    };
    if (auto failed = advance(NumberKey(0))) return fail(std::move(*failed));
    ExecutionRow row;
    RunRow run;
    return numbered(Table::executions,
                    [&](PartitionId partition, const Known& known, std::uint64_t number,
                        ByteView value) -> std::optional<StateError> {
                        if (!decode_row(value, row) || row.jobs.empty()) {
                            return damage(Table::executions, partition, number, kUnreadable);
                        }
                        if (number >= known.next_execution) {
                            return damage(Table::executions, partition, number, kRefused);
                        }
                        const NumberKey key(partition, number);
                        if (next_run && next_run->key < ByteView(key)) {
                            if (auto failed = advance(key)) return failed;
                        }
                        const RunRow* there = nullptr;
                        if (next_run && next_run->key == ByteView(key)) {
                            if (!decode_row(next_run->value, run)) {
                                return damage(Table::runs, partition, number, kUnreadable);
                            }
                            there = &run;
                        }
                        name_payload(row, partition, number);
                        if (sink_->execution(partition, number, row, there)) return std::nullopt;
                        return damage(Table::executions, partition, number, kRefused);
                    });
}

Done Loader::entries() {
    EntryRow row;
    auto done = numbered(Table::entries,
                         [&](PartitionId partition, Known& known, std::uint64_t first,
                             ByteView value) -> std::optional<StateError> {
                             ArchiveReader reader(value);
                             std::uint64_t offset = first;
                             for (; !reader.at_end(); ++offset) {
                                 row.fields(reader);
                                 if (!reader.ok())
                                     return damage(Table::entries, partition, offset, kUnreadable);
                                 if (offset < known.stream_first) continue;
                                 if (offset != known.entry) {
                                     return damage(Table::entries, partition, known.entry,
                                                   "the row is missing");
                                 }
                                 if (auto failed = entry(partition, offset, row)) return failed;
                                 ++known.entry;
                             }
                             return std::nullopt;
                         });
    if (!done) return done;
    for (const auto& [partition, known] : queues_) {
        if (known.entry != known.stream_next) {
            return fail(damage(Table::entries, partition, known.entry, "the row is missing"));
        }
    }
    return {};
}

std::optional<StateError> Loader::entry(PartitionId partition, std::uint64_t offset,
                                        EntryRow& row) {
    row.body.key = {};
    if (row.in_results) {
        if (partition != result_partition_ || offset < result_first_ || offset > result_last_) {
            auto found = from_->ceiling(Table::results, NumberKey(partition, offset));
            if (!found) return std::move(found).error();
            if (!*found || !number_of_key((*found)->key, result_partition_, result_last_) ||
                !decode_row((*found)->value, result_) || result_.entries == 0 ||
                result_.entries - 1 > result_last_) {
                return damage(Table::results, partition, offset, "the row is missing");
            }
            result_first_ = result_last_ - (result_.entries - 1);
            if (result_partition_ != partition || offset < result_first_) {
                return damage(Table::results, partition, offset, "the row is missing");
            }
        }
        row.body = result_.body;
        row.body.key = {BodyKey::Kind::result, partition, result_first_};
    } else if (!row.body.body.bytes.empty()) {
        row.body.key = {BodyKey::Kind::result, partition, offset};
    }
    if (sink_->entry(partition, offset, row)) return std::nullopt;
    return damage(Table::entries, partition, offset, kRefused);
}

Done Loader::ids() {
    IdRow row;
    auto done = numbered(Table::ids,
                         [&](PartitionId partition, Known& known, std::uint64_t first,
                             ByteView value) -> std::optional<StateError> {
                             ArchiveReader reader(value);
                             for (std::uint64_t at = first; !reader.at_end(); ++at) {
                                 row.fields(reader);
                                 if (!reader.ok()) {
                                     return damage(Table::ids, partition, at, kUnreadable);
                                 }
                                 if (at < known.ids_begin) continue;
                                 if (at != known.id || !sink_->id(partition, at, row)) {
                                     return damage(Table::ids, partition, at, kRefused);
                                 }
                                 ++known.id;
                             }
                             return std::nullopt;
                         });
    if (!done) return done;
    for (const auto& [partition, known] : queues_) {
        if (known.id != known.ids_end) {
            return fail(damage(Table::ids, partition, known.id, "the row is missing"));
        }
    }
    return {};
}

}  // namespace

Result<LogPosition, StateError> recover(CommitLog& log, StateStore& store) {
    Checkpoint checkpoint(log, store);
    auto step = checkpoint.run_all();
    if (!step) return fail(std::move(step).error());
    return step->position;
}

Result<void, StateError> load(StateStore& store, RestoreSink& sink) {
    auto snapshot = store.snapshot();
    if (!snapshot) return fail(std::move(snapshot).error());
    return Loader(**snapshot, sink).all();
}

Result<void, StateError> mark_settled(StateStore& store) {
    auto done = store.begin();
    if (done) {
        auto erased = store.erase(Table::meta, kMetaRestored);
        done = erased ? store.commit() : Done(fail(std::move(erased).error()));
    }
    if (!done) store.abort();
    return done;
}

}  // namespace scanmq::broker
