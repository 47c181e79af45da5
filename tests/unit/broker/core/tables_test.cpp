// Sessions, workers' turns, groups, subscriptions, queue settings, counters: each by itself.

#include <gtest/gtest.h>

#include <vector>

#include "broker/core/counters.hpp"
#include "broker/core/group_table.hpp"
#include "broker/core/queue_settings.hpp"
#include "broker/core/session_table.hpp"
#include "broker/core/subscription.hpp"
#include "broker/core/worker_ring.hpp"
#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::GroupPhase;
using testing::job_id;

TEST(SessionTable, IdsAreRandomAndNeverZero) {
    SessionTable a(1);
    SessionTable b(2);
    const auto first = a.open({1}, "p", job_id(1), Time{}).id;
    EXPECT_NE(first.value, 0U);
    EXPECT_NE(first, b.open({1}, "p", job_id(1), Time{}).id);
    EXPECT_NE(first, a.open({2}, "p", job_id(2), Time{}).id);
}

TEST(SessionTable, FindsSessionsUntilTheyClose) {
    SessionTable table(1);
    Session& session = table.open({5}, "p", job_id(1), Time{});
    EXPECT_EQ(table.by_connection({5}), &session);
    EXPECT_EQ(table.by_instance("p", job_id(1)), &session);
    EXPECT_EQ(table.by_instance("q", job_id(1)), nullptr);
    EXPECT_EQ(table.by_id(session.id), &session);
    table.close(session);
    EXPECT_EQ(table.by_connection({5}), nullptr);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.longest_silent(), nullptr);
}

TEST(SessionTable, TheLongestSilentIsFirst) {
    SessionTable table(1);
    Session& a = table.open({1}, "a", job_id(1), Time{1s});
    Session& b = table.open({2}, "b", job_id(2), Time{2s});
    EXPECT_EQ(table.longest_silent(), &a);
    table.heard(a, Time{3s});
    EXPECT_EQ(table.longest_silent(), &b);
}

class WorkerRingTest : public ::testing::Test {
  protected:
    // Gives it an attempt the way the dispatcher does.
    void give(Worker& worker) {
        const Slot slot = table.runs.allocate();
        worker.running.push_back(table, slot);
        worker.credit.send({1, 0});
        ring.update(worker);
    }
    void answer(Worker& worker) {
        worker.running.erase(table, worker.running.back());
        ring.update(worker);
    }
    JobTable table;
    WorkerRing ring;
    Worker a, b, c;
};

