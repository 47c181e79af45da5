#include "scanner/strategy/probability.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "common/base/rng.hpp"

namespace scanmq::strategy {
namespace {

constexpr double kYears = 45.0 / 365.0;

TouchInput touch(double barrier) {
    return {.barrier = barrier, .spot = 100.0, .carry = 0.03, .volatility = 0.25, .years = kYears};
}

TEST(Touch, ReferenceValues) {
    EXPECT_NEAR(touch_probability(touch(95.0)), 0.5595694181, 1e-9);
    EXPECT_NEAR(touch_probability(touch(105.0)), 0.5777710437, 1e-9);
}

TEST(Touch, IsCertainAtTheBarrierAndNothingFarAway) {
    EXPECT_EQ(touch_probability(touch(100.0)), 1.0);
    EXPECT_GT(touch_probability(touch(100.001)), 0.999);
    EXPECT_LT(touch_probability(touch(1'000.0)), 1e-12);
    EXPECT_EQ(touch_probability(touch(1e-12)), 0.0);
    TouchInput none = touch(95.0);
    none.volatility = market::kMissing;
    EXPECT_TRUE(std::isnan(touch_probability(none)));
}

// It is at least the probability of ending beyond the barrier.
TEST(Touch, IsAtLeastTheChanceOfEndingBeyond) {
    const Distribution end(100.0 * std::exp(0.03 * kYears),
                           market::Smile::flat(0.25 * 0.25 * kYears));
    for (const double barrier : {80.0, 90.0, 99.0}) {
        EXPECT_GT(touch_probability(touch(barrier)), end.below(barrier));
    }
    for (const double barrier : {101.0, 110.0, 130.0}) {
        EXPECT_GT(touch_probability(touch(barrier)), 1.0 - end.below(barrier));
    }
}

template <class Pay>
double growth(const Pay& payoff, double risk, const Distribution& distribution, double f) {
    constexpr int kSteps = 20'000;
    const double v = distribution.total_deviation();
    double sum = 0.0;
    for (int i = 0; i < kSteps; ++i) {
        const double z = -8.0 + 16.0 * (i + 0.5) / kSteps;
        const double s = distribution.forward() * std::exp(v * z - 0.5 * v * v);
        sum += pricing::normal_pdf(z) * 16.0 / kSteps * std::log1p(f * payoff.at(s) / risk);
    }
    return sum;
}

// Nothing near it grows faster.
TEST(Kelly, IsWhereTheLogarithmGrowsMost) {
    const Distribution distribution(100.0, market::Smile::flat(0.25 * 0.25 * kYears));
    const double strikes[] = {90.0, 95.0};
    const PayoffShape shape = payoff_shape(*find_strategy("bull_put"));
    for (const double credit : {1.08, 1.15, 1.25}) {
        const Payoff payoff(shape, strikes, -credit);
        const double risk = payoff.max_loss();
        const double f = kelly_fraction(payoff, risk, strikes, 2, distribution);
        ASSERT_GT(f, 0.0) << credit;
        ASSERT_LE(f, kKellyMax);
        const double best = growth(payoff, risk, distribution, f);
        EXPECT_GE(best + 1e-9, growth(payoff, risk, distribution, f - 0.01)) << credit;
        if (f < kKellyMax) {
            EXPECT_GE(best + 1e-9, growth(payoff, risk, distribution, f + 0.01)) << credit;
        }
    }
    EXPECT_EQ(kelly_fraction(Payoff(shape, strikes, -0.50), 4.5, strikes, 2, distribution), 0.0)
        << "nothing is staked on a loss";
    EXPECT_EQ(kelly_fraction(Payoff(shape, strikes, -3.0), 2.0, strikes, 2, distribution),
              kKellyMax);
}

// Of a calendar, at the nearer expiry.
TEST(Kelly, OfTwoExpiries) {
    const Distribution distribution(100.0, market::Smile::flat(0.20 * 0.20 * kYears));
    const TwoExpiryMarket between =
        TwoExpiryMarket::between({100.0, 1.0, kYears}, {100.0, 1.0, kYears + 0.1}, 0.2);
    const PayoffShape shape = payoff_shape(*find_strategy("call_calendar"));
    const double strike = 100.0;
    const BackLeg back[] = {{Right::call, 1.0, strike, 0.2}};
    const auto calendar = [&](double cost) {
        return TwoExpiryPayoff(shape, &strike, back, between, distribution, cost);
    };
    for (const double cost : {0.90, 0.94}) {
        const TwoExpiryPayoff payoff = calendar(cost);
        const double risk = payoff.max_loss();
        const double f = kelly_fraction(payoff, risk, &strike, 1, distribution);
        ASSERT_GT(f, 0.0) << cost << " EV " << payoff.expected_value();
        ASSERT_LT(f, kKellyMax) << cost << " EV " << payoff.expected_value();
        const double best = growth(payoff, risk, distribution, f);
        EXPECT_GE(best + 1e-7, growth(payoff, risk, distribution, f - 0.01)) << cost;
        EXPECT_GE(best + 1e-7, growth(payoff, risk, distribution, f + 0.01)) << cost;
    }
    EXPECT_EQ(kelly_fraction(calendar(2.0), 2.0, &strike, 1, distribution), 0.0);
    EXPECT_EQ(kelly_fraction(calendar(0.5), 0.5, &strike, 1, distribution), kKellyMax);
}

TEST(Kelly, IsNoneWhereTheLossHasNoBound) {
    const Distribution distribution(100.0, market::Smile::flat(0.01));
    const PayoffShape shape = payoff_shape(*find_strategy("short_call"));
    const double strike = 105.0;
    EXPECT_TRUE(
        std::isnan(kelly_fraction(Payoff(shape, &strike, -2.0), 20.0, &strike, 1, distribution)));
}

}  // namespace
}  // namespace scanmq::strategy
