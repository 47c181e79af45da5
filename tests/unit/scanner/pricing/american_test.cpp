#include "scanner/pricing/american.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "scanner/pricing/american_kernel.hpp"
#include "scanner/pricing/american_scheme.hpp"
#include "scanner/pricing/finite_differences.hpp"
#include "tests/support/each_target.hpp"

namespace scanmq::pricing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr AmericanScheme kSchemes[] = {AmericanScheme::fast, AmericanScheme::accurate};
constexpr Right kRights[] = {Right::call, Right::put};

BsmInputs inputs(double spot, double strike, double rate, double yield, double years,
                 double volatility) {
    return {spot, strike, rate, yield, years, volatility};
}

std::vector<BsmInputs> grid() {
    std::vector<BsmInputs> out;
    for (const double strike : {75.0, 95.0, 100.0, 110.0, 140.0}) {
        for (const double years : {0.03, 0.4, 1.5}) {
            for (const double volatility : {0.12, 0.3, 0.8}) {
                for (const double rate : {0.0, 0.02, 0.07}) {
                    for (const double yield : {0.0, 0.03, 0.07}) {
                        out.push_back(inputs(100.0, strike, rate, yield, years, volatility));
                    }
                }
            }
        }
    }
    return out;
}

std::vector<AmericanContract> random_contracts(std::size_t count, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto uniform = [&](double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random);
    };
    std::vector<AmericanContract> out;
    while (out.size() < count) {
        const double yield = uniform(0.0, 1.0) < 0.25 ? 0.0 : uniform(0.0, 0.10);
        out.push_back({inputs(100.0, 100.0 * std::exp(uniform(-0.4, 0.4)), uniform(0.0, 0.10),
                              yield, uniform(0.02, 3.0), uniform(0.10, 0.70)),
                       uniform(0.0, 1.0) < 0.5 ? Right::call : Right::put});
    }
    return out;
}

TEST(American, PublishedValues) {
    for (const AmericanScheme scheme : kSchemes) {
        const auto put = [&](BsmInputs in) { return american_price(in, Right::put, scheme); };
        EXPECT_NEAR(put(inputs(100, 120, .10, .03, 10, .25)), 23.00029, 1.6e-5);
        EXPECT_NEAR(american_price(inputs(100, 100, 0, .025, 1, .25), Right::call, scheme),
                    8.865365, 1e-6);
        const BsmInputs at_five = inputs(100, 100, .05, .05, 1, .25);
        EXPECT_NEAR(put(at_five) - bsm_price(at_five, Right::put), .10695270, 1e-6);
        const BsmInputs at_seven = inputs(100, 100, .075, .05, 1, .25);
        EXPECT_NEAR(put(at_seven) - bsm_price(at_seven, Right::put), .36711114, 1e-6);
        EXPECT_NEAR(put(inputs(40, 35, .0488, 0, .5833, .3)), 1.21981, 2e-5);
        EXPECT_NEAR(put(inputs(40, 40, .0488, 0, .5833, .3)), 3.16965, 2e-5);
        EXPECT_NEAR(put(inputs(40, 45, .0488, 0, .5833, .3)), 6.24360, 2e-5);
    }
}

TEST(American, FastIsWithin1e5OfAccurate) {
    const auto contracts = random_contracts(2000, 1);
    std::vector<double> fast(contracts.size());
    std::vector<double> accurate(contracts.size());
    american_prices(contracts, fast, AmericanScheme::fast);
    american_prices(contracts, accurate, AmericanScheme::accurate);
    for (std::size_t i = 0; i < contracts.size(); ++i) {
        const BsmInputs& in = contracts[i].in;
        EXPECT_NEAR(fast[i], accurate[i], 1e-5)
            << "K " << in.strike << " r " << in.rate << " q " << in.yield << " T " << in.years
            << " s " << in.volatility;
    }
}

// Long and calm: where FP-A does not converge.
TEST(American, FastIsWithin1e5OfAccurateWhereTheDriftIsLarge) {
    auto contracts = random_contracts(400, 5);
    for (auto& [in, right] : contracts) in.volatility = 0.02 + 0.12 * (in.volatility - 0.1);
    std::vector<double> fast(contracts.size());
    std::vector<double> accurate(contracts.size());
    american_prices(contracts, fast, AmericanScheme::fast);
    american_prices(contracts, accurate, AmericanScheme::accurate);
    for (std::size_t i = 0; i < contracts.size(); ++i) {
        const BsmInputs& in = contracts[i].in;
        EXPECT_NEAR(fast[i], accurate[i], 1e-5)
            << "K " << in.strike << " r " << in.rate << " q " << in.yield << " T " << in.years
            << " s " << in.volatility;
    }
    // Finite differences, an unrelated method.
    for (const BsmInputs& in : {inputs(101.812, 100, .0964, 0, 2.59, .0529),
                                inputs(100.281, 100, .0659, 0, 1.54, .0253)}) {
        EXPECT_NEAR(american_price(in, Right::put),
                    detail::difference_greeks(in, {}, Right::put, AmericanScheme::accurate).price,
                    2e-4);
    }
}

