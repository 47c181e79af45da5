#include "scanner/pricing/bjerksund_stensland.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "scanner/pricing/american.hpp"

namespace scanmq::pricing {
namespace {

// Haug (1998), table of Bjerksund-Stensland 2002: K = 100, r = q = 0.10.
TEST(BjerksundStensland, PublishedValues) {
    struct Row {
        double volatility, years;
        double call[3], put[3];  // S = 90, 100, 110
    };
    const Row rows[] = {{.15, .1, {.0205, 1.8757, 10.0}, {10.0, 1.8757, .0408}},
                        {.15, .5, {.8099, 4.0628, 10.7898}, {10.54, 4.0628, 1.0689}},
                        {.25, .1, {.3151, 3.1256, 10.3725}, {10.2280, 3.1256, .4552}},
                        {.25, .5, {2.7180, 6.7661, 12.9814}, {12.4097, 6.7661, 3.2932}},
                        {.35, .1, {.9479, 4.3746, 11.1578}, {10.8663, 4.3746, 1.2383}},
                        {.35, .5, {4.9665, 9.4608, 15.5137}, {14.6445, 9.4608, 5.8374}}};
    for (const Row& row : rows) {
        for (int i = 0; i < 3; ++i) {
            const BsmInputs in{.spot = 90.0 + 10.0 * i,
                               .strike = 100.0,
                               .rate = .10,
                               .yield = .10,
                               .years = row.years,
                               .volatility = row.volatility};
            EXPECT_NEAR(bjerksund_stensland_price(in, Right::call), row.call[i], 5.1e-5);
            EXPECT_NEAR(bjerksund_stensland_price(in, Right::put), row.put[i], 5.1e-5);
        }
    }
}

TEST(BjerksundStensland, IsALowerBoundNearTheExactValue) {
    for (const double spot : {80.0, 95.0, 100.0, 105.0, 125.0}) {
        for (const double rate : {.01, .05, .09}) {
            for (const double yield : {0.0, .02, .08}) {
                for (const double volatility : {.15, .3, .6}) {
                    for (const Right right : {Right::call, Right::put}) {
                        const BsmInputs in{spot, 100.0, rate, yield, 0.75, volatility};
                        const double exact = american_price(in, right, AmericanScheme::accurate);
                        const double cheap = bjerksund_stensland_price(in, right);
                        EXPECT_LE(cheap, exact + 1e-7);
                        EXPECT_GE(cheap, exact - 0.002 * spot);
                        EXPECT_GE(cheap, bsm_price(in, right));
                    }
                }
            }
        }
    }
}

TEST(BjerksundStensland, BadInputAndLimits) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const BsmInputs good{100.0, 110.0, .05, .02, 0.5, .3};
    for (double BsmInputs::*field :
         {&BsmInputs::spot, &BsmInputs::strike, &BsmInputs::rate, &BsmInputs::yield,
          &BsmInputs::years, &BsmInputs::volatility}) {
        BsmInputs bad = good;
        bad.*field = nan;
        EXPECT_TRUE(std::isnan(bjerksund_stensland_price(bad, Right::put)));
    }
    BsmInputs now = good;
    now.years = 0.0;
    EXPECT_EQ(bjerksund_stensland_price(now, Right::put), 10.0);
    BsmInputs calm = good;
    calm.volatility = 1e-3;
    EXPECT_NEAR(bjerksund_stensland_price(calm, Right::put), 10.0, 1e-9);
    // No reason to exercise: the European value.
    const BsmInputs growth{100.0, 110.0, .05, 0.0, 0.5, .3};
    EXPECT_EQ(bjerksund_stensland_price(growth, Right::call), bsm_price(growth, Right::call));
}

}  // namespace
}  // namespace scanmq::pricing
