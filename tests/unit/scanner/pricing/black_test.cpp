#include "scanner/pricing/black.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace scanmq::pricing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// In the order of Haug's tables: K, S, q, r, T, sigma.
BsmInputs haug(double strike, double spot, double yield, double rate, double years,
               double volatility) {
    return {.spot = spot,
            .strike = strike,
            .rate = rate,
            .yield = yield,
            .years = years,
            .volatility = volatility};
}

constexpr double kFourDecimals = 5.1e-5;

// Rows that cross moneyness, maturity and both sides of the inflection v = sqrt(2|x|).
std::vector<BsmInputs> grid() {
    std::vector<BsmInputs> rows;
    for (const double strike : {40.0, 80.0, 99.0, 100.0, 101.0, 130.0, 300.0}) {
        for (const double years : {0.02, 0.25, 1.0, 3.0}) {
            for (const double volatility : {0.08, 0.25, 0.7, 1.6}) {
                for (const double yield : {0.0, 0.03, 0.09}) {
                    rows.push_back(haug(strike, 100.0, yield, 0.05, years, volatility));
                }
            }
        }
    }
    return rows;
}

TEST(BlackScholes, HaugEuropeanValues) {
    EXPECT_NEAR(bsm_price(haug(65, 60, 0, .08, .25, .30), Right::call), 2.1334, kFourDecimals);
    EXPECT_NEAR(bsm_price(haug(95, 100, .05, .10, .5, .20), Right::put), 2.4648, kFourDecimals);
    EXPECT_NEAR(bsm_price(haug(19, 19, .10, .10, .75, .28), Right::call), 1.7011, kFourDecimals);
    EXPECT_NEAR(bsm_price(haug(19, 19, .10, .10, .75, .28), Right::put), 1.7011, kFourDecimals);
    EXPECT_NEAR(bsm_price(haug(1.60, 1.56, .08, .06, .5, .12), Right::call), .0291, kFourDecimals);
    EXPECT_NEAR(bsm_price(haug(70, 75, .05, .10, .5, .35), Right::put), 4.0870, kFourDecimals);
    EXPECT_NEAR(bsm_price(haug(40, 42, .08, .04, .75, .35), Right::call), 5.0975, kFourDecimals);
}

TEST(BlackScholes, HaugGreeks) {
    const BsmInputs futures = haug(100, 105, .10, .10, .5, .36);
    EXPECT_NEAR(bsm_greeks(futures, Right::call).delta, .5946, kFourDecimals);
    EXPECT_NEAR(bsm_greeks(futures, Right::put).delta, -.3566, kFourDecimals);
    for (const Right right : {Right::call, Right::put}) {
        const Greeks stock = bsm_greeks(haug(60, 55, 0, .10, .75, .30), right);
        EXPECT_NEAR(stock.gamma, .0278, kFourDecimals);
        EXPECT_NEAR(stock.vega, 18.9358, kFourDecimals);
    }
    EXPECT_NEAR(bsm_greeks(haug(405, 430, .05, .07, 1.0 / 12.0, .20), Right::put).theta, -31.1924,
                kFourDecimals);
    EXPECT_NEAR(bsm_greeks(haug(75, 72, 0, .09, 1, .19), Right::call).rho, 38.7325, kFourDecimals);
}

// Escrowed dividends: the European value on the spot less the present value of what is paid.
TEST(BlackScholes, HaugEscrowedDividends) {
    const double paid = .5 * std::exp(-.09 * 2.0 / 12.0) + .5 * std::exp(-.09 * 5.0 / 12.0);
    EXPECT_NEAR(bsm_price(haug(40, 40 - paid, 0, .09, .5, .30), Right::call), 3.67, 5e-3);
}

