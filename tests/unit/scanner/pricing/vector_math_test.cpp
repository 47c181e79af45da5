// vector_math-inl.hpp on every target this machine runs, against long double.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/unit/scanner/pricing/vector_math_test.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/pricing/vector_math-inl.hpp"
#include "tests/support/each_target.hpp"

#ifndef SCANMQ_VECTOR_MATH_TEST_CASE
#define SCANMQ_VECTOR_MATH_TEST_CASE
namespace scanmq::pricing {
enum class Function { exp, exp_bounded, log, log_ratio, mills_ratio, normal_pdf, normal_cdf };
}  // namespace scanmq::pricing
#endif

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE {

// The second argument is used by log_ratio alone. Sizes are padded to whole vectors by the caller.
void evaluate(Function function, const double* x, const double* y, std::size_t size, double* out) {
    const hn::ScalableTag<double> d;
    for (std::size_t i = 0; i < size; i += hn::Lanes(d)) {
        const auto v = hn::LoadU(d, x + i);
        auto result = v;
        switch (function) {
            case Function::exp:
                result = exp(d, v);
                break;
            case Function::exp_bounded:
                result = exp_bounded(d, v);
                break;
            case Function::log:
                result = log(d, v);
                break;
            case Function::log_ratio:
                result = log_ratio(d, v, hn::LoadU(d, y + i));
                break;
            case Function::mills_ratio:
                result = mills_ratio(d, v);
                break;
            case Function::normal_pdf:
                result = normal_pdf(d, v);
                break;
            case Function::normal_cdf:
                result = normal_cdf(d, v);
                break;
        }
        hn::StoreU(result, d, out + i);
    }
}

}  // namespace scanmq::pricing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::pricing {
namespace {

HWY_EXPORT(evaluate);

using tests::EachTarget;
using tests::supported_targets;
using tests::target_name;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class VectorMath : public EachTarget {
  protected:
    static std::vector<double> run(Function function, std::vector<double> x,
                                   std::vector<double> y = {}) {
        const std::size_t size = x.size();
        const std::size_t padded = (size + 63) / 64 * 64;
        x.resize(padded, 1.0);
        y.resize(padded, 1.0);
        std::vector<double> out(padded);
        HWY_DYNAMIC_DISPATCH(evaluate)(function, x.data(), y.data(), padded, out.data());
        out.resize(size);
        return out;
    }
    static double run(Function function, double x) { return run(function, std::vector{x})[0]; }

    template <class Reference>
    static double worst(Function function, const std::vector<double>& x, Reference reference) {
        const auto got = run(function, x);
        double error = 0.0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const long double want = reference(static_cast<long double>(x[i]));
            const long double off = want == 0.0L ? std::fabs(static_cast<long double>(got[i]))
                                                 : std::fabs((got[i] - want) / want);
            EXPECT_FALSE(std::isnan(got[i])) << x[i];
            error = std::max(error, static_cast<double>(off));
        }
        return error;
    }
};

std::vector<double> uniform(double low, double high, std::size_t size = 40'000) {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> between(low, high);
    std::vector<double> out(size);
    for (double& value : out) value = between(random);
    return out;
}

std::vector<double> log_uniform(double low, double high) {
    std::vector<double> out = uniform(std::log(low), std::log(high));
    for (double& value : out) value = std::exp(value);
    return out;
}

long double tail(long double z) { return 0.5L * std::erfc(z / std::sqrt(2.0L)); }
long double density(long double z) {
    return std::exp(-0.5L * z * z) / std::sqrt(8.0L * std::atan(1.0L));
}

TEST_P(VectorMath, Exp) {
    const auto reference = [](long double x) { return std::exp(x); };
    EXPECT_LT(worst(Function::exp, uniform(-708.0, 709.7), reference), 2.3e-16);
    EXPECT_LT(worst(Function::exp, uniform(-1.0, 1.0), reference), 2.3e-16);
    EXPECT_LT(worst(Function::exp_bounded, uniform(-708.0, 709.0), reference), 2.3e-16);
    EXPECT_EQ(run(Function::exp, 0.0), 1.0);
    EXPECT_EQ(run(Function::exp, -746.0), 0.0);
    EXPECT_EQ(run(Function::exp, -kInfinity), 0.0);
    EXPECT_EQ(run(Function::exp, 709.79), kInfinity);
    EXPECT_EQ(run(Function::exp, kInfinity), kInfinity);
    EXPECT_TRUE(std::isnan(run(Function::exp, kNaN)));
    // A subnormal result is rounded once more.
    EXPECT_NEAR(run(Function::exp, -740.0) / std::exp(-740.0), 1.0, 0.03);
}

