// iv/...: implied volatilities per second on one core. Items are inversions. `error` is the largest
// relative difference from the volatility that an out-of-the-money price was made with. The same
// quotes through QuantLib: iv/quantlib_... (quantlib_bench.cpp).

#include <benchmark/benchmark.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "scanner/pricing/implied_volatility.hpp"
#include "tests/bench/pricing_mix.hpp"

namespace {

using namespace scanmq::pricing;
using scanmq::bench::Quote;

void count(benchmark::State& state, const std::vector<Quote>& quotes,
           const std::vector<double>& volatility) {
    double worst = 0.0;
    for (std::size_t i = 0; i < quotes.size(); ++i) {
        const bool is_call = quotes[i].right == Right::call;
        if (is_call == (quotes[i].strike < quotes[i].forward)) continue;
        worst = std::max(worst, std::fabs(volatility[i] / quotes[i].volatility - 1.0));
    }
    state.counters["error"] = worst;
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
    count(state, quotes, volatility);
}

void invert(benchmark::State& state, const std::vector<Quote>& quotes) {
    std::vector<double> volatility(quotes.size());
    for (auto _ : state) {
        for (std::size_t i = 0; i < quotes.size(); ++i) {
            const Quote& q = quotes[i];
            volatility[i] =
                implied_volatility(q.price, q.forward, q.strike, q.years, q.discount, q.right)
                    .volatility;
        }
        benchmark::DoNotOptimize(volatility.data());
        benchmark::ClobberMemory();
    }
    count(state, quotes, volatility);
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
void chain_columns(benchmark::State& state) { invert_columns(state, scanmq::bench::chain_mix()); }
void chain_avx2(benchmark::State& state) { invert_on(state, HWY_AVX2); }
void chain_plain(benchmark::State& state) { invert_on(state, HWY_BASELINE_TARGETS); }
void wide(benchmark::State& state) { invert(state, scanmq::bench::wide_mix()); }
void chain(benchmark::State& state) { invert(state, scanmq::bench::chain_mix()); }
BENCHMARK(wide_columns)->Name("iv/wide_mix_columns");
BENCHMARK(chain_columns)->Name("iv/chain_mix_columns");
BENCHMARK(chain_avx2)->Name("iv/chain_mix_columns_avx2");
BENCHMARK(chain_plain)->Name("iv/chain_mix_columns_plain");
BENCHMARK(wide)->Name("iv/wide_mix");
BENCHMARK(chain)->Name("iv/chain_mix");

}  // namespace
