// Spreads of two expiries whose later legs are American: against every leg priced by itself.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/base/rng.hpp"
#include "scanner/pricing/american_curve.hpp"
#include "scanner/strategy/two_expiry.hpp"

namespace scanmq::strategy {
namespace {

// The nearer expiry in a month, from a forward of 100.
struct American {
    American(double rate, double yield, double years,
             std::vector<pricing::CashDividend> dividends = {})
        : market{.rate = rate, .yield = yield, .years = years, .dividends = dividends},
          distribution(kForward, market::Smile::flat(0.20 * 0.20 / 12.0)) {
        const double front = 1.0 / 12.0;
        double spot = kForward;
        for (const auto& one : dividends) spot -= one.amount * std::exp(-rate * one.years);
        market.paid_out = spot * -std::expm1(-yield * years);
        const double later = spot * std::exp((rate - yield) * years);
        between = TwoExpiryMarket::between(
            {kForward, std::exp(-rate * front), front},
            {later, std::exp(-rate * (front + years)), front + years}, 0.22);
    }
    static constexpr double kForward = 100.0;
    pricing::CurveMarket market;
    Distribution distribution;
    TwoExpiryMarket between;
};

struct Spread {
    const Strategy* strategy;
    std::vector<double> strikes;
    double cost;
    double volatility;
};

// Every underlying priced by itself, where there are no dividends.
std::vector<double> direct(const Spread& spread, const American& american,
                           const std::vector<double>& underlying) {
    std::vector<double> total(underlying.size(), -spread.cost);
    for (const LegSpec& leg : spread.strategy->legs) {
        const double strike = spread.strikes[leg.rank];
        const double quantity = sign(leg.side) * leg.ratio;
        std::vector<double> value(underlying.size());
        const pricing::CurveMarket& m = american.market;
        if (leg.expiry == 0) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                value[i] = std::max(
                    leg.right == Right::call ? underlying[i] - strike : strike - underlying[i],
                    0.0);
            }
        } else {
            std::vector<pricing::AmericanContract> contracts;
            for (const double s : underlying) {
                contracts.push_back(
                    {{s, strike, m.rate, m.yield, m.years, spread.volatility}, leg.right});
            }
            pricing::american_prices(contracts, value);
        }
        for (std::size_t i = 0; i < value.size(); ++i) total[i] += quantity * value[i];
    }
    return total;
}

struct Built {
    Built(const Spread& spread, const American& american)
        : shape(payoff_shape(*spread.strategy)), strikes(spread.strikes) {
        std::vector<pricing::CurveLeg> terms;
        for (const LegSpec& leg : spread.strategy->legs) {
            if (leg.expiry == 0) continue;
            terms.push_back({strikes[leg.rank], spread.volatility, leg.right});
            back.push_back(
                {leg.right, sign(leg.side) * leg.ratio, strikes[leg.rank], spread.volatility});
        }
        curves.resize(terms.size());
        pricing::american_curves(american.market, terms, curves);
        for (std::size_t i = 0; i < back.size(); ++i) back[i].american = &curves[i];
        cost = spread.cost;
    }
    [[nodiscard]] TwoExpiryPayoff payoff(const American& american) const {
        return {shape, strikes.data(), back, american.between, american.distribution, cost};
    }
    PayoffShape shape;
    std::vector<double> strikes;
    std::vector<pricing::AmericanCurve> curves;
    std::vector<BackLeg> back;
    double cost{};
};

