#include "broker/store/materialiser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/body_reader.hpp"
#include "tests/support/model_state_store.hpp"
#include "tests/unit/broker/store/list_log.hpp"
#include "tests/unit/broker/store/record_maker.hpp"

namespace scanmq::broker {
namespace {

std::multiset<std::string> loaded(StateStore& store) {
    RowLines lines;
    const auto done = load(store, lines);
    EXPECT_TRUE(done.ok()) << done.error().sentence;
    return lines.lines;
}

// Writes after so many records.
void apply(StateStore& store, const std::vector<MadeRecord>& records, std::size_t each) {
    Materialiser materialiser(store);
    std::size_t added = 0;
    const auto write = [&] {
        for (;;) {
            const auto written = materialiser.write();
            ASSERT_TRUE(written.ok()) << written.error().sentence;
            if (!written->more) return;
        }
    };
    for (const MadeRecord& record : records) {
        const auto done = materialiser.add(record.view());
        ASSERT_TRUE(done.ok()) << done.error().sentence;
        if (++added % each == 0) write();
    }
    write();
}

class MaterialiserSeeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(MaterialiserSeeds, TablesDoNotDependOnWhenTheyWereWritten) {
    RecordMaker maker(GetParam());
    for (int i = 0; i < 600; ++i) {
        maker.step();
        if (i % 50 == 49) maker.late_record();
    }
    ModelStateStore one_by_one;
    apply(one_by_one, maker.records(), 1);
    ModelStateStore at_once;
    apply(at_once, maker.records(), maker.records().size() + 1);
    ModelStateStore in_parts;
    apply(in_parts, maker.records(), 17);
    for (std::size_t i = 0; i < kTables; ++i) {
        const auto table = static_cast<Table>(i);
        EXPECT_EQ(one_by_one.rows(table), at_once.rows(table)) << name_of(table);
        EXPECT_EQ(one_by_one.rows(table), in_parts.rows(table)) << name_of(table);
    }
    EXPECT_EQ(loaded(at_once), maker.expected());
}

// Remembers bodies by key.
class BodySink final : public RestoreSink {
  public:
    std::vector<std::pair<BodyKey, std::string>> bodies;

    bool broker(const BrokerRow&, bool) override { return true; }
    bool queue(PartitionId, const QueueRow&) override { return true; }
    bool group(PartitionId, const Id128&, const GroupRow&) override { return true; }
    bool execution(PartitionId, std::uint64_t, const ExecutionRow& row, const RunRow*) override {
        return add(row.payload);
    }
    bool entry(PartitionId, std::uint64_t, const EntryRow& row) override { return add(row.body); }
    bool id(PartitionId, std::uint64_t, const IdRow&) override { return true; }
    bool flow(PartitionId, std::string_view, const FlowRow&) override { return true; }
    bool cursor(PartitionId, std::string_view, const CursorRow&) override { return true; }
    bool dead(PartitionId, std::uint64_t, const DeadRow&, const ExecutionRow& row) override {
        return add(row.payload);
    }
    bool alias(std::string_view, const AliasRow&) override { return true; }
    bool standing(PartitionId, std::string_view, const StandingRow&,
                  const StandingRunRow&) override {
        return true;
    }

