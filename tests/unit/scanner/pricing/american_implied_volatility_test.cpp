#include "scanner/pricing/american_implied_volatility.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace scanmq::pricing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr Right kRights[] = {Right::call, Right::put};
constexpr CashDividend kDividends[] = {{.years = 0.04, .amount = 0.6},
                                       {.years = 0.3, .amount = 0.7}};

// Rows of one expiry under a skewed smile.
struct Chain {
    Chain(double rate, double yield, double years, std::span<const CashDividend> paid,
          AmericanScheme scheme = AmericanScheme::fast)
        : common{.spot = 100.0, .rate = rate, .yield = yield, .years = years}, dividends(paid) {
        for (double k = 40.0; k <= 200.0; k += 4.0) {
            for (const Right side : kRights) {
                const double x = std::log(k / 100.0) / std::sqrt(years + 0.05);
                strike.push_back(k);
                right.push_back(side);
                volatility.push_back(0.3 - 0.1 * x + 0.08 * x * x);
            }
        }
        price.resize(strike.size());
        american_prices(common, dividends, strike, volatility, right, price, scheme);
    }
    [[nodiscard]] double exercise(std::size_t i) const {
        return right[i] == Right::call ? common.spot - strike[i] : strike[i] - common.spot;
    }

    BsmExpiry common;
    std::span<const CashDividend> dividends;
    std::vector<double> strike;
    std::vector<double> volatility;
    std::vector<double> price;
    std::vector<Right> right;
};

// Every quote has the status its value asks for, and the scheme's price at the volatility is the
// quote.
void expect_round_trip(const Chain& chain, AmericanScheme scheme) {
    std::vector<IvResult> out(chain.strike.size());
    american_implied_volatility(chain.common, chain.dividends, chain.price, chain.strike,
                                chain.right, out, scheme);
    std::vector<double> found;
    for (const IvResult& result : out) found.push_back(result.volatility);
    std::vector<double> again(out.size());
    american_prices(chain.common, chain.dividends, chain.strike, found, chain.right, again, scheme);
    std::vector<double> least(out.size());
    american_prices(chain.common, chain.dividends, chain.strike,
                    std::vector<double>(out.size(), 0.0), chain.right, least, scheme);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const double over_least = chain.price[i] - least[i];
        if (over_least < 1e-8) {
            EXPECT_NE(out[i].status, IvStatus::below_intrinsic) << chain.strike[i];
            continue;
        }
        ASSERT_EQ(out[i].status, IvStatus::ok) << chain.strike[i] << " " << chain.price[i];
        EXPECT_NEAR(again[i], chain.price[i], 1e-9 * 100.0) << chain.strike[i];
        // Where a basis point is worth more than the rounding of the price.
        if (over_least > 0.01) {
            EXPECT_NEAR(out[i].volatility, chain.volatility[i], 1e-4) << chain.strike[i];
        }
        if (over_least > 0.01 && chain.exercise(i) < 0.0) {
            EXPECT_NEAR(out[i].volatility, chain.volatility[i], 1e-7) << chain.strike[i];
        }
    }
}

TEST(AmericanImpliedVolatility, RoundTrip) {
    for (const double years : {0.01, 0.1, 0.5, 2.0}) {
        for (const double rate : {0.0, 0.05}) {
            for (const double yield : {0.0, 0.02}) {
                expect_round_trip(Chain(rate, yield, years, {}), AmericanScheme::fast);
            }
        }
    }
}

TEST(AmericanImpliedVolatility, RoundTripOfTheAccurateScheme) {
    expect_round_trip(Chain(0.05, 0.02, 0.5, {}, AmericanScheme::accurate),
                      AmericanScheme::accurate);
}

TEST(AmericanImpliedVolatility, RoundTripWithCashDividends) {
    for (const double years : {0.1, 0.5}) {
        expect_round_trip(Chain(0.05, 0.0, years, kDividends), AmericanScheme::fast);
    }
}

// The schemes differ by more than the tolerance: what the search compares must be of one of them.
TEST(AmericanImpliedVolatility, RoundTripOfTheAccurateSchemeWithCashDividends) {
    for (const double years : {0.1, 0.5}) {
        expect_round_trip(Chain(0.05, 0.0, years, kDividends, AmericanScheme::accurate),
                          AmericanScheme::accurate);
    }
}

