#include "scanner/strategy/payoff.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "common/base/rng.hpp"

namespace scanmq::strategy {
namespace {

constexpr auto kLong = Side::long_leg;
constexpr auto kShort = Side::short_leg;

// The reference market of docs/SCAN_REQUEST.md: S 100, sigma .25, T 45/365, r .04, q .01.
constexpr double kYears = 45.0 / 365.0;
Distribution reference() {
    return {100.0 * std::exp(0.03 * kYears), market::Smile::flat(0.25 * 0.25 * kYears)};
}

constexpr LegSpec kCondor[] = {{Right::put, kLong, 1, 0},
                               {Right::put, kShort, 1, 1},
                               {Right::call, kShort, 1, 2},
                               {Right::call, kLong, 1, 3}};
constexpr LegSpec kStraddle[] = {{Right::call, kLong, 1, 0}, {Right::put, kLong, 1, 0}};
constexpr LegSpec kButterfly[] = {
    {Right::call, kLong, 1, 0}, {Right::call, kShort, 2, 1}, {Right::call, kLong, 1, 2}};
constexpr LegSpec kShortPut[] = {{Right::put, kShort, 1, 0}};

struct Figures {
    double pop;
    double ev;
};

Figures figures(std::span<const LegSpec> legs, const std::vector<double>& strikes, double cost) {
    const Strategy strategy{"test", legs};
    const PayoffShape shape = payoff_shape(strategy);
    const Payoff payoff(shape, strikes.data(), cost);
    const Distribution distribution = reference();
    std::vector<double> below;
    for (const double strike : strikes) below.push_back(distribution.below(strike));
    return {payoff.profit_probability(distribution, below.data()),
            payoff.expected_value(distribution)};
}

TEST(Payoff, ReferenceValuesOfPopAndEv) {
    const Figures bull_put = figures(find_strategy("bull_put")->legs, {90.0, 95.0}, -1.10);
    EXPECT_NEAR(bull_put.pop, 0.7627742233, 1e-9);
    EXPECT_NEAR(bull_put.ev, 0.1446572086, 1e-9);
    const Figures condor = figures(kCondor, {90.0, 95.0, 105.0, 110.0}, -2.10);
    EXPECT_NEAR(condor.pop, 0.5820021648, 1e-9);
    EXPECT_NEAR(condor.ev, 0.1070849730, 1e-9);
    const Figures straddle = figures(kStraddle, {100.0}, 7.00);
    EXPECT_NEAR(straddle.pop, 0.4245965718, 1e-9);
    EXPECT_NEAR(straddle.ev, 0.0208452778, 1e-9);
    const Figures butterfly = figures(kButterfly, {95.0, 100.0, 105.0}, 1.00);
    EXPECT_NEAR(butterfly.pop, 0.3515460904, 1e-9);
    EXPECT_NEAR(butterfly.ev, 0.1068401081, 1e-9);
    const Figures short_put = figures(kShortPut, {95.0}, -1.55);
    EXPECT_NEAR(short_put.pop, 0.7793442420, 1e-9);
    EXPECT_NEAR(short_put.ev, 0.1661493255, 1e-9);
}

// sigma(K) = .25 - .10 ln(K/F): its variance is a parabola, which SVI is near its vertex as s grows.
TEST(Payoff, ReferenceValuesUnderASmile) {
    constexpr double kFar = 100.0;
    const market::Smile smile{.a = (0.0625 - 0.02 * kFar * kFar) * kYears,
                              .b = 0.02 * kFar * kYears,
                              .rho = -2.5 / kFar,
                              .m = 0.0,
                              .s = kFar};
    const double forward = 100.0 * std::exp(0.03 * kYears);
    EXPECT_NEAR(smile.volatility(-0.1, kYears), 0.26, 1e-9);
    const Distribution distribution(forward, smile);
    const double strikes[] = {90.0, 95.0};
    const PayoffShape shape = payoff_shape(*find_strategy("bull_put"));
    const Payoff payoff(shape, strikes, -1.10);
    const double below[] = {distribution.below(90.0), distribution.below(95.0)};
    EXPECT_NEAR(payoff.profit_probability(distribution, below), 0.7672835321, 1e-8);
    EXPECT_NEAR(payoff.expected_value(distribution), 0.1518892386, 1e-8);
}

// Every strategy of one expiry, by the numbers of its definition.
TEST(Payoff, EveryStrategyAgreesWithNumericalIntegration) {
    Rng rng(17);
    const Distribution distribution(100.0,
                                    {.a = 0.004, .b = 0.01, .rho = -0.4, .m = 0.0, .s = 0.2});
    for (const Strategy& strategy : strategies()) {
        if (strategy.expiries() > 1) continue;
        const PayoffShape shape = payoff_shape(strategy);
        std::vector<double> strikes;
        std::vector<double> below;
        double strike = 85.0 + 5.0 * rng.uniform();
        for (std::size_t r = 0; r < shape.ranks; ++r) {
            strikes.push_back(strike += 2.0 + 6.0 * rng.uniform());
            below.push_back(distribution.below(strike));
        }
        const Payoff payoff(shape, strikes.data(), 100.0 * strategy.stock + rng.uniform());
        double pop = 0.0;
        double ev = 0.0;
        double from = 0.0;
        double mean = 0.0;
        constexpr int kSteps = 20'000;
        for (int i = 1; i <= kSteps; ++i) {
            const double s = 30.0 + 270.0 * i / kSteps;
            const double mass = distribution.below(s) - from;
            const double moment = distribution.mean_below(s) - mean;
            if (mass > 0.0) {
                const double value = payoff.at(moment / mass);
                ev += mass * value;
                if (value > 0.0) pop += mass;
            }
            from += mass;
            mean += moment;
        }
        EXPECT_NEAR(payoff.profit_probability(distribution, below.data()), pop, 1e-3)
            << strategy.name;
        EXPECT_NEAR(payoff.expected_value(distribution), ev, 1e-4) << strategy.name;
    }
}

TEST(Payoff, VerticalExtremesAndBreakeven) {
    const double strikes[] = {90.0, 95.0};
    const PayoffShape put_shape = payoff_shape(*find_strategy("bull_put"));
    const Payoff credit(put_shape, strikes, -1.10);
    EXPECT_NEAR(credit.max_profit(), 1.10, 1e-12);
    EXPECT_NEAR(credit.max_loss(), 3.90, 1e-12);
    ASSERT_EQ(credit.breakevens().count, 1U);
    EXPECT_NEAR(credit.breakevens().level[0], 93.90, 1e-12);

    const PayoffShape call_shape = payoff_shape(*find_strategy("bull_call"));
    const Payoff debit(call_shape, strikes, 3.0);
    EXPECT_NEAR(debit.max_profit(), 2.0, 1e-12);
    EXPECT_NEAR(debit.max_loss(), 3.0, 1e-12);
    EXPECT_NEAR(debit.breakevens().level[0], 93.0, 1e-12);
}

TEST(Payoff, CondorHasTwoBreakevensAndUnboundedLegsAreInfinite) {
    const PayoffShape condor = payoff_shape({"condor", kCondor});
    const double strikes[] = {90.0, 95.0, 105.0, 110.0};
    const Payoff payoff(condor, strikes, -2.10);
    ASSERT_EQ(payoff.breakevens().count, 2U);
    EXPECT_NEAR(payoff.breakevens().level[0], 92.90, 1e-12);
    EXPECT_NEAR(payoff.breakevens().level[1], 107.10, 1e-12);

    const PayoffShape straddle = payoff_shape({"straddle", kStraddle});
    const double strike = 100.0;
    EXPECT_TRUE(std::isinf(Payoff(straddle, &strike, 7.0).max_profit()));
    EXPECT_DOUBLE_EQ(Payoff(straddle, &strike, 7.0).max_loss(), 7.0);
    const PayoffShape put = payoff_shape({"put", kShortPut});
    EXPECT_DOUBLE_EQ(Payoff(put, &strike, -1.5).max_loss(), 98.5);
}

TEST(Payoff, NoBreakevenWhereTheSignNeverChanges) {
    const double strikes[] = {90.0, 95.0};
    const PayoffShape shape = payoff_shape(*find_strategy("bull_put"));
    EXPECT_EQ(Payoff(shape, strikes, -6.0).breakevens().count, 0U);
    EXPECT_EQ(Payoff(shape, strikes, 1.0).breakevens().count, 0U);
    const Distribution distribution = reference();
    const double below[] = {distribution.below(90.0), distribution.below(95.0)};
    EXPECT_DOUBLE_EQ(Payoff(shape, strikes, -6.0).profit_probability(distribution, below), 1.0);
    EXPECT_DOUBLE_EQ(Payoff(shape, strikes, 1.0).profit_probability(distribution, below), 0.0);
}

// Integrates the payoff over the distribution by brute force, for random spreads of every shape.
TEST(Payoff, AgreesWithNumericalIntegration) {
    Rng rng(7);
    const Distribution distribution = reference();
    const std::span<const LegSpec> shapes[] = {
        find_strategy("bull_put")->legs, find_strategy("bear_call")->legs, kCondor, kButterfly};
    for (int round = 0; round < 12; ++round) {
        const Strategy strategy{"test", shapes[round % 4]};
        const PayoffShape shape = payoff_shape(strategy);
        std::vector<double> strikes;
        double strike = 80.0;
        for (std::size_t r = 0; r < shape.ranks; ++r) {
            strikes.push_back(strike += 2.0 + 10.0 * rng.uniform());
        }
        const Payoff payoff(shape, strikes.data(), 4.0 * (rng.uniform() - 0.5));
        double pop = 0.0;
        double ev = 0.0;
        constexpr int kSteps = 200'000;
        const double v = distribution.total_deviation();
        for (int i = 0; i < kSteps; ++i) {
            const double z = -9.0 + 18.0 * (i + 0.5) / kSteps;
            const double weight = pricing::normal_pdf(z) * 18.0 / kSteps;
            const double value = payoff.at(distribution.forward() * std::exp(v * z - 0.5 * v * v));
            ev += weight * value;
            if (value > 0.0) pop += weight;
        }
        std::vector<double> below;
        for (const double k : strikes) below.push_back(distribution.below(k));
        const double exact = payoff.profit_probability(distribution, below.data());
        EXPECT_NEAR(exact, pop, 1e-4) << round;
        EXPECT_NEAR(payoff.expected_value(distribution), ev, 1e-6) << round;
        EXPECT_GE(payoff.profit_probability_bound(below.data()), exact - 1e-15) << round;
    }
}

}  // namespace
}  // namespace scanmq::strategy
