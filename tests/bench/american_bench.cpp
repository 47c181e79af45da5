// american/...: American prices, Greeks and implied volatilities per second on one core. Items are
// contracts.

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <cmath>
#include <vector>

#include "scanner/pricing/american.hpp"
#include "scanner/pricing/american_implied_volatility.hpp"
#include "scanner/pricing/bjerksund_stensland.hpp"
#include "tests/bench/american_cases.hpp"
#include "tests/bench/failures.hpp"

namespace {

using namespace scanmq::pricing;

void items(benchmark::State& state, std::size_t count) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
}

// max_error: against the accurate scheme. Over the target, or none at all, fails the run.
void prices(benchmark::State& state, AmericanScheme scheme) {
    const auto cases = scanmq::bench::american_cases(4096);
    std::vector<double> out(cases.size());
    for (auto _ : state) {
        american_prices(cases, out, scheme);
        benchmark::DoNotOptimize(out.data());
    }
    items(state, cases.size());
    std::vector<double> exact(cases.size());
    american_prices(cases, exact, AmericanScheme::accurate);
    const double worst = scanmq::bench::largest_difference(out, exact);
    state.counters["max_error"] = worst;
    if (!(worst <= 1e-5)) {
        scanmq::bench::report_failure(fmt::format("American prices differ by {}", worst));
    }
}
void fast(benchmark::State& state) { prices(state, AmericanScheme::fast); }
void accurate(benchmark::State& state) { prices(state, AmericanScheme::accurate); }
BENCHMARK(fast)->Name("american/price_fast");
BENCHMARK(accurate)->Name("american/price_accurate");

void single(benchmark::State& state) {
    const auto cases = scanmq::bench::american_cases(256);
    for (auto _ : state) {
        double sum = 0.0;
        for (const auto& [in, right] : cases) sum += american_price(in, right);
        benchmark::DoNotOptimize(sum);
    }
    items(state, cases.size());
}
BENCHMARK(single)->Name("american/price_fast_one_by_one");

void bjerksund_stensland(benchmark::State& state) {
    const auto cases = scanmq::bench::american_cases(1024);
    for (auto _ : state) {
        double sum = 0.0;
        for (const auto& [in, right] : cases) sum += bjerksund_stensland_price(in, right);
        benchmark::DoNotOptimize(sum);
    }
    items(state, cases.size());
}
BENCHMARK(bjerksund_stensland)->Name("american/bjerksund_stensland");

// A chain as large as Cboe's GOOG file: 16 expiries of 137 contracts.
struct Chain {
    struct Expiry {
        BsmExpiry common;
        std::vector<double> strike;
        std::vector<double> volatility;
        std::vector<double> price;
        std::vector<Right> right;
        std::vector<IvResult> iv;
        std::vector<Greeks> greeks;
    };
    Chain(double yield, std::span<const CashDividend> paid) : dividends(paid) {
        for (const int days :
             {2, 9, 16, 23, 30, 37, 44, 72, 100, 135, 163, 198, 226, 317, 408, 590}) {
            Expiry e;
            e.common = {.spot = 137.0, .rate = .05, .yield = yield, .years = days / 365.0};
            for (int i = 0; i < 137; ++i) {
                const double strike = 70.0 + i;
                const double x = std::log(strike / 137.0) / std::sqrt(e.common.years + .05);
                e.strike.push_back(strike);
                e.volatility.push_back(.3 - .08 * x + .06 * x * x);
                e.right.push_back(i % 2 == 0 ? Right::call : Right::put);
            }
            e.price.resize(e.strike.size());
            e.iv.resize(e.strike.size());
            e.greeks.resize(e.strike.size());
            american_prices(e.common, dividends, e.strike, e.volatility, e.right, e.price);
            count += e.strike.size();
            expiries.push_back(e);
        }
    }
    std::span<const CashDividend> dividends;
    std::vector<Expiry> expiries;
    std::size_t count = 0;
};

void chain_iv(benchmark::State& state, Chain chain) {
    for (auto _ : state) {
        for (Chain::Expiry& e : chain.expiries) {
            american_implied_volatility(e.common, chain.dividends, e.price, e.strike, e.right,
                                        e.iv);
        }
        benchmark::ClobberMemory();
    }
    items(state, chain.count);
}
constexpr CashDividend kDividends[] = {{.1, .2},  {.35, .2}, {.6, .2},
                                       {.85, .2}, {1.1, .2}, {1.35, .2}};
void iv(benchmark::State& state) { chain_iv(state, Chain(.005, {})); }
void iv_dividends(benchmark::State& state) { chain_iv(state, Chain(0.0, kDividends)); }
BENCHMARK(iv)->Name("american/chain_iv")->Unit(benchmark::kMillisecond);
BENCHMARK(iv_dividends)->Name("american/chain_iv_cash_dividends")->Unit(benchmark::kMillisecond);

void greeks(benchmark::State& state) {
    Chain chain(.005, {});
    for (auto _ : state) {
        for (Chain::Expiry& e : chain.expiries) {
            american_greeks(e.common, e.strike, e.volatility, e.right, e.greeks);
        }
        benchmark::ClobberMemory();
    }
    items(state, chain.count);
}
BENCHMARK(greeks)->Name("american/chain_greeks")->Unit(benchmark::kMillisecond);

void dividends(benchmark::State& state) {
    Chain chain(0.0, kDividends);
    for (auto _ : state) {
        for (Chain::Expiry& e : chain.expiries) {
            american_prices(e.common, kDividends, e.strike, e.volatility, e.right, e.price);
        }
        benchmark::ClobberMemory();
    }
    items(state, chain.count);
}
BENCHMARK(dividends)->Name("american/price_cash_dividends")->Unit(benchmark::kMillisecond);

}  // namespace
