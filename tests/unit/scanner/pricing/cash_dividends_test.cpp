#include "scanner/pricing/cash_dividends.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/each_target.hpp"

namespace scanmq::pricing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr Right kRights[] = {Right::call, Right::put};
constexpr AmericanScheme kSchemes[] = {AmericanScheme::fast, AmericanScheme::accurate};

constexpr CashDividend kOne[] = {{.years = 30.0 / 365.0, .amount = 2.0}};
constexpr CashDividend kFour[] = {{.years = .6, .amount = .7},
                                  {.years = .1, .amount = .7},
                                  {.years = .35, .amount = .7},
                                  {.years = .85, .amount = .7}};

BsmInputs inputs(double strike, double years, double volatility) {
    return {100.0, strike, .04, 0.0, years, volatility};
}

TEST(CashDividends, PublishedValues) {
    const BsmInputs call = inputs(90.0, 90.0 / 365.0, .25);
    const BsmInputs put = inputs(110.0, 90.0 / 365.0, .25);
    EXPECT_NEAR(european_greeks(call, kOne, Right::call).price, 10.3684, 5e-5);
    for (const AmericanScheme scheme : kSchemes) {
        EXPECT_NEAR(american_price(call, kOne, Right::call, scheme), 10.9068, 1.5e-4);
        EXPECT_NEAR(american_price(put, kOne, Right::put, scheme), 12.6319, 1.5e-4);
    }
    // Haug's escrowed European call.
    const CashDividend two[] = {{2.0 / 12.0, .5}, {5.0 / 12.0, .5}};
    EXPECT_NEAR(european_greeks({40.0, 40.0, .09, 0.0, .5, .30}, two, Right::call).price, 3.67,
                5e-3);
}

// Roll, Geske and Whaley's case in closed form by a fine quadrature over X at the one ex-moment: what
// is left after it is European.
double one_dividend_call(const BsmInputs& in, const CashDividend& dividend) {
    const double x = in.spot - dividend.amount * std::exp(-in.rate * dividend.years);
    const double v = in.volatility * std::sqrt(dividend.years);
    const double drift = (in.rate - 0.5 * in.volatility * in.volatility) * dividend.years;
    const int points = 20000;
    double sum = 0.0;
    for (int i = 0; i <= points; ++i) {
        const double z = -8.0 + 16.0 * i / points;
        BsmInputs left = in;
        left.spot = x * std::exp(drift + v * z);
        left.years = in.years - dividend.years;
        const double value =
            std::fmax(bsm_price(left, Right::call), left.spot + dividend.amount - in.strike);
        sum += value * std::exp(-0.5 * z * z) * (i == 0 || i == points ? 0.5 : 1.0);
    }
    return std::exp(-in.rate * dividend.years) * sum * (16.0 / points) / std::sqrt(2.0 * M_PI);
}

TEST(CashDividends, CallWithOneDividendIsTheBestOfTwoMoments) {
    for (const double strike : {80.0, 95.0, 100.0, 115.0}) {
        for (const double volatility : {.15, .4}) {
            const BsmInputs in = inputs(strike, .3, volatility);
            const double exact = one_dividend_call(in, kOne[0]);
            EXPECT_NEAR(american_price(in, kOne, Right::call), exact, 2e-4) << strike;
            EXPECT_NEAR(american_price(in, kOne, Right::call, AmericanScheme::accurate), exact,
                        2e-5)
                << strike;
        }
    }
}

TEST(CashDividends, FastIsNearAccurate) {
    double squares = 0.0;
    int count = 0;
    for (const double years : {.15, .5, 1.0}) {
        for (const double strike : {75.0, 90.0, 100.0, 105.0, 120.0}) {
            for (const double volatility : {.18, .4}) {
                for (const Right right : kRights) {
                    const BsmInputs in = inputs(strike, years, volatility);
                    const double exact = american_price(in, kFour, right, AmericanScheme::accurate);
                    const double error = american_price(in, kFour, right) - exact;
                    EXPECT_NEAR(error, 0.0, 3e-4) << strike << " " << years << " " << volatility;
                    squares += error * error;
                    ++count;
                }
            }
        }
    }
    EXPECT_LT(std::sqrt(squares / count), 7e-5);
}

