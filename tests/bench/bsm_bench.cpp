// bsm/...: European values per second on one core. Items are contracts.

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "scanner/pricing/black.hpp"

namespace {

using namespace scanmq::pricing;

// One expiry of an index chain: 900 strikes and both rights, a skewed smile.
struct Rows {
    BsmExpiry expiry{.spot = 4500.0, .rate = 0.05, .yield = 0.015, .years = 44.0 / 365.0};
    std::vector<double> strike;
    std::vector<double> volatility;
    std::vector<Right> right;

    Rows() {
        for (const Right side : {Right::call, Right::put}) {
            for (double k = 2250.0; k < 6750.0; k += 5.0) {
                const double x = std::log(k / expiry.spot);
                strike.push_back(k);
                volatility.push_back(0.16 - 0.2 * x + 0.3 * x * x);
                right.push_back(side);
            }
        }
    }
    [[nodiscard]] BsmInputs single(std::size_t i) const {
        return {expiry.spot, strike[i], expiry.rate, expiry.yield, expiry.years, volatility[i]};
    }
};

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
