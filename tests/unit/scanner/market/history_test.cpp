#include "scanner/market/history.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace scanmq::market {
namespace {

TEST(History, RankAndPercentileOfAKnownSeries) {
    std::vector<double> closes;
    for (int i = 0; i < 252; ++i) closes.push_back(0.10 + 0.001 * i);  // 0.10 to 0.351
    const auto middle = volatility_standing(closes, 0.2255);
    EXPECT_NEAR(middle.rank, 0.5, 1e-12);
    EXPECT_NEAR(middle.percentile, 0.5, 1e-12);
    EXPECT_EQ(middle.closes_used, 252U);
    EXPECT_EQ(volatility_standing(closes, 0.05).rank, 0.0) << "clamped";
    EXPECT_EQ(volatility_standing(closes, 0.05).percentile, 0.0);
    EXPECT_EQ(volatility_standing(closes, 0.90).rank, 1.0) << "clamped";
    EXPECT_EQ(volatility_standing(closes, 0.90).percentile, 1.0);
}

TEST(History, OnlyTheLastYearCounts) {
    std::vector<double> closes(100, 5.0);
    for (int i = 0; i < 252; ++i) closes.push_back(i % 2 == 0 ? 0.2 : 0.4);
    const auto standing = volatility_standing(closes, 0.3);
    EXPECT_NEAR(standing.rank, 0.5, 1e-12);
    EXPECT_EQ(standing.closes_used, 252U);
}

TEST(History, TiesCountHalfAndAFlatSeriesHasNoRank) {
    const std::vector<double> flat(60, 0.2);
    const auto standing = volatility_standing(flat, 0.2);
    EXPECT_TRUE(std::isnan(standing.rank));
    EXPECT_EQ(standing.percentile, 0.5);
    EXPECT_EQ(volatility_standing(flat, 0.21).percentile, 1.0);
}

TEST(History, WhatIsNoVolatilityDoesNotCount) {
    std::vector<double> closes(30, 0.2);
    closes.push_back(0.3);
    for (const double bad : {kMissing, HUGE_VAL, 0.0, -0.1}) closes.push_back(bad);
    const auto standing = volatility_standing(closes, 0.25);
    EXPECT_EQ(standing.closes_used, 31U);
    EXPECT_NEAR(standing.rank, 0.5, 1e-12);
    EXPECT_TRUE(std::isnan(volatility_standing(closes, kMissing).percentile));
    EXPECT_TRUE(std::isnan(volatility_standing(std::vector<double>(19, 0.2), 0.2).percentile));
    EXPECT_EQ(volatility_standing({}, 0.2).closes_used, 0U);
}

TEST(History, RealisedVolatilityIsTheSampleDeviationOfLogReturns) {
    // Returns +1 % and -1 % in turn: mean 0, variance 0.0001 n/(n - 1).
    std::vector<double> closes{100.0};
    for (int i = 0; i < 20; ++i)
        closes.push_back(closes.back() * std::exp(i % 2 == 0 ? 0.01 : -0.01));
    EXPECT_NEAR(realised_volatility(closes, 20), 0.01 * std::sqrt(20.0 / 19.0 * 252.0), 1e-12);
    // A steady drift is no volatility.
    std::vector<double> drift{100.0};
    for (int i = 0; i < 20; ++i) drift.push_back(drift.back() * 1.01);
    EXPECT_NEAR(realised_volatility(drift, 20), 0.0, 1e-12);
    EXPECT_TRUE(std::isnan(realised_volatility(closes, 21)));
    EXPECT_TRUE(std::isnan(realised_volatility(closes, 1)));
    EXPECT_TRUE(std::isnan(realised_volatility({}, 20)));
    closes[10] = 0.0;
    EXPECT_TRUE(std::isnan(realised_volatility(closes, 20)));
    EXPECT_FALSE(std::isnan(realised_volatility(closes, 5))) << "the bad close is older";
    closes[10] = kMissing;
    EXPECT_TRUE(std::isnan(realised_volatility(closes, 20)));
}

PricedChain chain_of(std::vector<std::pair<double, double>> days_and_volatility) {
    PricedChain chain;
    for (const auto& [days, volatility] : days_and_volatility) {
        ExpiryMarket expiry;
        expiry.years = days / 365.0;
        expiry.atm_volatility = volatility;
        expiry.tradable = true;
        chain.expiries.push_back(expiry);
    }
    return chain;
}

TEST(History, ConstantMaturityIsLinearInTotalVariance) {
    const auto chain = chain_of({{9, 0.5}, {20, 0.30}, {50, 0.20}, {100, 0.1}});
    const double variance = (2.0 / 3.0) * 0.09 * 20 + (1.0 / 3.0) * 0.04 * 50;
    EXPECT_NEAR(constant_maturity_volatility(chain), std::sqrt(variance / 30), 1e-12);
    EXPECT_NEAR(constant_maturity_volatility(chain, 20), 0.30, 1e-12);
    EXPECT_EQ(constant_maturity_volatility(chain, 5), 0.5);
    EXPECT_TRUE(std::isnan(constant_maturity_volatility(chain, 4)));
    EXPECT_EQ(constant_maturity_volatility(chain, 200), 0.1);
    EXPECT_TRUE(std::isnan(constant_maturity_volatility(chain, 201)));
    EXPECT_TRUE(std::isnan(constant_maturity_volatility(chain, 0)));
    EXPECT_TRUE(std::isnan(constant_maturity_volatility({})));
}

TEST(History, ConstantMaturitySkipsWhatHasNoVolatility) {
    auto chain = chain_of({{20, 0.3}, {29, kMissing}, {31, 9.0}, {50, 0.2}});
    chain.expiries[2].tradable = false;
    const double variance = (2.0 / 3.0) * 0.09 * 20 + (1.0 / 3.0) * 0.04 * 50;
    EXPECT_NEAR(constant_maturity_volatility(chain), std::sqrt(variance / 30), 1e-12);
}

}  // namespace
}  // namespace scanmq::market