// Two different equations for the same boundary.
TEST(American, FixedPointAEqualsFixedPointB) {
    using detail::kPutBlock;
    const detail::AmericanTables a(32, 32, 151, 8, detail::FixedPoint::a);
    const detail::AmericanTables b(32, 40, 201, 60, detail::FixedPoint::b);
    const auto contracts = random_contracts(kPutBlock, 2);
    detail::PutBlock block{};
    for (std::size_t i = 0; i < kPutBlock; ++i) {
        const BsmInputs& in = contracts[i].in;
        const double variance = in.volatility * in.volatility;
        block.log_spot[i] = std::log(in.spot / in.strike);
        block.rate[i] = (in.rate + 0.001) / variance;
        block.yield[i] = in.yield / variance;
        block.deviation[i] = in.volatility * std::sqrt(in.years);
    }
    block.size = kPutBlock;
    detail::PutValues by_a{};
    detail::PutValues by_b{};
    detail::price_puts(a, block, by_a, false);
    detail::price_puts(b, block, by_b, false);
    for (std::size_t i = 0; i < kPutBlock; ++i) {
        EXPECT_NEAR(by_a.price[i], by_b.price[i], 1e-9);
        EXPECT_NEAR(by_a.boundary[i], by_b.boundary[i], 3e-6);
    }
}

TEST(American, NeverBelowTheEuropeanValueOrExercise) {
    for (const BsmInputs& in : grid()) {
        for (const Right right : kRights) {
            const double exercise =
                right == Right::call ? in.spot - in.strike : in.strike - in.spot;
            const double value = american_price(in, right);
            EXPECT_GE(value, exercise);
            EXPECT_GE(value, bsm_price(in, right) - 1e-13 * in.strike);
        }
    }
}

TEST(American, PutCallSymmetry) {
    for (const BsmInputs& in : grid()) {
        const BsmInputs mirrored =
            inputs(in.strike, in.spot, in.yield, in.rate, in.years, in.volatility);
        EXPECT_NEAR(american_price(in, Right::call), american_price(mirrored, Right::put), 1e-12);
    }
}

TEST(American, RisesWithTimeAndVolatilityAndFallsOrRisesWithTheStrike) {
    for (const BsmInputs& in : grid()) {
        for (const Right right : kRights) {
            const double value = american_price(in, right);
            BsmInputs longer = in;
            longer.years *= 1.05;
            EXPECT_GE(american_price(longer, right), value - 1e-6);
            BsmInputs wilder = in;
            wilder.volatility *= 1.05;
            EXPECT_GE(american_price(wilder, right), value - 1e-6);
            BsmInputs higher = in;
            higher.strike += 1.0;
            const double change = american_price(higher, right) - value;
            EXPECT_LE(right == Right::call ? change : -change, 1e-6);
            EXPECT_LE(std::fabs(change), 1.0 + 1e-6);
        }
    }
}

TEST(American, WithoutAReasonToExerciseItIsTheEuropeanValue) {
    EXPECT_EQ(american_price(inputs(100, 90, .05, 0, 1, .3), Right::call),
              bsm_price(inputs(100, 90, .05, 0, 1, .3), Right::call));
    EXPECT_EQ(american_price(inputs(100, 90, .05, -.01, 1, .3), Right::call),
              bsm_price(inputs(100, 90, .05, -.01, 1, .3), Right::call));
    EXPECT_EQ(american_price(inputs(100, 110, 0, .02, 1, .3), Right::put),
              bsm_price(inputs(100, 110, 0, .02, 1, .3), Right::put));
    EXPECT_EQ(american_price(inputs(100, 110, -.01, 0, 1, .3), Right::put),
              bsm_price(inputs(100, 110, -.01, 0, 1, .3), Right::put));
}

