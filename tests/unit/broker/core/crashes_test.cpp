// BrokerCore: lost workers: who is charged, suspects, and what runs alone.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

class CrashesTest : public CoreTest {
  protected:
    CrashesTest() : CoreTest({{"retry_base_ms", 0}, {"max_crashes", 2}}) {}
    // An execution with a crash behind it, waiting to run alone.
    void crash_one(std::uint64_t number) { crash(number, 1); }
    void crash(std::uint64_t first, std::uint64_t count) {
        Peer& w = worker("victim", {count, 100'000});
        accept(job_range(first, count));
        ASSERT_EQ(given(w).size(), count);
        heartbeat(w, counters);
        lose(w);
        ASSERT_EQ(job_row(first, "crashes"), "1");
    }
};

TEST_F(CrashesTest, WhatWasStartedIsChargedWhatWaitedIsNot) {
    Peer& w = worker();
    accept(job_range(1, 3));
    EXPECT_EQ(given(w), (Numbers{1, 2, 3}));
    h.advance(1ms);
    heartbeat(w, {counters[0]});
    h.advance(1ms);
    accept(4);
    given(w);
    forget_changes();
    lose(w);
    EXPECT_EQ(job_row(1, "crashes"), "1");
    for (const std::uint64_t n : {2, 3, 4}) EXPECT_EQ(job_row(n, "crashes"), "0");
    const auto released = changed<change::Released>();
    ASSERT_EQ(released.size(), 4U);
    for (const auto& one : released) {
        EXPECT_EQ(one.crashes, one.execution == 1 ? 1 : 0);
        EXPECT_EQ(one.suspect, one.execution == 4) << "delivered after the last heartbeat";
        EXPECT_EQ(one.kept, one.execution == 1);
        EXPECT_EQ(one.failures, 0U);
        EXPECT_EQ(one.due, 0);
    }
    // 4 and 1 run alone, one after the other; 2 and 3 together.
    Peer& v = worker("v");
    accept(9);
    EXPECT_EQ(given(v), Numbers{4});
    EXPECT_EQ(h.row("workers", "", "alone"), 1U);
    answer(v, counters, AttemptOutcome::done);
    EXPECT_EQ(given(v), Numbers{1});
    EXPECT_EQ(h.row("workers", "", "alone"), 1U);
    answer(v, counters, AttemptOutcome::done);
    EXPECT_EQ(given(v), (Numbers{2, 3, 9}));
    EXPECT_EQ(h.row("workers", "", "alone"), 0U);
}

TEST_F(CrashesTest, ASuspectThatIsLostAloneIsCharged) {
    Peer& w = worker("w", {1, 1'000});
    accept(1);
    given(w);
    lose(w);
    EXPECT_EQ(job_row(1, "crashes"), "0");
    Peer& v = worker("v", {1, 1'000});
    EXPECT_EQ(given(v), Numbers{1});
    EXPECT_EQ(h.row("workers", "", "alone"), 1U);
    lose(v);
    EXPECT_EQ(job_row(1, "crashes"), "1") << "not listed as running, but it was all v had";
    Peer& u = worker("u", {1, 1'000});
    EXPECT_EQ(given(u), Numbers{1});
    lose(u);
    const End dead = end();
    EXPECT_EQ(dead.outcome, FinalOutcome::dead);
    EXPECT_EQ(dead.code, ErrorCode::worker_lost);
    EXPECT_NE(dead.sentence.find("'u'"), std::string::npos);
}

TEST_F(CrashesTest, ASuspectThatIsAnsweredIsNoneAnyMore) {
    Peer& w = worker("w", {1, 1'000});
    accept(1);
    given(w);
    lose(w);
    Peer& v = worker("v", {1, 1'000});
    given(v);
    answer(v, counters, AttemptOutcome::failed);
    accept(2);
    grant(v, {3, 10'000});
    EXPECT_EQ(given(v), (Numbers{1, 2})) << "with others again";
    EXPECT_EQ(h.row("workers", "", "alone"), 0U);
}

TEST_F(CrashesTest, ASuspectHandedBackUnstartedStaysOne) {
    Peer& w = worker("w", {1, 1'000});
    accept(1);
    given(w);
    lose(w);
    Peer& v = worker("v", {1, 1'000});
    given(v);
    forget_changes();
    answer(v, counters, AttemptOutcome::returned);
    ASSERT_EQ(changed<change::Released>().size(), 1U);
    EXPECT_TRUE(changed<change::Released>()[0].suspect);
    grant(v, {3, 10'000});
    accept(2);
    EXPECT_EQ(given(v), Numbers{1}) << "alone";
}

TEST_F(CrashesTest, AWorkerThatSaysByeChargesNobody) {
    Peer& w = worker();
    accept(job_range(1, 2));
    given(w);
    heartbeat(w, counters);
    w.send(protocol::Bye{});
    Peer& v = worker("v");
    EXPECT_EQ(given(v), (Numbers{1, 2}));
    EXPECT_EQ(job_row(1, "crashes"), "0");
}

TEST_F(CrashesTest, AnExecutionWithACrashRunsAloneOnAWorkerThatHasNothing) {
    crash_one(1);
    accept(job_range(2, 3));
    Peer& a = worker("a", {2, 10'000});
    Peer& b = worker("b", {2, 10'000});
    // One of them is taken for it at once, the other works.
    Peer& alone = given(a) == Numbers{1} ? a : b;
    Peer& other = &alone == &a ? b : a;
    if (&alone == &b) {
        EXPECT_EQ(given(b), Numbers{1});
    }
    EXPECT_EQ(given(other).size() + queue_row("waiting"), 3U);
    EXPECT_EQ(queue_row("running"), 3U);
}

TEST_F(CrashesTest, SeveralGetIdleWorkersAtOnce) {
    crash(1, 3);
    control(QueueAction::pause);
    Peer& a = worker("a", {2, 10'000});
    Peer& b = worker("b", {2, 10'000});
    Peer& c = worker("c", {2, 10'000});
    control(QueueAction::resume);
    for (Peer* w : {&a, &b, &c}) EXPECT_EQ(given(*w).size(), 1U);
    EXPECT_EQ(queue_row("waiting"), 0U);
}

TEST_F(CrashesTest, AnIdleWorkerWithoutCreditDoesNotHoldUpWhatRunsAlone) {
    crash_one(1);
    Peer& idle = worker("idle", {1, 1'000});
    EXPECT_EQ(given(idle), Numbers{1});
    answer(idle, counters, AttemptOutcome::returned);  // its credit is used up
    EXPECT_EQ(queue_row("waiting"), 1U);
    Peer& other = worker("other", {1, 1'000});
    EXPECT_EQ(given(other), Numbers{1});
    answer(other, counters, AttemptOutcome::done);
    EXPECT_EQ(end().outcome, FinalOutcome::done);
}

TEST_F(CrashesTest, ALargeOneDoesNotKeepAWorkerThatCannotTakeIt) {
    const std::string large(5'000, 'x');
    Peer& w = worker("victim", {1, 10'000});
    accept(1, {}, large);
    given(w);
    lose(w);
    Peer& small = worker("small", {10, 1'000});
    EXPECT_EQ(given(small), Numbers{});
    accept(2);
    EXPECT_EQ(given(small), Numbers{2}) << "it goes on with what it can take";
    grant(small, {10, 10'000});
    EXPECT_EQ(given(small), Numbers{});
    answer(small, counters.empty() ? Numbers{2} : counters, AttemptOutcome::done);
    EXPECT_EQ(given(small), Numbers{1});
}

TEST_F(CrashesTest, TheReservedWorkerLeavesAndAnotherIsTaken) {
    Peer& a = worker("a", {2, 10'000});
    accept(2);
    EXPECT_EQ(given(a), Numbers{2});
    const Numbers of_a = counters;
    control(QueueAction::pause);
    Peer& w = worker("w", {1, 1'000});
    accept(1);
    control(QueueAction::resume);
    EXPECT_EQ(given(w), Numbers{1});
    lose(w, {&a});
    // a is reserved and has to finish 2 first. It leaves instead.
    accept(3);
    EXPECT_EQ(given(a), Numbers{});
    a.send(protocol::Bye{});
    Peer& b = worker("b", {3, 10'000});
    EXPECT_EQ(given(b), Numbers{1});
    answer(b, counters, AttemptOutcome::done);
    EXPECT_EQ(given(b), (Numbers{2, 3}));
}

class ReservedTest : public CrashesTest {
  protected:
    // A worker of both queues that runs 101 of queue r, kept free for 1 of queue q.
    void SetUp() override {
        h.create_queue("r");
        producer->send(protocol::Want{"r", {}, {10, 10'000}});
        a = &h.worker({1, "", {"r", "q"}}, "a");
        grant(*a, {1, 10'000});
        producer->send(submit("r", jobs(job(101))));
        ASSERT_EQ(given(*a), Numbers{101});
        held_by_a = counters;
        Peer& w = worker("victim", {1, 1'000});
        accept(1);
        given(w);
        heartbeat(w, counters);
        lose(w, {a});
        grant(*a, kPlenty);
        producer->send(submit("r", jobs(job(102))));
        ASSERT_EQ(given(*a), Numbers{}) << "it is kept free";
    }
    Peer* a = nullptr;
    Numbers held_by_a;
};

TEST_F(ReservedTest, IsFreeAgainWhenTheQueueIsPaused) {
    control(QueueAction::pause);
    producer->send(submit("r", jobs(job(103))));
    EXPECT_EQ(given(*a), (Numbers{102, 103}));
}

TEST_F(ReservedTest, IsFreeAgainWhenTheQueueIsDeleted) {
    h.op().send(protocol::QueueDelete{"q", true});
    producer->send(submit("r", jobs(job(103))));
    EXPECT_EQ(given(*a), (Numbers{102, 103}));
}

TEST_F(ReservedTest, IsFreeAgainWhenTheExecutionIsCancelled) {
    EXPECT_EQ(cancel({1}), Numbers{1});
    EXPECT_EQ(given(*a), Numbers{102});
}

TEST_F(ReservedTest, GetsItWhenItsOwnWorkIsDone) {
    answer(*a, held_by_a, AttemptOutcome::done);
    EXPECT_EQ(given(*a), Numbers{1});
    answer(*a, counters, AttemptOutcome::done);
    EXPECT_EQ(given(*a), Numbers{102});
}

TEST_F(ReservedTest, IsNotMissedWhenItIsGone) {
    h.disconnect(*a);
    Peer& b = worker("b", {1, 1'000});
    EXPECT_EQ(given(b), Numbers{1});
}

TEST_F(CrashesTest, AnAloneRunThatIsAdoptedStaysAlone) {
    crash_one(1);
    Peer& w = worker("w", {1, 1'000});
    given(w);
    const Numbers former = counters;
    h.disconnect(w);
    ASSERT_TRUE(w.hello({1, "", {}, {held(former[0], false)}}));
    EXPECT_EQ(w.adopted.size(), 1U);
    grant(w, kPlenty);
    accept(2);
    EXPECT_EQ(given(w), Numbers{});
    answer(w, former, AttemptOutcome::done);
    EXPECT_EQ(given(w), Numbers{2});
}

TEST_F(CrashesTest, CrashesAndFailuresHaveBudgetsOfTheirOwn) {
    alter({{"max_attempts", 2}});
    crash_one(1);
    Peer& w = worker("w", {1, 1'000});
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no");
    EXPECT_EQ(job_row(1, "attempts"), "1");
    EXPECT_EQ(job_row(1, "crashes"), "1");
    EXPECT_EQ(ends().size(), 0U);
    grant(w, {2, 1'000});
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no again");
    const End dead = end();
    EXPECT_EQ(dead.code, ErrorCode::attempts_exhausted);
    EXPECT_EQ(dead.sentence, "no again");
}

TEST_F(CrashesTest, LostAttemptsComeBackInTheirOrderBeforeWhatWaits) {
    Peer& w = worker("w", {3, 10'000});
    accept(job_range(1, 5));
    EXPECT_EQ(given(w), (Numbers{1, 2, 3}));
    h.advance(1ms);
    heartbeat(w);
    lose(w);
    Peer& v = worker("v");
    EXPECT_EQ(given(v), (Numbers{1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace scanmq::broker