// Two nearly equal distances: their secant goes far beyond what higher prices have ruled out.
TEST(AmericanImpliedVolatility, ASecantOutsideTheBracketIsNoResult) {
    const BsmExpiry common{.spot = 100.0, .rate = 0.05, .yield = 0.0, .years = 0.1};
    const std::vector<double> strike{144.0};
    const std::vector<Right> right{Right::put};
    std::vector<double> price(1);
    const std::vector<double> volatility{0.276764};
    american_prices(common, kDividends, strike, volatility, right, price, AmericanScheme::accurate);
    std::vector<IvResult> out(1);
    american_implied_volatility(common, kDividends, price, strike, right, out,
                                AmericanScheme::accurate);
    ASSERT_EQ(out[0].status, IvStatus::ok);
    EXPECT_NEAR(out[0].volatility, volatility[0], 0.01);
    std::vector<double> again(1);
    american_prices(common, kDividends, strike, std::vector<double>{out[0].volatility}, right,
                    again, AmericanScheme::accurate);
    EXPECT_NEAR(again[0], price[0], 1e-9 * common.spot);
}

// Calls that are all but exercised before a dividend in two days: 1e-5 is all the volatility gives.
TEST(AmericanImpliedVolatility, WhereLittleIsMoreThanExerciseThePriceIsStillTheQuote) {
    constexpr CashDividend kSoon[] = {{.years = 0.0056, .amount = 0.7},
                                      {.years = 0.07, .amount = 0.8},
                                      {.years = 0.6, .amount = 1.6}};
    const BsmExpiry common{.spot = 100.0, .rate = 0.015, .yield = 0.0, .years = 0.75};
    const std::vector<double> strike{64.0, 68.0, 72.0, 76.0, 80.0, 84.0};
    const std::vector<Right> right(strike.size(), Right::call);
    const std::vector<double> volatility{0.139, 0.135, 0.131, 0.128, 0.125, 0.123};
    std::vector<double> price(strike.size());
    american_prices(common, kSoon, strike, volatility, right, price, AmericanScheme::accurate);
    std::vector<IvResult> out(strike.size());
    american_implied_volatility(common, kSoon, price, strike, right, out, AmericanScheme::accurate);
    std::vector<double> found;
    for (const IvResult& result : out) found.push_back(result.volatility);
    std::vector<double> again(strike.size());
    american_prices(common, kSoon, strike, found, right, again, AmericanScheme::accurate);
    for (std::size_t i = 0; i < strike.size(); ++i) {
        ASSERT_EQ(out[i].status, IvStatus::ok) << strike[i];
        EXPECT_NEAR(again[i], price[i], 1e-9 * common.spot) << strike[i];
    }
}

// Whatever the volatility was, over a wide range of it.
TEST(AmericanImpliedVolatility, LowAndHighVolatilities) {
    for (const double volatility : {0.03, 0.1, 1.0, 3.0, 8.0}) {
        for (const double strike : {60.0, 95.0, 100.0, 105.0, 170.0}) {
            for (const Right right : kRights) {
                const BsmInputs in{100.0, strike, .04, .01, 0.25, volatility};
                const double price = american_price(in, right);
                BsmInputs calm = in;
                calm.volatility = 0.0;
                if (price - american_price(calm, right) < 1e-6) continue;
                const IvResult result = american_implied_volatility(price, in, right);
                ASSERT_EQ(result.status, IvStatus::ok) << volatility << " " << strike;
                EXPECT_NEAR(result.volatility, volatility, 1e-4 * volatility)
                    << strike << " " << price;
            }
        }
    }
}

TEST(AmericanImpliedVolatility, StatusOfTheExerciseValue) {
    // Far beyond the boundary: every low volatility gives 40.
    const BsmInputs put{60.0, 100.0, .05, 0.0, 0.25, 0.0};
    EXPECT_EQ(american_implied_volatility(40.0, put, Right::put).status,
              IvStatus::at_exercise_boundary);
    EXPECT_TRUE(std::isnan(american_implied_volatility(40.0, put, Right::put).volatility));
    EXPECT_EQ(american_implied_volatility(40.0 + 1e-13, put, Right::put).status,
              IvStatus::at_exercise_boundary);
    EXPECT_EQ(american_implied_volatility(39.99, put, Right::put).status,
              IvStatus::below_intrinsic);
    EXPECT_EQ(american_implied_volatility(40.01, put, Right::put).status, IvStatus::ok);
    // A call that is not exercised early: the least is the discounted forward's.
    const BsmInputs call{100.0, 60.0, .05, 0.0, 0.25, 0.0};
    EXPECT_EQ(american_implied_volatility(40.1, call, Right::call).status,
              IvStatus::below_intrinsic);
    const double least = 100.0 - 60.0 * std::exp(-.05 * 0.25);
    EXPECT_EQ(american_implied_volatility(least, call, Right::call).status, IvStatus::ok);
    EXPECT_EQ(american_implied_volatility(least, call, Right::call).volatility, 0.0);
    // Out of the money and worth nothing.
    const BsmInputs out_put{100.0, 60.0, .05, 0.0, 0.25, 0.0};
    EXPECT_EQ(american_implied_volatility(0.0, out_put, Right::put).volatility, 0.0);
    EXPECT_EQ(american_implied_volatility(-0.01, out_put, Right::put).status,
              IvStatus::below_intrinsic);
}

