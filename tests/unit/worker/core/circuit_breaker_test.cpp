// The circuit breaker, and what bounds retries and free returns.
#include "worker/core/circuit_breaker.hpp"

#include <gtest/gtest.h>

#include "worker/core/free_returns.hpp"
#include "worker/core/retry_budget.hpp"

namespace scanmq::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = CircuitBreaker::State;

class Breaker : public ::testing::Test {
  protected:
    void call(CallClass what, bool slow = false) {
        ASSERT_TRUE(breaker.allows());
        breaker.record(breaker.take(), what, slow, now);
    }
    void calls(int n, CallClass what) {
        for (int i = 0; i < n; ++i) call(what);
    }
    void open() {
        calls(5, CallClass::no_connection);
        ASSERT_EQ(breaker.state(), State::open);
    }
    // The probe is due at once in the life of an open breaker, or after `wait`.
    void probe(ProbeResult result, Duration wait = milliseconds(500)) {
        now += wait;
        ASSERT_TRUE(breaker.probe_due(now));
        breaker.on_probe(result, now);
        breaker.tick(now);
    }

    Time now{seconds(1000)};
    CircuitBreaker breaker{CircuitBreaker::Options{}};
};

TEST_F(Breaker, OpensAtFiveFailuresInARow) {
    calls(100, CallClass::ok);
    calls(4, CallClass::retryable);
    call(CallClass::ok);
    calls(4, CallClass::bad_response);
    EXPECT_EQ(breaker.state(), State::closed);
    call(CallClass::timed_out);
    EXPECT_EQ(breaker.state(), State::open);
    EXPECT_FALSE(breaker.allows());
    EXPECT_EQ(breaker.opened(), 1U);
}

TEST_F(Breaker, OpensAtHalfOfAtLeastTenCalls) {
    for (int i = 0; i < 4; ++i) {
        call(CallClass::ok);
        call(CallClass::retryable);
    }
    EXPECT_EQ(breaker.state(), State::closed) << "eight calls are too few";
    call(CallClass::ok);
    call(CallClass::retryable);
    EXPECT_EQ(breaker.state(), State::open);
}

TEST_F(Breaker, LooksBackAtItsWindowOnly) {
    for (int i = 0; i < 200; ++i) {  // 2 of 5 fail: not half
        calls(3, CallClass::ok);
        calls(2, CallClass::retryable);
    }
    EXPECT_EQ(breaker.state(), State::closed);
    // What was good long ago does not help: half of the last hundred is enough.
    int more = 0;
    while (breaker.state() == State::closed && more < 200) {
        call(more % 4 == 0 ? CallClass::ok : CallClass::retryable);
        ++more;
    }
    EXPECT_EQ(breaker.state(), State::open);
    EXPECT_LT(more, 60);
}

TEST_F(Breaker, RefusalsOfTheRequestAreNoFailuresOfTheTarget) {
    calls(50, CallClass::final_error);
    calls(50, CallClass::throttled);
    calls(50, CallClass::cancelled);
    EXPECT_EQ(breaker.state(), State::closed);
}

TEST_F(Breaker, SlowCallsCount) {
    for (int i = 0; i < 5; ++i) call(CallClass::ok, true);
    EXPECT_EQ(breaker.state(), State::open);
}

TEST_F(Breaker, AsksForHealthEveryHalfSecondAndAGoodAnswerIsEnough) {
    open();
    EXPECT_FALSE(breaker.probe_due(now));
    EXPECT_EQ(breaker.next_deadline(), now + milliseconds(500));
    probe(ProbeResult::good);
    EXPECT_EQ(breaker.state(), State::half_open);
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(breaker.allows());
        (void)breaker.take();
    }
    EXPECT_FALSE(breaker.allows()) << "ten trials, no more";
}

