#include "scanner/pricing/american_curve.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "common/base/rng.hpp"
#include "tests/support/each_target.hpp"

namespace scanmq::pricing {
namespace {

constexpr double kStrike = 100.0;
constexpr std::size_t kSpots = 81;

// What is paid out as a yield is worth at a forward of 100.
CurveMarket market_of(double rate, double yield, double years,
                      std::vector<CashDividend> dividends = {}) {
    CurveMarket out{.rate = rate, .yield = yield, .years = years, .dividends = dividends};
    double spot = 100.0;
    for (const CashDividend& one : dividends) spot -= one.amount * std::exp(-rate * one.years);
    out.paid_out = spot * -std::expm1(-yield * years);
    return out;
}

AmericanCurve curve_of(const CurveMarket& market, const CurveLeg& leg) {
    AmericanCurve out;
    american_curves(market, {&leg, 1}, {&out, 1});
    return out;
}

std::vector<double> spots(double deviation, double reach) {
    std::vector<double> out;
    for (std::size_t i = 0; i < kSpots; ++i) {
        const double z = -1.0 + 2.0 * static_cast<double>(i) / (kSpots - 1);
        out.push_back(kStrike * std::exp(reach * deviation * z));
    }
    return out;
}

std::string text(const CurveMarket& m, const CurveLeg& leg) {
    return (leg.right == Right::call ? " call r " : " put r ") + std::to_string(m.rate) + " q " +
           std::to_string(m.yield) + " T " + std::to_string(m.years) + " sigma " +
           std::to_string(leg.volatility);
}

CurveLeg draw_leg(Rng& rng) {
    return {kStrike, 0.05 + (rng.below(2) == 0 ? 0.25 : 0.95) * rng.uniform(),
            rng.below(2) == 0 ? Right::call : Right::put};
}
CurveMarket draw_market(Rng& rng) {
    const double yield = rng.below(4) == 0 ? 0.0 : 0.10 * rng.uniform();
    return market_of(0.10 * rng.uniform(), yield, 0.005 + 2.0 * rng.uniform());
}

TEST(AmericanCurve, IsTheAccurateSchemeAtEverySpot) {
    Rng rng(3);
    for (int round = 0; round < 60; ++round) {
        const CurveMarket market = draw_market(rng);
        const CurveLeg leg = draw_leg(rng);
        const AmericanCurve curve = curve_of(market, leg);
        std::vector<AmericanContract> contracts;
        const auto spot = spots(leg.volatility * std::sqrt(market.years), 6.0);
        for (const double s : spot) {
            contracts.push_back(
                {{s, kStrike, market.rate, market.yield, market.years, leg.volatility}, leg.right});
        }
        std::vector<double> exact(spot.size());
        american_prices(contracts, exact, AmericanScheme::accurate);
        for (std::size_t i = 0; i < spot.size(); ++i) {
            EXPECT_NEAR(curve.at(spot[i]).value, exact[i], 2e-5 * std::max(1.0, spot[i] / 100.0))
                << "S " << spot[i] << text(market, leg);
        }
    }
}

TEST(AmericanCurve, SlopeIsItsDerivative) {
    Rng rng(4);
    for (int round = 0; round < 60; ++round) {
        CurveMarket market = draw_market(rng);
        if (round % 3 == 0) market.dividends = {{0.3 * market.years, 0.7}};
        const CurveLeg leg = draw_leg(rng);
        const AmericanCurve curve = curve_of(market, leg);
        for (const double s : spots(leg.volatility * std::sqrt(market.years), 4.0)) {
            const double h = 1e-5 * s;
            const double up = curve.at(s + h).value;
            const double down = curve.at(s - h).value;
            // Where exercise begins the difference is of both sides.
            EXPECT_NEAR(curve.at(s).slope, (up - down) / (2.0 * h), 2e-3) << s << text(market, leg);
        }
    }
}

TEST(AmericanCurve, IsExactWhereExerciseIsDue) {
    const CurveMarket market = market_of(0.06, 0.04, 0.5);
    const AmericanCurve put = curve_of(market, {kStrike, 0.2, Right::put});
    const BsmInputs in{100.0, kStrike, 0.06, 0.04, 0.5, 0.2};
    const double low = exercise_boundary(in, Right::put);
    for (const double s : {0.0, 1e-9, 40.0, low - 0.01}) {
        EXPECT_EQ(put.at(s).value, kStrike - s) << s;
        EXPECT_EQ(put.at(s).slope, -1.0) << s;
    }
    EXPECT_GT(put.at(low + 0.2).value, kStrike - low - 0.2);
    const AmericanCurve call = curve_of(market, {kStrike, 0.2, Right::call});
    const double high = exercise_boundary(in, Right::call);
    for (const double s : {high + 0.01, 500.0, 1e9}) {
        EXPECT_EQ(call.at(s).value, s - kStrike) << s;
        EXPECT_EQ(call.at(s).slope, 1.0) << s;
    }
    EXPECT_EQ(call.at(0.0).value, 0.0);
    EXPECT_EQ(call.far_above(), -kStrike);
}

// Without a reason to exercise it is a European option, and what is paid out is an amount.
TEST(AmericanCurve, IsEuropeanWhereExerciseIsNeverDue) {
    for (const double yield : {0.0, -0.02}) {
        const CurveMarket market = market_of(0.05, yield, 0.7);
        const AmericanCurve call = curve_of(market, {kStrike, 0.3, Right::call});
        const double discount = std::exp(-0.05 * 0.7);
        for (const double s : {20.0, 80.0, 100.0, 130.0, 900.0}) {
            const double exact = black_price({.forward = (s - market.paid_out) / discount,
                                              .strike = kStrike,
                                              .volatility = 0.3,
                                              .years = 0.7,
                                              .discount = discount},
                                             Right::call);
            EXPECT_NEAR(call.at(s).value, exact, 1e-11) << s << ' ' << yield;
        }
        EXPECT_NEAR(call.at(1e6).value - 1e6, call.far_above(), 1e-6);
    }
}

// Without time, where the forward is the strike: neither more nor less than exercise.
TEST(AmericanCurve, WithoutTimeIsExercise) {
    for (const double paid_out : {0.0, 1.5}) {
        for (const Right right : {Right::call, Right::put}) {
            const CurveMarket market{.rate = 0.05, .yield = 0.02, .paid_out = paid_out};
            const AmericanCurve curve = curve_of(market, {kStrike, 0.2, right});
            for (const double s : {0.0, kStrike, kStrike + paid_out, 250.0}) {
                const double now = right == Right::call ? s - kStrike : kStrike - s;
                const double forward = s - paid_out;
                const double later =
                    right == Right::call ? forward - kStrike : kStrike - std::max(forward, 0.0);
                EXPECT_EQ(curve.at(s).value, std::max({now, later, 0.0})) << s << ' ' << paid_out;
                EXPECT_TRUE(std::isfinite(curve.at(s).slope)) << s << ' ' << paid_out;
            }
        }
    }
}

TEST(AmericanCurve, BadDividendsAreNaN) {
    const std::vector<CashDividend> many(kDividendsMax + 1, {.years = 0.1, .amount = 0.01});
    for (const auto& dividends : {std::vector<CashDividend>{{.years = 0.1, .amount = -1.0}},
                                  std::vector<CashDividend>{{.years = 0.1, .amount = NAN}}, many}) {
        const CurveMarket market{.rate = 0.05, .years = 0.5, .dividends = dividends};
        for (const Right right : {Right::call, Right::put}) {
            const AmericanCurve curve = curve_of(market, {kStrike, 0.2, right});
            for (const double s : {0.0, 50.0, 100.0, 200.0}) {
                EXPECT_TRUE(std::isnan(curve.at(s).value)) << s;
            }
            EXPECT_TRUE(std::isnan(curve.far_above()));
        }
    }
}

// A rate below zero: the higher of two boundaries is that of differences, and never below exercise.
TEST(AmericanCurve, TwoBoundaries) {
    const CurveMarket market = market_of(-0.01, -0.04, 1.0);
    const AmericanCurve put = curve_of(market, {kStrike, 0.1, Right::put});
    for (const double s : {60.0, 85.0, 95.0, 100.0, 110.0}) {
        const double value = put.at(s).value;
        EXPECT_GE(value, kStrike - s);
        EXPECT_TRUE(std::isfinite(value));
    }
    // At the forward that the market is of, amount and yield are one.
    EXPECT_NEAR(put.at(100.0).value,
                american_price({100.0, kStrike, -0.01, -0.04, 1.0, 0.1}, Right::put,
                               AmericanScheme::accurate),
                2e-2);
}

TEST(AmericanCurve, CashDividendsAreRespected) {
    Rng rng(6);
    for (int round = 0; round < 16; ++round) {
        const double years = 0.1 + 0.8 * rng.uniform();
        const double rate = 0.08 * rng.uniform();
        const std::vector<CashDividend> dividends = {{0.2 * years, 0.4 + rng.uniform()},
                                                     {0.8 * years, 0.4 + rng.uniform()}};
        const double yield = round % 2 == 0 ? 0.0 : 0.03 * rng.uniform();
        const CurveMarket market = market_of(rate, yield, years, dividends);
        const CurveLeg leg{kStrike, 0.1 + 0.4 * rng.uniform(),
                           round % 3 == 0 ? Right::put : Right::call};
        const AmericanCurve curve = curve_of(market, leg);
        for (double s = 60.0; s <= 160.0; s += 10.0) {
            const BsmInputs in{s, kStrike, rate, yield, years, leg.volatility};
            const double exact = american_price(in, dividends, leg.right, AmericanScheme::accurate);
            EXPECT_NEAR(curve.at(s).value, exact, 3e-4 * std::max(1.0, s / 100.0))
                << "S " << s << text(market, leg);
        }
    }
}

// A call is then worth at most exercise just before one of the ex-moments, or at the end.
TEST(AmericanCurve, TailsWithCashDividends) {
    for (const double yield : {0.02, 0.0, -0.03}) {
        const CurveMarket market = market_of(0.05, yield, 0.5, {{0.1, 1.0}, {0.4, 2.0}});
        const AmericanCurve call = curve_of(market, {kStrike, 0.25, Right::call});
        EXPECT_NEAR(call.at(1e7).value - 1e7, call.far_above(), 1e-6) << yield;
        EXPECT_NEAR(call.at(1e7).slope, 1.0, 1e-12) << yield;
        EXPECT_GE(call.far_above(), -kStrike) << yield;
        EXPECT_EQ(call.at(0.0).value, 0.0) << yield;
        const AmericanCurve put = curve_of(market, {kStrike, 0.25, Right::put});
        EXPECT_GE(put.at(0.0).value, kStrike) << yield;
        EXPECT_NEAR(put.at(1e7).value, 0.0, 1e-9) << yield;
    }
}

class AmericanCurveOnEachTarget : public tests::EachTarget {};
TEST_P(AmericanCurveOnEachTarget, DoesNotDependOnItsNeighbours) {
    for (const bool paying : {false, true}) {
        const CurveMarket market =
            market_of(0.04, 0.02, 0.4,
                      paying ? std::vector<CashDividend>{{0.2, 0.6}} : std::vector<CashDividend>{});
        std::vector<CurveLeg> legs;
        for (int i = 0; i < 37; ++i) {
            legs.push_back({70.0 + 2.0 * i, i == 5 ? std::nan("") : 0.15 + 0.01 * i,
                            i % 2 == 0 ? Right::call : Right::put});
        }
        std::vector<AmericanCurve> together(legs.size());
        american_curves(market, legs, together);
        // The memory of a curve of another kind is used again.
        american_curves(market_of(0.05, 0.0, 0.1, {{0.05, 0.3}}), legs, together);
        american_curves(market, legs, together);
        for (std::size_t i = 0; i < legs.size(); ++i) {
            if (i == 5) continue;
            const AmericanCurve alone = curve_of(market, legs[i]);
            for (double s = 40.0; s < 200.0; s += 7.0) {
                EXPECT_EQ(alone.at(s).value, together[i].at(s).value) << i << ' ' << s;
                EXPECT_EQ(alone.at(s).slope, together[i].at(s).slope) << i << ' ' << s;
            }
        }
    }
}
INSTANTIATE_TEST_SUITE_P(Targets, AmericanCurveOnEachTarget,
                         ::testing::ValuesIn(tests::supported_targets()), tests::target_name);

}  // namespace
}  // namespace scanmq::pricing
