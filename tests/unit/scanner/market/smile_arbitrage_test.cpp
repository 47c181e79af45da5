#include "scanner/market/smile_arbitrage.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "common/base/rng.hpp"
#include "scanner/market/expiry_smile.hpp"
#include "scanner/pricing/black.hpp"
#include "scanner/pricing/normal.hpp"

namespace scanmq::market {
namespace {

TEST(SmileArbitrage, AFlatSmileHasTheNormalDensity) {
    EXPECT_EQ(butterfly_density(Smile::flat(0.04), 0.3), 1.0);
    EXPECT_EQ(least_butterfly_density(Smile::flat(0.04)), 1.0);
}

TEST(SmileArbitrage, DensityIsTheSecondDerivativeOfThePrice) {
    // d2C/dK2 of the smile's prices, with F = 1: g n(d2)/(K sqrt(w)).
    const Smile smile{.a = 0.005, .b = 0.06, .rho = -0.4, .m = 0.02, .s = 0.15};
    const auto call = [&](double strike) {
        return pricing::black_price(
            {1.0, strike, smile.volatility(std::log(strike), 1.0), 1.0, 1.0}, Right::call);
    };
    constexpr double kStep = 1e-3;
    for (const double strike : {0.7, 0.9, 1.0, 1.1, 1.4}) {
        const double second =
            (call(strike + kStep) - 2.0 * call(strike) + call(strike - kStep)) / (kStep * kStep);
        const double k = std::log(strike);
        const double v = std::sqrt(smile.variance(k));
        const double density =
            butterfly_density(smile, k) * pricing::normal_pdf(-k / v - 0.5 * v) / (strike * v);
        EXPECT_NEAR(second, density, 1e-4 * std::max(1.0, density)) << strike;
    }
}

TEST(SmileArbitrage, LeastDensityIsThatOfAFineGrid) {
    Rng rng(3);
    int with = 0;
    for (int round = 0; round < 2000; ++round) {
        const Smile smile{.a = 0.1 * rng.uniform() - 0.02,
                          .b = 0.5 * rng.uniform(),
                          .rho = 1.9 * rng.uniform() - 0.95,
                          .m = rng.uniform() - 0.5,
                          .s = 0.01 + 0.5 * rng.uniform()};
        const double least = least_butterfly_density(smile);
        if (std::isinf(least)) continue;
        double fine = HUGE_VAL;
        for (double k = -5.0; k <= 5.0; k += 0.002) {
            fine = std::min(fine, butterfly_density(smile, k));
        }
        EXPECT_LE(least, fine + 0.05 + 0.05 * std::fabs(fine)) << round;
        with += fine < 0 ? 1 : 0;
        if (fine < -0.02) {
            EXPECT_LT(least, 0) << round;
        }
    }
    EXPECT_GT(with, 100);
}

TEST(SmileArbitrage, WingsBeyondLeesBoundAndNegativeVariancesAreRefused) {
    EXPECT_EQ(least_butterfly_density({.a = 0.1, .b = 1.5, .rho = 0.5, .m = 0, .s = 0.1}),
              -HUGE_VAL);
    EXPECT_EQ(least_butterfly_density({.a = -0.1, .b = 0.1, .rho = 0, .m = 0, .s = 0.1}),
              -HUGE_VAL);
    EXPECT_EQ(least_butterfly_density({.a = 0.1, .b = -0.1, .rho = 0, .m = 0, .s = 0.1}),
              -HUGE_VAL);
    EXPECT_EQ(least_butterfly_density({.a = kMissing}), -HUGE_VAL);
    EXPECT_EQ(least_butterfly_density(Smile{}), -HUGE_VAL);
}

TEST(SmileArbitrage, CalendarFallIsTheLargestGap) {
    const Smile near{.a = 0.01, .b = 0.05, .rho = -0.5, .m = 0, .s = 0.1};
    Smile far = near;
    far.a += 0.002;
    EXPECT_EQ(calendar_fall(near, far, -0.5, 0.5), 0.0);
    EXPECT_NEAR(calendar_fall(far, near, -0.5, 0.5), 0.002, 1e-12);
    far.b = 0.02;
    EXPECT_NEAR(calendar_fall(near, far, -0.5, 0.5), near.variance(-0.5) - far.variance(-0.5),
                1e-12);
    EXPECT_EQ(calendar_fall(near, Smile::flat(kMissing), -0.5, 0.5), 0.0);
}

TEST(SmileArbitrage, StrikeOfDeltaInvertsTheDelta) {
    const Smile flat = Smile::flat(0.04);
    EXPECT_NEAR(strike_of_delta(flat, 0.25), 0.02 + 0.2 * 0.674489750196082, 1e-9);
    const Smile smile{.a = 0.005, .b = 0.06, .rho = -0.4, .m = 0.02, .s = 0.15};
    for (const double delta : {0.05, 0.25, 0.5, 0.75, 0.95}) {
        const double k = strike_of_delta(smile, delta);
        const double v = std::sqrt(smile.variance(k));
        EXPECT_NEAR(pricing::normal_cdf(-k / v + 0.5 * v), delta, 1e-9);
    }
    EXPECT_TRUE(std::isnan(strike_of_delta(Smile::flat(kMissing), 0.25)));
    EXPECT_TRUE(std::isnan(strike_of_delta(flat, 1.0)));
}

}  // namespace
}  // namespace scanmq::market