TEST_F(Breaker, TenGoodTrialsCloseIt) {
    open();
    probe(ProbeResult::good);
    EXPECT_EQ(breaker.trial_slots(), 10U);
    calls(9, CallClass::ok);
    EXPECT_EQ(breaker.state(), State::half_open);
    EXPECT_EQ(breaker.trial_slots(), 1U);
    call(CallClass::ok);
    EXPECT_EQ(breaker.state(), State::closed);
    EXPECT_EQ(breaker.closed(), 1U);
}

TEST_F(Breaker, HalfOfTheTrialsFailedOpensItAgain) {
    open();
    probe(ProbeResult::good);
    calls(4, CallClass::retryable);
    calls(5, CallClass::ok);
    EXPECT_EQ(breaker.state(), State::half_open);
    call(CallClass::retryable);
    EXPECT_EQ(breaker.state(), State::open);
}

TEST_F(Breaker, CancelledTrialGivesItsPlaceBack) {
    open();
    probe(ProbeResult::good);
    calls(20, CallClass::cancelled);
    EXPECT_EQ(breaker.state(), State::half_open);
    EXPECT_EQ(breaker.trial_slots(), 10U);
}

TEST_F(Breaker, CallsOfAnEarlierStateAreNoTrials) {
    const auto before = breaker.take();
    open();
    probe(ProbeResult::good);
    for (int i = 0; i < 10; ++i) breaker.record(before, CallClass::retryable, false, now);
    EXPECT_EQ(breaker.state(), State::half_open);
    EXPECT_EQ(breaker.trial_slots(), 10U);
}

TEST_F(Breaker, ADeadTargetCostsNoTrials) {
    open();
    for (int i = 0; i < 2000; ++i) {
        probe(ProbeResult::unreachable);
        ASSERT_EQ(breaker.state(), State::open) << i;
        ASSERT_EQ(breaker.next_deadline(), now + milliseconds(500)) << i;
    }
    probe(ProbeResult::good);
    EXPECT_EQ(breaker.state(), State::half_open);
    EXPECT_EQ(breaker.trial_slots(), 10U) << "bad, and good now: all at once";
}

// The target has no health to ask: only time helps, 1 s doubling to 60 s, three trials first.
TEST_F(Breaker, WithoutHealthItIsTriedWhenItsTimeIsOver) {
    CircuitBreaker::Options options;
    options.probe_every = {};
    breaker = CircuitBreaker(options);
    open();
    Duration expected = seconds(1);
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(breaker.next_deadline(), now + expected);
        EXPECT_FALSE(breaker.probe_due(now + expected));
        breaker.tick(now + expected - milliseconds(1));
        ASSERT_EQ(breaker.state(), State::open);
        now += expected;
        breaker.tick(now);
        ASSERT_EQ(breaker.state(), State::half_open);
        ASSERT_EQ(breaker.trial_slots(), 3U);
        calls(3, CallClass::no_connection);
        ASSERT_EQ(breaker.state(), State::open);
        expected = std::min<Duration>(expected * 2, seconds(60));
    }
    now += expected;
    breaker.tick(now);
    call(CallClass::ok);
    EXPECT_EQ(breaker.trial_slots(), 9U) << "one went well: all the others may go";
    calls(9, CallClass::ok);
    EXPECT_EQ(breaker.state(), State::closed);
    open();
    EXPECT_EQ(breaker.next_deadline(), now + seconds(1)) << "closed in between: from the start";
}

// Its health is good, its calls fail: three trials each two seconds in the end, never further apart.
TEST_F(Breaker, ATargetThatSaysItIsWellIsTriedSparinglyButSoon) {
    open();
    probe(ProbeResult::good);
    calls(5, CallClass::retryable);
    ASSERT_EQ(breaker.state(), State::open);
    Time opened = now;
    for (const int wait : {500, 1000, 2000, 2000, 2000, 2000}) {
        for (int probes = 0; breaker.state() == State::open && probes < 20; ++probes) {
            probe(ProbeResult::good);
        }
        ASSERT_EQ(breaker.state(), State::half_open);
        EXPECT_EQ(now - opened, milliseconds(wait));
        EXPECT_EQ(breaker.trial_slots(), 3U);
        calls(3, CallClass::retryable);
        ASSERT_EQ(breaker.state(), State::open);
        opened = now;
    }
}

