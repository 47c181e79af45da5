// iv/...: implied volatilities per second on one core. Items are inversions. Prices are made without our
// own code (iv_quotes.hpp). `error` is the largest relative difference from the volatility that an
// out-of-the-money price was made with, `blur` what rounding the price does alone, `inside` the largest error in the money in
// multiples of its blur. A quote without a volatility (`failed`) or off by more than 1e-12 (`over`)
// makes the program end with 1. The same quotes through QuantLib: iv/quantlib_... (quantlib_bench.cpp).

#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <hwy/targets.h>

#include <limits>
#include <vector>

#include "scanner/pricing/implied_volatility.hpp"
#include "tests/bench/failures.hpp"
#include "tests/bench/iv_quotes.hpp"

namespace {

using namespace scanmq::pricing;
using scanmq::bench::Quote;
using scanmq::market::Right;

void count(benchmark::State& state, const std::vector<Quote>& quotes,
           std::vector<double> volatility, const std::vector<IvStatus>& status) {
    for (std::size_t i = 0; i < quotes.size(); ++i) {
        if (status[i] != IvStatus::ok) volatility[i] = std::numeric_limits<double>::quiet_NaN();
    }
    const auto errors = scanmq::bench::iv_errors(quotes, volatility);
    for (const std::size_t i : errors.wrong) {
        scanmq::bench::report_failure(fmt::format("implied volatility {} ({}) of {}", volatility[i],
                                                  scanmq::pricing::to_string(status[i]),
                                                  describe(quotes[i])));
    }
    state.counters["error"] = errors.worst;
    state.counters["blur"] = errors.blur;
    state.counters["inside"] = errors.worst_inside;
    state.counters["failed"] = errors.failed;
    state.counters["over"] = errors.over;
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(quotes.size()));
}

void invert_columns(benchmark::State& state, const std::vector<Quote>& quotes) {
    std::vector<double> price, forward, strike, years, discount;
    std::vector<Right> right;
    for (const Quote& q : quotes) {
        price.push_back(q.price);
        forward.push_back(q.forward);
        strike.push_back(q.strike);
        years.push_back(q.years);
        discount.push_back(q.discount);
        right.push_back(q.right);
    }
    std::vector<double> volatility(quotes.size());
    std::vector<IvStatus> status(quotes.size());
    for (auto _ : state) {
        implied_volatility(IvColumns{price, forward, strike, years, discount, right}, volatility,
                           status);
        benchmark::DoNotOptimize(volatility.data());
        benchmark::ClobberMemory();
    }
    count(state, quotes, volatility, status);
}

void invert(benchmark::State& state, const std::vector<Quote>& quotes) {
    std::vector<double> volatility(quotes.size());
    std::vector<IvStatus> status(quotes.size());
    for (auto _ : state) {
        for (std::size_t i = 0; i < quotes.size(); ++i) {
            const Quote& q = quotes[i];
            const IvResult one =
                implied_volatility(q.price, q.forward, q.strike, q.years, q.discount, q.right);
            volatility[i] = one.volatility;
            status[i] = one.status;
        }
        benchmark::DoNotOptimize(volatility.data());
        benchmark::ClobberMemory();
    }
    count(state, quotes, volatility, status);
}

// The kernels of one instruction set, as a machine without the better ones would run them.
void invert_on(benchmark::State& state, std::int64_t target) {
    if ((hwy::SupportedTargets() & target) == 0) {
        state.SkipWithError("this machine does not have the instruction set");
        return;
    }
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    invert_columns(state, scanmq::bench::chain_mix());
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

void wide_columns(benchmark::State& state) { invert_columns(state, scanmq::bench::wide_mix()); }
void corner_columns(benchmark::State& state) { invert_columns(state, scanmq::bench::corner_mix()); }
void chain_columns(benchmark::State& state) { invert_columns(state, scanmq::bench::chain_mix()); }
void chain_avx2(benchmark::State& state) { invert_on(state, HWY_AVX2); }
void chain_plain(benchmark::State& state) { invert_on(state, HWY_BASELINE_TARGETS); }
void wide(benchmark::State& state) { invert(state, scanmq::bench::wide_mix()); }
void corner(benchmark::State& state) { invert(state, scanmq::bench::corner_mix()); }
void chain(benchmark::State& state) { invert(state, scanmq::bench::chain_mix()); }
BENCHMARK(wide_columns)->Name("iv/wide_mix_columns");
BENCHMARK(corner_columns)->Name("iv/corner_mix_columns");
BENCHMARK(chain_columns)->Name("iv/chain_mix_columns");
BENCHMARK(chain_avx2)->Name("iv/chain_mix_columns_avx2");
BENCHMARK(chain_plain)->Name("iv/chain_mix_columns_plain");
BENCHMARK(wide)->Name("iv/wide_mix");
BENCHMARK(corner)->Name("iv/corner_mix");
BENCHMARK(chain)->Name("iv/chain_mix");

}  // namespace
