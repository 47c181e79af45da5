// The functions that take the place of the C library's: close enough, and the same on each machine.

#include "scanner/pricing/portable_math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/base/rng.hpp"

namespace scanmq::portable {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double relative(double got, long double want) {
    return static_cast<double>(std::fabs((static_cast<long double>(got) - want) / want));
}

TEST(PortableMath, ExpAndLog) {
    double worst_exp = 0;
    double worst_expm1 = 0;
    double worst_log = 0;
    double worst_log1p = 0;
    Rng rng(1);
    for (int i = 0; i < 400'000; ++i) {
        const double size = std::pow(10.0, -8.0 + 10.8 * rng.uniform());
        const double x = std::fmin(size, 700.0) * (i % 2 == 0 ? 1.0 : -1.0);
        worst_exp = std::fmax(worst_exp, relative(exp(x), std::exp(static_cast<long double>(x))));
        worst_expm1 =
            std::fmax(worst_expm1, relative(expm1(x), std::expm1(static_cast<long double>(x))));
        const double y = i % 3 == 0 ? 1.0 + 0.4 * (rng.uniform() - 0.5) : std::exp(x);
        const double near_zero = x > -1.0 ? x : -1.0 + std::exp(x);
        worst_log1p =
            std::fmax(worst_log1p,
                      relative(log1p(near_zero), std::log1p(static_cast<long double>(near_zero))));
        if (y == 1.0) continue;
        worst_log = std::fmax(worst_log, relative(log(y), std::log(static_cast<long double>(y))));
    }
    EXPECT_LT(worst_exp, 2.3e-16);
    EXPECT_LT(worst_expm1, 1e-15);
    EXPECT_LT(worst_log, 2.3e-16);
    EXPECT_LT(worst_log1p, 1e-15);
}

TEST(PortableMath, TheEnds) {
    EXPECT_EQ(exp(0.0), 1.0);
    EXPECT_EQ(exp(-kInfinity), 0.0);
    EXPECT_EQ(exp(kInfinity), kInfinity);
    EXPECT_EQ(exp(710.0), kInfinity);
    EXPECT_NEAR(exp(709.7) / std::exp(709.7), 1.0, 1e-15);
    EXPECT_NEAR(exp(-744.0) / std::exp(-744.0), 1.0, 0.5) << "the smallest but one";
    EXPECT_EQ(exp(-746.0), 0.0);
    EXPECT_TRUE(std::isnan(exp(kNaN)));
    EXPECT_EQ(expm1(0.0), 0.0);
    EXPECT_EQ(expm1(-kInfinity), -1.0);
    EXPECT_TRUE(std::isnan(expm1(kNaN)));
    EXPECT_EQ(log(1.0), 0.0);
    EXPECT_EQ(log(0.0), -kInfinity);
    EXPECT_EQ(log(kInfinity), kInfinity);
    EXPECT_TRUE(std::isnan(log(-1.0)));
    EXPECT_TRUE(std::isnan(log(kNaN)));
    EXPECT_NEAR(log(5e-324), std::log(5e-324), 1e-12);
    EXPECT_EQ(log1p(0.0), 0.0);
    EXPECT_EQ(log1p(1e-300), 1e-300);
    EXPECT_EQ(log1p(-1.0), -kInfinity);
    EXPECT_EQ(log1p(kInfinity), kInfinity);
    EXPECT_TRUE(std::isnan(log1p(-1.5)));
    EXPECT_TRUE(std::isnan(log1p(kNaN)));
    EXPECT_EQ(tanh(kInfinity), 1.0);
    EXPECT_EQ(tanh(-50.0), -1.0);
    EXPECT_EQ(cosh(1000.0), kInfinity);
    EXPECT_EQ(sinh(-1000.0), -kInfinity);
    EXPECT_TRUE(std::isnan(tanh(kNaN)));
    EXPECT_TRUE(std::isnan(sin(kNaN)));
    EXPECT_TRUE(std::isnan(asin(1.1)));
    EXPECT_NEAR(asin(1.0), std::asin(1.0), 1e-15);
    EXPECT_NEAR(asin(-1.0), std::asin(-1.0), 1e-15);
}

TEST(PortableMath, TheRest) {
    Rng rng(2);
    for (int i = 0; i < 100'000; ++i) {
        const double x = 20.0 * (rng.uniform() - 0.5);
        ASSERT_LT(relative(sinh(x), std::sinh(static_cast<long double>(x))), 1e-15) << x;
        ASSERT_LT(relative(cosh(x), std::cosh(static_cast<long double>(x))), 1e-15) << x;
        ASSERT_LT(relative(tanh(x), std::tanh(static_cast<long double>(x))), 1e-15) << x;
        ASSERT_NEAR(sin(x), static_cast<double>(std::sin(static_cast<long double>(x))), 2.3e-16);
        ASSERT_NEAR(cos(x), static_cast<double>(std::cos(static_cast<long double>(x))), 2.3e-16);
        const double share = 0.1 * x;
        ASSERT_LT(relative(asin(share), std::asin(static_cast<long double>(share))), 1e-15);
        const double base = std::exp(0.3 * x);
        const double power = 10.0 * rng.uniform();
        const double lost = 1e-15 + 3.4e-16 * std::fabs(power * std::log(base));
        ASSERT_LT(relative(pow(base, power), std::pow(static_cast<long double>(base), power)),
                  lost);
    }
}

// Against the C library's, which is right to the last bit: any two doubles, and sums that cancel.
TEST(PortableMath, MultiplyAddRoundsOnce) {
    Rng rng(3);
    const auto any = [&] { return std::bit_cast<double>(rng.next()); };
    const auto ordinary = [&] {
        return std::ldexp(rng.uniform() - 0.5, static_cast<int>(rng.below(60)) - 30);
    };
    const auto same = [](double a, double b) {
        return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
               (std::isnan(a) && std::isnan(b));
    };
    for (int i = 0; i < 1'000'000; ++i) {
        const double a = i % 4 == 0 ? any() : ordinary();
        const double b = i % 4 == 0 ? any() : ordinary();
        double c = i % 8 == 1 ? any() : ordinary();
        if (i % 4 == 2) {  // all but the last digits cancel, or a tie must be broken
            const double off = static_cast<double>(static_cast<int>(rng.below(7)) - 3);
            c = std::ldexp(-a * b * (1.0 + off * 0x1p-52), static_cast<int>(rng.below(3)) - 1);
        }
        ASSERT_TRUE(same(fma(a, b, c), std::fma(a, b, c))) << a << ' ' << b << ' ' << c;
    }
    const double ends[] = {0.0,    -0.0,   1.0,       -1.0,       1e-300,
                           -1e308, 5e-324, kInfinity, -kInfinity, kNaN};
    for (const double a : ends) {
        for (const double b : ends) {
            for (const double c : ends) {
                EXPECT_TRUE(same(fma(a, b, c), std::fma(a, b, c))) << a << ' ' << b << ' ' << c;
            }
        }
    }
}

}  // namespace
}  // namespace scanmq::portable
