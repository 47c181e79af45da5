#include "scanner/strategy/legs.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace scanmq::strategy {
namespace {

constexpr double kNone = market::kMissing;

TEST(Legs, SidesNeedTheirQuote) {
    EXPECT_TRUE(tradable_sides(1.0, 1.1).on(Side::long_leg));
    EXPECT_TRUE(tradable_sides(1.0, 1.1).on(Side::short_leg));
    EXPECT_FALSE(tradable_sides(0.0, 0.05).on(Side::short_leg));
    EXPECT_TRUE(tradable_sides(0.0, 0.05).on(Side::long_leg));
    EXPECT_TRUE(tradable_sides(0.1, kNone).on(Side::short_leg));
    EXPECT_FALSE(tradable_sides(0.1, 0.0).on(Side::long_leg));
    EXPECT_TRUE(tradable_sides(1.0, 1.0).on(Side::long_leg)) << "locked is not crossed";
    EXPECT_TRUE(tradable_sides(1.2, 1.1).crossed);
    EXPECT_FALSE(tradable_sides(1.2, 1.1).on(Side::short_leg));
}

TEST(Legs, QuotedSpread) {
    EXPECT_DOUBLE_EQ(quoted_spread(1.0, 1.25), 0.25);
    EXPECT_DOUBLE_EQ(quoted_spread(kNone, 0.25), 0.25);
    EXPECT_TRUE(std::isnan(quoted_spread(1.0, kNone)));
}

}  // namespace
}  // namespace scanmq::strategy
