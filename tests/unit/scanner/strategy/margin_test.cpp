#include "scanner/strategy/margin.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace scanmq::strategy {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();
constexpr auto kLong = Side::long_leg;
constexpr auto kShort = Side::short_leg;

Margin of(const std::vector<MarginLeg>& legs, double max_loss, std::string_view root = "XYZ") {
    return margin({.legs = legs, .max_loss = max_loss, .spot = 100.0, .rate = margin_rate(root)});
}

// The values of the domain reference: S 100, put 95 at 1.55, call 105 at 1.40.
TEST(Margin, ReferenceValues) {
    const MarginLeg put{Right::put, kShort, 1, 95.0, 1.55};
    const MarginLeg call{Right::call, kShort, 1, 105.0, 1.40};
    EXPECT_NEAR(of({put}, 93.45).requirement, 16.55, 1e-12);
    EXPECT_NEAR(of({put}, 93.45).buying_power, 15.00, 1e-12);
    EXPECT_NEAR(of({put, call}, kUnbounded).requirement, 17.95, 1e-12);
    EXPECT_NEAR(of({put, call}, kUnbounded).buying_power, 15.00, 1e-12);
    EXPECT_NEAR(of({call}, kUnbounded).requirement, 20.0 - 5.0 + 1.40, 1e-12);
}

TEST(Margin, FloorsFarFromTheMoney) {
    EXPECT_NEAR(of({{Right::put, kShort, 1, 70.0, 0.05}}, 69.95).requirement, 7.05, 1e-12);
    EXPECT_NEAR(of({{Right::call, kShort, 1, 140.0, 0.05}}, kUnbounded).requirement, 10.05, 1e-12);
}

TEST(Margin, BroadIndexesAndLeverage) {
    const MarginLeg put{Right::put, kShort, 1, 95.0, 1.55};
    EXPECT_NEAR(of({put}, 93.45, "SPX").requirement, 15.0 - 5.0 + 1.55, 1e-12);
    EXPECT_NEAR(of({put}, 93.45, "SPY").requirement, 15.0 - 5.0 + 1.55, 1e-12);
    EXPECT_NEAR(of({put}, 93.45, "TQQQ").requirement, 45.0 - 5.0 + 1.55, 1e-12);
    EXPECT_NEAR(of({put}, 93.45, "SOXL").requirement, 60.0 - 5.0 + 1.55, 1e-12);
}

TEST(Margin, DefinedRiskIsTheMostItLoses) {
    const Margin spread =
        of({{Right::put, kLong, 1, 90.0, 0.50}, {Right::put, kShort, 1, 95.0, 1.60}}, 3.90);
    EXPECT_DOUBLE_EQ(spread.requirement, 3.90);
    EXPECT_DOUBLE_EQ(spread.buying_power, 3.90);
    // Two sold between two bought: covered, whatever the strikes.
    const Margin butterfly = of({{Right::call, kLong, 1, 95.0, 6.0},
                                 {Right::call, kShort, 2, 100.0, 3.0},
                                 {Right::call, kLong, 1, 105.0, 1.2}},
                                1.20);
    EXPECT_DOUBLE_EQ(butterfly.requirement, 1.20);
}

TEST(Margin, CashSecuredPutIsTheStrikeLessThePremium) {
    const std::vector<MarginLeg> legs = {{Right::put, kShort, 1, 95.0, 1.55}};
    const Margin secured =
        margin({.legs = legs, .max_loss = 93.45, .spot = 100.0, .rate = {}, .cash_secured = true});
    EXPECT_NEAR(secured.requirement, 93.45, 1e-12);
}

TEST(Margin, PairsFirstThenTheRestIsNaked) {
    // A ratio spread: one pair that cost 1.50, one naked call.
    const Margin ratio =
        of({{Right::call, kLong, 1, 100.0, 3.0}, {Right::call, kShort, 2, 105.0, 1.5}}, kUnbounded);
    EXPECT_NEAR(ratio.requirement, 1.5 + (20.0 - 5.0 + 1.5), 1e-12);
    // A jade lizard: a naked put, and a call spread that can lose 5.00 less 0.60.
    const Margin lizard = of({{Right::put, kShort, 1, 95.0, 1.55},
                              {Right::call, kShort, 1, 105.0, 1.40},
                              {Right::call, kLong, 1, 110.0, 0.80}},
                             93.0);
    EXPECT_NEAR(lizard.requirement, 16.55 + 4.40, 1e-12);
}

TEST(Margin, StockCoversACall) {
    const std::vector<MarginLeg> legs = {{Right::call, kShort, 1, 105.0, 1.40}};
    const Margin covered =
        margin({.legs = legs, .max_loss = 98.60, .spot = 100.0, .rate = {}, .shares = 1.0});
    EXPECT_DOUBLE_EQ(covered.requirement, 98.60);
}

TEST(Margin, ALongLegThatExpiresFirstCoversNothing) {
    const std::vector<MarginLeg> legs = {{Right::call, kLong, 1, 105.0, 1.40, 0},
                                         {Right::call, kShort, 1, 105.0, 2.00, 1}};
    EXPECT_NEAR(of(legs, kUnbounded).requirement, 15.0 + 2.00 + 1.40, 1e-12);
    const std::vector<MarginLeg> calendar = {{Right::call, kShort, 1, 105.0, 1.40, 0},
                                             {Right::call, kLong, 1, 105.0, 2.00, 1}};
    EXPECT_DOUBLE_EQ(of(calendar, 0.60).requirement, 0.60);
}

}  // namespace
}  // namespace scanmq::strategy