// 60-digit references: normalised b(x, v) at F K = 1.
TEST(Black, OutOfTheMoneyValuesKeepRelativeAccuracy) {
    struct Point {
        double x, v, value, bound;
    };
    const Point points[] = {{0.0, 0.2, 0.079655674554057967338, 5e-15},
                            {-0.1, 0.19, 0.035977599538468621379, 1e-14},
                            {-1.0, 0.1, 7.4653976115686172329e-26, 1e-13},
                            {-1.0, 2.5, 0.40507760539211290314, 1e-15},
                            {-3.0, 0.5, 7.5884598023150894145e-11, 1e-14},
                            {-5.0, 0.14, 4.6318182327829557028e-282, 2e-12}};
    for (const Point& point : points) {
        const double low = std::exp(0.5 * point.x);
        const double high = std::exp(-0.5 * point.x);
        const BlackInputs call{.forward = low, .strike = high, .volatility = point.v, .years = 1.0};
        const BlackInputs put{.forward = high, .strike = low, .volatility = point.v, .years = 1.0};
        // ln(F/K) carries a rounding here, which far tails amplify by (|x|/v)^2.
        EXPECT_NEAR(black_price(call, Right::call) / point.value, 1.0, point.bound) << point.x;
        EXPECT_NEAR(black_price(put, Right::put) / point.value, 1.0, point.bound) << point.x;
    }
}

TEST(Black, EqualsBlackScholesOnItsForward) {
    for (const BsmInputs& in : grid()) {
        const BlackInputs forward{.forward = in.spot * std::exp((in.rate - in.yield) * in.years),
                                  .strike = in.strike,
                                  .volatility = in.volatility,
                                  .years = in.years,
                                  .discount = std::exp(-in.rate * in.years)};
        for (const Right right : {Right::call, Right::put}) {
            EXPECT_DOUBLE_EQ(black_price(forward, right), bsm_price(in, right));
            EXPECT_DOUBLE_EQ(bsm_greeks(in, right).price, bsm_price(in, right));
        }
    }
}

TEST(BlackScholes, PutCallParity) {
    for (const BsmInputs& in : grid()) {
        const Greeks call = bsm_greeks(in, Right::call);
        const Greeks put = bsm_greeks(in, Right::put);
        const double grown = std::exp(-in.yield * in.years);
        const double paid = in.strike * std::exp(-in.rate * in.years);
        EXPECT_NEAR(call.price - put.price, in.spot * grown - paid, 1e-12);
        EXPECT_NEAR(call.delta - put.delta, grown, 1e-15);
        EXPECT_EQ(call.gamma, put.gamma);
        EXPECT_EQ(call.vega, put.vega);
        EXPECT_NEAR(call.theta - put.theta, in.yield * in.spot * grown - in.rate * paid, 1e-12);
        EXPECT_NEAR(call.rho - put.rho, in.years * paid, 1e-12);
    }
}

template <class Change>
double central(const BsmInputs& in, Right right, double step, Change change) {
    BsmInputs up = in;
    BsmInputs down = in;
    change(up, step);
    change(down, -step);
    return (bsm_price(up, right) - bsm_price(down, right)) / (2.0 * step);
}

TEST(BlackScholes, GreeksAreTheDerivativesOfThePrice) {
    for (const BsmInputs& in : grid()) {
        for (const Right right : {Right::call, Right::put}) {
            const Greeks greeks = bsm_greeks(in, right);
            const double delta =
                central(in, right, 1e-3, [](BsmInputs& b, double h) { b.spot += h; });
            const double vega =
                central(in, right, 1e-5, [](BsmInputs& b, double h) { b.volatility += h; });
            const double decay =
                central(in, right, 1e-6, [](BsmInputs& b, double h) { b.years += h; });
            const double rho =
                central(in, right, 1e-5, [](BsmInputs& b, double h) { b.rate += h; });
            BsmInputs up = in;
            BsmInputs down = in;
            up.spot += 1e-3;
            down.spot -= 1e-3;
            const double gamma =
                (bsm_greeks(up, right).delta - bsm_greeks(down, right).delta) / 2e-3;
            EXPECT_NEAR(greeks.delta, delta, 1e-6);
            EXPECT_NEAR(greeks.gamma, gamma, 1e-6 * (1.0 + greeks.gamma));
            EXPECT_NEAR(greeks.vega, vega, 1e-5 * (1.0 + greeks.vega));
            EXPECT_NEAR(greeks.theta, -decay, 1e-5 * (1.0 + std::fabs(greeks.theta)));
            EXPECT_NEAR(greeks.rho, rho, 1e-5 * (1.0 + std::fabs(greeks.rho)));
        }
    }
}

