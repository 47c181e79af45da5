#include <gtest/gtest.h>

#include <cmath>

#include "scanner/pricing/american.hpp"

namespace scanmq::pricing {
namespace {

constexpr Right kRights[] = {Right::call, Right::put};

double accurate(const BsmInputs& in, Right right) {
    return american_price(in, right, AmericanScheme::accurate);
}

// The five-point rule: its error is h^4.
double derivative(const BsmInputs& in, Right right, double BsmInputs::*field, double h) {
    const auto at = [&](double steps) {
        BsmInputs moved = in;
        moved.*field += steps * h;
        return accurate(moved, right);
    };
    return (8.0 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12.0 * h);
}

TEST(AmericanGreeks, AreTheDerivativesOfTheAccuratePrice) {
    for (const double strike : {85.0, 98.0, 100.0, 107.0, 120.0}) {
        for (const double years : {0.1, 0.5, 1.5}) {
            for (const double volatility : {0.2, 0.5}) {
                for (const double yield : {0.0, 0.02, 0.06}) {
                    for (const Right right : kRights) {
                        const BsmInputs in{100.0, strike, .04, yield, years, volatility};
                        const Greeks greeks = american_greeks(in, right);
                        // At the boundary gamma jumps: no differences across it.
                        const double boundary = exercise_boundary(in, right);
                        if (std::fabs(std::log(in.spot / boundary)) < 0.02) continue;
                        const auto by = [&](double BsmInputs::*field, double h) {
                            return derivative(in, right, field, h);
                        };
                        EXPECT_NEAR(greeks.price, accurate(in, right), 1e-5);
                        EXPECT_NEAR(greeks.delta, by(&BsmInputs::spot, 0.2), 5e-6) << strike;
                        EXPECT_NEAR(greeks.vega, by(&BsmInputs::volatility, 0.002), 1e-3) << strike;
                        EXPECT_NEAR(greeks.rho, by(&BsmInputs::rate, 0.001), 1e-3) << strike;
                        EXPECT_NEAR(greeks.theta, -by(&BsmInputs::years, 0.002 * years), 2e-3)
                            << strike;
                        BsmInputs up = in;
                        BsmInputs down = in;
                        up.spot += 0.05;
                        down.spot -= 0.05;
                        const double gamma =
                            (american_greeks(up, right, AmericanScheme::accurate).delta -
                             american_greeks(down, right, AmericanScheme::accurate).delta) /
                            0.1;
                        EXPECT_NEAR(greeks.gamma, gamma, 2e-5) << strike;
                    }
                }
            }
        }
    }
}

TEST(AmericanGreeks, BeyondTheBoundaryOnlyDeltaIsLeft) {
    const BsmInputs put{60.0, 100.0, .05, 0.0, 0.5, .2};
    const Greeks greeks = american_greeks(put, Right::put);
    EXPECT_EQ(greeks.price, 40.0);
    EXPECT_EQ(greeks.delta, -1.0);
    EXPECT_EQ(greeks.gamma, 0.0);
    EXPECT_EQ(greeks.theta, 0.0);
    EXPECT_EQ(greeks.vega, 0.0);
    EXPECT_EQ(greeks.rho, 0.0);
    const BsmInputs call{200.0, 100.0, .01, .08, 0.5, .2};
    EXPECT_EQ(american_greeks(call, Right::call).delta, 1.0);
}

TEST(AmericanGreeks, OfTheEuropeanValueWhereThatIsTheValue) {
    const BsmInputs in{100.0, 95.0, .05, 0.0, 0.5, .2};
    const Greeks american = american_greeks(in, Right::call);
    const Greeks european = bsm_greeks(in, Right::call);
    EXPECT_EQ(american.delta, european.delta);
    EXPECT_EQ(american.theta, european.theta);
    EXPECT_EQ(american.rho, european.rho);
}

TEST(AmericanGreeks, OfACertainExercise) {
    // No volatility, exercise at t with r K e^(-rt) = q S e^(-qt).
    const BsmInputs in{100.0, 110.0, .04, .10, 30.0, 0.0};
    const double t = std::log(.10 * 100.0 / (.04 * 110.0)) / (.10 - .04);
    const Greeks greeks = american_greeks(in, Right::put);
    EXPECT_NEAR(greeks.delta, -std::exp(-.10 * t), 1e-12);
    EXPECT_NEAR(greeks.gamma,
                (american_greeks({100.01, 110.0, .04, .10, 30.0, 0.0}, Right::put).delta -
                 american_greeks({99.99, 110.0, .04, .10, 30.0, 0.0}, Right::put).delta) /
                    0.02,
                1e-8);
    EXPECT_NEAR(greeks.rho, derivative(in, Right::put, &BsmInputs::rate, 1e-4), 1e-6);
    EXPECT_EQ(greeks.theta, 0.0);
}

}  // namespace
}  // namespace scanmq::pricing