TEST(TwoExpiryAmerican, AgreesWithABruteForceGrid) {
    static constexpr const char* kNames[] = {"call_calendar", "put_calendar",    "call_diagonal",
                                             "put_diagonal",  "double_calendar", "double_diagonal"};
    constexpr double kStep = 0.08;
    Rng rng(41);
    for (int round = 0; round < 12; ++round) {
        const American american(0.01 + 0.06 * rng.uniform(), 0.005 + 0.06 * rng.uniform(),
                                0.05 + 0.5 * rng.uniform());
        Spread spread{find_strategy(kNames[round % 6]),
                      {},
                      0.5 + 2.5 * rng.uniform(),
                      0.15 + 0.2 * rng.uniform()};
        double strike = 85.0 + 10.0 * rng.uniform();
        for (std::size_t r = 0; r < spread.strategy->ranks(); ++r) {
            spread.strikes.push_back(strike);
            strike += 1.0 + 8.0 * rng.uniform();
        }
        const Built built(spread, american);
        const TwoExpiryPayoff payoff = built.payoff(american);
        std::vector<double> underlying;
        for (int i = 0; i < 1'600; ++i) underlying.push_back(40.0 + kStep * i);
        const std::vector<double> value = direct(spread, american, underlying);
        double best = -1e300;
        double worst = 1e300;
        double pop = 0.0;
        double ev = 0.0;
        std::vector<double> crossings;
        std::vector<double> apart = spread.strikes;
        apart.insert(apart.end(), {1e-6, 1.0, 20.0, 300.0, 1e3, 1e4, 1e6});
        for (const double each : direct(spread, american, apart)) {
            best = std::max(best, each);
            worst = std::min(worst, each);
        }
        for (std::size_t i = 0; i < value.size(); ++i) {
            best = std::max(best, value[i]);
            worst = std::min(worst, value[i]);
            const double mass = american.distribution.below(underlying[i] + 0.5 * kStep) -
                                american.distribution.below(underlying[i] - 0.5 * kStep);
            ev += mass * value[i];
            if (value[i] > 0.0) pop += mass;
            if (i > 0 && (value[i] > 0.0) != (value[i - 1] > 0.0)) {
                const double share = value[i - 1] / (value[i - 1] - value[i]);
                crossings.push_back(underlying[i - 1] + kStep * share);
            }
        }
        const char* name = spread.strategy->name.data();
        // Interpolation and the grid's own step.
        EXPECT_NEAR(payoff.max_profit(), best, 2e-3) << name << round;
        EXPECT_GE(payoff.max_profit(), best - 5e-5) << name << round;
        EXPECT_GE(payoff.max_loss(), -worst - 5e-5) << name << round;
        EXPECT_NEAR(payoff.max_loss(), -worst, 0.02) << name << round;
        EXPECT_NEAR(payoff.profit_probability(), pop, 1e-2) << name << round;
        EXPECT_NEAR(payoff.expected_value(), ev, 1e-3) << name << round;
        ASSERT_EQ(payoff.breakevens().size(), crossings.size()) << name << round;
        for (std::size_t i = 0; i < crossings.size(); ++i) {
            EXPECT_NEAR(payoff.breakevens()[i], crossings[i], 2e-3) << name << round;
            EXPECT_NEAR(payoff.at(payoff.breakevens()[i]), 0.0, 1e-6) << name << round;
        }
    }
}

// Where both legs are due, a calendar's are worth the same: what was paid is lost, and no more.
TEST(TwoExpiryAmerican, ACalendarInExerciseLosesWhatItCost) {
    const American american(0.05, 0.03, 0.25);
    for (const char* name : {"call_calendar", "put_calendar"}) {
        const Spread spread{find_strategy(name), {100.0}, 1.40, 0.2};
        const Built built(spread, american);
        const TwoExpiryPayoff payoff = built.payoff(american);
        EXPECT_NEAR(payoff.at(10.0), -1.40, 1e-12) << name;
        EXPECT_NEAR(payoff.at(1e4), -1.40, 1e-9) << name;
        EXPECT_NEAR(payoff.max_loss(), 1.40, 1e-9) << name;
        EXPECT_EQ(payoff.breakevens().size(), 2U) << name;
    }
}

// Early exercise can only add to a long leg.
TEST(TwoExpiryAmerican, IsWorthNoLessThanWithEuropeanLegs) {
    const American american(0.05, 0.0, 0.25);
    const Spread spread{find_strategy("put_calendar"), {104.0}, 1.0, 0.2};
    Built built(spread, american);
    const TwoExpiryPayoff with = built.payoff(american);
    Built plain = built;
    for (BackLeg& leg : plain.back) leg.american = nullptr;
    const TwoExpiryPayoff without = plain.payoff(american);
    EXPECT_GT(with.max_profit(), without.max_profit());
    EXPECT_GT(with.expected_value(), without.expected_value() + 0.01);
    for (double s = 60.0; s < 150.0; s += 1.0) EXPECT_GE(with.at(s), without.at(s) - 1e-9) << s;
}

// A call that is exercised before an ex-moment is worth more at the nearer expiry than its European twin.
TEST(TwoExpiryAmerican, ADividendBetweenTheExpiriesIsRespected) {
    const std::vector<pricing::CashDividend> dividends = {{0.02, 2.0}};
    const American american(0.02, 0.0, 0.15, dividends);
    const Spread spread{find_strategy("call_calendar"), {95.0}, 1.0, 0.2};
    Built built(spread, american);
    const TwoExpiryPayoff payoff = built.payoff(american);
    for (double s = 85.0; s <= 115.0; s += 5.0) {
        const double later =
            pricing::american_price({s, 95.0, 0.02, 0.0, 0.15, 0.2}, dividends, Right::call,
                                    pricing::AmericanScheme::accurate);
        EXPECT_NEAR(payoff.at(s), later - std::max(s - 95.0, 0.0) - 1.0, 3e-4) << s;
    }
    for (BackLeg& leg : built.back) leg.american = nullptr;
    EXPECT_GT(payoff.at(105.0), built.payoff(american).at(105.0) + 0.3);
    EXPECT_NEAR(payoff.max_loss(), 1.0, 1e-9) << "exercise keeps what is paid";
}

}  // namespace
}  // namespace scanmq::strategy
