// BrokerCore: failed attempts: backoff, budgets, what is shown and journalled of them.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

class RetriesTest : public CoreTest {
  protected:
    RetriesTest() : CoreTest({{"retry_base_ms", 1'000}, {"retry_cap_ms", 4'000}}) {}
    // Fails the job's attempt; how long until the next one, in ms.
    std::int64_t fail_once(Peer& w) {
        forget_changes();
        answer(w, counters, AttemptOutcome::failed, "no");
        const auto released = changed<change::Released>();
        EXPECT_EQ(released.size(), 1U);
        if (released.empty() || released[0].due == 0) return 0;
        const auto now_ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(h.now.time_since_epoch());
        return released[0].due - now_ms.count();
    }
};

TEST_F(RetriesTest, TheDelayIsARandomShareOfADoublingOneUpToItsCap) {
    alter({{"max_attempts", 100}});
    Peer& w = worker();
    std::vector<std::int64_t> longest(6);
    for (std::uint64_t n = 1; n <= 40; ++n) {
        accept(n);
        for (std::size_t attempt = 0; attempt < 6; ++attempt) {
            ASSERT_EQ(given(w), Numbers{n});
            const std::int64_t wait = fail_once(w);
            EXPECT_LE(wait, std::min<std::int64_t>(1'000LL << attempt, 4'000));
            longest[attempt] = std::max(longest[attempt], wait);
            if (wait > 1) {
                pass(std::chrono::milliseconds(wait - 1), {&w});
                EXPECT_EQ(given(w), Numbers{}) << "not yet";
            }
            pass(2ms, {&w});
        }
        ASSERT_EQ(given(w), Numbers{n});
        answer(w, counters, AttemptOutcome::done);
    }
    for (std::size_t attempt = 0; attempt < 6; ++attempt) {
        const std::int64_t most = std::min<std::int64_t>(1'000LL << attempt, 4'000);
        EXPECT_GT(longest[attempt], most * 8 / 10) << "full jitter reaches the whole delay";
    }
}

