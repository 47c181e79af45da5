#include "scanner/pricing/implied_volatility.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "scanner/pricing/black.hpp"
#include "scanner/pricing/normal.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// By how much a relative rounding of the price moves v, relatively: b/(b' v), and at least 1 for
// the rounding of v itself. Large only where b comes near its maximum.
double condition(double x, double v) {
    const double a = x / v;
    const double vega = std::exp(-0.5 * (a * a + 0.25 * v * v)) / std::sqrt(8.0 * std::atan(1.0));
    return std::fmax(1.0, normalised_black(x, v) / (vega * v));
}

struct Sweep {
    double worst{};      // relative error of v over condition()
    double worst_raw{};  // relative error of v
    int count{};
};

// v to b to v over a grid that is logarithmic in v, wherever b is a normal double below its
// maximum.
Sweep sweep(double x_max, double x_step, double v_min, double v_max, double v_factor) {
    Sweep out;
    for (int i = 0; i * x_step <= x_max * (1.0 + 1e-9); ++i) {
        const double x = -i * x_step;
        for (double v = v_min; v <= v_max * (1.0 + 1e-9); v *= v_factor) {
            const double b = normalised_black(x, v);
            if (b < std::numeric_limits<double>::min() || b >= portable::exp(0.5 * x)) continue;
            const double error = std::fabs(normalised_implied_volatility(b, x) / v - 1.0);
            EXPECT_FALSE(std::isnan(error)) << "x " << x << " v " << v;
            out.worst = std::fmax(out.worst, error / condition(x, v));
            out.worst_raw = std::fmax(out.worst_raw, error);
            ++out.count;
        }
    }
    return out;
}

TEST(NormalisedBlack, EqualsReferencesInEachRegion) {
    struct Point {
        double x, v, value, bound;
    };
    // Computed in 60 digits. The exponent (x/v)^2 carries roundings, which the bound allows for.
    const Point points[] = {{0.0, 1e-4, 0.000039894228023520674695, 1e-15},
                            {0.0, 0.2, 0.079655674554057967338, 5e-15},
                            {0.0, 3.0, 0.86638559746228386799, 1e-15},
                            {-0.001, 0.0005, 4.2453512041015074568e-6, 1e-14},
                            {-0.01, 0.05, 0.015342759237307299123, 2e-15},
                            {-0.1, 0.02, 1.0691830485656269399e-9, 2e-14},
                            {-0.1, 0.19, 0.035977599538468621379, 5e-15},
                            {-0.1, 0.21, 0.042981733041972282152, 5e-15},
                            {-0.4, 0.199, 0.001638291399698084835, 5e-15},
                            {-1.0, 0.1, 7.4653976115686172329e-26, 5e-14},
                            {-1.0, 1.0, 0.076991023141674131155, 2e-15},
                            {-1.0, 2.5, 0.40507760539211290314, 1e-15},
                            {-3.0, 0.09, 1.7103108723942938695e-246, 1e-12},
                            {-3.0, 0.5, 7.5884598023150894145e-11, 2e-14},
                            {-3.0, 3.0, 0.12645634049970983885, 2e-15},
                            {-5.0, 0.14, 4.6318182327829557028e-282, 1e-12},
                            {-1e-6, 1e-3, 0.00039844246324998678408, 1e-15},
                            {-0.5, 0.0139, 4.5489615318635027867e-287, 1e-12}};
    for (const Point& point : points) {
        EXPECT_NEAR(normalised_black(point.x, point.v) / point.value, 1.0, point.bound)
            << "x " << point.x << " v " << point.v;
    }
}

TEST(NormalisedBlack, Limits) {
    EXPECT_EQ(normalised_black(-0.5, 0.0), 0.0);
    EXPECT_EQ(normalised_black(0.0, 0.0), 0.0);
    EXPECT_EQ(normalised_black(-0.5, 1e-3), 0.0);
    EXPECT_EQ(normalised_black(-0.5, 1e-300), 0.0);
    EXPECT_EQ(normalised_black(-0.5, 1e3), std::exp(-0.25));
    EXPECT_EQ(normalised_black(-0.5, kInfinity), std::exp(-0.25));
    EXPECT_TRUE(std::isnan(normalised_black(kNaN, 1.0)));
    EXPECT_TRUE(std::isnan(normalised_black(-0.5, kNaN)));
}

