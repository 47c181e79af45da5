// iv/quantlib_..., bsm/quantlib_...: QuantLib on the quotes of iv_bench.cpp and bsm_bench.cpp.
//
// blackFormulaImpliedStdDev is a safeguarded Newton iteration on the Black formula, here down to
// 1e-12; blackFormulaImpliedStdDevLiRS the adaptive over-relaxation of Li with the guess of Radoicic
// and Stefanica, which blackFormulaImpliedStdDevApproximationRS is alone. `failed` counts quotes that they throw for or
// return no number, `error` and `over` are those of iv_bench.cpp.

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ql/pricingengines/blackformula.hpp>
#include <ql/pricingengines/blackscholescalculator.hpp>
#include <vector>

#include "tests/bench/failures.hpp"
#include "tests/bench/iv_quotes.hpp"
#include "tests/bench/pricing_mix.hpp"

namespace {

using scanmq::bench::ExpiryRows;
using scanmq::bench::Quote;
using scanmq::pricing::Greeks;
using scanmq::pricing::Right;

QuantLib::Option::Type type_of(Right right) {
    return right == Right::call ? QuantLib::Option::Call : QuantLib::Option::Put;
}

void invert(benchmark::State& state, const std::vector<Quote>& (*mix)(),
            double (*solve)(const Quote&)) {
    const std::vector<Quote>& quotes = mix();
    std::vector<double> volatility(quotes.size());
    for (auto _ : state) {
        for (std::size_t i = 0; i < quotes.size(); ++i) {
            try {
                volatility[i] = solve(quotes[i]) / std::sqrt(quotes[i].years);
            } catch (const std::exception&) {
                volatility[i] = std::numeric_limits<double>::quiet_NaN();
            }
        }
        benchmark::DoNotOptimize(volatility.data());
        benchmark::ClobberMemory();
    }
    const auto errors = scanmq::bench::iv_errors(quotes, volatility);
    state.counters["error"] = errors.worst;
    state.counters["failed"] = errors.failed;
    state.counters["over"] = errors.over;
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(quotes.size()));
}

double newton(const Quote& q) {
    return QuantLib::blackFormulaImpliedStdDev(type_of(q.right), q.strike, q.forward, q.price,
                                               q.discount, 0.0, QuantLib::Null<double>(), 1e-12);
}
double over_relaxation(const Quote& q) {
    return QuantLib::blackFormulaImpliedStdDevLiRS(type_of(q.right), q.strike, q.forward, q.price,
                                                   q.discount, 0.0, QuantLib::Null<double>(), 1.0,
                                                   1e-12);
}

double approximation(const Quote& q) {
    return QuantLib::blackFormulaImpliedStdDevApproximationRS(type_of(q.right), q.strike, q.forward,
                                                              q.price, q.discount);
}

using scanmq::bench::chain_mix;
using scanmq::bench::corner_mix;
using scanmq::bench::wide_mix;
BENCHMARK_CAPTURE(invert, chain, chain_mix, newton)->Name("iv/quantlib_chain_mix");
BENCHMARK_CAPTURE(invert, chain, chain_mix, over_relaxation)->Name("iv/quantlib_lirs_chain_mix");
BENCHMARK_CAPTURE(invert, chain, chain_mix, approximation)->Name("iv/quantlib_rs_chain_mix");
BENCHMARK_CAPTURE(invert, wide, wide_mix, newton)->Name("iv/quantlib_wide_mix");
BENCHMARK_CAPTURE(invert, wide, wide_mix, over_relaxation)->Name("iv/quantlib_lirs_wide_mix");
BENCHMARK_CAPTURE(invert, wide, wide_mix, approximation)->Name("iv/quantlib_rs_wide_mix");
BENCHMARK_CAPTURE(invert, corner, corner_mix, over_relaxation)->Name("iv/quantlib_lirs_corner_mix");

// The largest difference of any price or Greek, each in parts of the largest value that it has in the
// rows; NaN when a value is.
double difference(const std::vector<Greeks>& a, const std::vector<Greeks>& b) {
    double worst = 0.0;
    for (double Greeks::*const field : {&Greeks::price, &Greeks::delta, &Greeks::gamma,
                                        &Greeks::vega, &Greeks::theta, &Greeks::rho}) {
        double scale = 0.0;
        for (const Greeks& row : b) scale = std::max(scale, std::fabs(row.*field));
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double one = std::fabs(a[i].*field - b[i].*field) / scale;
            if (std::isnan(one)) return one;
            worst = std::max(worst, one);
        }
    }
    return worst;
}

void greeks(benchmark::State& state) {
    const ExpiryRows rows;
    const double years = rows.expiry.years;
    const double growth = std::exp(-rows.expiry.yield * years);
    const double discount = std::exp(-rows.expiry.rate * years);
    std::vector<Greeks> out(rows.strike.size());
    for (auto _ : state) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            const QuantLib::BlackScholesCalculator calculator(
                type_of(rows.right[i]), rows.strike[i], rows.expiry.spot, growth,
                rows.volatility[i] * std::sqrt(years), discount);
            out[i] = {calculator.value(),     calculator.delta(),      calculator.gamma(),
                      calculator.vega(years), calculator.theta(years), calculator.rho(years)};
        }
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    std::vector<Greeks> ours(out.size());
    scanmq::pricing::bsm_greeks(rows.expiry, rows.strike, rows.volatility, rows.right, ours);
    const double worst = difference(ours, out);
    state.counters["difference"] = worst;
    if (!(worst <= 1e-12)) {
        scanmq::bench::report_failure(fmt::format("Greeks differ from QuantLib's by {}", worst));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}
BENCHMARK(greeks)->Name("bsm/quantlib_greeks");

}  // namespace