TEST(American, Limits) {
    for (const AmericanScheme scheme : kSchemes) {
        // T = 0.
        EXPECT_EQ(american_price(inputs(100, 110, .05, .02, 0, .3), Right::put, scheme), 10.0);
        EXPECT_EQ(american_price(inputs(100, 110, .05, .02, 0, .3), Right::call, scheme), 0.0);
        EXPECT_NEAR(american_price(inputs(100, 110, .05, .02, 1e-9, .3), Right::put, scheme), 10.0,
                    1e-9);
        // No volatility: now, at the end, and between, where r K e^(-rt) = q S e^(-qt).
        EXPECT_EQ(american_price(inputs(100, 110, .05, .02, 1, 0), Right::put, scheme), 10.0);
        EXPECT_NEAR(american_price(inputs(100, 90, .05, 0, 1, 0), Right::call, scheme),
                    100.0 - 90.0 * std::exp(-.05), 1e-12);
        const double turn = std::log(.10 * 100.0 / (.04 * 110.0)) / (.10 - .04);
        EXPECT_NEAR(american_price(inputs(100, 110, .04, .10, 30, 0), Right::put, scheme),
                    110.0 * std::exp(-.04 * turn) - 100.0 * std::exp(-.10 * turn), 1e-12);
        // Beyond the boundary: exercise.
        EXPECT_EQ(american_price(inputs(20, 100, .05, .02, 1, .3), Right::put, scheme), 80.0);
        EXPECT_EQ(american_price(inputs(500, 100, .01, .08, 1, .3), Right::call, scheme), 400.0);
        // Far out of the money.
        EXPECT_NEAR(american_price(inputs(100, 1, .05, .02, .1, .3), Right::put, scheme), 0.0,
                    1e-12);
    }
}

TEST(American, LittleVolatilityApproachesNone) {
    for (const AmericanScheme scheme : kSchemes) {
        for (const Right right : kRights) {
            for (const double strike : {90.0, 100.0, 110.0}) {
                const BsmInputs calm = inputs(100, strike, .04, .06, 1, 0);
                const double none = american_price(calm, right, scheme);
                double previous = kInfinity;
                for (const double volatility : {.04, .01, .002, 5e-4}) {
                    const double value =
                        american_price(inputs(100, strike, .04, .06, 1, volatility), right, scheme);
                    EXPECT_LE(value, previous + 1e-4);
                    EXPECT_GE(value, none - 1e-4);
                    EXPECT_LE(value, none + 40.0 * volatility + 1e-4);
                    previous = value;
                }
            }
        }
    }
}

// q < r < 0: exercise between two boundaries, by finite differences. Each side's own limit: with
// the same rates a call has none.
TEST(American, TwoBoundaries) {
    const BsmInputs in = inputs(100, 100, -.01, -.03, 1, .25);
    const double value = american_price(in, Right::put, AmericanScheme::accurate);
    EXPECT_GT(value, bsm_price(in, Right::put) + 1e-3);
    EXPECT_NEAR(american_price(in, Right::put), value, 1e-3);
    EXPECT_NEAR(
        american_price(inputs(100, 100, -.03, -.01, 1, .25), Right::call, AmericanScheme::accurate),
        value, 1e-4);
    EXPECT_TRUE(std::isnan(exercise_boundary(in, Right::put)));
    // Continuous in the rate through 0, where the second boundary vanishes.
    EXPECT_NEAR(
        american_price(inputs(100, 100, -1e-6, -.03, 1, .25), Right::put, AmericanScheme::accurate),
        american_price(inputs(100, 100, 1e-6, -.03, 1, .25), Right::put, AmericanScheme::accurate),
        3e-4);
}

TEST(American, NegativeRatesWithOneBoundary) {
    // A call with a negative rate and a yield above it, and a put with a negative yield.
    for (const AmericanScheme scheme : kSchemes) {
        const BsmInputs in = inputs(100, 105, .03, -.02, 1, .25);
        const BsmInputs mirrored = inputs(105, 100, -.02, .03, 1, .25);
        const double put = american_price(in, Right::put, scheme);
        EXPECT_GT(put, bsm_price(in, Right::put) + 0.1);
        EXPECT_NEAR(put, american_price(mirrored, Right::call, scheme), 1e-12);
        // r = 0 and q < 0.
        const BsmInputs flat = inputs(100, 105, 0, -.02, 1, .25);
        const double at_zero = american_price(flat, Right::put, scheme);
        EXPECT_GT(at_zero, bsm_price(flat, Right::put) + 0.01);
        EXPECT_NEAR(at_zero,
                    american_price(inputs(100, 105, 1e-9, -.02, 1, .25), Right::put, scheme), 1e-5);
    }
}

TEST(American, BoundaryIsWhereExerciseIsDue) {
    for (const BsmInputs& in : grid()) {
        for (const Right right : kRights) {
            const double boundary = exercise_boundary(in, right);
            if (boundary == 0.0 || boundary == kInfinity) continue;
            const double sign = right == Right::put ? 1.0 : -1.0;
            BsmInputs beyond = in;
            beyond.spot = boundary * (1.0 - sign * 1e-6);
            EXPECT_EQ(american_price(beyond, right, AmericanScheme::accurate),
                      sign * (in.strike - beyond.spot));
            BsmInputs before = in;
            before.spot = boundary * (1.0 + sign * 1e-2);
            EXPECT_GT(american_price(before, right, AmericanScheme::accurate),
                      sign * (in.strike - before.spot));
        }
    }
    EXPECT_EQ(exercise_boundary(inputs(100, 90, .05, 0, 1, .3), Right::call), kInfinity);
    EXPECT_EQ(exercise_boundary(inputs(100, 90, 0, .05, 1, .3), Right::put), 0.0);
}