TEST(NormalisedImpliedVolatility, RoundTripOverTheWholeGrid) {
    const Sweep market = sweep(3.0, 0.02, 1e-4, 3.0, 1.021);
    EXPECT_GT(market.count, 30'000);
    EXPECT_LT(market.worst, 1e-14);
    // With |x| <= 3 and v <= 3 no point is worse conditioned than this either.
    EXPECT_LT(market.worst_raw, 5e-14);
}

TEST(NormalisedImpliedVolatility, RoundTripFarOutsideOfMarkets) {
    const Sweep near_the_money = sweep(1e-9, 1e-11, 1e-12, 40.0, 1.1);
    EXPECT_GT(near_the_money.count, 20'000);
    EXPECT_LT(near_the_money.worst, 2e-14);
    const Sweep far = sweep(1000.0, 7.0, 1e-2, 80.0, 1.05);
    EXPECT_GT(far.count, 1'000);
    EXPECT_LT(far.worst, 2e-14);
}

TEST(NormalisedImpliedVolatility, EitherSideOfEachBranchPoint) {
    for (const double m : {1e-6, 1e-3, 0.1, 1.0, 3.0}) {
        // The inflection sqrt(2m), and a fine walk over what lies around it.
        const double centre = std::sqrt(2.0 * m);
        for (double v = 0.3 * centre; v < centre + 3.0; v += 0.00171 * (centre + 1.0)) {
            const double b = normalised_black(-m, v);
            EXPECT_NEAR(normalised_implied_volatility(b, -m) / v, 1.0, 1e-14 * condition(-m, v))
                << "m " << m << " v " << v;
        }
    }
}

TEST(NormalisedImpliedVolatility, IsMonotoneInThePrice) {
    for (const double x : {0.0, -0.01, -0.3, -2.0}) {
        const double maximum = std::exp(0.5 * x);
        double before = 0.0;
        for (int i = 1; i < 4000; ++i) {
            const double v = normalised_implied_volatility(maximum * i / 4000.0, x);
            EXPECT_GT(v, before) << "x " << x << " i " << i;
            before = v;
        }
    }
}

TEST(NormalisedImpliedVolatility, OutsideOfItsDomain) {
    EXPECT_EQ(normalised_implied_volatility(0.0, -0.1), 0.0);
    EXPECT_TRUE(std::isnan(normalised_implied_volatility(-1e-9, -0.1)));
    EXPECT_TRUE(std::isnan(normalised_implied_volatility(1.0, 0.0)));
    EXPECT_TRUE(std::isnan(normalised_implied_volatility(0.99, -0.1)));
    EXPECT_TRUE(std::isnan(normalised_implied_volatility(kNaN, -0.1)));
    EXPECT_TRUE(std::isnan(normalised_implied_volatility(0.1, kNaN)));
}

constexpr double kForward = 4510.5;
constexpr double kDiscount = 0.9876;
constexpr double kYears = 0.25;

double price_of(double strike, double volatility, Right right) {
    return black_price({.forward = kForward,
                        .strike = strike,
                        .volatility = volatility,
                        .years = kYears,
                        .discount = kDiscount},
                       right);
}

IvResult implied(double price, double strike, Right right) {
    return implied_volatility(price, kForward, strike, kYears, kDiscount, right);
}

TEST(ImpliedVolatility, RecoversTheVolatilityOfAQuote) {
    for (const double strike : {500.0, 2000.0, 4000.0, 4500.0, 4510.5, 4511.0, 5000.0, 9000.0}) {
        for (const double volatility : {0.05, 0.12, 0.4, 1.5, 6.0}) {
            for (const Right right : {Right::call, Right::put}) {
                const double price = price_of(strike, volatility, right);
                const bool in_the_money = (right == Right::call) == (strike < kForward);
                const double time_value =
                    price_of(strike, volatility, strike < kForward ? Right::put : Right::call);
                // Subtracting the intrinsic value leaves the roundings of the whole price.
                if (in_the_money && time_value < 1e-3) continue;
                if (price < 1e-290) continue;
                const double bound =
                    1e-13 + (in_the_money ? 1e-12 / std::fmin(time_value, 1.0) : 0.0);
                const IvResult result = implied(price, strike, right);
                EXPECT_EQ(result.status, IvStatus::ok);
                EXPECT_NEAR(result.volatility / volatility, 1.0, bound)
                    << strike << ' ' << volatility << ' ' << static_cast<int>(right);
            }
        }
    }
}

TEST(ImpliedVolatility, PutAndCallOfOneStrikeAgree) {
    for (const double strike : {4000.0, 4510.5, 4800.0}) {
        const IvResult call = implied(price_of(strike, 0.2, Right::call), strike, Right::call);
        const IvResult put = implied(price_of(strike, 0.2, Right::put), strike, Right::put);
        EXPECT_NEAR(call.volatility, put.volatility, 1e-13);
    }
}

TEST(ImpliedVolatility, VeryDeepOutOfTheMoney) {
    // b(-5, 0.14) = 4.63e-282, computed in 60 digits.
    const double low = std::exp(-2.5);
    const double high = std::exp(2.5);
    const IvResult result =
        implied_volatility(4.6318182327829557028e-282, low, high, 1.0, 1.0, Right::call);
    EXPECT_EQ(result.status, IvStatus::ok);
    EXPECT_NEAR(result.volatility / 0.14, 1.0, 1e-14);
    // A subnormal price has few digits, and still an answer.
    const IvResult least = implied_volatility(5e-324, low, high, 1.0, 1.0, Right::call);
    EXPECT_EQ(least.status, IvStatus::ok);
    EXPECT_GT(least.volatility, 0.12);
    EXPECT_LT(least.volatility, 0.14);
}

// Normalised, such a price may be 0, and at the money its volatility is as small as itself.
TEST(ImpliedVolatility, SubnormalPricesHaveAnAnswer) {
    for (const double strike : {970.0, 3720.0, 4510.5, 21'000.0}) {
        for (const double price : {5e-324, 3.7e-322, 1e-320, 1e-310, 1e-200}) {
            const Right right = strike < kForward ? Right::put : Right::call;
            const IvResult result = implied(price, strike, right);
            EXPECT_EQ(result.status, IvStatus::ok) << strike << ' ' << price;
            if (strike != kForward) {
                // |ln K/F| over sigma sqrt(T) is 38.6 where the density is the least subnormal.
                const double a = std::fabs(std::log(strike / kForward)) / (result.volatility * 0.5);
                EXPECT_GT(a, 25.0) << strike << ' ' << price;
                EXPECT_LT(a, 39.0) << strike << ' ' << price;
            } else if (price > 1e-312) {
                EXPECT_NEAR(result.volatility * kForward * kDiscount * 0.5 /
                                (std::sqrt(8.0 * std::atan(1.0)) * price),
                            1.0, 0.02)
                    << price;
            }
        }
    }
}

// The price is a normal double, its part of the forward is not: the volatility has all digits. Prices by the textbook's
// formula in 332 bits.
TEST(ImpliedVolatility, NormalPricesOfLargeForwards) {
    const struct {
        double price, forward, strike, volatility;
    } quotes[] = {
        {2.225073858507283e-308, 522910832199.9776, 58932969437.09763, 0.0573987052306467},
        {2.225073858507308e-308, 122082142173.38257, 1122164216706.4204, 0.05829648715774192},
        {2.2250738585073333e-308, 445214859.6709769, 367622373.1929005, 0.005065011598056052},
    };
    for (const auto& q : quotes) {
        const Right right = q.strike < q.forward ? Right::put : Right::call;
        const IvResult one = implied_volatility(q.price, q.forward, q.strike, 1.0, 1.0, right);
        EXPECT_EQ(one.status, IvStatus::ok);
        EXPECT_NEAR(one.volatility / q.volatility, 1.0, 1e-14) << q.forward;
    }
}

TEST(ImpliedVolatility, VolatilityTowardsZero) {
    for (const double volatility : {1e-3, 1e-6, 1e-9, 1e-12}) {
        const double price = price_of(kForward, volatility, Right::call);
        EXPECT_NEAR(implied(price, kForward, Right::call).volatility / volatility, 1.0, 1e-14);
    }
    // One basis point away, the price keeps full accuracy down to where it underflows.
    const double strike = kForward * 1.0001;
    for (const double volatility : {1e-1, 1e-2, 1e-3, 1e-5}) {
        const double price = price_of(strike, volatility, Right::call);
        EXPECT_NEAR(implied(price, strike, Right::call).volatility / volatility, 1.0, 1e-14);
    }
}

TEST(ImpliedVolatility, IntrinsicPriceHasNoVolatility) {
    for (const double strike : {4500.0, 3000.0, 1.0}) {
        // Either way of computing the intrinsic value, with its own roundings.
        for (const double price :
             {kDiscount * (kForward - strike), kDiscount * kForward - kDiscount * strike}) {
            const IvResult result = implied(price, strike, Right::call);
            EXPECT_EQ(result.status, IvStatus::ok) << strike;
            EXPECT_EQ(result.volatility, 0.0) << strike;
        }
    }
    const IvResult worthless = implied(0.0, 5000.0, Right::call);
    EXPECT_EQ(worthless.status, IvStatus::ok);
    EXPECT_EQ(worthless.volatility, 0.0);
}

TEST(ImpliedVolatility, BelowIntrinsic) {
    for (const double price : {kDiscount * 510.5 - 0.01, 0.0, -1.0, -kInfinity}) {
        const IvResult result = implied(price, 4000.0, Right::call);
        EXPECT_EQ(result.status, IvStatus::below_intrinsic) << price;
        EXPECT_TRUE(std::isnan(result.volatility));
    }
    EXPECT_EQ(implied(-0.01, 5000.0, Right::call).status, IvStatus::below_intrinsic);
    EXPECT_EQ(implied(400.0, 5000.0, Right::put).status, IvStatus::below_intrinsic);
}

TEST(ImpliedVolatility, AboveMaximum) {
    // At D F of a call and D K of a put no finite volatility is left.
    for (const double price : {kDiscount * kForward * (1.0 + 1e-15), 5000.0, kInfinity}) {
        const IvResult result = implied(price, 4000.0, Right::call);
        EXPECT_EQ(result.status, IvStatus::above_max) << price;
        EXPECT_TRUE(std::isnan(result.volatility));
    }
    EXPECT_EQ(implied_volatility(100.0, 100.0, 100.0, 1.0, 1.0, Right::call).status,
              IvStatus::above_max);
    EXPECT_EQ(implied(4000.0 * kDiscount + 0.01, 4000.0, Right::put).status, IvStatus::above_max);
    const IvResult just_below = implied_volatility(99.999999, 100.0, 100.0, 1.0, 1.0, Right::call);
    EXPECT_EQ(just_below.status, IvStatus::ok);
    // At the money b = 2 N(v/2) - 1.
    EXPECT_NEAR(just_below.volatility, -2.0 * normal_inverse_cdf(0.5e-8), 1e-7);
}

TEST(ImpliedVolatility, ExpiredAndMissingInputs) {
    for (const double years : {0.0, -0.1, kNaN, -kInfinity}) {
        const IvResult result = implied_volatility(1.0, 100.0, 100.0, years, 1.0, Right::call);
        EXPECT_EQ(result.status, IvStatus::expired) << years;
        EXPECT_TRUE(std::isnan(result.volatility));
    }
    for (const double bad : {0.0, -1.0, kNaN, kInfinity}) {
        EXPECT_EQ(implied_volatility(1.0, bad, 100.0, 1.0, 1.0, Right::call).status,
                  IvStatus::no_forward);
        EXPECT_EQ(implied_volatility(1.0, 100.0, bad, 1.0, 1.0, Right::call).status,
                  IvStatus::no_forward);
        EXPECT_EQ(implied_volatility(1.0, 100.0, 100.0, 1.0, bad, Right::call).status,
                  IvStatus::no_forward);
    }
    EXPECT_EQ(implied_volatility(1.0, 100.0, 100.0, kInfinity, 1.0, Right::call).status,
              IvStatus::no_forward);
    const IvResult no_price = implied_volatility(kNaN, 100.0, 100.0, 1.0, 1.0, Right::call);
    EXPECT_EQ(no_price.status, IvStatus::no_bid);
    EXPECT_TRUE(std::isnan(no_price.volatility));
}

TEST(ImpliedVolatility, StatusNames) {
    EXPECT_EQ(std::string(to_string(IvStatus::ok)), "ok");
    EXPECT_EQ(std::string(to_string(IvStatus::below_intrinsic)), "below_intrinsic");
    EXPECT_EQ(std::string(to_string(IvStatus::above_max)), "above_max");
    EXPECT_EQ(std::string(to_string(IvStatus::no_bid)), "no_bid");
    EXPECT_EQ(std::string(to_string(IvStatus::no_ask)), "no_ask");
    EXPECT_EQ(std::string(to_string(IvStatus::expired)), "expired");
    EXPECT_EQ(std::string(to_string(IvStatus::not_tradable)), "not_tradable");
    EXPECT_EQ(std::string(to_string(IvStatus::crossed)), "crossed");
    EXPECT_EQ(std::string(to_string(IvStatus::no_forward)), "no_forward");
}

}  // namespace
}  // namespace scanmq::pricing
