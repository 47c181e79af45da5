#include "scanner/strategy/legs.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace scanmq::strategy {
namespace {

constexpr double kNone = market::kMissing;

market::ExpiryMarket expiry(double days) {
    market::ExpiryMarket out;
    out.years = days / 365.0;
    out.rate = 0.04;
    out.discount = std::exp(-0.04 * out.years);
    out.forward = 100.0;
    out.spot = 100.0 * out.discount;
    return out;
}

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

TEST(Legs, DayThetaIsTheChangeOverOneDay) {
    // Computed apart in double precision from the Black-Scholes-Merton formula.
    const market::ExpiryMarket month = expiry(30);
    const double value = pricing::bsm_price({.spot = month.spot,
                                             .strike = 95.0,
                                             .rate = month.rate,
                                             .yield = 0.0,
                                             .years = month.years,
                                             .volatility = 0.23},
                                            Right::put);
    EXPECT_NEAR(day_theta(month, 95.0, Right::put, 0.23, value), -0.029232024136082613, 1e-12);
    EXPECT_TRUE(std::isnan(day_theta(month, 95.0, Right::put, kNone, kNone)));
}

TEST(Legs, DayThetaOfTheLastDayIsWhatIsLeft) {
    const market::ExpiryMarket last = expiry(0.25);
    EXPECT_DOUBLE_EQ(day_theta(last, 110.0, Right::call, 0.2, 0.40), -0.40);
    EXPECT_NEAR(day_theta(last, 90.0, Right::call, 0.2, last.spot - 90.0 + 0.10), -0.10, 1e-12);
}

}  // namespace
}  // namespace scanmq::strategy
