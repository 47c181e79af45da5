#include "scanner/market/smile_fit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/base/rng.hpp"
#include "scanner/market/smile_arbitrage.hpp"

namespace scanmq::market {
namespace {

constexpr double kYears = 0.25;

// A random smile without butterflies, like those of equities: sigma from 10 % to 60 % at the money.
Smile random_smile(Rng& rng) {
    for (;;) {
        const double sigma = 0.1 + 0.5 * rng.uniform();
        const double v0 = sigma * std::sqrt(kYears);
        Smile smile;
        smile.b = v0 * (0.2 + 0.8 * rng.uniform());
        smile.rho = -0.8 + 1.2 * rng.uniform();
        smile.m = v0 * (-1.0 + 2.0 * rng.uniform());
        smile.s = v0 * (0.3 + 1.5 * rng.uniform());
        smile.a = v0 * v0 - (smile.variance(0.0) - smile.a);
        if (least_butterfly_density(smile) > 0.01) return smile;
    }
}

struct Range {
    double low;
    double high;
};

// The strikes that traders quote: farther below the money than above.
Range range_of(const Smile& smile) {
    const double v0 = std::sqrt(smile.variance(0.0));
    return {-4.0 * v0, 3.0 * v0};
}

template <typename Noise>
SmileFit fit_to(const Smile& truth, int quotes, double uncertainty, Noise noise) {
    SmileFitter fitter;
    const Range range = range_of(truth);
    for (int i = 0; i < quotes; ++i) {
        const double k = range.low + (range.high - range.low) * i / (quotes - 1);
        fitter.add(k, truth.volatility(k, kYears) + noise(i), uncertainty);
    }
    return fitter.fit(kYears);
}

double largest_miss(const Smile& truth, const Smile& fitted) {
    const Range range = range_of(truth);
    double miss = 0;
    for (int i = 0; i <= 200; ++i) {
        const double k = range.low + (range.high - range.low) * i / 200;
        miss =
            std::max(miss, std::fabs(truth.volatility(k, kYears) - fitted.volatility(k, kYears)));
    }
    return miss;
}

TEST(SmileFit, RecoversRandomSmiles) {
    Rng rng(7);
    for (int round = 0; round < 300; ++round) {
        const Smile truth = random_smile(rng);
        const auto fit = fit_to(truth, 60, 0.001, [](int) { return 0.0; });
        ASSERT_EQ(fit.status, SmileStatus::fitted) << round;
        EXPECT_EQ(fit.quotes_used, 60U);
        EXPECT_LT(largest_miss(truth, fit.smile), 1e-4) << round;
        EXPECT_LT(fit.rms_error, 1e-4) << round;
    }
}

TEST(SmileFit, MergedNeighboursCostNothingThatShows) {
    Rng rng(8);
    for (int round = 0; round < 50; ++round) {
        const Smile truth = random_smile(rng);
        const auto fit = fit_to(truth, 500, 0.001, [](int) { return 0.0; });
        EXPECT_LT(largest_miss(truth, fit.smile), 5e-4) << round;
    }
}

TEST(SmileFit, NoiseIsAveragedOut) {
    Rng rng(9);
    for (int round = 0; round < 50; ++round) {
        const Smile truth = random_smile(rng);
        const auto fit = fit_to(truth, 100, 0.003, [&](int) { return 0.003 * rng.normal(); });
        EXPECT_LT(std::fabs(truth.volatility(0, kYears) - fit.smile.volatility(0, kYears)), 0.003);
        EXPECT_NEAR(fit.rms_error, 0.003, 0.0015);
        EXPECT_GE(least_butterfly_density(fit.smile), 0);
    }
}

TEST(SmileFit, OutliersDoNotMoveIt) {
    Rng rng(10);
    for (int round = 0; round < 50; ++round) {
        const Smile truth = random_smile(rng);
        const auto clean = fit_to(truth, 80, 0.002, [](int) { return 0.0; });
        const auto fit = fit_to(truth, 80, 0.002, [](int i) { return i % 16 == 5 ? 0.2 : 0.0; });
        EXPECT_LT(largest_miss(clean.smile, fit.smile), 0.003) << round;
        EXPECT_EQ(fit.quotes_used, 75U) << round;
    }
}

TEST(SmileFit, WideQuotesCountLess) {
    SmileFitter fitter;
    for (int i = -20; i <= 20; ++i) {
        const double k = 0.01 * i;
        fitter.add(k, 0.20, 0.001);
        fitter.add(k, 0.30, 0.05);
    }
    const auto fit = fitter.fit(kYears);
    EXPECT_NEAR(fit.smile.volatility(0, kYears), 0.20, 0.002);
}

TEST(SmileFit, ButterfliesAreTakenOut) {
    // Axel Vogt's smile (Gatheral and Jacquier 2014, section 2.2): smooth quotes, a negative density.
    const Smile vogt{.a = -0.0410, .b = 0.1331, .rho = 0.3060, .m = 0.3586, .s = 0.4153};
    ASSERT_LT(least_butterfly_density(vogt), -0.03);
    SmileFitter fitter;
    for (int i = -75; i <= 75; ++i) {
        const double k = 0.02 * i;
        fitter.add(k, vogt.volatility(k, 1.0), 0.002);
    }
    const auto fit = fitter.fit(1.0);
    EXPECT_EQ(fit.status, SmileStatus::repaired);
    EXPECT_GE(least_butterfly_density(fit.smile), 0);
    EXPECT_LT(fit.rms_error, 0.02);
    for (double k = -6.0; k <= 6.0; k += 0.001) {
        ASSERT_GE(butterfly_density(fit.smile, k), 0) << k;
    }
}

TEST(SmileFit, WildQuotesGiveAnArbitrageFreeSmileOrNone) {
    Rng rng(11);
    int repaired = 0;
    for (int round = 0; round < 300; ++round) {
        SmileFitter fitter;
        const auto count = 6 + rng.below(60);
        for (std::uint64_t i = 0; i < count; ++i) {
            const double k = -1.0 + 1.5 * static_cast<double>(i) / static_cast<double>(count);
            fitter.add(k, 0.02 + 2.0 * rng.uniform(), 0.001 + 0.1 * rng.uniform());
        }
        const auto fit = fitter.fit(0.001 + 2.0 * rng.uniform());
        repaired += fit.status == SmileStatus::repaired ? 1 : 0;
        if (fit.status == SmileStatus::butterfly) continue;
        for (double k = -4.0; k <= 4.0; k += 0.01) {
            ASSERT_GE(butterfly_density(fit.smile, k), 0) << round << " at " << k;
        }
    }
    EXPECT_GT(repaired, 10);
}

TEST(SmileFit, FewQuotesAreSaid) {
    SmileFitter fitter;
    EXPECT_EQ(fitter.fit(1.0).status, SmileStatus::few_quotes);
    for (int i = 0; i < 5; ++i) fitter.add(0.01 * i, 0.2, 0.01);
    EXPECT_EQ(fitter.fit(1.0).status, SmileStatus::few_quotes);
    fitter.add(0.05, 0.2, 0.01);
    EXPECT_NE(fitter.fit(1.0).status, SmileStatus::few_quotes);
    EXPECT_EQ(fitter.fit(0.0).status, SmileStatus::few_quotes);
    fitter.clear();
    EXPECT_EQ(fitter.fit(1.0).status, SmileStatus::few_quotes);
}

TEST(SmileFit, WhatIsNoNumberIsLeftOut) {
    SmileFitter fitter;
    for (int i = -10; i <= 10; ++i) {
        const double k = 0.02 * i;
        fitter.add(k, 0.2, 0.001);
        fitter.add(k, HUGE_VAL, 0.001);
        fitter.add(k, std::nan(""), 0.001);
        fitter.add(k, -0.1, 0.001);
        fitter.add(k, 0.0, 0.001);
        fitter.add(k, 0.4, std::nan(""));
        fitter.add(k, 0.4, HUGE_VAL);
        fitter.add(k, 0.4, -0.1);
    }
    fitter.add(std::nan(""), 0.2, 0.001);
    fitter.add(HUGE_VAL, 0.2, 0.001);
    const auto fit = fitter.fit(kYears);
    EXPECT_EQ(fit.quotes_used, 21U);
    EXPECT_NEAR(fit.smile.volatility(0.1, kYears), 0.2, 1e-6);
}

TEST(SmileFit, OneStrikeManyTimesAndAMillionStrikesEnd) {
    SmileFitter fitter;
    for (int i = 0; i < 50; ++i) fitter.add(0.1, 0.2 + 0.001 * (i % 3), 0.01);
    const auto one = fitter.fit(kYears);
    if (one.status != SmileStatus::butterfly) {
        EXPECT_NEAR(one.smile.volatility(0.1, kYears), 0.2, 0.01);
    }
    fitter.clear();
    for (int i = 0; i < 1'000'000; ++i) fitter.add(-0.5 + 1e-6 * i, 0.2 + 1e-7 * i, 0.001);
    EXPECT_EQ(fitter.fit(kYears).quotes_used, 1'000'000U);
}

}  // namespace
}  // namespace scanmq::market
