// implied_volatility over many quotes, on every instruction set: against values of the price in
// long double, and against the form for one quote.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "scanner/pricing/black.hpp"
#include "scanner/pricing/implied_volatility.hpp"
#include "tests/support/each_target.hpp"

namespace scanmq::pricing {
namespace {

using market::Right;
using tests::EachTarget;
using tests::supported_targets;
using tests::target_name;
using tests::use_target;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// 1 - z R(z) in long double, R the Mills ratio: where that cancels by its continued fraction, R(z) =
// 1/(z + c), c = 1/(z + 2/(z + 3/(z + ...))).
long double mills_slope(long double z) {
    if (z < 5.0L) {
        const long double ratio = std::sqrt(2.0L * std::atan(1.0L)) * std::exp(0.5L * z * z) *
                                  std::erfc(z * std::sqrt(0.5L));
        return 1.0L - z * ratio;
    }
    long double rest = 0.0L;
    for (int k = 150; k >= 2; --k) rest = static_cast<long double>(k) / (z + rest);
    const long double c = 1.0L / (z + rest);
    return c / (z + c);
}

// The normalised Black value b(m, v) without cancellation: b/b' is the integral of 1 - z R(z) from
// a - t to a + t, a = m/v, t = v/2; Gauss and Legendre with 24 points.
long double reference_value(long double m, long double v) {
    constexpr int kPoints = 24;
    static const auto rule = [] {
        std::vector<std::pair<long double, long double>> out;
        for (int i = 0; i < kPoints; ++i) {
            long double z = std::cos(4.0L * std::atan(1.0L) * (i + 0.75L) / (kPoints + 0.5L));
            long double slope = 0.0L;
            for (int newton = 0; newton < 8; ++newton) {
                long double before = 1.0L;
                long double value = z;
                for (int k = 2; k <= kPoints; ++k) {
                    const long double next = ((2 * k - 1) * z * value - (k - 1) * before) / k;
                    before = value;
                    value = next;
                }
                slope = kPoints * (z * value - before) / (z * z - 1.0L);
                z -= value / slope;
            }
            out.emplace_back(z, 2.0L / ((1.0L - z * z) * slope * slope));
        }
        return out;
    }();
    const long double a = m / v;
    const long double t = 0.5L * v;
    long double sum = 0.0L;
    for (const auto& [at, weight] : rule) sum += weight * mills_slope(a + t * at);
    const long double vega = std::exp(-0.5L * (a * a + t * t)) / std::sqrt(8.0L * std::atan(1.0L));
    return vega * t * sum;
}

// Out-of-the-money quotes of F = 100 whose volatility is known.
struct Quotes {
    std::vector<double> price, forward, strike, years, discount;
    std::vector<Right> right;
    std::vector<double> v;

    void add(double x, double deviation) {
        const double k = 100.0 * std::exp(x);
        const long double m = k > 100.0
                                  ? std::log1p((static_cast<long double>(k) - 100.0L) / 100.0L)
                                  : std::log1p((100.0L - k) / static_cast<long double>(k));
        const long double b = reference_value(m, deviation);
        if (b < 3e-308L || deviation <= 0.0) return;
        const long double value = b * std::sqrt(100.0L * static_cast<long double>(k));
        price.push_back(static_cast<double>(value));
        forward.push_back(100.0);
        strike.push_back(k);
        years.push_back(1.0);
        discount.push_back(1.0);
        right.push_back(k > 100.0 ? Right::call : Right::put);
        v.push_back(deviation);
    }
    [[nodiscard]] IvColumns columns() const {
        return {price, forward, strike, years, discount, right};
    }
};

const Quotes& grid() {
    static const Quotes quotes = [] {
        Quotes out;
        std::vector<double> xs;
        for (int i = -60; i <= 60; ++i) xs.push_back(0.05 * i);
        for (double x = 1e-12; x < 0.05; x *= 3.0) {
            xs.push_back(x);
            xs.push_back(-x);
        }
        std::vector<double> vs;
        for (double v = 3.0; v > 1e-9; v *= v > 0.01 ? 0.97 : 0.7) vs.push_back(v);
        for (const double x : xs) {
            for (const double v : vs) out.add(x, v);
        }
        std::mt19937_64 random(11);
        std::uniform_real_distribution<double> moneyness(-3.0, 3.0);
        std::uniform_real_distribution<double> deviation(0.0, 3.0);
        for (int i = 0; i < 6000; ++i) out.add(moneyness(random), deviation(random));
        for (int i = 0; i < 6000; ++i) {
            const double v = 0.5 * deviation(random) * deviation(random) / 9.0;
            out.add(moneyness(random) * 2.0 * v, v);
        }
        return out;
    }();
    return quotes;
}

class ImpliedColumns : public EachTarget {};

TEST_P(ImpliedColumns, RecoverTheVolatilityWhereverThePriceIsNormal) {
    const Quotes& quotes = grid();
    EXPECT_GT(quotes.v.size(), 20'000U);
    std::vector<double> volatility(quotes.v.size());
    std::vector<IvStatus> status(quotes.v.size());
    implied_volatility(quotes.columns(), volatility, status);
    double worst = 0.0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < volatility.size(); ++i) {
        ASSERT_EQ(status[i], IvStatus::ok) << quotes.strike[i] << ' ' << quotes.v[i];
        const double error = std::fabs(volatility[i] / quotes.v[i] - 1.0);
        ASSERT_FALSE(std::isnan(error)) << quotes.strike[i] << ' ' << quotes.v[i];
        if (error > worst) {
            worst = error;
            at = i;
        }
    }
    EXPECT_LT(worst, 1e-14) << "ln K/F " << std::log(quotes.strike[at] / 100.0) << " v "
                            << quotes.v[at];
}

INSTANTIATE_TEST_SUITE_P(Targets, ImpliedColumns, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace scanmq::pricing
