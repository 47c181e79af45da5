#include "common/cache/tier_breaker.hpp"

#include <gtest/gtest.h>

namespace scanmq::cache {
namespace {

using std::chrono::seconds;
using State = TierBreaker::State;

class TierBreakerTest : public ::testing::Test {
  protected:
    void fail(int times) {
        for (int i = 0; i < times; ++i) breaker_.failed(now_);
    }
    void probe(bool good) {
        now_ = breaker_.next_deadline().value();
        EXPECT_TRUE(breaker_.probe_due(now_));
        EXPECT_FALSE(breaker_.probe_due(now_));
        breaker_.probe_ended(good, now_);
    }

    Time now_{std::chrono::hours(1)};
    TierBreaker breaker_{{}};
};

TEST_F(TierBreakerTest, OpensAfterFiveFailuresInARow) {
    fail(4);
    breaker_.succeeded();
    fail(4);
    EXPECT_TRUE(breaker_.allows());
    fail(1);
    EXPECT_FALSE(breaker_.allows());
    EXPECT_EQ(breaker_.opened(), 1u);
    EXPECT_EQ(breaker_.next_deadline(), now_ + seconds(1));
}

TEST_F(TierBreakerTest, OneProbeWhenItsTimeIsOver) {
    fail(5);
    EXPECT_FALSE(breaker_.probe_due(now_ + seconds(1) - Duration(1)));
    EXPECT_TRUE(breaker_.probe_due(now_ + seconds(1)));
    EXPECT_FALSE(breaker_.probe_due(now_ + seconds(100)));
    EXPECT_FALSE(breaker_.allows());
    EXPECT_EQ(breaker_.next_deadline(), std::nullopt);
    breaker_.probe_ended(true, now_);
    EXPECT_TRUE(breaker_.allows());
    fail(4);
    EXPECT_TRUE(breaker_.allows());
}

TEST_F(TierBreakerTest, BadProbesDoubleItsTimeUpToThirtySeconds) {
    fail(5);
    for (const int open_for : {2, 4, 8, 16, 30, 30}) {
        probe(false);
        EXPECT_EQ(breaker_.next_deadline(), now_ + seconds(open_for));
    }
    EXPECT_EQ(breaker_.opened(), 1u);
}

TEST_F(TierBreakerTest, DoublingGoesOnUntilACallIsGood) {
    fail(5);
    probe(true);
    fail(5);
    EXPECT_EQ(breaker_.next_deadline(), now_ + seconds(2));
    probe(true);
    breaker_.succeeded();
    fail(5);
    EXPECT_EQ(breaker_.next_deadline(), now_ + seconds(1));
}

TEST_F(TierBreakerTest, CallsOfBeforeSayNothingWhileItIsOpen) {
    fail(5);
    breaker_.succeeded();
    fail(50);
    EXPECT_EQ(breaker_.state(), State::open);
    EXPECT_EQ(breaker_.next_deadline(), now_ + seconds(1));
    // A new connection is as good as a probe.
    breaker_.probe_ended(true, now_);
    EXPECT_EQ(breaker_.state(), State::closed);
    // And a bad one of a closed breaker says nothing.
    breaker_.probe_ended(false, now_);
    EXPECT_EQ(breaker_.state(), State::closed);
}

}  // namespace
}  // namespace scanmq::cache
