// bsm/...: European values per second on one core. Items are contracts. The same contracts through
// QuantLib: bsm/quantlib_greeks (quantlib_bench.cpp).

#include <benchmark/benchmark.h>

#include <span>
#include <vector>

#include "scanner/pricing/black.hpp"
#include "tests/bench/pricing_mix.hpp"

namespace {

using namespace scanmq::pricing;

using Rows = scanmq::bench::ExpiryRows;

void count(benchmark::State& state, const Rows& rows) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows.strike.size()));
}

void greeks_batch(benchmark::State& state) {
    const Rows rows;
    std::vector<Greeks> out(rows.strike.size());
    for (auto _ : state) {
        bsm_greeks(rows.expiry, rows.strike, rows.volatility, rows.right, out);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    count(state, rows);
}
BENCHMARK(greeks_batch)->Name("bsm/greeks_batch");

void greeks_columns(benchmark::State& state) {
    const Rows rows;
    const std::size_t size = rows.strike.size();
    std::vector<double> out(6 * size);
    const auto column = [&](std::size_t i) { return std::span(out).subspan(i * size, size); };
    const GreekColumns columns{column(0), column(1), column(2), column(3), column(4), column(5)};
    for (auto _ : state) {
        bsm_greeks(rows.expiry, rows.strike, rows.volatility, rows.right, columns);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    count(state, rows);
}
BENCHMARK(greeks_columns)->Name("bsm/greeks_columns");

void greeks_single(benchmark::State& state) {
    const Rows rows;
    for (auto _ : state) {
        for (std::size_t i = 0; i < rows.strike.size(); ++i) {
            benchmark::DoNotOptimize(bsm_greeks(rows.single(i), rows.right[i]));
        }
    }
    count(state, rows);
}
BENCHMARK(greeks_single)->Name("bsm/greeks_single");

void price_single(benchmark::State& state) {
    const Rows rows;
    for (auto _ : state) {
        for (std::size_t i = 0; i < rows.strike.size(); ++i) {
            benchmark::DoNotOptimize(bsm_price(rows.single(i), rows.right[i]));
        }
    }
    count(state, rows);
}
BENCHMARK(price_single)->Name("bsm/price_single");

}  // namespace
