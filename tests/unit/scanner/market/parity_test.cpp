#include "scanner/market/parity.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support.hpp"

namespace scanmq::market {
namespace {

constexpr NearMoney kNearMoney{.window = 0.15, .pairs_wanted = 12};

std::vector<ParityPair> line(double forward, double discount, double step = 5.0) {
    std::vector<ParityPair> pairs;
    for (double strike = 50; strike <= 150; strike += step) {
        pairs.push_back({strike, discount * (forward - strike), 0.05});
    }
    return pairs;
}

std::vector<RateEstimate> estimates(double (*rate)(double)) {
    std::vector<RateEstimate> out;
    for (const double years : {0.02, 0.04, 0.08, 0.15, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0}) {
        out.push_back({years, rate(years), 1e-8 / (years * years)});
    }
    return out;
}

TEST(Parity, PairsNeedTwoSidedUncrossedQuotesOfBothRights) {
    auto chain = testing::small_chain();
    std::vector<ParityPair> pairs;
    find_parity_pairs(chain, chain.expiries[0], pairs);
    ASSERT_EQ(pairs.size(), 2U) << "the put at 95 has no bid";
    EXPECT_EQ(pairs[0].strike, 100.0);
    EXPECT_EQ(pairs[0].difference, 0.0);
    EXPECT_NEAR(pairs[0].uncertainty, 0.15, 1e-12);
    chain.bid[1] = 2.0;  // above the ask
    find_parity_pairs(chain, chain.expiries[0], pairs);
    ASSERT_EQ(pairs.size(), 1U);
    chain.ask[2] = kMissing;
    find_parity_pairs(chain, chain.expiries[0], pairs);
    EXPECT_TRUE(pairs.empty());
}

TEST(Parity, RateIsTheSlope) {
    RateEstimate estimate;
    ASSERT_TRUE(estimate_rate(line(101, 0.97), 101, kNearMoney, 0.5, estimate));
    EXPECT_NEAR(estimate.rate, -std::log(0.97) / 0.5, 1e-9);
    EXPECT_GT(estimate.variance, 0);
}

TEST(Parity, RateLeavesOutBrokenPairs) {
    auto pairs = line(101, 0.97, 2.5);
    pairs[20].difference += 3;
    pairs[17].difference -= 8;
    RateEstimate estimate;
    ASSERT_TRUE(estimate_rate(pairs, 101, kNearMoney, 0.5, estimate));
    EXPECT_NEAR(estimate.rate, -std::log(0.97) / 0.5, 1e-6);
}

TEST(Parity, RateNeedsPairsAndASlope) {
    RateEstimate estimate;
    const auto few = line(101, 0.97, 50.0);
    EXPECT_FALSE(estimate_rate(few, 101, kNearMoney, 0.5, estimate));
    EXPECT_FALSE(estimate_rate({}, kMissing, kNearMoney, 0.5, estimate));
    auto upward = line(101, 0.97);
    for (auto& pair : upward) pair.difference = pair.strike;
    EXPECT_FALSE(estimate_rate(upward, 101, kNearMoney, 0.5, estimate));
}

TEST(Parity, SparseStrikesTakeTheNearestPairs) {
    RateEstimate estimate;
    EXPECT_FALSE(estimate_rate(line(101, 0.97, 12.5), 101, {0.15, 0}, 0.5, estimate));
    EXPECT_TRUE(estimate_rate(line(101, 0.97, 12.5), 101, kNearMoney, 0.5, estimate));
}

TEST(Parity, CurveFollowsAHumpedTermStructure) {
    const auto humped = [](double t) { return 0.05 + 0.02 * (-std::expm1(-t) / t - std::exp(-t)); };
    const auto curve = RateCurve::fit(estimates(humped), false);
    for (const double years : {0.1, 0.3, 0.6, 1.2, 2.0}) {
        EXPECT_NEAR(curve.rate(years), humped(years), 2e-4) << years;
        EXPECT_NEAR(curve.discount(years), std::exp(-curve.rate(years) * years), 1e-15);
    }
    EXPECT_EQ(curve.rate(5.0), curve.rate(2.0)) << "beyond the last expiry its rate";
}

TEST(Parity, CurveLeavesOutAnOutlier) {
    auto input = estimates([](double) { return 0.04; });
    input[6].rate = 0.15;
    const auto curve = RateCurve::fit(input, false);
    EXPECT_NEAR(curve.rate(0.75), 0.04, 5e-4);
}

TEST(Parity, CurveIsWeightedByTime) {
    // A near expiry that is far off by its own large variance does not bend the rest.
    auto input = estimates([](double) { return 0.04; });
    input[0] = {0.02, -0.30, 0.04};
    EXPECT_NEAR(RateCurve::fit(input, false).rate(0.25), 0.04, 5e-4);
}

TEST(Parity, CurveOfNothingIsZero) {
    EXPECT_EQ(RateCurve::fit({}, false).rate(1.0), 0.0);
    EXPECT_EQ(RateCurve::flat(0.03).rate(7.0), 0.03);
    // One uninformative estimate is drawn to zero instead of being believed.
    const RateEstimate vague{0.003, 0.5, 1.0};
    EXPECT_LT(std::fabs(RateCurve::fit({&vague, 1}, false).rate(1.0)), 0.01);
}

TEST(Parity, ForwardIsAMedianThatOneBrokenPairDoesNotMove) {
    auto pairs = line(101.3, 0.98);
    pairs[10].difference += 7;
    EXPECT_NEAR(parity_forward(pairs, 101, 0.98, 25), 101.3, 1e-9);
}

TEST(Parity, ForwardNeedsAPairNearTheMoney) {
    EXPECT_TRUE(std::isnan(parity_forward({}, kMissing, 1.0, 25)));
    const std::vector<ParityPair> far{{50, 51, 0.05}};
    EXPECT_TRUE(std::isnan(parity_forward(far, 101, 1.0, 25)));
}

TEST(Parity, RoughForwardSurvivesAStalePair) {
    auto pairs = line(101.3, 0.98);
    pairs[2].difference = 0.001;  // the strike 60 seems to be the money
    EXPECT_NEAR(rough_forward(pairs), 101.3, 1.0);
    EXPECT_TRUE(std::isnan(rough_forward({})));
}

}  // namespace
}  // namespace scanmq::market
