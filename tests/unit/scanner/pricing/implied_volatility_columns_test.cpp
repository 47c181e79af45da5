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
#include "scanner/pricing/implied_kernel.hpp"
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

struct Implied {
    std::vector<double> volatility;
    std::vector<IvStatus> status;
};
Implied imply(const IvColumns& columns) {
    Implied out{std::vector<double>(columns.price.size()),
                std::vector<IvStatus>(columns.price.size())};
    implied_volatility(columns, out.volatility, out.status);
    return out;
}

// Quotes of both rights on one expiry, in and out of the money, good and bad ones.
struct Chain {
    IvExpiry expiry;
    std::vector<double> price, strike;
    std::vector<Right> right;

    void add(double quote, double k, Right side) {
        price.push_back(quote);
        strike.push_back(k);
        right.push_back(side);
    }
    [[nodiscard]] Implied imply() const {
        Implied out{std::vector<double>(price.size()), std::vector<IvStatus>(price.size())};
        implied_volatility(expiry, price, strike, right, out.volatility, out.status);
        return out;
    }
    [[nodiscard]] IvResult single(std::size_t i) const {
        return implied_volatility(price[i], expiry.forward, strike[i], expiry.years,
                                  expiry.discount, right[i]);
    }
};

Chain chain() {
    Chain out{{4510.5, 0.25, 0.9876}, {}, {}, {}};
    for (double k = 300.0; k < 40'000.0; k *= 1.013) {
        for (const double sigma : {0.01, 0.08, 0.2, 0.7, 2.0, 5.0}) {
            for (const Right side : {Right::call, Right::put}) {
                out.add(black_price({.forward = 4510.5,
                                     .strike = k,
                                     .volatility = sigma,
                                     .years = 0.25,
                                     .discount = 0.9876},
                                    side),
                        k, side);
            }
        }
        // Around and below the intrinsic value, and at the maximum.
        const double intrinsic = 0.9876 * (4510.5 - k);
        for (const double quote : {intrinsic, intrinsic - 0.01, intrinsic + 0.01, 0.0, -1.0,
                                   0.9876 * 4510.5, 5000.0, kNaN, kInfinity, -kInfinity}) {
            out.add(quote, k, Right::call);
        }
        for (const double quote : {-intrinsic, -intrinsic - 0.01, -intrinsic + 0.01, 0.9876 * k}) {
            out.add(quote, k, Right::put);
        }
    }
    return out;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

class ImpliedColumns : public EachTarget {};

// With nothing left for the scalar function: the targets for speed hold over all of it.
TEST_P(ImpliedColumns, TheKernelTakesItsWholeDomain) {
    const Quotes& quotes = grid();
    detail::ImpliedBlock block;
    constexpr std::size_t kRows = detail::kImpliedRows;
    for (std::size_t begin = 0; begin + kRows <= quotes.v.size(); begin += kRows) {
        for (std::size_t i = 0; i < kRows; ++i) {
            block.price[i] = quotes.price[begin + i];
            block.forward[i] = quotes.forward[begin + i];
            block.strike[i] = quotes.strike[begin + i];
            block.discount[i] = quotes.discount[begin + i];
            block.sign[i] = quotes.right[begin + i] == Right::call ? 1.0 : -1.0;
        }
        EXPECT_EQ(detail::imply_block(block, kRows), 0U) << begin;
    }
}

TEST_P(ImpliedColumns, EqualTheSingleForm) {
    const Chain quotes = chain();
    const Implied out = quotes.imply();
    int count = 0;
    for (std::size_t i = 0; i < quotes.price.size(); ++i) {
        SCOPED_TRACE(::testing::Message()
                     << "price " << quotes.price[i] << " strike " << quotes.strike[i] << " right "
                     << static_cast<int>(quotes.right[i]));
        const IvResult single = quotes.single(i);
        ASSERT_EQ(out.status[i], single.status);
        if (single.status != IvStatus::ok) {
            EXPECT_TRUE(std::isnan(out.volatility[i]));
            continue;
        }
        // A difference in the roundings of price/discount, over vega, where time value is small.
        const double vega = bsm_greeks({4510.5 * 0.9876, quotes.strike[i], -4.0 * std::log(0.9876),
                                        0.0, 0.25, single.volatility},
                                       quotes.right[i])
                                .vega;
        const double rounding = 2e-16 * std::max(4510.5, quotes.strike[i]);
        if (vega < 1e3 * rounding) continue;
        EXPECT_NEAR(out.volatility[i], single.volatility,
                    1e-14 * single.volatility + 4.0 * rounding / vega);
        ++count;
    }
    EXPECT_GT(count, 2'000);
}

TEST_P(ImpliedColumns, OutsideOfTheDomainIsTheSingleForm) {
    Quotes quotes;
    for (double x = -12.0; x < 12.0; x += 0.37) {
        for (double v = 0.1; v < 11.0; v *= 1.3) {
            if (std::fabs(x) > 3.1 || v > 3.1) quotes.add(x, v);
        }
    }
    const Implied out = imply(quotes.columns());
    for (std::size_t i = 0; i < quotes.v.size(); ++i) {
        const IvResult single =
            implied_volatility(quotes.price[i], 100.0, quotes.strike[i], 1.0, 1.0, quotes.right[i]);
        EXPECT_EQ(out.status[i], single.status) << quotes.strike[i] << ' ' << quotes.v[i];
        EXPECT_TRUE(same(out.volatility[i], single.volatility)) << quotes.strike[i];
    }
}

TEST_P(ImpliedColumns, ARowDoesNotDependOnItsNeighbours) {
    const Chain quotes = chain();
    const Implied whole = quotes.imply();
    for (const std::size_t size : {1U, 2U, 3U, 7U, 8U, 9U, 63U, 64U, 65U, 200U}) {
        for (const std::size_t begin : {std::size_t{0}, std::size_t{5}, std::size_t{1313}}) {
            std::vector<double> volatility(size);
            std::vector<IvStatus> status(size);
            implied_volatility(quotes.expiry, std::span(quotes.price).subspan(begin, size),
                               std::span(quotes.strike).subspan(begin, size),
                               std::span(quotes.right).subspan(begin, size), volatility, status);
            for (std::size_t i = 0; i < size; ++i) {
                EXPECT_TRUE(same(volatility[i], whole.volatility[begin + i])) << begin + i;
                EXPECT_EQ(status[i], whole.status[begin + i]) << begin + i;
            }
        }
    }
}

TEST_P(ImpliedColumns, OneExpiryEqualsItsColumns) {
    const Chain quotes = chain();
    const std::size_t size = quotes.price.size();
    const std::vector<double> forward(size, quotes.expiry.forward);
    const std::vector<double> years(size, quotes.expiry.years);
    const std::vector<double> discount(size, quotes.expiry.discount);
    const Implied one = quotes.imply();
    const Implied rows =
        imply({quotes.price, forward, quotes.strike, years, discount, quotes.right});
    for (std::size_t i = 0; i < size; ++i) {
        EXPECT_TRUE(same(one.volatility[i], rows.volatility[i])) << i;
        EXPECT_EQ(one.status[i], rows.status[i]) << i;
    }
}

TEST_P(ImpliedColumns, OfNothing) {
    implied_volatility(IvExpiry{100.0, 1.0, 1.0}, {}, {}, {}, {}, {});
    implied_volatility(IvColumns{}, {}, {});
}

// Every bad input beside every other, in the middle of good rows: the status of the single form.
TEST_P(ImpliedColumns, BadInputsHaveTheStatusOfTheSingleForm) {
    const double values[] = {100.0, 0.0, -1.0, 1e-320, 1e-200, 1e200, kNaN, kInfinity, -kInfinity};
    std::vector<double> price, forward, strike, years, discount;
    std::vector<Right> right;
    const auto add = [&](double p, double f, double k, double t, double df, Right side) {
        price.push_back(p);
        forward.push_back(f);
        strike.push_back(k);
        years.push_back(t);
        discount.push_back(df);
        right.push_back(side);
    };
    for (const double a : values) {
        for (const double b : values) {
            for (const Right side : {Right::call, Right::put}) {
                add(a, b, 100.0, 1.0, 1.0, side);
                add(a, 100.0, b, 1.0, 1.0, side);
                add(a, 100.0, 100.0, b, 1.0, side);
                add(a, 100.0, 100.0, 1.0, b, side);
                add(5.0, a, b, 1.0, 1.0, side);
                add(5.0, a, 100.0, b, 1.0, side);
                add(5.0, a, 100.0, 1.0, b, side);
                add(5.0, 100.0, a, b, 1.0, side);
                add(5.0, 100.0, a, 1.0, b, side);
                add(5.0, 100.0, 100.0, a, b, side);
                add(5.0, 101.0, 100.0, 1.0, 1.0, side);
            }
        }
    }
    const Implied out = imply({price, forward, strike, years, discount, right});
    for (std::size_t i = 0; i < price.size(); ++i) {
        SCOPED_TRACE(::testing::Message()
                     << "price " << price[i] << " forward " << forward[i] << " strike " << strike[i]
                     << " years " << years[i] << " discount " << discount[i]);
        const IvResult single =
            implied_volatility(price[i], forward[i], strike[i], years[i], discount[i], right[i]);
        EXPECT_EQ(out.status[i], single.status);
        EXPECT_EQ(std::isnan(out.volatility[i]), single.status != IvStatus::ok);
        if (single.status == IvStatus::ok) {
            EXPECT_NEAR(out.volatility[i], single.volatility, 1e-13 * single.volatility);
        }
    }
}

TEST_P(ImpliedColumns, RecoverTheVolatilityWhereverThePriceIsNormal) {
    const Quotes& quotes = grid();
    EXPECT_GT(quotes.v.size(), 20'000U);
    const auto [volatility, status] = imply(quotes.columns());
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

TEST(ImpliedColumnsTargets, GiveTheSameBits) {
    const Chain quotes = chain();
    const Implied best = quotes.imply();
    const Implied best_grid = imply(grid().columns());
    for (const std::int64_t target : supported_targets()) {
        use_target(target);
        const Implied out = quotes.imply();
        const Implied out_grid = imply(grid().columns());
        use_target(0);
        EXPECT_EQ(out.status, best.status);
        for (std::size_t i = 0; i < out_grid.volatility.size(); ++i) {
            EXPECT_TRUE(same(out_grid.volatility[i], best_grid.volatility[i])) << i;
        }
        for (std::size_t i = 0; i < out.volatility.size(); ++i) {
            EXPECT_TRUE(same(out.volatility[i], best.volatility[i])) << i;
        }
    }
}

}  // namespace
}  // namespace scanmq::pricing