  private:
    bool add(const StoredBody& body) {
        EXPECT_EQ(body.key.kind == BodyKey::Kind::none, body.body.bytes.empty());
        bodies.emplace_back(body.key, body.body.bytes);
        return true;
    }
};

TEST_P(MaterialiserSeeds, EveryBodyThatIsLoadedCanBeReadByItsKey) {
    RecordMaker maker(GetParam());
    for (int i = 0; i < 300; ++i) maker.step();
    ModelStateStore store;
    apply(store, maker.records(), 40);
    BodySink sink;
    ASSERT_TRUE(load(store, sink).ok());
    BodyReader reader(store);
    Rng rng(GetParam());
    for (std::size_t i = 0; i < 2 * sink.bodies.size(); ++i) {
        const auto& [key, body] =
            sink.bodies[i < sink.bodies.size() ? i : rng.below(sink.bodies.size())];
        if (key.kind == BodyKey::Kind::none) continue;
        const auto found = reader.read(key);
        ASSERT_TRUE(found.ok() && found->has_value()) << key.number;
        ASSERT_EQ((*found)->bytes, body) << key.number;
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MaterialiserSeeds, testing::Range<std::uint64_t>(1, 31));

// Records of one queue, partition 1, made by hand.
class MaterialiserTest : public testing::Test {
  protected:
    MaterialiserTest() { EXPECT_TRUE(broker(change::QueueCreated{1, "q", {}, {}}).ok()); }

    template <class... Changes>
    Result<void, StateError> queue(const Changes&... changes) {
        return add(1, sequence_, changes...);
    }
    template <class... Changes>
    Result<void, StateError> broker(const Changes&... changes) {
        return add(0, broker_sequence_, changes...);
    }
    void write() {
        const auto written = materialiser_.write();
        ASSERT_TRUE(written.ok()) << written.error().sentence;
    }
    static change::Accepted accepted(std::uint64_t execution, bool attached = false) {
        change::Accepted out;
        out.execution = execution;
        out.attached = attached;
        out.job.id = job(++jobs_);
        out.payload.body.bytes = "payload";
        return out;
    }
    static Id128 job(std::uint8_t n) {
        Id128 out;
        out.bytes.fill(n);
        return out;
    }
    change::Ended ended(std::uint64_t execution, std::size_t jobs, std::string_view body) {
        change::Ended out;
        out.execution = execution;
        out.over = true;
        out.outcome = protocol::FinalOutcome::done;
        out.first_offset = out.first_id_position = offset_;
        out.jobs.resize(jobs);
        out.body.body.bytes = body;
        offset_ += jobs;
        return out;
    }
    template <class Row>
    Row row(Table table, std::uint64_t number) {
        Row out;
        const auto& rows = store_.rows(table);
        const auto found = rows.find(ByteView(NumberKey(1, number)));
        EXPECT_TRUE(found != rows.end() && decode_row(found->second, out));
        return out;
    }
    std::size_t count(Table table) { return store_.rows(table).size(); }

    static inline std::uint8_t jobs_ = 0;
    ModelStateStore store_;
    Materialiser materialiser_{store_};
    std::uint64_t offset_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t broker_sequence_ = 0;
    LogPosition position_ = 0;

  protected:
    template <class... Changes>
    Result<void, StateError> add(PartitionId partition, std::uint64_t& sequence,
                                 const Changes&... changes) {
        std::string bytes;
        std::vector<BodyPlace> places;
        (write_change(changes, bytes, places), ...);
        return add_bytes(partition, sequence, bytes);
    }
    Result<void, StateError> add_bytes(PartitionId partition, std::uint64_t& sequence,
                                       const std::string& bytes) {
        const auto done =
            materialiser_.add({++position_, partition, 9, sequence, sequence + 1, bytes});
        ++sequence;
        return done;
    }
};

TEST_F(MaterialiserTest, ExecutionsOfVersionOneHaveNoFlow) {
    std::string bytes;
    std::vector<BodyPlace> places;
    write_change(accepted(1), bytes, places);
    ASSERT_EQ(bytes[2], char{change::Accepted::kOwnInFlow});
    bytes[2] = change::Accepted::kOwn;
    bytes.pop_back();  // the length of no flow
    ASSERT_TRUE(add_bytes(1, sequence_, bytes).ok());
    change::Accepted second = accepted(2);
    second.flow = "desk";
    ASSERT_TRUE(queue(second, accepted(2, true)).ok());
    write();
    const auto old = row<ExecutionRow>(Table::executions, 1);
    EXPECT_EQ(old.flow, "");
    EXPECT_EQ(old.payload.body.bytes, "payload");
    EXPECT_EQ(row<ExecutionRow>(Table::executions, 2).flow, "desk");
    EXPECT_EQ(row<ExecutionRow>(Table::executions, 2).jobs.size(), 2U);
    // Its row is read, changed and written again.
    ASSERT_TRUE(queue(accepted(1, true)).ok());
    write();
    EXPECT_EQ(row<ExecutionRow>(Table::executions, 1).jobs.size(), 2U);
    EXPECT_EQ(row<ExecutionRow>(Table::executions, 1).flow, "");
}

TEST_F(MaterialiserTest, LimitsOfAFlowAreARowUntilTheyAreTakenAway) {
    ASSERT_TRUE(queue(change::FlowLimited{"desk", {{"weight", 3}}}).ok());
    write();
    ASSERT_EQ(count(Table::flows), 1U);
    ASSERT_TRUE(queue(change::FlowLimited{"desk", {}}).ok());
    write();
    EXPECT_EQ(count(Table::flows), 0U);
}

TEST_F(MaterialiserTest, AJobThatCameAndWentLeavesItsEntryAndIdOnly) {
    change::Started started;
    started.attempts = {{1, 1}};
    ASSERT_TRUE(queue(accepted(1), started, ended(1, 1, "result")).ok());
    write();
    EXPECT_EQ(count(Table::executions), 0U);
    EXPECT_EQ(count(Table::runs), 0U);
    EXPECT_EQ(count(Table::results), 0U);
    EXPECT_EQ(row<EntryRow>(Table::entries, 0).body.body.bytes, "result");
    EXPECT_EQ(count(Table::ids), 1U);
}

TEST_F(MaterialiserTest, AttachedJobsJoinAnExecutionThatIsInTheStore) {
    ASSERT_TRUE(queue(accepted(1)).ok());
    write();
    ASSERT_TRUE(queue(accepted(1, true), accepted(1, true)).ok());
    write();
    const auto execution = row<ExecutionRow>(Table::executions, 1);
    EXPECT_EQ(execution.jobs.size(), 3U);
    EXPECT_EQ(execution.payload.body.bytes, "payload");
}

TEST_F(MaterialiserTest, TheLiveAttemptHasTheEpochOfItsRecord) {
    change::Started started;
    started.worker = "w";
    started.attempts = {{1, 77}};
    ASSERT_TRUE(queue(accepted(1), started).ok());
    write();
    EXPECT_EQ(row<RunRow>(Table::runs, 1).live_epoch, 9U);
    EXPECT_EQ(row<RunRow>(Table::runs, 1).live_counter, 77U);
    EXPECT_EQ(row<RunRow>(Table::runs, 1).worker, "w");
}

TEST_F(MaterialiserTest, ABodyThatEntriesShareIsStoredOnceAndLivesAsLongAsTheLast) {
    ASSERT_TRUE(
        queue(accepted(1), accepted(1, true), accepted(1, true), ended(1, 3, "small")).ok());
    write();
    EXPECT_EQ(row<ResultRow>(Table::results, 2).entries, 3U);
    ASSERT_TRUE(queue(change::StreamTrimmed{2}).ok());
    write();
    EXPECT_EQ(count(Table::results), 1U);
    ASSERT_TRUE(queue(change::StreamTrimmed{3}).ok());
    write();
    EXPECT_EQ(count(Table::results), 0U);
    EXPECT_EQ(count(Table::entries), 0U);
}

TEST_F(MaterialiserTest, ALargeResultIsKeptApart) {
    const std::string large(kInlineEntryBytes + 1, 'x');
    ASSERT_TRUE(queue(accepted(1), ended(1, 1, large)).ok());
    write();
    EXPECT_TRUE(row<EntryRow>(Table::entries, 0).in_results);
    EXPECT_EQ(row<ResultRow>(Table::results, 0).body.body.bytes, large);
}

TEST_F(MaterialiserTest, TheHistoryKeepsTheNewestAttempts) {
    ASSERT_TRUE(queue(accepted(1)).ok());
    for (int i = 0; i < 20; ++i) {
        change::Released released;
        released.execution = 1;
        released.kept = true;
        released.attempt.ended = i;
        ASSERT_TRUE(queue(released).ok());
        if (i % 7 == 0) write();
    }
    write();
    const auto run = row<RunRow>(Table::runs, 1);
    ASSERT_EQ(run.history.size(), RunRow::kHistoryMax);
    EXPECT_EQ(run.history.front().ended, 4);
    EXPECT_EQ(run.history.back().ended, 19);
}

TEST_F(MaterialiserTest, ADeadLetterKeepsPayloadAndHistory) {
    ASSERT_TRUE(queue(accepted(1)).ok());
    write();
    change::Released released;
    released.execution = 1;
    released.failures = 4;
    released.kept = true;
    auto died = ended(1, 1, "");
    died.dead_letter = true;
    died.outcome = protocol::FinalOutcome::dead;
    died.has_attempt = true;
    died.attempt.outcome = protocol::AttemptOutcome::failed;
    ASSERT_TRUE(queue(released, died).ok());
    write();
    EXPECT_EQ(count(Table::executions), 0U);
    EXPECT_EQ(count(Table::runs), 0U);
    DeadRow dead;
    ExecutionRow execution;
    ArchiveReader reader(store_.rows(Table::dead).begin()->second);
    dead.fields(reader);
    execution.fields(reader);
    ASSERT_TRUE(reader.ok() && reader.at_end());
    EXPECT_EQ(dead.failures, 5U);
    EXPECT_EQ(dead.history.size(), 2U);
    EXPECT_EQ(execution.payload.body.bytes, "payload");
    ASSERT_TRUE(queue(change::DeadDropped{1}).ok());
    write();
    EXPECT_EQ(count(Table::dead), 0U);
}

TEST_F(MaterialiserTest, RecordsAlreadyAppliedArePassedOver) {
    ASSERT_TRUE(queue(accepted(1)).ok());
    write();
    EXPECT_TRUE(materialiser_.add({position_, 1, 9, 0, 1, "whatever"}).ok());
    ASSERT_TRUE(queue(accepted(2)).ok());
    write();
    EXPECT_EQ(count(Table::executions), 2U);
}

TEST_F(MaterialiserTest, ADeletedQueueIsErasedInSlices) {
    constexpr std::uint64_t kJobs = 2 * Materialiser::kSweepRows + 10;
    for (std::uint64_t i = 1; i <= kJobs; ++i) ASSERT_TRUE(queue(accepted(i)).ok());
    write();
    ASSERT_TRUE(broker(change::QueueDeleted{1}).ok());
    ASSERT_TRUE(queue(change::StreamTrimmed{0}).ok()) << "it is too late, and no error";
    auto written = materialiser_.write();
    ASSERT_TRUE(written.ok());
    EXPECT_TRUE(written->more);
    EXPECT_EQ(count(Table::executions), kJobs - Materialiser::kSweepRows);
    RowLines lines;
    EXPECT_TRUE(load(store_, lines).ok()) << "what is left of it is not loaded";
    EXPECT_EQ(lines.lines.size(), 1U);
    // Another process goes on with it.
    Materialiser next(store_);
    for (bool more = true; more;) {
        written = next.write();
        ASSERT_TRUE(written.ok());
        more = written->more;
    }
    EXPECT_EQ(count(Table::executions), 0U);
    EXPECT_EQ(count(Table::meta), 1U);
}

TEST_F(MaterialiserTest, AQueuesFirstRecordMayComeBeforeTheOneThatNamesIt) {
    std::uint64_t sequence = 0;
    std::string bytes;
    std::vector<BodyPlace> places;
    write_change(accepted(1), bytes, places);
    ASSERT_TRUE(materialiser_.add({++position_, 2, 9, sequence, 1, bytes}).ok());
    write();
    ASSERT_TRUE(broker(change::QueueCreated{2, "late", {}, {}}).ok());
    write();
    RowLines lines;
    EXPECT_TRUE(load(store_, lines).ok());
}

TEST_F(MaterialiserTest, WhatDoesNotFitIsDamageThatNamesPartitionAndRecord) {
    const auto expect_damage = [&](Result<void, StateError> done, std::string_view what) {
        ASSERT_FALSE(done.ok()) << what;
        EXPECT_EQ(done.error().kind, StateError::Kind::damaged) << what;
        EXPECT_THAT(done.error().sentence, testing::StartsWith("partition 1, record "));
        EXPECT_THAT(done.error().sentence, testing::HasSubstr(std::string(what)));
        materialiser_.drop();
        // The records of this one are gone with it: what follows goes on from the state.
        sequence_ = 1;
        offset_ = 0;
    };
    ASSERT_TRUE(queue(accepted(1)).ok());
    write();
    sequence_ = 5;
    expect_damage(queue(accepted(2)), "it follows 5, the last one was 1");
    expect_damage(queue(accepted(1)), "the next one is 2");
    const auto once = ended(1, 1, "");
    const auto twice = ended(1, 1, "");
    expect_damage(queue(once, twice), "ended twice");
    auto gap = ended(1, 1, "");
    gap.first_offset = 7;
    expect_damage(queue(gap), "an entry at 7, the next one is 0");
    expect_damage(queue(change::StreamTrimmed{9}), "trimmed to an offset");
    expect_damage(queue(change::IdsForgotten{9}), "ids were forgotten");
    expect_damage(queue(change::GroupSealed{job(200), 1}), "a group was sealed");
    auto in_group = accepted(2);
    in_group.job.group = job(200);
    expect_damage(queue(in_group), "into a group");
    expect_damage(queue(change::AliasMoved{"a", {}, 1, {}}), "which no queue has");
    expect_damage(queue(change::DeadDropped{8}), "no such dead letter");
}

TEST_F(MaterialiserTest, AnExecutionThatIsNotThereIsFoundWhenItIsWritten) {
    ASSERT_TRUE(queue(accepted(1)).ok());
    write();
    store_.overwrite(Table::executions, std::string(ByteView(NumberKey(1, 1))), std::nullopt);
    ASSERT_TRUE(queue(ended(1, 1, "")).ok());
    const auto written = materialiser_.write();
    ASSERT_FALSE(written.ok());
    EXPECT_THAT(written.error().sentence, testing::HasSubstr("execution 1 ended and is not there"));
}

// Bytes of records changed at random: an error or other rows, never a crash.
TEST_P(MaterialiserSeeds, DamagedRecordsAreErrors) {
    RecordMaker maker(GetParam());
    for (int i = 0; i < 60; ++i) maker.step();
    Rng rng(GetParam());
    for (int round = 0; round < 60; ++round) {
        std::vector<MadeRecord> records = maker.records();
        std::string& bytes = records[rng.below(records.size())].bytes;
        if (rng.below(3) == 0) {
            bytes.resize(rng.below(bytes.size()));
        } else {
            bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
        }
        ModelStateStore store;
        Materialiser materialiser(store);
        Result<void, StateError> done;
        for (std::size_t i = 0; done && i < records.size(); ++i) {
            done = materialiser.add(records[i].view());
            if (done && rng.below(10) == 0) {
                if (auto written = materialiser.write(); !written) {
                    done = fail(StateError(written.error()));
                }
            }
        }
        if (done && materialiser.write().ok()) {
            RowLines lines;
            done = load(store, lines);
        }
        if (!done) {
            EXPECT_EQ(done.error().kind, StateError::Kind::damaged);
        }
    }
}

// Rows changed, cut or lost at random: load() says so or gives other rows, and never crashes.
TEST_P(MaterialiserSeeds, DamagedRowsAreErrors) {
    RecordMaker maker(GetParam());
    for (int i = 0; i < 200; ++i) maker.step();
    Rng rng(GetParam());
    std::size_t found = 0;
    for (int round = 0; round < 60; ++round) {
        ModelStateStore store;
        apply(store, maker.records(), maker.records().size() + 1);
        const auto table = static_cast<Table>(1 + rng.below(kTables - 1));
        if (store.rows(table).empty()) continue;
        auto at = store.rows(table).begin();
        std::advance(at, rng.below(store.rows(table).size()));
        std::string key = at->first;
        std::optional<std::string> value = at->second;
        switch (rng.below(4)) {
            case 0:
                value.reset();
                break;
            case 1:
                value->resize(rng.below(value->size()));
                break;
            case 2:
                key.resize(rng.below(key.size()) + 1);
                break;
            default:
                (*value)[rng.below(value->size())] = static_cast<char>(rng.next());
        }
        store.overwrite(table, key, value);
        RowLines lines;
        const auto done = load(store, lines);
        if (!done) {
            EXPECT_EQ(done.error().kind, StateError::Kind::damaged);
            ++found;
        }
    }
    EXPECT_GT(found, 15U);
}

}  // namespace
}  // namespace scanmq::broker