TEST(AmericanImpliedVolatility, StatusAboveTheMost) {
    const BsmInputs in{100.0, 110.0, .05, .01, 0.25, 0.0};
    EXPECT_EQ(american_implied_volatility(100.0, in, Right::call).status, IvStatus::above_max);
    EXPECT_EQ(american_implied_volatility(110.0, in, Right::put).status, IvStatus::above_max);
    EXPECT_EQ(american_implied_volatility(kInfinity, in, Right::put).status, IvStatus::above_max);
    EXPECT_EQ(american_implied_volatility(109.999999, in, Right::put).status, IvStatus::above_max);
    // Over the European put's most, D K, but not over the American one's.
    EXPECT_EQ(american_implied_volatility(109.0, in, Right::put).status, IvStatus::ok);
}

TEST(AmericanImpliedVolatility, StatusOfBadInput) {
    const BsmInputs good{100.0, 110.0, .05, .01, 0.25, 0.0};
    EXPECT_EQ(american_implied_volatility(kNaN, good, Right::put).status, IvStatus::no_bid);
    for (const double years : {0.0, -1.0, kNaN}) {
        BsmInputs bad = good;
        bad.years = years;
        EXPECT_EQ(american_implied_volatility(12.0, bad, Right::put).status, IvStatus::expired);
    }
    for (double BsmInputs::*field :
         {&BsmInputs::spot, &BsmInputs::strike, &BsmInputs::rate, &BsmInputs::yield}) {
        for (const double value : {kNaN, kInfinity, -kInfinity}) {
            BsmInputs bad = good;
            bad.*field = value;
            const IvResult result = american_implied_volatility(12.0, bad, Right::put);
            EXPECT_EQ(result.status, IvStatus::no_forward);
            EXPECT_TRUE(std::isnan(result.volatility));
        }
    }
    const BsmExpiry common{.spot = 100.0, .rate = .05, .yield = 0.0, .years = 0.25};
    const double price = 12.0;
    const double strike = 110.0;
    const Right right = Right::put;
    for (const CashDividend bad : {CashDividend{.1, -1.0}, CashDividend{.1, kNaN},
                                   CashDividend{kNaN, 1.0}, CashDividend{.1, 101.0}}) {
        IvResult result;
        american_implied_volatility(common, {&bad, 1}, {&price, 1}, {&strike, 1}, {&right, 1},
                                    {&result, 1});
        EXPECT_EQ(result.status, IvStatus::no_forward) << bad.amount;
    }
}

// Every search ends within its steps, whether or not a price above the quote's was found, in markets of
// any kind.
TEST(AmericanImpliedVolatility, EverySearchEndsWithinItsStepsWhateverTheMarket) {
    const double rates[] = {-0.5, -0.01, 0.0, 1e-9, 0.05, 0.3, 3.0};
    int answered = 0;
    for (const double rate : rates) {
        for (const double yield : rates) {
            for (const double years : {1e-9, 1e-4, 0.1, 3.0, 50.0}) {
                for (const double strike : {1e-6, 50.0, 100.0, 200.0, 1e9}) {
                    const BsmInputs in{100.0, strike, rate, yield, years, 0.0};
                    for (const double price : {1e-12, 0.01, 10.0, 99.999999999, 1e8}) {
                        for (const Right right : {Right::call, Right::put}) {
                            const IvResult found = american_implied_volatility(price, in, right);
                            if (found.status != IvStatus::ok) continue;
                            ++answered;
                            ASSERT_GE(found.volatility, 0.0);
                            ASSERT_LE(found.volatility, 2 * kAmericanIvMax);
                        }
                    }
                }
            }
        }
    }
    EXPECT_GT(answered, 0);
}

TEST(AmericanImpliedVolatility, EmptyChain) {
    american_implied_volatility({.spot = 100.0, .rate = .05, .yield = 0.0, .years = 0.25}, {}, {},
                                {}, {});
}

}  // namespace
}  // namespace scanmq::pricing
