// american.hpp and cash_dividends.hpp against QuantLib's own implementations.

#include <gtest/gtest.h>

// QuantLib's headers are not written for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Woverloaded-virtual"
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#pragma GCC diagnostic ignored "-Wundef"
#include <ql/exercise.hpp>
#include <ql/instruments/vanillaoption.hpp>
#include <ql/pricingengines/vanilla/binomialengine.hpp>
#include <ql/pricingengines/vanilla/bjerksundstenslandengine.hpp>
#include <ql/pricingengines/vanilla/qdfpamericanengine.hpp>
#include <ql/processes/blackscholesprocess.hpp>
#include <ql/quotes/simplequote.hpp>
#include <ql/termstructures/volatility/equityfx/blackconstantvol.hpp>
#include <ql/termstructures/yield/flatforward.hpp>
#include <ql/time/calendars/nullcalendar.hpp>
#include <ql/time/daycounters/actual365fixed.hpp>
#pragma GCC diagnostic pop

#include <cmath>
#include <random>
#include <string>

#include "scanner/pricing/american.hpp"
#include "scanner/pricing/bjerksund_stensland.hpp"

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
    explicit Oracle(const Case& c) {
        const ql::Date today(14, ql::September, 2023);
        ql::Settings::instance().evaluationDate() = today;
        const ql::DayCounter days = ql::Actual365Fixed();
        const auto curve = [&](double rate) {
            return ql::Handle<ql::YieldTermStructure>(
                ql::ext::make_shared<ql::FlatForward>(today, rate, days));
        };
        process_ = ql::ext::make_shared<ql::BlackScholesMertonProcess>(
            ql::Handle<ql::Quote>(ql::ext::make_shared<ql::SimpleQuote>(c.in.spot)),
            curve(c.in.yield), curve(c.in.rate),
            ql::Handle<ql::BlackVolTermStructure>(ql::ext::make_shared<ql::BlackConstantVol>(
                today, ql::NullCalendar(), c.in.volatility, days)));
        const auto expiry = today + static_cast<int>(std::lround(c.in.years * 365.0));
        option_ = ql::ext::make_shared<ql::VanillaOption>(
            ql::ext::make_shared<ql::PlainVanillaPayoff>(
                c.right == Right::call ? ql::Option::Call : ql::Option::Put, c.in.strike),
            ql::ext::make_shared<ql::AmericanExercise>(today, expiry));
    }
    [[nodiscard]] double high_precision() {
        return with(ql::ext::make_shared<ql::QdFpAmericanEngine>(
            process_, ql::QdFpAmericanEngine::highPrecisionScheme()));
    }
    // The same with twice the iterations and a third more nodes.
    [[nodiscard]] double higher_precision() {
        return with(ql::ext::make_shared<ql::QdFpAmericanEngine>(
            process_, ql::ext::make_shared<ql::QdFpTanhSinhIterationScheme>(20, 40, 1e-11),
            ql::QdFpAmericanEngine::FP_A));
    }
    [[nodiscard]] double leisen_reimer(int steps) {
        return with(ql::ext::make_shared<ql::BinomialVanillaEngine<ql::LeisenReimer>>(
            process_, static_cast<ql::Size>(steps)));
    }
    [[nodiscard]] double bjerksund_stensland_1993() {
        return with(ql::ext::make_shared<ql::BjerksundStenslandApproximationEngine>(process_));
    }

  private:
    double with(const ql::ext::shared_ptr<ql::PricingEngine>& engine) {
        option_->setPricingEngine(engine);
        return option_->NPV();
    }
    ql::ext::shared_ptr<ql::BlackScholesMertonProcess> process_;
    ql::ext::shared_ptr<ql::VanillaOption> option_;
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
