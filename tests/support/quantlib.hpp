#pragma once
// QuantLib as an oracle and a reference of speed: its American engines and one of its options.

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

#include "scanner/pricing/black.hpp"

namespace scanmq::testing {

namespace ql = QuantLib;

struct QuantLibAmerican {
    ql::ext::shared_ptr<ql::BlackScholesMertonProcess> process;
    ql::ext::shared_ptr<ql::VanillaOption> option;  // without an engine

    [[nodiscard]] double value(const ql::ext::shared_ptr<ql::PricingEngine>& engine) const {
        option->setPricingEngine(engine);
        return option->NPV();
    }
};

// QuantLib counts in dates: years in whole days.
inline QuantLibAmerican quantlib_american(const pricing::BsmInputs& in, pricing::Right right) {
    const ql::Date today(14, ql::September, 2023);
    ql::Settings::instance().evaluationDate() = today;
    const ql::DayCounter days = ql::Actual365Fixed();
    const auto curve = [&](double rate) {
        return ql::Handle<ql::YieldTermStructure>(
            ql::ext::make_shared<ql::FlatForward>(today, rate, days));
    };
    const auto process = ql::ext::make_shared<ql::BlackScholesMertonProcess>(
        ql::Handle<ql::Quote>(ql::ext::make_shared<ql::SimpleQuote>(in.spot)), curve(in.yield),
        curve(in.rate),
        ql::Handle<ql::BlackVolTermStructure>(ql::ext::make_shared<ql::BlackConstantVol>(
            today, ql::NullCalendar(), in.volatility, days)));
    const auto expiry = today + static_cast<int>(std::lround(in.years * 365.0));
    return {process,
            ql::ext::make_shared<ql::VanillaOption>(
                ql::ext::make_shared<ql::PlainVanillaPayoff>(
                    right == pricing::Right::call ? ql::Option::Call : ql::Option::Put, in.strike),
                ql::ext::make_shared<ql::AmericanExercise>(today, expiry))};
}

}  // namespace scanmq::testing
