// american/quantlib_...: QuantLib's American engines on the same contracts as american/price_fast.

#include <benchmark/benchmark.h>

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
#include <ql/pricingengines/vanilla/qdfpamericanengine.hpp>
#include <ql/processes/blackscholesprocess.hpp>
#include <ql/quotes/simplequote.hpp>
#include <ql/termstructures/volatility/equityfx/blackconstantvol.hpp>
#include <ql/termstructures/yield/flatforward.hpp>
#include <ql/time/calendars/nullcalendar.hpp>
#include <ql/time/daycounters/actual365fixed.hpp>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/bench/american_cases.hpp"

namespace {

namespace ql = QuantLib;
using scanmq::pricing::Right;

// One option and engine per contract, made before the clock runs: what is timed is a recalculation.
std::vector<ql::ext::shared_ptr<ql::VanillaOption>> options(
    const std::vector<scanmq::pricing::AmericanContract>& cases) {
    const ql::Date today(14, ql::September, 2023);
    ql::Settings::instance().evaluationDate() = today;
    const ql::DayCounter days = ql::Actual365Fixed();
    const auto curve = [&](double rate) {
        return ql::Handle<ql::YieldTermStructure>(
            ql::ext::make_shared<ql::FlatForward>(today, rate, days));
    };
    std::vector<ql::ext::shared_ptr<ql::VanillaOption>> out;
    for (const auto& [in, right] : cases) {
        const auto process = ql::ext::make_shared<ql::BlackScholesMertonProcess>(
            ql::Handle<ql::Quote>(ql::ext::make_shared<ql::SimpleQuote>(in.spot)), curve(in.yield),
            curve(in.rate),
            ql::Handle<ql::BlackVolTermStructure>(ql::ext::make_shared<ql::BlackConstantVol>(
                today, ql::NullCalendar(), in.volatility, days)));
        const auto expiry = today + static_cast<int>(std::lround(in.years * 365.0));
        out.push_back(ql::ext::make_shared<ql::VanillaOption>(
            ql::ext::make_shared<ql::PlainVanillaPayoff>(
                right == Right::call ? ql::Option::Call : ql::Option::Put, in.strike),
            ql::ext::make_shared<ql::AmericanExercise>(today, expiry)));
        out.back()->setPricingEngine(ql::ext::make_shared<ql::QdFpAmericanEngine>(
            process, ql::QdFpAmericanEngine::fastScheme()));
    }
    return out;
}

void quantlib(benchmark::State& state) {
    const auto cases = scanmq::bench::american_cases(1024);
    const auto priced = options(cases);
    std::vector<double> out(cases.size());
    for (auto _ : state) {
        for (std::size_t i = 0; i < priced.size(); ++i) {
            priced[i]->recalculate();
            out[i] = priced[i]->NPV();
        }
        benchmark::DoNotOptimize(out.data());
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(cases.size()));
    std::vector<double> exact(cases.size());
    scanmq::pricing::american_prices(cases, exact, scanmq::pricing::AmericanScheme::accurate);
    double worst = 0.0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        worst = std::max(worst, std::fabs(out[i] - exact[i]));
    }
    state.counters["max_error"] = worst;
}
BENCHMARK(quantlib)->Name("american/quantlib_fast");

}  // namespace
