// BrokerCore: leases: adoption, revocation, max_run, and a broker that stood still.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

BrokerOptions short_runs() {
    BrokerOptions options;
    options.max_run = 1min;
    return options;
}

class LeasesTest : public CoreTest {
  protected:
    LeasesTest() : CoreTest({{"retry_base_ms", 0}}, short_runs()) {}
};

TEST_F(LeasesTest, AWorkerThatIsBackGoesOnWithWhatItHolds) {
    Peer& w = worker();
    accept(job_range(1, 3));
    EXPECT_EQ(given(w), (Numbers{1, 2, 3}));
    const Numbers former = counters;
    h.disconnect(w);
    ASSERT_TRUE(w.hello({1, "", {}, {held(former[0], true), held(former[1], false)}}));
    EXPECT_EQ(w.adopted, (std::vector<protocol::Token>{{7, former[0]}, {7, former[1]}}));
    grant(w, {1, 10'000});
    EXPECT_EQ(given(w), Numbers{3}) << "the third never arrived: it runs again";
    EXPECT_EQ(job_row(3, "crashes"), "0");
    EXPECT_EQ(h.row("workers", "", "credit_items"), 0U) << "what was adopted costs no new credit";
    EXPECT_EQ(h.row("workers", "", "running"), 3U);
    answer(w, former, AttemptOutcome::done);
    EXPECT_EQ(w.error(), ErrorCode::stale_attempt) << "the third has another token now";
    EXPECT_EQ(ends().size(), 2U);
    EXPECT_EQ(h.core.counter("attempts_adopted"), 2U);
    EXPECT_EQ(h.core.counter("attempts_lost"), 1U);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(end().number, 3U);
}

TEST_F(LeasesTest, AWorkerMayHelloAgainOnTheSameConnection) {
    Peer& w = worker();
    accept(job_range(1, 2));
    given(w);
    const Numbers former = counters;
    const auto old_session = w.session;
    ASSERT_TRUE(w.hello({1, "", {}, {held(former[1], true)}}));
    EXPECT_NE(w.session, old_session);
    EXPECT_EQ(w.adopted, (std::vector<protocol::Token>{{7, former[1]}}));
    EXPECT_EQ(queue_row("running"), 1U);
    EXPECT_EQ(queue_row("waiting"), 1U);
    answer(w, {former[1]}, AttemptOutcome::done);
    EXPECT_EQ(end().number, 2U);
}

TEST_F(LeasesTest, OnlyTokensOfItsOwnFormerSessionAreAdopted) {
    Peer& a = worker("a");
    Peer& b = worker("b", {0, 0});
    accept(job_range(1, 2));
    given(a);
    const Numbers of_a = counters;
    // Another's, another epoch's, one that never was; its own counts though named twice.
    ASSERT_TRUE(
        b.hello({1, "", {}, {held(of_a[0], true), held(of_a[1], true, 6), held(99, false)}}));
    EXPECT_TRUE(b.adopted.empty());
    ASSERT_TRUE(a.hello(
        {1,
         "",
         {},
         {held(of_a[0], true, 6), held(77, true), held(of_a[1], false), held(of_a[1], false)}}));
    EXPECT_EQ(a.adopted, (std::vector<protocol::Token>{{7, of_a[1]}}));
    EXPECT_EQ(queue_row("running"), 1U);
    EXPECT_EQ(queue_row("waiting"), 1U);
}

TEST_F(LeasesTest, AnotherInstanceOfTheNameTakesNothingOver) {
    Peer& w = worker();
    accept(1);
    given(w);
    const std::uint64_t token = counters.at(0);
    Peer& other = h.peer(protocol::kWorker, "worker");
    ASSERT_TRUE(other.hello({1, "", {}, {held(token, true)}}));
    EXPECT_TRUE(other.adopted.empty());
    grant(other, kPlenty);
    EXPECT_TRUE(h.core.session_open(w.session)) << "the old session lives as long as it is heard";
    EXPECT_EQ(given(other), Numbers{});
    answer(other, {token}, AttemptOutcome::done);
    EXPECT_EQ(other.error(), ErrorCode::stale_attempt);
    answer(w, {token}, AttemptOutcome::done);
    EXPECT_EQ(end().outcome, FinalOutcome::done);
}

TEST_F(LeasesTest, ANewProcessOnTheSameConnectionEndsTheOldSessionAsLost) {
    Peer& w = worker();
    accept(job_range(1, 2));
    given(w);
    heartbeat(w, {counters[0]});
    w.instance.bytes[15] = 1;
    ASSERT_TRUE(w.hello({1, "", {}, {held(counters[0], true)}}));
    EXPECT_TRUE(w.adopted.empty());
    EXPECT_EQ(job_row(1, "crashes"), "1") << "it had been started";
    EXPECT_EQ(job_row(2, "crashes"), "0");
}

TEST_F(LeasesTest, TheOldConnectionOfAReplacedSessionIsUnknown) {
    Peer& w = worker();
    accept(1);
    given(w);
    Peer& again = h.peer(protocol::kWorker, "worker");
    again.instance = w.instance;
    ASSERT_TRUE(again.hello({1, "", {}, {held(counters[0], true)}}));
    EXPECT_EQ(again.adopted.size(), 1U);
    // What was under way on the old connection comes late.
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(w.error(), ErrorCode::unknown_session);
    EXPECT_EQ(queue_row("running"), 1U);
    answer(again, counters, AttemptOutcome::done);
    EXPECT_EQ(end().number, 1U);
}

TEST_F(LeasesTest, AnAdoptedAttemptKeepsItsAgeForMaxRun) {
    Peer& w = worker();
    accept(1);
    given(w);
    pass(50s, {&w});
    ASSERT_TRUE(w.hello({1, "", {}, {held(counters[0], true)}}));
    pass(9s, {&w});
    EXPECT_EQ(revoked(w), Numbers{});
    pass(1s, {&w});
    EXPECT_EQ(revoked(w), Numbers{1});
    EXPECT_EQ(h.core.counter("attempts_overdue"), 1U);
}

TEST_F(LeasesTest, MaxRunTakesAnAttemptBackAndChargesACrash) {
    alter({{"max_crashes", 2}});
    Peer& w = worker();
    accept(1);
    given(w);
    h.advance(1ms);
    accept(2);
    given(w);
    pass(1min - 1ms, {&w});
    EXPECT_EQ(revoked(w), Numbers{1});
    EXPECT_EQ(given(w), Numbers{}) << "one with a crash behind it runs alone";
    EXPECT_EQ(job_row(1, "crashes"), "1");
    EXPECT_EQ(job_row(1, "state"), "queued");
    // Its late answer is not refused, and ends nothing.
    answer(w, {1, 2}, AttemptOutcome::done);
    EXPECT_EQ(w.error(), ErrorCode::none);
    EXPECT_EQ(end().number, 2U);
    EXPECT_EQ(given(w), Numbers{1});
    answer(w, {1}, AttemptOutcome::done);
    EXPECT_EQ(w.error(), ErrorCode::stale_attempt) << "once only";
    pass(1min, {&w});
    const End dead = end();
    EXPECT_EQ(dead.outcome, FinalOutcome::dead);
    EXPECT_EQ(dead.code, ErrorCode::max_run_exceeded);
    EXPECT_EQ(revoked(w), Numbers{3});
}

TEST_F(LeasesTest, MaxRunCountsWhileTheWorkerIsAway) {
    BrokerOptions options = short_runs();
    options.dead_after = 5min;
    Harness other(options);
    other.create_queue("q");
    Peer& p = other.producer();
    p.send(protocol::Want{"q", {}, {10, 10'000}});
    Peer& w = other.worker();
    w.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    p.send(submit("q", jobs(job(1))));
    ASSERT_EQ(w.count<protocol::Deliver>(), 1U);
    other.disconnect(w);
    EXPECT_EQ(other.row("queues", "q", "running"), 1U) << "it may come back";
    other.advance(1min);
    EXPECT_EQ(other.row("queues", "q", "running"), 0U);
    EXPECT_EQ(other.row("queues", "q", "waiting"), 1U);
    // It is back and learns that the attempt is no longer its own; it gets it anew, alone.
    ASSERT_TRUE(w.hello({1, "", {}, {held(1, true)}}));
    EXPECT_TRUE(w.adopted.empty());
    w.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    EXPECT_EQ(w.next<protocol::Deliver>().attempts.at(0).counter, 2U);
    EXPECT_EQ(other.row("workers", "", "alone"), 1U);
}

TEST_F(LeasesTest, ADetachedWorkerGetsNothingAndIsLostBySilence) {
    Peer& w = worker();
    accept(1);
    given(w);
    h.disconnect(w);
    accept(2);
    EXPECT_EQ(queue_row("waiting"), 1U);
    EXPECT_EQ(queue_row("running"), 1U);
    pass(8s);
    EXPECT_FALSE(h.core.session_open(w.session));
    EXPECT_EQ(queue_row("running"), 0U);
    EXPECT_EQ(queue_row("waiting"), 2U);
    EXPECT_EQ(h.core.counter("attempts_lost"), 1U);
}

TEST_F(LeasesTest, AnIdleWorkersSessionEndsWithItsConnection) {
    Peer& w = worker();
    h.disconnect(w);
    EXPECT_FALSE(h.core.session_open(w.session));
}

TEST_F(LeasesTest, WhatADetachedWorkerRunsCanBeCancelled) {
    Peer& w = worker();
    accept(1);
    given(w);
    const Numbers former = counters;
    h.disconnect(w);
    EXPECT_EQ(cancel({1}), Numbers{2});
    EXPECT_EQ(end().outcome, FinalOutcome::cancelled);
    ASSERT_TRUE(w.hello({1, "", {}, {held(former[0], true)}}));
    EXPECT_TRUE(w.adopted.empty());
    EXPECT_EQ(queue_row("running"), 0U);
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(LeasesTest, ABrokerThatStoodStillBlamesNobody) {
    Peer& w = worker();
    accept(1);
    given(w);
    const Numbers first = counters;
    h.advance(10ms);
    heartbeat(w, first);
    h.advance(10ms);
    accept(2);
    given(w);
    h.advance(10ms);
    heartbeat(w, first);
    const auto sessions = {w.session, producer->session, subscriber->session};
    h.now += 60s;
    h.tick();
    EXPECT_EQ(h.core.counter("suspensions"), 1U);
    for (const auto session : sessions) EXPECT_TRUE(h.core.session_open(session));
    EXPECT_EQ(revoked(w), Numbers{}) << "max_run is a minute, of which it had next to nothing";
    EXPECT_EQ(queue_row("running"), 2U);
    // From then on silence counts again. What was waiting in the worker's pipe is no suspect.
    forget_changes();
    pass(8s);
    EXPECT_FALSE(h.core.session_open(w.session));
    EXPECT_EQ(job_row(1, "crashes"), "1");
    for (const auto& one : changed<change::Released>()) EXPECT_FALSE(one.suspect);
    EXPECT_EQ(changed<change::Released>().size(), 2U);
}

TEST_F(LeasesTest, AfterAStandstillInputIsHeardBeforeAnyoneIsJudged) {
    Peer& w = worker();
    accept(1);
    given(w);
    h.advance(5s);
    producer->send(protocol::Heartbeat{});
    h.now += 60s;
    producer->send(protocol::Heartbeat{});
    h.tick();
    EXPECT_TRUE(h.core.session_open(w.session));
    h.advance(2400ms);
    EXPECT_TRUE(h.core.session_open(w.session));
    h.advance(200ms);
    EXPECT_FALSE(h.core.session_open(w.session)) << "5 s before, 2.6 s after: it is silent";
}

TEST_F(LeasesTest, AStandstillDoesNotMoveDelaysAndDeadlines) {
    accept(1, {.delay_ms = 30'000});
    accept(2, {.deadline_ms = 30'000});
    h.now += 60s;
    h.tick();
    EXPECT_EQ(queue_row("delayed"), 0U);
    EXPECT_EQ(end().code, ErrorCode::deadline_passed);
}

TEST_F(LeasesTest, RevokedTokensAreToldInFramesOfTheLimit) {
    Peer& w = worker();
    for (std::uint64_t first = 0; first < 10'000; first += 4'000)
        accept(job_range(1 + first, 4'000));
    EXPECT_EQ(given(w).size(), 12'000U);
    h.op().send(protocol::QueueDelete{"q", true});
    EXPECT_EQ(w.count<protocol::Revoke>(), 3U);
    EXPECT_EQ(revoked(w).size(), 12'000U);
}

TEST_F(LeasesTest, ProgressOfOtherAttemptsIsIgnored) {
    Peer& a = worker("a");
    Peer& b = worker("b", {0, 0});
    accept(1);
    given(a);
    b.send(protocol::Progress{{{{7, counters[0]}, 1, 2, "stolen"}}});
    EXPECT_EQ(h.core.counter("progress_reports"), 0U);
    a.send(
        protocol::Progress{{{{7, counters[0]}, 3, 10, "strikes"}, {{6, counters[0]}, 9, 9, ""}}});
    EXPECT_EQ(h.core.counter("progress_reports"), 1U);
    EXPECT_EQ(job_row(1, "progress_done"), "3");
    EXPECT_EQ(job_row(1, "progress_total"), "10");
    EXPECT_EQ(job_row(1, "progress_note"), "strikes");
    // The next attempt has none of it.
    answer(a, counters, AttemptOutcome::failed);
    EXPECT_EQ(given(a), Numbers{1});
    EXPECT_EQ(job_row(1, "progress_done"), "no such column");
}

}  // namespace
}  // namespace scanmq::broker
