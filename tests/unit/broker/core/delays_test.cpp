// BrokerCore: delays, deadlines, conflation.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

class DelaysTest : public CoreTest {
  protected:
    DelaysTest() : CoreTest({{"retry_base_ms", 0}}) {}
};

TEST_F(DelaysTest, ADelayedJobIsDeliveredWhenItIsDueAndNotBefore) {
    Peer& w = worker();
    accept(1, {.delay_ms = 1'000});
    EXPECT_EQ(queue_row("delayed"), 1U);
    EXPECT_EQ(job_row(1, "due_ms"), "1000");
    h.advance(999ms);
    EXPECT_EQ(given(w), Numbers{});
    h.advance(1ms);
    EXPECT_EQ(given(w), Numbers{1});
    EXPECT_EQ(queue_row("delayed"), 0U);
}

TEST_F(DelaysTest, WhatBecomesDueGoesByItsPriority) {
    Peer& w = worker("w", {0, 0});
    accept(1, {.priority = 1});
    accept(2, {.priority = 9, .delay_ms = 10});
    accept(3, {.priority = 0, .delay_ms = 5});
    h.advance(10ms);
    grant(w, kPlenty);
    EXPECT_EQ(given(w), (Numbers{2, 1, 3}));
}

TEST_F(DelaysTest, ADeadlineEndsWhatHasNotStarted) {
    accept(1, {.deadline_ms = 1'000});
    accept(2, {.deadline_ms = 2'000});
    h.advance(999ms);
    EXPECT_EQ(ends().size(), 0U);
    h.advance(1ms);
    const End one = end();
    EXPECT_EQ(one.number, 1U);
    EXPECT_EQ(one.outcome, FinalOutcome::expired);
    EXPECT_EQ(one.code, ErrorCode::deadline_passed);
    EXPECT_FALSE(one.sentence.empty());
    EXPECT_EQ(queue_row("expired"), 1U);
    EXPECT_EQ(h.core.counter("jobs_expired"), 1U);
    EXPECT_EQ(h.handles.size(), 1U);
}

TEST_F(DelaysTest, AWorkerIsToldWhatIsLeftUntilTheDeadline) {
    Peer& w = worker("w", {0, 0});
    accept(1, {.deadline_ms = 1'000});
    accept(2, {.deadline_ms = 1'000, .flags = protocol::JobOptions::kFinishLate});
    accept(3);
    h.advance(400ms);
    grant(w, kPlenty);
    const auto& attempts = w.next<protocol::Deliver>().attempts;
    ASSERT_EQ(attempts.size(), 3U);
    EXPECT_EQ(attempts[0].deadline_ms, 600U);
    EXPECT_EQ(attempts[1].deadline_ms, 0U) << "its result is wanted late, too";
    EXPECT_EQ(attempts[2].deadline_ms, 0U);
}

TEST_F(DelaysTest, ADeadlineBeforeTheEndOfTheDelayEndsTheJobThen) {
    accept(1, {.delay_ms = 2'000, .deadline_ms = 1'000});
    h.advance(1s);
    EXPECT_EQ(end().outcome, FinalOutcome::expired);
    EXPECT_EQ(queue_row("delayed"), 0U);
    h.advance(5s);
    EXPECT_EQ(ends().size(), 0U);
}

TEST_F(DelaysTest, WhenBothComeAtOnceTheDeadlineIsFirst) {
    Peer& w = worker();
    accept(1, {.delay_ms = 1'000, .deadline_ms = 1'000});
    h.advance(1s);
    EXPECT_EQ(end().outcome, FinalOutcome::expired);
    EXPECT_EQ(given(w), Numbers{});
}

TEST_F(DelaysTest, ARunningJobPastItsDeadlineIsRevokedUnlessItMayFinishLate) {
    Peer& w = worker();
    accept(1, {.deadline_ms = 1'000});
    accept(2, {.deadline_ms = 1'000, .flags = JobOptions::kFinishLate});
    given(w);
    h.advance(1s);
    const End late = end();
    EXPECT_EQ(late.number, 1U);
    EXPECT_EQ(late.outcome, FinalOutcome::expired);
    EXPECT_EQ(revoked(w), Numbers{1});
    answer(w, {1, 2}, AttemptOutcome::done);
    EXPECT_EQ(w.error(), ErrorCode::none);
    EXPECT_EQ(end().outcome, FinalOutcome::done);
    EXPECT_EQ(h.core.counter("attempts_stale"), 0U);
}

TEST_F(DelaysTest, AJobThatFinishesBeforeItsDeadlineLeavesNothingDue) {
    Peer& w = worker();
    accept(1, {.deadline_ms = 1'000});
    given(w);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(end().outcome, FinalOutcome::done);
    h.advance(2s);
    EXPECT_EQ(ends().size(), 0U);
}

TEST_F(DelaysTest, ADeadlineAlsoEndsWhatWaitsForItsRetry) {
    alter({{"retry_base_ms", 86'400'000}, {"retry_cap_ms", 86'400'000}});
    Peer& w = worker();
    accept(1, {.deadline_ms = 1'000});
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no");
    ASSERT_EQ(queue_row("delayed"), 1U);
    h.advance(1s);
    EXPECT_EQ(end().outcome, FinalOutcome::expired);
}

TEST_F(DelaysTest, DelaysAndDeadlinesGoOnInAPausedQueue) {
    control(QueueAction::pause);
    accept(1, {.delay_ms = 100});
    accept(2, {.deadline_ms = 100});
    h.advance(100ms);
    EXPECT_EQ(end().number, 2U);
    EXPECT_EQ(queue_row("waiting"), 1U);
    Peer& w = worker();
    EXPECT_EQ(given(w), Numbers{});
    control(QueueAction::resume);
    EXPECT_EQ(given(w), Numbers{1});
}

TEST_F(DelaysTest, DelayAndDeadlineAreAtMostDelayMax) {
    const std::uint64_t most = 30ULL * 24 * 3'600 * 1'000;
    accept(1, {.delay_ms = most, .deadline_ms = most});
    EXPECT_EQ(refused(job_with(2, {.delay_ms = most + 1})), ErrorCode::bad_option);
    EXPECT_EQ(refused(job_with(2, {.deadline_ms = most + 1})), ErrorCode::bad_option);
    EXPECT_EQ(refused(job_with(2, {.delay_ms = ~0ULL})), ErrorCode::bad_option);
    EXPECT_EQ(h.core.counter("refused_bad_option"), 3U);
    EXPECT_EQ(queue_row("delayed"), 1U);
}

TEST_F(DelaysTest, TheirTimesAreJournalledByTheWallClock) {
    accept(1, {.priority = 7,
               .delay_ms = 1'000,
               .deadline_ms = 5'000,
               .conflate_key = "k",
               .flags = JobOptions::kFinishLate | JobOptions::kPure,
               .as_of_ns = -3});
    const auto accepted = changed<change::Accepted>();
    ASSERT_EQ(accepted.size(), 1U);
    const JobRow& row = accepted[0].job;
    EXPECT_FALSE(accepted[0].attached);
    EXPECT_EQ(row.priority, 7);
    EXPECT_EQ(row.due, row.accepted + 1'000);
    EXPECT_EQ(row.deadline, row.accepted + 5'000);
    EXPECT_EQ(row.conflate_key, "k");
    EXPECT_EQ(row.flags, JobOptions::kFinishLate | JobOptions::kPure);
    EXPECT_EQ(row.bytes, 71U);
    EXPECT_EQ(accepted[0].as_of_ns, -3);
    EXPECT_FALSE(accepted[0].fingerprint.is_zero());
    EXPECT_EQ(accepted[0].payload.body.bytes, "payload");
}

TEST_F(DelaysTest, AMassOfDeadlinesGoesInSlicesWithoutANap) {
    std::vector<protocol::Job> list;
    for (std::uint64_t n = 1; n <= 10'000; ++n) {
        list.push_back(job_with(n, {.deadline_ms = 1'000}));
        if (list.size() == 4'000 || n == 10'000) accept(std::exchange(list, {}));
    }
    h.now += 1s;
    h.core.tick(h.now, h.effects);
    EXPECT_EQ(h.core.counter("jobs_expired"), 4'096U);
    EXPECT_LE(*h.core.next_deadline(), h.now);
    h.flush();
    h.tick();
    EXPECT_EQ(h.core.counter("jobs_expired"), 10'000U);
    EXPECT_TRUE(h.handles.empty());
}

// ---- conflation

TEST_F(DelaysTest, ANewerJobOfTheKeyTakesThePlaceOfOneThatWaits) {
    Peer& w = worker("w", {0, 0});
    accept(1, {.conflate_key = "SPY"});
    accept(2);
    accept(3, {.conflate_key = "QQQ"});
    forget_changes();
    accept(4, {.conflate_key = "SPY"});
    const End old = end();
    EXPECT_EQ(old.number, 1U);
    EXPECT_EQ(old.outcome, FinalOutcome::superseded);
    EXPECT_EQ(old.code, ErrorCode::superseded);
    EXPECT_EQ(h.core.counter("jobs_superseded"), 1U);
    ASSERT_EQ(h.changes.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<change::Accepted>(h.changes[0]));
    EXPECT_TRUE(std::get<change::Ended>(h.changes[1]).over);
    grant(w, kPlenty);
    EXPECT_EQ(given(w), (Numbers{4, 2, 3})) << "in its place";
}

TEST_F(DelaysTest, OneThatWasDeliveredIsNotReplaced) {
    Peer& w = worker("w", {1, 1'000});
    accept(1, {.conflate_key = "k"});
    given(w);
    accept(2, {.conflate_key = "k"});
    EXPECT_EQ(ends().size(), 0U);
    answer(w, {1}, AttemptOutcome::returned);
    accept(3, {.conflate_key = "k"});
    EXPECT_EQ(end().number, 2U) << "1 was delivered once";
    EXPECT_EQ(queue_row("waiting"), 2U);
}

TEST_F(DelaysTest, ADelayedJobIsReplacedToo) {
    Peer& w = worker();
    accept(1, {.delay_ms = 1'000, .conflate_key = "k"});
    accept(2, {.delay_ms = 3'000, .conflate_key = "k"});
    EXPECT_EQ(end().number, 1U);
    pass(2s, {&w});
    EXPECT_EQ(given(w), Numbers{});
    accept(3, {.conflate_key = "k"});
    EXPECT_EQ(end().number, 2U);
    EXPECT_EQ(given(w), Numbers{3});
    EXPECT_EQ(queue_row("delayed"), 0U);
}

TEST_F(DelaysTest, AnotherPriorityGoesToItsOwnLevel) {
    Peer& w = worker("w", {0, 0});
    accept(1, {.priority = 5, .conflate_key = "k"});
    accept(2, {.priority = 5});
    accept(3, {.priority = 7, .conflate_key = "k"});
    EXPECT_EQ(end().number, 1U);
    grant(w, kPlenty);
    EXPECT_EQ(given(w), (Numbers{3, 2}));
}

TEST_F(DelaysTest, AKeyIsFreeWhenItsJobEndedAnyOtherWay) {
    accept(1, {.conflate_key = "k"});
    EXPECT_EQ(cancel({1}), Numbers{1});
    ends();
    accept(2, {.deadline_ms = 10, .conflate_key = "k"});
    EXPECT_EQ(ends().size(), 0U);
    h.advance(10ms);
    EXPECT_EQ(end().outcome, FinalOutcome::expired);
    accept(3, {.conflate_key = "k"});
    EXPECT_EQ(ends().size(), 0U);
    control(QueueAction::purge);
    ends();
    accept(4, {.conflate_key = "k"});
    EXPECT_EQ(ends().size(), 0U);
}

TEST_F(DelaysTest, KeysOfQueuesHaveNothingInCommon) {
    h.create_queue("r");
    producer->send(protocol::Want{"r", {}, {10, 10'000}});
    accept(1, {.conflate_key = "k"});
    producer->send(submit("r", jobs(job_with(2, {.conflate_key = "k"}))));
    EXPECT_EQ(ends().size(), 0U);
    EXPECT_EQ(h.row("queues", "r", "waiting"), 1U);
}

TEST_F(DelaysTest, ManyOfOneKeyInAFrameLeaveTheLast) {
    std::vector<protocol::Job> list;
    for (std::uint64_t n = 1; n <= 100; ++n) list.push_back(job_with(n, {.conflate_key = "k"}));
    accept(std::move(list));
    EXPECT_EQ(ends().size(), 99U);
    Peer& w = worker();
    EXPECT_EQ(given(w), Numbers{100});
    EXPECT_EQ(queue_row("superseded"), 99U);
}

TEST_F(DelaysTest, APureJobThatJoinsARunningExecutionStillReplacesTheOneThatWaits) {
    Peer& w = worker("w", {1, 1'000});
    accept(1, {.conflate_key = "k", .flags = JobOptions::kPure}, "P");
    given(w);
    accept(2, {.conflate_key = "k", .flags = JobOptions::kPure}, "Q");
    EXPECT_EQ(ends().size(), 0U);
    accept(3, {.conflate_key = "k", .flags = JobOptions::kPure}, "P");
    EXPECT_EQ(end().number, 2U);
    // 3 runs already: the next one does not replace it.
    accept(4, {.conflate_key = "k", .flags = JobOptions::kPure}, "Q");
    EXPECT_EQ(ends().size(), 0U);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 2U);
}

TEST_F(DelaysTest, AReplacedJobLeavesItsSharedExecutionToTheOthers) {
    accept(1, {.conflate_key = "k", .flags = JobOptions::kPure}, "P");
    accept(2, {.flags = JobOptions::kPure}, "P");
    accept(3, {.conflate_key = "k", .flags = JobOptions::kPure}, "Q");
    EXPECT_EQ(end().number, 1U);
    accept(4, {.conflate_key = "k", .flags = JobOptions::kPure}, "P");
    EXPECT_EQ(end().number, 3U);
    accept(5, {.conflate_key = "k", .flags = JobOptions::kPure}, "P");
    EXPECT_EQ(end().number, 4U) << "within one execution";
    Peer& w = worker();
    EXPECT_EQ(given(w), Numbers{2});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 2U);
}

}  // namespace
}  // namespace scanmq::broker