TEST_F(WorkerRingTest, TurnsGoRoundThoseWithCredit) {
    for (Worker* worker : {&a, &b, &c}) {
        worker->credit.raise({2, 1'000});
        ring.update(*worker);
    }
    std::vector<Worker*> order;
    while (Worker* worker = ring.pick(0, 10, false)) {
        order.push_back(worker);
        give(*worker);
    }
    EXPECT_EQ(order, (std::vector<Worker*>{&a, &b, &c, &a, &b, &c}));
    EXPECT_FALSE(ring.any());
}

TEST_F(WorkerRingTest, AnIdleWorkerComesBeforeABusyOne) {
    for (Worker* worker : {&a, &b}) worker->credit.raise({10, 1'000});
    ring.update(a);
    give(a);
    give(a);
    ring.update(b);
    EXPECT_EQ(ring.pick(0, 1, false), &b);
    give(b);
    EXPECT_EQ(ring.pick(0, 1, false), &a);
    give(a);
    answer(b);
    EXPECT_EQ(ring.pick(0, 1, false), &b);
}

TEST_F(WorkerRingTest, BytesAndQueuesAreRespected) {
    a.credit.raise({10, 50});
    b.credit.raise({10, 500});
    b.info.queues = {"fast"};
    b.set_serves(0, "slow");
    b.set_serves(1, "fast");
    ring.update(a);
    ring.update(b);
    EXPECT_EQ(ring.pick(0, 50, false), &a);
    EXPECT_EQ(ring.pick(0, 51, false), nullptr);
    EXPECT_EQ(ring.pick(1, 51, false), &b);
    EXPECT_EQ(ring.pick(2, 10, false), &a);  // a queue b was never told of
    ring.leave(a);
    EXPECT_EQ(ring.pick(0, 1, false), nullptr);
}

class GroupTableTest : public ::testing::Test {
  protected:
    Slot open(std::uint64_t number) {
        const auto slot = groups.open(job_id(number), now, forgotten);
        EXPECT_TRUE(slot.ok());
        return slot.ok() ? *slot : kNoSlot;
    }
    void expire() { groups.expire(now, 100, incomplete, forgotten); }
    GroupTable groups{{3, 1h, 10min}};
    std::vector<Slot> incomplete, forgotten;
    Time now{10h};
};

TEST_F(GroupTableTest, CompletesWithTheLastJobWhenSealed) {
    const Slot slot = open(1);
    groups.submitted(slot);
    groups.submitted(slot);
    EXPECT_FALSE(groups.finished(slot, FinalOutcome::done, now));
    EXPECT_FALSE(*groups.seal(job_id(1), 2, now));
    EXPECT_TRUE(groups.finished(slot, FinalOutcome::dead, now));
    EXPECT_EQ(groups[slot].phase, GroupPhase::complete);
    // [3, 2, [[1, 1], [7, 1]]]
    EXPECT_EQ(completion_body(groups[slot]),
              std::string("\x93\x03\x02\x92\x92\x01\x01\x92\x07\x01"));
}

TEST_F(GroupTableTest, CompletesWithTheSealWhenAllHaveEnded) {
    const Slot slot = open(1);
    groups.submitted(slot);
    EXPECT_FALSE(groups.finished(slot, FinalOutcome::done, now));
    EXPECT_TRUE(*groups.seal(job_id(1), 1, now));
    open(2);
    EXPECT_TRUE(*groups.seal(job_id(2), 0, now));
}

TEST_F(GroupTableTest, RefusesWhatDoesNotFit) {
    const Slot slot = open(1);
    groups.submitted(slot);
    EXPECT_EQ(groups.open(job_id(1), now, forgotten).error(), ErrorCode::group_exists);
    EXPECT_EQ(groups.seal(job_id(2), 0, now).error(), ErrorCode::unknown_group);
    EXPECT_EQ(groups.seal(job_id(1), 0, now).error(), ErrorCode::group_count);
    EXPECT_EQ(groups.seal(job_id(1), 2, now).error(), ErrorCode::group_count);
    EXPECT_TRUE(groups.seal(job_id(1), 1, now).ok());
    EXPECT_EQ(groups.seal(job_id(1), 1, now).error(), ErrorCode::group_sealed);
}

TEST_F(GroupTableTest, UnsealedGroupsEndIncompleteAndAreForgottenLater) {
    const Slot slot = open(1);
    groups.submitted(slot);
    now += 30min;
    open(2);
    EXPECT_TRUE(*groups.seal(job_id(2), 0, now));
    now += 30min;
    EXPECT_EQ(groups.next_expiry(), now - 20min);  // group 2 may be forgotten
    expire();
    EXPECT_EQ(incomplete, std::vector<Slot>{slot});
    EXPECT_EQ(groups.find(job_id(2)), kNoSlot);
    now += 10min;
    expire();
    EXPECT_EQ(groups.find(job_id(1)), slot) << "a job of it lives";
    EXPECT_FALSE(groups.finished(slot, FinalOutcome::done, now));
    now += 10min;
    expire();
    EXPECT_EQ(groups.find(job_id(1)), kNoSlot);
    EXPECT_EQ(groups.next_expiry(), Time::max());
}

TEST_F(GroupTableTest, EndedGroupsMakeRoomForNewOnes) {
    open(1);
    open(2);
    open(3);
    EXPECT_EQ(groups.open(job_id(4), now, forgotten).error(), ErrorCode::over_limit);
    EXPECT_TRUE(*groups.seal(job_id(2), 0, now));
    open(4);
    EXPECT_EQ(groups.find(job_id(2)), kNoSlot);
    EXPECT_EQ(forgotten.size(), 1U);
}

TEST_F(GroupTableTest, CompletionCountsHaveTheShortestForm) {
    const Slot slot = open(1);
    groups[slot].phase = GroupPhase::complete;
    groups[slot].count = 70'000;
    groups[slot].outcomes[1] = 300;
    EXPECT_EQ(completion_body(groups[slot]),
              std::string("\x93\x03\xce\x00\x01\x11\x70\x91\x92\x01\xcd\x01\x2c", 13));
}

class SubscriptionTest : public ::testing::Test {
  protected:
    void append(std::string_view subject, std::uint32_t bytes = 100) {
        StreamEntry entry;
        entry.subject = subjects.intern(subject);
        entry.bytes = bytes & 0x7fffffff;
        entry.kind = protocol::EntryKind::job;
        stream.append(entry, 0);
    }
    Subscription subscription(const std::string& pattern, protocol::Credit limit,
                              std::uint64_t offset = 0) {
        return Subscription({1, 1, 1, 0, pattern, offset, limit});
    }
    std::vector<std::uint64_t> collect(Subscription& s, std::uint64_t items = 100,
                                       std::uint64_t encoded = 1'000'000,
                                       std::uint64_t scanned = 100) {
        batch = {};
        Subscription::Budget budget{scanned, items, encoded};
        s.collect(stream, subjects, texts, budget, batch);
        return batch.offsets;
    }
    using Offsets = std::vector<std::uint64_t>;
    Stream stream{job_id(9)};
    InternTable subjects, texts;
    Subscription::Batch batch;
};

TEST_F(SubscriptionTest, TakesWhatMatchesAndPassesTheRest) {
    for (const auto* subject : {"SPY.vertical", "QQQ.vertical", "SPY.condor", "", "SPY.vertical"})
        append(subject);
    Subscription some = subscription("SPY.*", {10, 10'000});
    EXPECT_EQ(collect(some), (Offsets{0, 2, 4}));
    EXPECT_EQ(some.next(), 5U);
    Subscription all = subscription(">", {10, 10'000});
    EXPECT_EQ(collect(all), (Offsets{0, 1, 2, 3, 4}));
}

TEST_F(SubscriptionTest, GroupEntriesPassEveryPattern) {
    append("SPY.vertical");
    StreamEntry entry;
    entry.kind = protocol::EntryKind::group;
    entry.bytes = 70;
    stream.append(entry, 0);
    Subscription other = subscription("QQQ.*", {10, 10'000});
    EXPECT_EQ(collect(other), Offsets{1});
}

TEST_F(SubscriptionTest, StopsAtItsCreditInItemsAndBytes) {
    for (int i = 0; i < 5; ++i) append("S");
    Subscription items = subscription(">", {2, 10'000});
    EXPECT_EQ(collect(items), (Offsets{0, 1}));
    EXPECT_FALSE(items.runnable(stream));
    EXPECT_FALSE(items.raise_limit({1, 10'000})) << "limits do not fall";
    EXPECT_TRUE(items.raise_limit({3, 10'000}));
    EXPECT_EQ(collect(items), Offsets{2});
    Subscription bytes = subscription(">", {10, 250});
    EXPECT_EQ(collect(bytes), (Offsets{0, 1}));
    EXPECT_FALSE(bytes.runnable(stream)) << "50 bytes are not enough for 100";
    EXPECT_TRUE(bytes.raise_limit({10, 300}));
    EXPECT_EQ(collect(bytes), Offsets{2});
}

TEST_F(SubscriptionTest, FramesEndAtTheirBudget) {
    for (int i = 0; i < 5; ++i) append("S");
    Subscription s = subscription(">", {10, 10'000});
    EXPECT_EQ(collect(s, 2), (Offsets{0, 1}));
    EXPECT_EQ(collect(s, 100, 500), (Offsets{2, 3}));
    EXPECT_EQ(collect(s, 100, 1), Offsets{4}) << "an entry over the target goes alone";
}

TEST_F(SubscriptionTest, DroppedEntriesAreAGap) {
    for (int i = 0; i < 5; ++i) append("S");
    Subscription s = subscription(">", {10, 10'000});
    EXPECT_EQ(collect(s, 1), Offsets{0});
    for (int i = 0; i < 3; ++i) stream.drop_oldest();
    EXPECT_EQ(collect(s), (Offsets{3, 4}));
    ASSERT_TRUE(batch.gap.has_value());
    EXPECT_EQ(batch.gap->from, 1U);
    EXPECT_EQ(batch.gap->to, 3U);
}

TEST_F(SubscriptionTest, AMatchIsNotRememberedForAnotherSubjectInTheSamePlace) {
    append("SPY");
    Subscription s = subscription("SPY", {10, 10'000});
    EXPECT_EQ(collect(s), Offsets{0});
    subjects.release(stream.drop_oldest().subject);
    subjects.collect();
    append("QQQ");
    EXPECT_EQ(collect(s), Offsets{});
    EXPECT_EQ(s.next(), 2U);
}

TEST(QueueSettings, NamesRangesAndDefaultsAreChecked) {
    EXPECT_EQ(*with_changes({}, {}), QueueSettings{});
    EXPECT_EQ(with_changes({}, {{"max_jobs", 7}})->max_jobs, 7U);
    EXPECT_NE(with_changes({}, {{"max_job", 7}}).error().find("max_jobs"), std::string::npos);
    EXPECT_NE(with_changes({}, {{"max_attempts", 101}}).error().find("1 to 100"),
              std::string::npos);
    for (const QueueSetting& setting : kQueueSettings) {
        const std::string name(setting.name);
        EXPECT_TRUE(with_changes({}, {{name, setting.most}}).ok());
        EXPECT_FALSE(with_changes({}, {{name, setting.most + 1}}).ok());
    }
}

TEST(Counters, AreFoundByName) {
    Counters counters;
    counters.add(Counter::jobs_accepted, 3);
    counters.error(ErrorCode::unknown_queue);
    counters.refused(ErrorCode::bad_subject);
    EXPECT_EQ(counters.value("jobs_accepted"), 3U);
    EXPECT_EQ(counters.value("error_unknown_queue"), 1U);
    EXPECT_EQ(counters.value("refused_bad_subject"), 1U);
    EXPECT_EQ(counters.value("subscriptions_ended"), 0U);
    EXPECT_EQ(counters.value("no_such_counter"), 0U);
}

}  // namespace
}  // namespace scanmq::broker
