// bsm_greeks over many rows, on every instruction set, against the form for one row.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "scanner/pricing/black.hpp"
#include "tests/support/each_target.hpp"

namespace scanmq::pricing {
namespace {

using tests::EachTarget;
using tests::supported_targets;
using tests::target_name;
using tests::use_target;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Columns {
    BsmExpiry expiry;
    std::vector<double> strike;
    std::vector<double> volatility;
    std::vector<Right> right;

    void add(double k, double sigma, Right side) {
        strike.push_back(k);
        volatility.push_back(sigma);
        right.push_back(side);
    }
    [[nodiscard]] std::vector<Greeks> price() const {
        std::vector<Greeks> out(strike.size());
        bsm_greeks(expiry, strike, volatility, right, out);
        return out;
    }
    [[nodiscard]] Greeks single(std::size_t i) const {
        return bsm_greeks({.spot = expiry.spot,
                           .strike = strike[i],
                           .rate = expiry.rate,
                           .yield = expiry.yield,
                           .years = expiry.years,
                           .volatility = volatility[i]},
                          right[i]);
    }
    // The size that each Greek of the row may have: what differences are measured by.
    [[nodiscard]] Greeks scale(std::size_t i) const {
        const double discount = std::exp(-expiry.rate * expiry.years);
        const double forward = expiry.spot * std::exp((expiry.rate - expiry.yield) * expiry.years);
        const double v = volatility[i] * std::sqrt(expiry.years);
        Greeks out;
        out.price = discount * std::max(forward, strike[i]);
        out.delta = std::exp(-expiry.yield * expiry.years);
        out.vega = 0.4 * discount * std::sqrt(forward * strike[i] * expiry.years);
        out.gamma = out.vega / (std::sqrt(expiry.years) * expiry.spot * expiry.spot * v);
        out.rho = discount * strike[i] * expiry.years;
        out.theta = std::fabs(expiry.rate) * out.price +
                    std::fabs(expiry.rate - expiry.yield) * expiry.spot * out.delta +
                    0.5 * volatility[i] * out.vega / expiry.years;
        return out;
    }
};

// |ln K/F| up to 3 and v up to 3, at random, and a chain's strikes by a smile.
std::vector<Columns> all_columns() {
    std::vector<Columns> out;
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> unit(0.0, 1.0);
    for (const double years : {1.0 / 365.0, 0.1178, 1.0, 5.0}) {
        for (const double rate : {0.053, -0.01}) {
            Columns columns;
            columns.expiry = {.spot = 4505.1, .rate = rate, .yield = 0.014, .years = years};
            for (int i = 0; i < 3003; ++i) {
                const double v = i % 2 == 0 ? 3.0 * unit(random) : 0.2 * unit(random);
                columns.add(4505.1 * std::exp((6.0 * unit(random) - 3.0) * std::min(1.0, 9.0 * v)),
                            v / std::sqrt(years), i % 3 == 0 ? Right::put : Right::call);
            }
            columns.add(4505.1 * std::exp((rate - 0.014) * years), 0.2, Right::call);
            out.push_back(columns);
        }
    }
    return out;
}

void expect_near(const Greeks& got, const Greeks& want, const Greeks& scale, double bound) {
    EXPECT_NEAR(got.price, want.price, bound * scale.price);
    EXPECT_NEAR(got.delta, want.delta, bound * scale.delta);
    EXPECT_NEAR(got.gamma, want.gamma, bound * scale.gamma);
    EXPECT_NEAR(got.vega, want.vega, bound * scale.vega);
    EXPECT_NEAR(got.theta, want.theta, bound * scale.theta);
    EXPECT_NEAR(got.rho, want.rho, bound * scale.rho);
}

void expect_same(const Greeks& got, const Greeks& want) {
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    EXPECT_TRUE(same(got.price, want.price)) << got.price << ' ' << want.price;
    EXPECT_TRUE(same(got.delta, want.delta)) << got.delta << ' ' << want.delta;
    EXPECT_TRUE(same(got.gamma, want.gamma)) << got.gamma << ' ' << want.gamma;
    EXPECT_TRUE(same(got.vega, want.vega)) << got.vega << ' ' << want.vega;
    EXPECT_TRUE(same(got.theta, want.theta)) << got.theta << ' ' << want.theta;
    EXPECT_TRUE(same(got.rho, want.rho)) << got.rho << ' ' << want.rho;
}

class BlackColumns : public EachTarget {};

TEST_P(BlackColumns, EqualTheSingleForm) {
    for (const Columns& columns : all_columns()) {
        const auto out = columns.price();
        for (std::size_t i = 0; i < out.size(); ++i) {
            SCOPED_TRACE(::testing::Message()
                         << "strike " << columns.strike[i] << " volatility "
                         << columns.volatility[i] << " years " << columns.expiry.years);
            expect_near(out[i], columns.single(i), columns.scale(i), 1e-14);
        }
    }
}

// Far out of the money a price has to keep its own digits, not only those of its scale.
TEST_P(BlackColumns, PricesKeepRelativeAccuracy) {
    for (const Columns& columns : all_columns()) {
        const double forward =
            columns.expiry.spot * std::exp((columns.expiry.rate - 0.014) * columns.expiry.years);
        const auto out = columns.price();
        for (std::size_t i = 0; i < out.size(); ++i) {
            const bool is_out = (columns.right[i] == Right::call) == (columns.strike[i] >= forward);
            const double want = columns.single(i).price;
            if (!is_out || want < 1e-290) continue;
            const double v = columns.volatility[i] * std::sqrt(columns.expiry.years);
            const double a = std::log(columns.strike[i] / forward) / v;
            EXPECT_NEAR(out[i].price / want, 1.0, 1e-14 + 3e-15 * a * a)
                << columns.strike[i] << ' ' << columns.volatility[i];
        }
    }
}

TEST_P(BlackColumns, ARowDoesNotDependOnItsNeighbours) {
    const Columns columns = all_columns()[2];
    const auto whole = columns.price();
    for (const std::size_t size : {1U, 2U, 3U, 7U, 8U, 9U, 63U, 64U, 65U, 200U}) {
        for (const std::size_t begin : {std::size_t{0}, std::size_t{5}, std::size_t{131}}) {
            std::vector<Greeks> part(size);
            bsm_greeks(columns.expiry, std::span(columns.strike).subspan(begin, size),
                       std::span(columns.volatility).subspan(begin, size),
                       std::span(columns.right).subspan(begin, size), part);
            for (std::size_t i = 0; i < size; ++i) expect_same(part[i], whole[begin + i]);
        }
    }
}

TEST_P(BlackColumns, ColumnsEqualRows) {
    const Columns columns = all_columns()[1];
    const auto rows = columns.price();
    const std::size_t size = rows.size();
    std::vector<double> values(6 * size);
    const auto column = [&](std::size_t i) { return std::span(values).subspan(i * size, size); };
    bsm_greeks(columns.expiry, columns.strike, columns.volatility, columns.right,
               GreekColumns{column(0), column(1), column(2), column(3), column(4), column(5)});
    for (std::size_t i = 0; i < size; ++i) {
        expect_same(
            {column(0)[i], column(1)[i], column(2)[i], column(3)[i], column(4)[i], column(5)[i]},
            rows[i]);
    }
}

TEST_P(BlackColumns, OfNothing) {
    bsm_greeks(BsmExpiry{100.0, 0.0, 0.0, 1.0}, {}, {}, {}, std::span<Greeks>{});
    bsm_greeks(BsmExpiry{100.0, 0.0, 0.0, 1.0}, {}, {}, {}, GreekColumns{});
}

// What the kernel does not take is answered by the single form, in the middle of good rows.
TEST_P(BlackColumns, OddRowsAreThoseOfTheSingleForm) {
    for (const double years : {0.25, 0.0, -1.0, kNaN, kInfinity}) {
        for (const double spot : {100.0, 0.0, -1.0, 1e-200, 1e200, kNaN, kInfinity}) {
            Columns columns;
            columns.expiry = {.spot = spot, .rate = 0.05, .yield = 0.02, .years = years};
            std::vector<bool> odd;
            for (const double strike :
                 {100.0, 0.0, -5.0, 1e-300, 1e300, kNaN, kInfinity, -kInfinity}) {
                for (const double volatility :
                     {0.2, 0.0, -0.1, 1e-300, 1e5, kNaN, kInfinity, -kInfinity}) {
                    for (const Right right : {Right::call, Right::put}) {
                        columns.add(strike, volatility, right);
                        odd.push_back(!(spot == 100.0 && years == 0.25 && strike == 100.0 &&
                                        volatility == 0.2));
                    }
                }
            }
            const auto out = columns.price();
            for (std::size_t i = 0; i < out.size(); ++i) {
                SCOPED_TRACE(::testing::Message()
                             << "spot " << spot << " years " << years << " strike "
                             << columns.strike[i] << " volatility " << columns.volatility[i]);
                if (odd[i]) {
                    expect_same(out[i], columns.single(i));
                } else {
                    expect_near(out[i], columns.single(i), columns.scale(i), 1e-14);
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, BlackColumns, ::testing::ValuesIn(supported_targets()),
                         target_name);

TEST(BlackColumnsTargets, GiveTheSameBits) {
    for (const Columns& columns : all_columns()) {
        const auto best = columns.price();
        for (const std::int64_t target : supported_targets()) {
            use_target(target);
            const auto out = columns.price();
            use_target(0);
            for (std::size_t i = 0; i < out.size(); ++i) {
                expect_same(out[i], best[i]);
            }
        }
    }
}

}  // namespace
}  // namespace scanmq::pricing