// As dividends vanish, the value without them.
TEST(CashDividends, ContinuousInTheAmount) {
    const CashDividend little[] = {{.2, 1e-6}};
    for (const double strike : {85.0, 100.0, 115.0}) {
        for (const Right right : kRights) {
            const BsmInputs in = inputs(strike, .5, .3);
            EXPECT_NEAR(american_price(in, little, right), american_price(in, right), 2e-4);
            EXPECT_EQ(american_price(in, {}, right), american_price(in, right));
        }
    }
}

TEST(CashDividends, OnlyThoseBeforeExpiryCount) {
    const BsmInputs in = inputs(100.0, .25, .3);
    const CashDividend outside[] = {{-.1, 5.0}, {0.0, 5.0}, {.26, 5.0}};
    EXPECT_EQ(american_price(in, outside, Right::put), american_price(in, Right::put));
    const CashDividend mixed[] = {{.26, 5.0}, {.1, 1.0}, {-.1, 5.0}};
    const CashDividend inside[] = {{.1, 1.0}};
    EXPECT_EQ(american_price(in, mixed, Right::put), american_price(in, inside, Right::put));
    EXPECT_NEAR(escrowed_spot({100.0, .04, 0.0, .25}, mixed), 100.0 - std::exp(-.004), 1e-12);
}

TEST(CashDividends, NeverBelowTheEuropeanValueOrExercise) {
    for (const double strike : {60.0, 90.0, 100.0, 130.0, 200.0}) {
        for (const double volatility : {.05, .3, 1.0}) {
            for (const Right right : kRights) {
                const BsmInputs in = inputs(strike, .5, volatility);
                const double value = american_price(in, kFour, right);
                EXPECT_GE(value, european_greeks(in, kFour, right).price);
                EXPECT_GE(value, right == Right::call ? 100.0 - strike : strike - 100.0);
            }
        }
    }
}

TEST(CashDividends, Limits) {
    // Deep in the money each dividend is worth more than the strike's interest until it: exercise
    // just before the first.
    const double first = 100.0 - 10.0 * std::exp(-.04 * .1);
    EXPECT_NEAR(american_price(inputs(10.0, .5, .2), kFour, Right::call), first, 1e-4);
    // No volatility: the same, exactly.
    EXPECT_NEAR(american_price(inputs(10.0, .5, 0.0), kFour, Right::call), first, 1e-12);
    // A put beyond its boundary, after the last dividend: exercise now.
    const CashDividend small[] = {{.1, .01}};
    EXPECT_EQ(american_price(inputs(300.0, .5, .2), small, Right::put), 200.0);
    // No time.
    EXPECT_EQ(american_price(inputs(110.0, 0.0, .2), kFour, Right::put), 10.0);
}

