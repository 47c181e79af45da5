#include "broker/store/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "broker/store/checkpoint_thread.hpp"
#include "broker/store/lmdb_state_store.hpp"
#include "tests/support/model_state_store.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/broker/store/list_log.hpp"

namespace scanmq::broker {
namespace {

std::multiset<std::string> loaded(StateStore& store) {
    RowLines lines;
    const auto done = load(store, lines);
    EXPECT_TRUE(done.ok()) << done.error().sentence;
    return lines.lines;
}

void make(RecordMaker& maker, ListLog& log, int steps) {
    for (; steps > 0; --steps) maker.step();
    log.records = maker.records();
}

TEST(Checkpoint, MovesWhatIsDurableAndLetsTheLogGo) {
    RecordMaker maker(1);
    ListLog log;
    ModelStateStore store;
    Checkpoint checkpoint(log, store);
    make(maker, log, 200);
    auto step = checkpoint.run_once();
    ASSERT_TRUE(step.ok());
    EXPECT_EQ(step->records, log.records.size());
    EXPECT_EQ(step->position, log.durable());
    EXPECT_EQ(log.released, log.durable());
    make(maker, log, 200);
    step = checkpoint.run_once();
    ASSERT_TRUE(step.ok());
    EXPECT_EQ(step->position, log.durable());
    EXPECT_EQ(loaded(store), maker.expected());
}

TEST(Checkpoint, WithNothingNewWritesNothing) {
    RecordMaker maker(1);
    ListLog log;
    ModelStateStore store;
    Checkpoint checkpoint(log, store);
    make(maker, log, 20);
    ASSERT_TRUE(checkpoint.run_all().ok());
    const std::uint64_t calls = store.calls();
    const auto step = checkpoint.run_all();
    ASSERT_TRUE(step.ok());
    EXPECT_EQ(step->records, 0U);
    EXPECT_EQ(store.calls(), calls);
}

TEST(Checkpoint, IsMadeInBoundedSteps) {
    RecordMaker maker(2);
    ListLog log;
    ModelStateStore store;
    make(maker, log, 300);
    Checkpoint checkpoint(log, store, {4096});
    std::size_t steps = 0;
    for (bool more = true; more; ++steps) {
        const auto step = checkpoint.run_once();
        ASSERT_TRUE(step.ok());
        EXPECT_LE(step->bytes, 4096U + 100'000U);
        if (step->records > 1) {
            EXPECT_LE(step->bytes, 4096U);
        }
        more = step->more;
    }
    EXPECT_GT(steps, 10U);
    EXPECT_EQ(log.released, log.durable());
    EXPECT_EQ(loaded(store), maker.expected());
}

TEST(Checkpoint, WithoutRoomChangesNothingAndCanBeRepeated) {
    RecordMaker maker(3);
    ListLog log;
    ModelStateStore store;
    Checkpoint checkpoint(log, store);
    make(maker, log, 100);
    store.fail_at(9, StateError::Kind::full);
    const auto step = checkpoint.run_once();
    ASSERT_FALSE(step.ok());
    EXPECT_EQ(step.error().kind, StateError::Kind::full);
    EXPECT_EQ(log.released, 0U);
    ASSERT_TRUE(checkpoint.run_once().ok());
    EXPECT_EQ(loaded(store), maker.expected());
}

// A crash at every call of every transaction, over and over: the state is the same in the end.
TEST(Checkpoint, CutShortAnywhereAndRepeatedGivesTheSame) {
    RecordMaker maker(4);
    ListLog log;
    make(maker, log, 150);
    ModelStateStore whole;
    ASSERT_TRUE(Checkpoint(log, whole, {8192}).run_all().ok());
    const std::uint64_t calls = whole.calls();
    ASSERT_GT(calls, 100U);
    for (std::uint64_t at = 1; at <= calls; at += 1 + calls / 300) {
        ListLog again;
        again.records = log.records;
        ModelStateStore store;
        store.fail_at(at, StateError::Kind::io);
        ASSERT_FALSE(Checkpoint(again, store, {8192}).run_all().ok()) << at;
        store.crash();
        ASSERT_TRUE(recover(again, store).ok()) << at;
        for (std::size_t i = 0; i < kTables; ++i) {
            const auto table = static_cast<Table>(i);
            ASSERT_EQ(store.rows(table), whole.rows(table)) << name_of(table) << " " << at;
        }
    }
}

TEST(Checkpoint, GivesTheSameInLmdbAcrossRestarts) {
    const tests::TempDir dir;
    RecordMaker maker(5);
    ListLog log;
    for (int i = 0; i < 10; ++i) {
        make(maker, log, 60);
        LmdbStateStore::Options options;
        options.directory = dir.path();
        options.sync = false;
        auto store = LmdbStateStore::open(options);
        ASSERT_TRUE(store.ok());
        ASSERT_TRUE(recover(log, **store).ok());
        ASSERT_EQ(loaded(**store), maker.expected());
    }
}

TEST(Checkpoint, ALogThatCannotBeReadIsAnError) {
    RecordMaker maker(6);
    ListLog log;
    ModelStateStore store;
    make(maker, log, 10);
    log.released = 5;
    const auto step = Checkpoint(log, store).run_once();
    ASSERT_FALSE(step.ok());
    EXPECT_EQ(step.error().kind, StateError::Kind::io);
    EXPECT_EQ(step.error().sentence, "released already");
}

// What a thread's run ends with, as a future.
std::future<CheckpointThread::Outcome> run(CheckpointThread& thread) {
    auto promise = std::make_shared<std::promise<CheckpointThread::Outcome>>();
    auto future = promise->get_future();
    thread.run_now([promise](const CheckpointThread::Outcome& out) { promise->set_value(out); });
    return future;
}

TEST(CheckpointThread, RunsWhenAskedToAndTellsTheOutcome) {
    RecordMaker maker(7);
    ListLog log;
    ModelStateStore store;
    make(maker, log, 50);
    Checkpoint checkpoint(log, store);
    CheckpointThread thread(checkpoint, {1U << 30, std::chrono::hours(1)}, {});
    const auto outcome = run(thread).get();
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->position, log.durable());
    EXPECT_EQ(thread.position(), log.durable());
    EXPECT_FALSE(thread.error().has_value());
}

TEST(CheckpointThread, RunsAfterSoManyBytes) {
    RecordMaker maker(8);
    ListLog log;
    ModelStateStore store;
    make(maker, log, 50);
    Checkpoint checkpoint(log, store);
    std::promise<void> woken;
    CheckpointThread thread(checkpoint, {1000, std::chrono::hours(1)}, [&] { woken.set_value(); });
    thread.appended(400);
    thread.appended(600);
    woken.get_future().wait();
    EXPECT_EQ(thread.position(), log.durable());
}

TEST(CheckpointThread, RunsAfterATimeWhenSomethingWasAppended) {
    RecordMaker maker(9);
    ListLog log;
    ModelStateStore store;
    make(maker, log, 50);
    Checkpoint checkpoint(log, store);
    std::promise<void> woken;
    CheckpointThread thread(checkpoint, {1U << 30, std::chrono::milliseconds(1)},
                            [&] { woken.set_value(); });
    thread.appended(1);
    woken.get_future().wait();
    EXPECT_EQ(thread.position(), log.durable());
}

TEST(CheckpointThread, WithoutRoomItSaysSoUntilThereIs) {
    RecordMaker maker(10);
    ListLog log;
    ModelStateStore store;
    make(maker, log, 50);
    store.fail_at(5, StateError::Kind::full);
    Checkpoint checkpoint(log, store);
    CheckpointThread thread(checkpoint, {1U << 30, std::chrono::hours(1)}, {});
    const auto failed = run(thread).get();
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().kind, StateError::Kind::full);
    ASSERT_TRUE(run(thread).get().ok());
    EXPECT_EQ(thread.position(), log.durable());
}

TEST(CheckpointThread, DoesNotTryAgainWhatTheDiskRefused) {
    RecordMaker maker(11);
    ListLog log;
    ModelStateStore store;
    make(maker, log, 50);
    store.fail_at(5, StateError::Kind::io);
    Checkpoint checkpoint(log, store);
    CheckpointThread thread(checkpoint, {1U << 30, std::chrono::hours(1)}, {});
    ASSERT_FALSE(run(thread).get().ok());
    const auto again = run(thread).get();
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().kind, StateError::Kind::io);
    ASSERT_TRUE(thread.error().has_value());
    EXPECT_EQ(thread.position(), 0U);
}

}  // namespace
}  // namespace scanmq::broker
