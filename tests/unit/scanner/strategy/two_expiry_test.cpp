#include "scanner/strategy/two_expiry.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "common/base/rng.hpp"
#include "scanner/pricing/black.hpp"

namespace scanmq::strategy {
namespace {

struct Market {
    TwoExpiryMarket::Point front;
    TwoExpiryMarket::Point back;
    TwoExpiryMarket between;
    Distribution distribution;
};

Market market_of(double front_years, double back_years, double rate, double paid_out) {
    const double spot = 100.0;
    const double forward = spot * std::exp(rate * front_years);
    const double later = (forward - paid_out) * std::exp(rate * (back_years - front_years));
    const TwoExpiryMarket::Point front{forward, std::exp(-rate * front_years), front_years};
    const TwoExpiryMarket::Point back{later, std::exp(-rate * back_years), back_years};
    return {front, back, TwoExpiryMarket::between(front, back, 0.22),
            Distribution(forward, market::Smile::flat(0.20 * 0.20 * front_years))};
}

struct Spread {
    const Strategy* strategy;
    std::vector<double> strikes;
    double cost;
    double volatility;
};

std::vector<BackLeg> back_legs(const Spread& spread) {
    std::vector<BackLeg> out;
    for (const LegSpec& leg : spread.strategy->legs) {
        if (leg.expiry == 0) continue;
        out.push_back(
            {leg.right, sign(leg.side) * leg.ratio, spread.strikes[leg.rank], spread.volatility});
    }
    return out;
}

// Every leg by itself: intrinsic values and Black's formula.
double direct(const Spread& spread, const Market& market, double s) {
    double total = -spread.cost;
    for (const LegSpec& leg : spread.strategy->legs) {
        const double strike = spread.strikes[leg.rank];
        const double quantity = sign(leg.side) * leg.ratio;
        if (leg.expiry == 0) {
            const double intrinsic = leg.right == Right::call ? s - strike : strike - s;
            total += quantity * std::max(intrinsic, 0.0);
        } else {
            const double forward = (s - market.between.paid_out) / market.between.discount;
            total += quantity * pricing::black_price({.forward = std::max(forward, 1e-12),
                                                      .strike = strike,
                                                      .volatility = spread.volatility,
                                                      .years = market.between.years,
                                                      .discount = market.between.discount},
                                                     leg.right);
        }
    }
    return total;
}

Spread random_spread(Rng& rng, int round) {
    static constexpr const char* kNames[] = {"call_calendar", "put_calendar",    "call_diagonal",
                                             "put_diagonal",  "double_calendar", "double_diagonal"};
    Spread out{find_strategy(kNames[round % 6]),
               {},
               0.5 + 3.0 * rng.uniform(),
               0.15 + 0.2 * rng.uniform()};
    double strike = 85.0 + 10.0 * rng.uniform();
    for (std::size_t r = 0; r < out.strategy->ranks(); ++r) {
        out.strikes.push_back(strike);
        strike += 1.0 + 8.0 * rng.uniform();
    }
    return out;
}

TEST(TwoExpiry, AgreesWithDirectEvaluationOnRandomSpreads) {
    Rng rng(31);
    for (int round = 0; round < 60; ++round) {
        const Market market = market_of(0.02 + 0.1 * rng.uniform(), 0.15 + 0.3 * rng.uniform(),
                                        0.05 * rng.uniform(), rng.below(2) == 0 ? 0.0 : 0.6);
        const Spread spread = random_spread(rng, round);
        const PayoffShape shape = payoff_shape(*spread.strategy);
        const std::vector<BackLeg> back = back_legs(spread);
        const TwoExpiryPayoff payoff(shape, spread.strikes.data(), back, market.between,
                                     market.distribution, spread.cost);
        double best = direct(spread, market, 0.0);
        double worst = best;
        double pop = 0.0;
        double ev = 0.0;
        constexpr int kSteps = 40'000;
        const double v = market.distribution.total_deviation();
        for (int i = 0; i < kSteps; ++i) {
            const double z = -10.0 + 20.0 * (i + 0.5) / kSteps;
            const double s = market.front.forward * std::exp(v * z - 0.5 * v * v);
            const double value = direct(spread, market, s);
            const double weight = pricing::normal_pdf(z) * 20.0 / kSteps;
            ev += weight * value;
            if (value > 0.0) pop += weight;
            // The same reach for the extremes, in wider steps, and the whole line beyond.
            const double far = 400.0 * (i + 0.5) / kSteps;
            for (const double each : {value, direct(spread, market, far)}) {
                best = std::max(best, each);
                worst = std::min(worst, each);
            }
            if (i % 1000 == 0) {
                EXPECT_NEAR(payoff.at(s), value, 1e-9) << spread.strategy->name;
            }
        }
        ASSERT_FALSE(std::isinf(payoff.max_profit())) << spread.strategy->name;
        ASSERT_FALSE(std::isinf(payoff.max_loss())) << spread.strategy->name;
        EXPECT_NEAR(payoff.max_profit(), best, 2e-3) << spread.strategy->name << round;
        EXPECT_GE(payoff.max_profit(), best - 1e-7) << spread.strategy->name << round;
        EXPECT_GE(payoff.max_loss(), -worst - 1e-7) << spread.strategy->name << round;
        EXPECT_NEAR(payoff.max_loss(), -worst, 0.05) << spread.strategy->name << round;
        EXPECT_NEAR(payoff.profit_probability(), pop, 2e-3) << spread.strategy->name << round;
        EXPECT_NEAR(payoff.expected_value(), ev, 1e-4) << spread.strategy->name << round;
        for (const double level : payoff.breakevens()) {
            EXPECT_NEAR(payoff.at(level), 0.0, 1e-6) << spread.strategy->name << round;
        }
    }
}

// A calendar loses at most what was paid, and wins most near its strike.
TEST(TwoExpiry, ACalendarsShape) {
    const Market market = market_of(30.0 / 365.0, 60.0 / 365.0, 0.0, 0.0);
    const Spread spread{find_strategy("call_calendar"), {100.0}, 1.10, 0.20};
    const PayoffShape shape = payoff_shape(*spread.strategy);
    const std::vector<BackLeg> back = back_legs(spread);
    const TwoExpiryPayoff payoff(shape, spread.strikes.data(), back, market.between,
                                 market.distribution, spread.cost);
    EXPECT_NEAR(payoff.max_loss(), 1.10, 1e-9);
    const double at_strike = pricing::black_price({.forward = 100.0,
                                                   .strike = 100.0,
                                                   .volatility = 0.20,
                                                   .years = 30.0 / 365.0,
                                                   .discount = 1.0},
                                                  Right::call) -
                             1.10;
    EXPECT_NEAR(payoff.max_profit(), at_strike, 1e-9);
    ASSERT_EQ(payoff.breakevens().size(), 2U);
    EXPECT_LT(payoff.breakevens()[0], 100.0);
    EXPECT_GT(payoff.breakevens()[1], 100.0);
    EXPECT_NEAR(payoff.probability_above(at_strike), 0.0, 1e-6);
    EXPECT_NEAR(payoff.probability_above(-1.2), 1.0, 1e-12);
}

// With a rate, a call calendar is worth the strike's interest far above: the tail counts.
TEST(TwoExpiry, TailsAreAnalytic) {
    const Market market = market_of(30.0 / 365.0, 395.0 / 365.0, 0.05, 0.0);
    const Spread call{find_strategy("call_calendar"), {100.0}, 3.0, 0.05};
    const PayoffShape shape = payoff_shape(*call.strategy);
    const std::vector<BackLeg> back = back_legs(call);
    const TwoExpiryPayoff payoff(shape, call.strikes.data(), back, market.between,
                                 market.distribution, call.cost);
    const double interest = 100.0 * (1.0 - std::exp(-0.05));
    EXPECT_NEAR(payoff.at(1e6), interest - 3.0, 1e-6);
    // Above 0 in the tail: one breakeven, and most of what is above it pays.
    ASSERT_EQ(payoff.breakevens().size(), 1U);
    EXPECT_LT(payoff.breakevens()[0], 100.0);
}

// More sold of the later expiry than bought of the nearer one is a loss without a bound.
TEST(TwoExpiry, AnUncoveredTailIsUnbounded) {
    constexpr LegSpec kLegs[] = {{Right::call, Side::long_leg, 1, 0, 0},
                                 {Right::call, Side::short_leg, 2, 0, 1}};
    const Strategy strategy{"test", kLegs};
    const Market market = market_of(0.1, 0.3, 0.0, 0.0);
    const PayoffShape shape = payoff_shape(strategy);
    const double strike = 100.0;
    const std::vector<BackLeg> back = {{Right::call, -2.0, strike, 0.2}};
    const TwoExpiryPayoff payoff(shape, &strike, back, market.between, market.distribution, -2.0);
    EXPECT_TRUE(std::isinf(payoff.max_loss()));
    EXPECT_FALSE(std::isinf(payoff.max_profit()));
}

}  // namespace
}  // namespace scanmq::strategy
