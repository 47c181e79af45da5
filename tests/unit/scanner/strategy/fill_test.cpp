#include "scanner/strategy/fill.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace scanmq::strategy {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TEST(TickRule, FollowsTheRoot) {
    for (const char* root : {"SPX", "SPXW", "SPXPM"}) {
        EXPECT_DOUBLE_EQ(tick_rule(root).tick(2.95), 0.05) << root;
        EXPECT_DOUBLE_EQ(tick_rule(root).tick(3.00), 0.10) << root;
    }
    EXPECT_DOUBLE_EQ(tick_rule("SPY").tick(2.0), 0.01);
    EXPECT_DOUBLE_EQ(tick_rule("SPY").tick(30.0), 0.01);
    EXPECT_DOUBLE_EQ(tick_rule("MSFT").tick(2.99), 0.01);
    EXPECT_DOUBLE_EQ(tick_rule("MSFT").tick(3.0), 0.05);
}

TEST(Fill, NaturalBuysTheAskAndSellsTheBid) {
    const TickRule rule = tick_rule("SPX");
    EXPECT_EQ(buy_price(1.10, 1.30, kNaturalFill, rule), 1.30);
    EXPECT_EQ(sell_price(1.10, 1.30, kNaturalFill, rule), 1.10);
}

TEST(Fill, MidIsRoundedAgainstUs) {
    const TickRule rule = tick_rule("SPX");
    EXPECT_EQ(buy_price(1.10, 1.30, kMidFill, rule), 1.20);
    EXPECT_EQ(sell_price(1.10, 1.30, kMidFill, rule), 1.20);
    EXPECT_EQ(buy_price(1.10, 1.25, kMidFill, rule), 1.20);   // 1.175 up
    EXPECT_EQ(sell_price(1.10, 1.25, kMidFill, rule), 1.15);  // 1.175 down
    EXPECT_EQ(buy_price(9.80, 10.10, kMidFill, rule), 10.0);  // 9.95 up to .10
    EXPECT_EQ(sell_price(9.80, 10.10, kMidFill, rule), 9.9);
}

TEST(Fill, FractionLiesBetweenAndNeverPastNatural) {
    const TickRule rule = tick_rule("SPX");
    EXPECT_EQ(buy_price(1.00, 2.00, Fill{0.5}, rule), 1.75);
    EXPECT_EQ(sell_price(1.00, 2.00, Fill{0.5}, rule), 1.25);
    // One tick wide: rounding against us ends at the quote; off the grid it would end beyond.
    EXPECT_EQ(buy_price(1.02, 1.07, kMidFill, rule), 1.05);
    EXPECT_EQ(buy_price(1.02, 1.04, kMidFill, rule), 1.04);
    EXPECT_EQ(sell_price(1.02, 1.04, kMidFill, rule), 1.02);
}

TEST(Fill, MissingOtherSide) {
    const TickRule rule = tick_rule("SPX");
    EXPECT_EQ(buy_price(kNone, 0.20, kMidFill, rule), 0.10);
    EXPECT_EQ(buy_price(0.0, 0.15, kMidFill, rule), 0.10);  // .075 up
    EXPECT_EQ(sell_price(0.50, kNone, kMidFill, rule), 0.50);
}

}  // namespace
}  // namespace scanmq::strategy