TEST(BlackScholes, NoVolatilityIsTheDiscountedIntrinsicValue) {
    const double discount = std::exp(-0.05);
    const double forward = 100.0 * std::exp(0.05 - 0.02);
    const Greeks call = bsm_greeks(haug(90, 100, .02, .05, 1.0, 0.0), Right::call);
    EXPECT_NEAR(call.price, discount * (forward - 90.0), 1e-12);
    EXPECT_NEAR(call.delta, std::exp(-0.02), 1e-15);
    EXPECT_EQ(call.gamma, 0.0);
    EXPECT_EQ(call.vega, 0.0);
    EXPECT_NEAR(call.rho, 90.0 * discount, 1e-12);
    const Greeks put = bsm_greeks(haug(90, 100, .02, .05, 1.0, 0.0), Right::put);
    EXPECT_EQ(put.price, 0.0);
    EXPECT_EQ(put.delta, 0.0);
    EXPECT_EQ(put.theta, 0.0);
}

TEST(BlackScholes, NoTimeIsTheIntrinsicValue) {
    const Greeks put = bsm_greeks(haug(110, 100, .02, .05, 0.0, 0.3), Right::put);
    EXPECT_EQ(put.price, 10.0);
    EXPECT_EQ(put.delta, -1.0);
    EXPECT_EQ(put.gamma, 0.0);
    EXPECT_EQ(put.rho, 0.0);
    const Greeks at_strike = bsm_greeks(haug(100, 100, 0.0, 0.0, 0.0, 0.3), Right::call);
    EXPECT_EQ(at_strike.price, 0.0);
    EXPECT_EQ(at_strike.delta, 0.5);
    EXPECT_TRUE(std::isfinite(at_strike.theta));
}

TEST(BlackScholes, VolatilityTowardsZeroApproachesTheLimit) {
    for (const double volatility : {1e-2, 1e-4, 1e-8, 1e-150, 1e-310}) {
        const Greeks out = bsm_greeks(haug(120, 100, 0, 0, 1.0, volatility), Right::call);
        EXPECT_GE(out.price, 0.0) << volatility;
        EXPECT_LT(out.price, 1e-60) << volatility;
        EXPECT_LT(out.delta, 1e-60) << volatility;
        const Greeks in = bsm_greeks(haug(80, 100, 0, 0, 1.0, volatility), Right::call);
        EXPECT_DOUBLE_EQ(in.price, 20.0) << volatility;
        EXPECT_DOUBLE_EQ(in.delta, 1.0) << volatility;
    }
}

TEST(BlackScholes, HugeVolatilityApproachesTheMaximum) {
    const Greeks call = bsm_greeks(haug(100, 100, 0, 0, 1.0, 1e3), Right::call);
    EXPECT_DOUBLE_EQ(call.price, 100.0);
    EXPECT_DOUBLE_EQ(call.delta, 1.0);
    EXPECT_EQ(bsm_price(haug(100, 100, 0, 0, 1.0, kInfinity), Right::put), 100.0);
}

TEST(BlackScholes, MissingInputsGiveMissingValues) {
    for (int field = 0; field < 6; ++field) {
        BsmInputs in = haug(100, 105, .01, .02, .5, .3);
        double* fields[] = {&in.spot, &in.strike, &in.rate, &in.yield, &in.years, &in.volatility};
        *fields[field] = kNaN;
        EXPECT_TRUE(std::isnan(bsm_price(in, Right::call))) << field;
        const Greeks greeks = bsm_greeks(in, Right::put);
        EXPECT_TRUE(std::isnan(greeks.price)) << field;
        EXPECT_TRUE(std::isnan(greeks.delta)) << field;
        EXPECT_TRUE(std::isnan(greeks.gamma)) << field;
        EXPECT_TRUE(std::isnan(greeks.vega)) << field;
        EXPECT_TRUE(std::isnan(greeks.theta)) << field;
        EXPECT_TRUE(std::isnan(greeks.rho)) << field;
    }
}

}  // namespace
}  // namespace scanmq::pricing