TEST(American, BadInputIsNaN) {
    const BsmInputs good = inputs(100, 110, .05, .02, .5, .3);
    for (double BsmInputs::*field :
         {&BsmInputs::spot, &BsmInputs::strike, &BsmInputs::rate, &BsmInputs::yield,
          &BsmInputs::years, &BsmInputs::volatility}) {
        for (const double value : {kNaN, kInfinity, -kInfinity}) {
            BsmInputs bad = good;
            bad.*field = value;
            for (const Right right : kRights) {
                EXPECT_TRUE(std::isnan(american_price(bad, right)));
                EXPECT_TRUE(std::isnan(american_greeks(bad, right).price));
                EXPECT_TRUE(std::isnan(american_greeks(bad, right).vega));
                EXPECT_TRUE(std::isnan(exercise_boundary(bad, right)));
            }
        }
    }
    for (double BsmInputs::*field : {&BsmInputs::spot, &BsmInputs::strike}) {
        for (const double value : {0.0, -1.0}) {
            BsmInputs bad = good;
            bad.*field = value;
            EXPECT_TRUE(std::isnan(american_price(bad, Right::put)));
        }
    }
    for (double BsmInputs::*field : {&BsmInputs::years, &BsmInputs::volatility}) {
        BsmInputs bad = good;
        bad.*field = -1.0;
        EXPECT_TRUE(std::isnan(american_price(bad, Right::put)));
    }
}

// Whatever the numbers, a finite value between exercise and the most there is to gain.
TEST(American, ExtremeInputsStayInBounds) {
    std::mt19937_64 random(3);
    const auto uniform = [&](double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random);
    };
    for (int i = 0; i < 3000; ++i) {
        const BsmInputs in = inputs(std::exp(uniform(-20, 20)), std::exp(uniform(-20, 20)),
                                    uniform(0, 1) * uniform(0, 1), uniform(0, 1) * uniform(0, 1),
                                    std::exp(uniform(-20, 4)), std::exp(uniform(-15, 3)));
        for (const Right right : kRights) {
            const double value = american_price(in, right);
            const double exercise =
                right == Right::call ? in.spot - in.strike : in.strike - in.spot;
            EXPECT_GE(value, std::fmax(exercise, 0.0)) << i;
            EXPECT_LE(value, (right == Right::call ? in.spot : in.strike) * (1.0 + 1e-9)) << i;
        }
    }
}

TEST(American, BatchEqualsSingleCalls) {
    const BsmExpiry expiry{.spot = 100.0, .rate = .05, .yield = .01, .years = .4};
    std::vector<double> strike;
    std::vector<double> volatility;
    std::vector<Right> right;
    for (int i = 0; i < 131; ++i) {
        strike.push_back(60.0 + 0.6 * i);
        volatility.push_back(i % 17 == 3 ? kNaN : 0.2 + 0.001 * i);
        right.push_back(kRights[i % 2]);
    }
    std::vector<double> prices(strike.size());
    std::vector<Greeks> greeks(strike.size());
    american_prices(expiry, strike, volatility, right, prices);
    american_greeks(expiry, strike, volatility, right, greeks);
    for (std::size_t i = 0; i < strike.size(); ++i) {
        const BsmInputs in = inputs(100.0, strike[i], .05, .01, .4, volatility[i]);
        const Greeks single = american_greeks(in, right[i]);
        if (std::isnan(volatility[i])) {
            EXPECT_TRUE(std::isnan(prices[i]));
            EXPECT_TRUE(std::isnan(greeks[i].delta));
            continue;
        }
        EXPECT_DOUBLE_EQ(prices[i], american_price(in, right[i]));
        EXPECT_DOUBLE_EQ(greeks[i].price, prices[i]);
        EXPECT_DOUBLE_EQ(greeks[i].delta, single.delta);
        EXPECT_DOUBLE_EQ(greeks[i].vega, single.vega);
    }
}

class AmericanTargets : public tests::EachTarget {};

TEST_P(AmericanTargets, GiveTheSameBits) {
    const auto contracts = random_contracts(400, 4);
    std::vector<double> prices(contracts.size());
    american_prices(contracts, prices);
    tests::use_target(0);
    std::vector<double> widest(contracts.size());
    american_prices(contracts, widest);
    for (std::size_t i = 0; i < contracts.size(); ++i) EXPECT_EQ(prices[i], widest[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(Targets, AmericanTargets, ::testing::ValuesIn(tests::supported_targets()),
                         tests::target_name);

}  // namespace
}  // namespace scanmq::pricing