TEST(CashDividends, GreeksAreTheDerivativesOfTheAccuratePrice) {
    const auto price = [](const BsmInputs& in, std::span<const CashDividend> dividends,
                          Right right) {
        return american_price(in, dividends, right, AmericanScheme::accurate);
    };
    for (const double strike : {90.0, 100.0, 108.0}) {
        for (const Right right : kRights) {
            const BsmInputs in = inputs(strike, .5, .3);
            const Greeks greeks = american_greeks(in, kFour, right);
            const auto central = [&](double BsmInputs::*field, double h) {
                BsmInputs up = in;
                BsmInputs down = in;
                up.*field += h;
                down.*field -= h;
                return (price(up, kFour, right) - price(down, kFour, right)) / (2.0 * h);
            };
            EXPECT_NEAR(greeks.delta, central(&BsmInputs::spot, 0.5), 5e-4) << strike;
            EXPECT_NEAR(greeks.vega, central(&BsmInputs::volatility, 0.01), 0.05) << strike;
            EXPECT_NEAR(greeks.rho, central(&BsmInputs::rate, 0.002), 0.15) << strike;
            BsmInputs up = in;
            BsmInputs down = in;
            up.spot += 1.0;
            down.spot -= 1.0;
            const double gamma =
                price(up, kFour, right) - 2.0 * price(in, kFour, right) + price(down, kFour, right);
            EXPECT_NEAR(greeks.gamma, gamma, 4e-4) << strike;
            // A day later expiry and dividends are a day nearer.
            const double day = 1.0 / 365.0;
            BsmInputs later = in;
            later.years -= day;
            std::array<CashDividend, 4> nearer{};
            for (std::size_t i = 0; i < 4; ++i) nearer[i] = {kFour[i].years - day, kFour[i].amount};
            const double decay = (price(later, nearer, right) - price(in, kFour, right)) / day;
            EXPECT_NEAR(greeks.theta, decay, 0.12) << strike;
        }
    }
}

TEST(CashDividends, BadInputIsNaN) {
    const BsmInputs good = inputs(100.0, .5, .3);
    for (double BsmInputs::*field :
         {&BsmInputs::spot, &BsmInputs::strike, &BsmInputs::rate, &BsmInputs::yield,
          &BsmInputs::years, &BsmInputs::volatility}) {
        for (const double value : {kNaN, kInfinity, -kInfinity}) {
            BsmInputs bad = good;
            bad.*field = value;
            EXPECT_TRUE(std::isnan(american_price(bad, kFour, Right::put)));
            EXPECT_TRUE(std::isnan(american_greeks(bad, kFour, Right::put).delta));
        }
    }
    for (const CashDividend bad :
         {CashDividend{.1, -1.0}, CashDividend{.1, kNaN}, CashDividend{.1, kInfinity},
          CashDividend{kNaN, 1.0}, CashDividend{.1, 101.0}}) {
        EXPECT_TRUE(std::isnan(american_price(good, {&bad, 1}, Right::put))) << bad.amount;
        EXPECT_TRUE(std::isnan(european_greeks(good, {&bad, 1}, Right::put).price));
        EXPECT_TRUE(std::isnan(escrowed_spot({100.0, .04, 0.0, .5}, {&bad, 1})));
    }
    const std::vector<CashDividend> many(kDividendsMax + 1, CashDividend{.1, .01});
    EXPECT_TRUE(std::isnan(american_price(good, many, Right::put)));
}

TEST(CashDividends, BatchEqualsSingleCallsOnEveryTarget) {
    const BsmExpiry common{.spot = 100.0, .rate = .04, .yield = 0.0, .years = .5};
    std::vector<double> strike;
    std::vector<double> volatility;
    std::vector<Right> right;
    for (int i = 0; i < 37; ++i) {
        strike.push_back(70.0 + 2.0 * i);
        volatility.push_back(i == 5 ? kNaN : .2 + .005 * i);
        right.push_back(kRights[i % 2]);
    }
    std::vector<double> prices(strike.size());
    std::vector<Greeks> greeks(strike.size());
    american_prices(common, kFour, strike, volatility, right, prices);
    american_greeks(common, kFour, strike, volatility, right, greeks);
    for (const std::int64_t target : tests::supported_targets()) {
        tests::use_target(target);
        for (std::size_t i = 0; i < strike.size(); ++i) {
            const double single =
                american_price(inputs(strike[i], .5, volatility[i]), kFour, right[i]);
            if (i == 5) {
                EXPECT_TRUE(std::isnan(prices[i]) && std::isnan(single));
                continue;
            }
            EXPECT_EQ(prices[i], single);
            EXPECT_NEAR(greeks[i].price, single, 1e-10);
        }
        tests::use_target(0);
    }
}

}  // namespace
}  // namespace scanmq::pricing