// One job that the target always fails on does not keep the others from being tried.
TEST_F(Breaker, OneBadTrialAmongTheFirstIsNoFailure) {
    open();
    probe(ProbeResult::good);
    calls(5, CallClass::retryable);
    probe(ProbeResult::good);
    ASSERT_EQ(breaker.trial_slots(), 3U);
    calls(2, CallClass::retryable);
    call(CallClass::ok);
    EXPECT_EQ(breaker.state(), State::half_open);
    calls(7, CallClass::ok);
    EXPECT_EQ(breaker.state(), State::closed);
}

TEST(RetryBudget, RetriesAreATenthOfRequests) {
    RetryBudget budget({});
    int retries = 0;
    while (budget.try_retry()) ++retries;
    EXPECT_EQ(retries, 3) << "what a quiet target starts with";
    for (int i = 0; i < 100; ++i) budget.on_request();
    while (budget.try_retry()) ++retries;
    EXPECT_NEAR(retries, 13, 1);
    for (int i = 0; i < 100'000; ++i) budget.on_request();
    retries = 0;
    while (budget.try_retry()) ++retries;
    EXPECT_EQ(retries, 20) << "no more is saved up";
}

TEST(FreeReturns, TenReturnsThenACharge) {
    FreeReturns returns({});
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 10; ++i)
            EXPECT_TRUE(returns.try_return(7, FreeReturns::kUnreached)) << i;
        EXPECT_FALSE(returns.try_return(7, FreeReturns::kUnreached));
    }
    EXPECT_TRUE(returns.try_return(8, FreeReturns::kUnreached)) << "each job has its own";
}

TEST(FreeReturns, WhatMayHaveBroughtTheTargetDownReturnsOnce) {
    FreeReturns returns({});
    EXPECT_TRUE(returns.try_return(7, FreeReturns::kUnanswered));
    EXPECT_FALSE(returns.try_return(7, FreeReturns::kUnanswered));
    EXPECT_TRUE(returns.try_return(7, FreeReturns::kUnanswered)) << "after a charge it starts anew";
    EXPECT_FALSE(returns.try_return(7, FreeReturns::kUnreached));
}

TEST(FreeReturns, FailuresThatMayBeTheJobsOwnReturnThreeTimes) {
    FreeReturns returns({});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(returns.try_return(7, FreeReturns::kAnswered)) << i;
    EXPECT_FALSE(returns.try_return(7, FreeReturns::kAnswered));
}

TEST(FreeReturns, TheJobHeardOfLongestAgoIsForgotten) {
    FreeReturns::Options options;
    options.points_max = 1;
    options.jobs_max = 2;
    FreeReturns returns(options);
    EXPECT_TRUE(returns.try_return(1, FreeReturns::kUnreached));
    EXPECT_TRUE(returns.try_return(2, FreeReturns::kUnreached));
    EXPECT_TRUE(returns.try_return(3, FreeReturns::kUnreached));
    EXPECT_EQ(returns.size(), 2U);
    EXPECT_EQ(returns.forgotten(), 1U);
    EXPECT_FALSE(returns.try_return(2, FreeReturns::kUnreached));
    EXPECT_TRUE(returns.try_return(1, FreeReturns::kUnreached))
        << "forgotten: as if it had never returned";
}

TEST(FreeReturns, WithoutMemoryEachIsCharged) {
    FreeReturns::Options options;
    options.jobs_max = 0;
    FreeReturns returns(options);
    EXPECT_FALSE(returns.try_return(1, FreeReturns::kUnreached));
}

}  // namespace
}  // namespace scanmq::worker