TEST_P(VectorMath, Log) {
    const auto reference = [](long double x) { return std::log(x); };
    EXPECT_LT(worst(Function::log, log_uniform(1e-300, 1e300), reference), 2.3e-16);
    EXPECT_LT(worst(Function::log, uniform(0.5, 2.0), reference), 2.3e-16);
    EXPECT_LT(worst(Function::log, uniform(0.999, 1.001), reference), 2.3e-16);
    EXPECT_LT(worst(Function::log, log_uniform(1e-320, 1e-308), reference), 2.3e-16);
    EXPECT_EQ(run(Function::log, 1.0), 0.0);
    EXPECT_EQ(run(Function::log, 0.0), -kInfinity);
    EXPECT_EQ(run(Function::log, kInfinity), kInfinity);
    for (const double bad : {-1.0, -1e-310, -kInfinity, kNaN}) {
        EXPECT_TRUE(std::isnan(run(Function::log, bad))) << bad;
    }
}

TEST_P(VectorMath, LogRatioKeepsItsDigitsAsTheTwoMeet) {
    for (const double spread : {1e-15, 1e-9, 1e-4, 0.1, 0.5, 1.0, 10.0, 300.0}) {
        const std::vector<double> low = log_uniform(1e-3, 1e5);
        const std::vector<double> apart = uniform(0.0, spread);
        std::vector<double> high(low.size());
        for (std::size_t i = 0; i < low.size(); ++i) high[i] = low[i] * std::exp(apart[i]);
        const auto got = run(Function::log_ratio, high, low);
        double error = 0.0;
        for (std::size_t i = 0; i < low.size(); ++i) {
            // log1p, as the quotient would keep its rounding.
            const long double want =
                std::log1p((static_cast<long double>(high[i]) - low[i]) / low[i]);
            if (want == 0.0L) {
                EXPECT_EQ(got[i], 0.0);
                continue;
            }
            error = std::max(error, static_cast<double>(std::fabs(got[i] / want - 1.0L)));
        }
        EXPECT_LT(error, 5e-16) << spread;
    }
}

TEST_P(VectorMath, MillsRatio) {
    const auto reference = [](long double z) { return tail(z) / density(z); };
    EXPECT_LT(worst(Function::mills_ratio, uniform(0.0, 64.0), reference), 1e-15);
    EXPECT_LT(worst(Function::mills_ratio, uniform(0.0, 1.0), reference), 1e-15);
}

TEST_P(VectorMath, NormalDensity) {
    EXPECT_LT(worst(Function::normal_pdf, uniform(-37.5, 37.5), density), 6e-16);
    EXPECT_EQ(run(Function::normal_pdf, 41.0), 0.0);
    EXPECT_EQ(run(Function::normal_pdf, -kInfinity), 0.0);
    EXPECT_TRUE(std::isnan(run(Function::normal_pdf, kNaN)));
}

TEST_P(VectorMath, NormalCumulative) {
    const auto reference = [](long double x) { return tail(-x); };
    EXPECT_LT(worst(Function::normal_cdf, uniform(-37.5, 10.0), reference), 1.5e-15);
    EXPECT_LT(worst(Function::normal_cdf, uniform(-1.0, 1.0), reference), 1.5e-15);
    EXPECT_EQ(run(Function::normal_cdf, 0.0), 0.5);
    EXPECT_EQ(run(Function::normal_cdf, -kInfinity), 0.0);
    EXPECT_EQ(run(Function::normal_cdf, kInfinity), 1.0);
    EXPECT_TRUE(std::isnan(run(Function::normal_cdf, kNaN)));
}

INSTANTIATE_TEST_SUITE_P(Targets, VectorMath, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace scanmq::pricing
#endif