TEST_F(RetriesTest, ACapOrBaseOfZeroMeansAtOnce) {
    Peer& w = worker();
    alter({{"retry_cap_ms", 0}});
    accept(1);
    given(w);
    EXPECT_EQ(fail_once(w), 0);
    EXPECT_EQ(given(w), Numbers{1});
    alter({{"retry_cap_ms", 4'000}, {"retry_base_ms", 0}});
    EXPECT_EQ(fail_once(w), 0);
    EXPECT_EQ(given(w), Numbers{1});
}

TEST_F(RetriesTest, TheLargestSettingsDoNotOverflow) {
    alter({{"max_attempts", 100}, {"retry_base_ms", 86'400'000}, {"retry_cap_ms", 86'400'000}});
    Peer& w = worker();
    accept(1);
    for (int attempt = 1; attempt < 100; ++attempt) {
        ASSERT_EQ(given(w), Numbers{1}) << attempt;
        const std::int64_t wait = fail_once(w);
        EXPECT_GE(wait, 0);
        EXPECT_LE(wait, 86'400'000);
        h.now += std::chrono::milliseconds(wait + 1);
        h.tick();
        if (!h.core.session_open(w.session)) {
            ASSERT_TRUE(w.hello({}));
            grant(w, kPlenty);
        }
    }
}

TEST_F(RetriesTest, AJobThatWaitsForItsRetryIsDelayedAndHoldsNobodyUp) {
    Peer& w = worker("w", {1, 1'000});
    accept(1);
    given(w);
    ASSERT_GT(fail_once(w), 0);
    EXPECT_EQ(queue_row("delayed"), 1U);
    EXPECT_EQ(job_row(1, "state"), "delayed");
    EXPECT_EQ(job_row(1, "attempts"), "1");
    EXPECT_EQ(job_row(1, "crashes"), "0");
    accept(2);
    grant(w, {2, 1'000});
    EXPECT_EQ(given(w), Numbers{2});
}

TEST_F(RetriesTest, EachFailureIsJournalledWithItsBudgetsAndItsHistory) {
    alter({{"max_attempts", 3}, {"retry_base_ms", 0}});
    Peer& w = worker("w one");
    accept(1);
    forget_changes();
    for (int i = 1; i <= 3; ++i) {
        given(w);
        answer(w, counters, AttemptOutcome::failed, "failure " + std::to_string(i));
    }
    const auto released = changed<change::Released>();
    ASSERT_EQ(released.size(), 2U);
    for (std::uint8_t i = 0; i < 2; ++i) {
        EXPECT_EQ(released[i].failures, i + 1);
        EXPECT_EQ(released[i].crashes, 0);
        EXPECT_TRUE(released[i].kept);
        EXPECT_EQ(released[i].attempt.outcome, AttemptOutcome::failed);
        EXPECT_EQ(released[i].attempt.code, ErrorCode::scan_failed);
        EXPECT_EQ(released[i].attempt.worker, "w one");
        EXPECT_EQ(released[i].attempt.sentence, "failure " + std::to_string(i + 1));
        EXPECT_FALSE(released[i].attempt.charged_crash);
    }
    EXPECT_EQ(changed<change::Started>().size(), 2U) << "beside the one before";
    const auto ended = changed<change::Ended>();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_TRUE(ended[0].over);
    EXPECT_TRUE(ended[0].dead_letter);
    EXPECT_EQ(ended[0].outcome, FinalOutcome::dead);
    EXPECT_EQ(ended[0].code, ErrorCode::attempts_exhausted);
    ASSERT_TRUE(ended[0].has_attempt);
    EXPECT_EQ(ended[0].attempt.sentence, "failure 3");
    EXPECT_EQ(ended[0].sentence, "failure 3");
}

TEST_F(RetriesTest, ReturnedIsJournalledAndChargesNothing) {
    Peer& w = worker("w", {1, 1'000});
    accept(1);
    given(w);
    forget_changes();
    answer(w, counters, AttemptOutcome::returned);
    const auto released = changed<change::Released>();
    ASSERT_EQ(released.size(), 1U);
    EXPECT_EQ(released[0].failures, 0);
    EXPECT_FALSE(released[0].kept);
    EXPECT_FALSE(released[0].suspect);
}

TEST_F(RetriesTest, APurgeEndsWhatWaitsForItsRetry) {
    Peer& w = worker();
    accept(job_range(1, 3));
    given(w);
    answer(w, {1, 2}, AttemptOutcome::failed, "no");
    control(QueueAction::purge);
    const auto all = ends();
    ASSERT_EQ(all.size(), 2U);
    for (const End& one : all) EXPECT_EQ(one.code, ErrorCode::purged);
    EXPECT_EQ(queue_row("running"), 1U) << "what runs goes on";
    answer(w, {3}, AttemptOutcome::failed, "no");
    EXPECT_EQ(queue_row("delayed"), 1U) << "and what comes back later was not meant";
}

TEST_F(RetriesTest, WhatFailedRunsAgainInAPausedQueueOnlyWhenResumed) {
    Peer& w = worker();
    accept(1);
    given(w);
    control(QueueAction::pause);
    const std::int64_t wait = fail_once(w);
    pass(std::chrono::milliseconds(wait + 1), {&w});
    EXPECT_EQ(queue_row("waiting"), 1U);
    EXPECT_EQ(given(w), Numbers{});
    control(QueueAction::resume);
    EXPECT_EQ(given(w), Numbers{1});
}

TEST_F(RetriesTest, LoweringMaxAttemptsCountsAtTheNextFailure) {
    Peer& w = worker();
    alter({{"retry_base_ms", 0}});
    accept(1);
    for (int i = 0; i < 3; ++i) {
        given(w);
        answer(w, counters, AttemptOutcome::failed, "no");
    }
    alter({{"max_attempts", 2}});
    EXPECT_EQ(ends().size(), 0U);
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no");
    EXPECT_EQ(end().outcome, FinalOutcome::dead);
}

}  // namespace
}  // namespace scanmq::broker
