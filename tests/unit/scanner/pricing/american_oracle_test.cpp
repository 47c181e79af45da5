// american.hpp and cash_dividends.hpp against QuantLib's own implementations.

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "scanner/pricing/american.hpp"
#include "scanner/pricing/american_curve.hpp"
#include "scanner/pricing/bjerksund_stensland.hpp"
#include "tests/support/quantlib.hpp"

namespace scanmq::pricing {
namespace {

namespace ql = QuantLib;

struct Case {
    BsmInputs in;
    Right right{};
};

// Whole days, as QuantLib counts in dates.
Case draw(std::mt19937_64& random, double volatility_low, double volatility_high, int days_max) {
    const auto uniform = [&](double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random);
    };
    Case out;
    out.right = uniform(0.0, 1.0) < 0.5 ? Right::call : Right::put;
    out.in.spot = 100.0;
    out.in.strike = 100.0 * std::exp(uniform(-0.4, 0.4));
    out.in.rate = uniform(0.0, 0.10);
    out.in.yield = uniform(0.0, 1.0) < 0.25 ? 0.0 : uniform(0.0, 0.10);
    out.in.years = std::uniform_int_distribution<int>(7, days_max)(random) / 365.0;
    out.in.volatility = uniform(volatility_low, volatility_high);
    return out;
}

std::string text(const Case& c) {
    return " K " + std::to_string(c.in.strike) + " r " + std::to_string(c.in.rate) + " q " +
           std::to_string(c.in.yield) + " T " + std::to_string(c.in.years) + " sigma " +
           std::to_string(c.in.volatility);
}

class Oracle {
  public:
    explicit Oracle(const Case& c) : american_(scanmq::testing::quantlib_american(c.in, c.right)) {}
    [[nodiscard]] double high_precision() {
        return american_.value(ql::ext::make_shared<ql::QdFpAmericanEngine>(
            american_.process, ql::QdFpAmericanEngine::highPrecisionScheme()));
    }
    // The same with twice the iterations and a third more nodes.
    [[nodiscard]] double higher_precision() {
        return american_.value(ql::ext::make_shared<ql::QdFpAmericanEngine>(
            american_.process, ql::ext::make_shared<ql::QdFpTanhSinhIterationScheme>(20, 40, 1e-11),
            ql::QdFpAmericanEngine::FP_A));
    }
    [[nodiscard]] double leisen_reimer(int steps) {
        return american_.value(ql::ext::make_shared<ql::BinomialVanillaEngine<ql::LeisenReimer>>(
            american_.process, static_cast<ql::Size>(steps)));
    }
    [[nodiscard]] double bjerksund_stensland_1993() {
        return american_.value(
            ql::ext::make_shared<ql::BjerksundStenslandApproximationEngine>(american_.process));
    }

  private:
    scanmq::testing::QuantLibAmerican american_;
};

// That scheme's ten plain iterations leave up to 2.4e-6 where yield and volatility are low.
TEST(AmericanOracle, EqualsQuantLibsHighPrecisionScheme) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 60; ++i) {
        const Case c = draw(random, 0.10, 0.70, 1095);
        const double exact = Oracle(c).high_precision();
        EXPECT_NEAR(american_price(c.in, c.right, AmericanScheme::accurate), exact, 3e-6)
            << i << text(c);
        EXPECT_NEAR(american_price(c.in, c.right), exact, 1e-5) << i << text(c);
    }
}

TEST(AmericanOracle, AccurateEqualsMoreThanQuantLibsHighPrecision) {
    std::mt19937_64 random(17);
    for (int i = 0; i < 6; ++i) {
        const Case c = draw(random, 0.10, 0.70, 1095);
        EXPECT_NEAR(american_price(c.in, c.right, AmericanScheme::accurate),
                    Oracle(c).higher_precision(), 5e-8)
            << i << text(c);
    }
}

// One curve for all spots that the underlying may be at.
TEST(AmericanOracle, CurveEqualsQuantLibAtEverySpot) {
    std::mt19937_64 random(19);
    for (int i = 0; i < 12; ++i) {
        Case c = draw(random, 0.10, 0.70, 400);
        const CurveMarket market{.rate = c.in.rate, .yield = c.in.yield, .years = c.in.years};
        const CurveLeg leg{c.in.strike, c.in.volatility, c.right};
        AmericanCurve curve;
        american_curves(market, {&leg, 1}, {&curve, 1});
        for (const double moneyness : {0.6, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.6}) {
            c.in.spot = moneyness * c.in.strike;
            EXPECT_NEAR(curve.at(c.in.spot).value, Oracle(c).high_precision(), 3e-5)
                << i << " S " << c.in.spot << text(c);
        }
    }
}

TEST(AmericanOracle, LeisenReimerIsNear) {
    std::mt19937_64 random(8);
    for (int i = 0; i < 20; ++i) {
        const Case c = draw(random, 0.15, 0.50, 365);
        EXPECT_NEAR(american_price(c.in, c.right), Oracle(c).leisen_reimer(1001), 1e-3) << i;
    }
}

// Two flat boundaries are mostly better than one, and never much worse.
TEST(AmericanOracle, BjerksundStensland2002IsBetweenThatOf1993AndTheExactValue) {
    std::mt19937_64 random(9);
    for (int i = 0; i < 100; ++i) {
        const Case c = draw(random, 0.10, 0.70, 730);
        const double cheap = bjerksund_stensland_price(c.in, c.right);
        EXPECT_GE(cheap, Oracle(c).bjerksund_stensland_1993() - 0.1) << i;
        EXPECT_LE(cheap, american_price(c.in, c.right, AmericanScheme::accurate) + 1e-7) << i;
    }
}

}  // namespace
}  // namespace scanmq::pricing
