// market/: from a chain to curve, forwards, volatilities, Greeks and smiles.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <ql/pricingengines/blackformula.hpp>
#include <ql/pricingengines/blackscholescalculator.hpp>
#include <string>
#include <vector>

#include "scanner/market/expiry_smile.hpp"
#include "scanner/market/reader.hpp"
#include "tests/support/dense_chain.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::market {
namespace {

namespace testing = scanmq::testing;

std::shared_ptr<const Chain> spx_chain() {
    auto report = read_chain_file(tests::vendor_file("cboe_spx_2023-09-14_quotedata.csv"));
    if (!report.ok()) return nullptr;
    return std::make_shared<const Chain>(std::move(report->chains.at(0)));
}

void BM_price_spx(benchmark::State& state) {
    const auto chain = spx_chain();
    if (chain == nullptr) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    for (auto _ : state) {
        const auto priced = price_chain(chain);
        benchmark::DoNotOptimize(priced.greeks.data());
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(chain->size()));
}
BENCHMARK(BM_price_spx)->Name("market/price_spx")->Unit(benchmark::kMillisecond);

// What of price_chain QuantLib has: volatility and Greeks, one contract at a time, for the contracts that have
// a volatility; curve, forwards and smiles are ours and not timed. `difference`: of volatilities where a point of them is worth a
// cent at least.
void quantlib_spx(benchmark::State& state) {
    const auto chain = spx_chain();
    if (chain == nullptr) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    const auto priced = price_chain(chain);
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < chain->size(); ++i) {
        if (priced.iv_status[i] == pricing::IvStatus::ok && priced.iv[i] > 0) rows.push_back(i);
    }
    std::vector<double> volatility(rows.size());
    std::vector<pricing::Greeks> greeks(rows.size());
    std::size_t failed = 0;
    for (auto _ : state) {
        failed = 0;
        for (std::size_t n = 0; n < rows.size(); ++n) {
            const std::size_t i = rows[n];
            const auto& expiry = priced.expiries[chain->expiry[i]];
            const auto type =
                chain->right[i] == Right::call ? QuantLib::Option::Call : QuantLib::Option::Put;
            try {
                const double v = QuantLib::blackFormulaImpliedStdDevLiRS(
                    type, chain->strike[i], expiry.forward, 0.5 * (chain->bid[i] + chain->ask[i]),
                    expiry.discount, 0.0, QuantLib::Null<double>(), 1.0, 1e-12);
                volatility[n] = v / std::sqrt(expiry.years);
                const QuantLib::BlackScholesCalculator of(
                    type, chain->strike[i], expiry.spot,
                    expiry.forward * expiry.discount / expiry.spot, v, expiry.discount);
                greeks[n] = {of.value(),
                             of.delta(),
                             of.gamma(),
                             of.vega(expiry.years),
                             of.theta(expiry.years),
                             of.rho(expiry.years)};
            } catch (const std::exception&) {
                ++failed;
                volatility[n] = std::numeric_limits<double>::quiet_NaN();
            }
        }
        benchmark::DoNotOptimize(greeks.data());
        benchmark::ClobberMemory();
    }
    double worst = 0.0;
    for (std::size_t n = 0; n < rows.size(); ++n) {
        if (std::isnan(volatility[n]) || priced.greeks[rows[n]].vega < 1.0) continue;
        worst = std::max(worst, std::fabs(volatility[n] - priced.iv[rows[n]]));
    }
    state.counters["difference"] = worst;
    state.counters["failed"] = static_cast<double>(failed);
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows.size()));
}
BENCHMARK(quantlib_spx)->Name("market/quantlib_iv_greeks_spx")->Unit(benchmark::kMillisecond);

void BM_smiles_spx(benchmark::State& state) {
    const auto chain = spx_chain();
    if (chain == nullptr) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    auto priced = price_chain(chain);
    for (auto _ : state) set_smiles(priced);
    std::size_t fits = 0;
    for (const auto& expiry : priced.expiries) fits += expiry.smile_report.quotes_used > 0 ? 1 : 0;
    state.counters["smiles"] = static_cast<double>(fits);
}
BENCHMARK(BM_smiles_spx)->Name("market/smiles_spx")->Unit(benchmark::kMillisecond);

// A million contracts: every strike of one expiry, and the nearest expiry as large as American exercise
// is priced at all. `ok` counts volatilities.
void price_dense(benchmark::State& state, ExerciseStyle style,
                 const std::vector<testing::DenseExpiry>& expiries,
                 const PricingOptions& options = {}) {
    const auto chain = testing::dense_chain(style, expiries);
    std::size_t ok = 0;
    for (auto _ : state) {
        const auto priced = price_chain(chain, options);
        ok = static_cast<std::size_t>(
            std::count(priced.iv_status.begin(), priced.iv_status.end(), pricing::IvStatus::ok));
    }
    state.counters["contracts"] = static_cast<double>(chain->size());
    state.counters["ok"] = static_cast<double>(ok);
}
void american_strikes(benchmark::State& state) {
    price_dense(state, ExerciseStyle::american, {{20240920, 1'000'000, false}});
}
void american_pairs(benchmark::State& state) {
    price_dense(state, ExerciseStyle::american, {{20240920, 500'000}});
}
std::vector<testing::DenseExpiry> as_large_as_priced() {
    return {{20250620, kAmericanContractsMax / 2}, {20260618, 475'000}};
}
void american_limit(benchmark::State& state) {
    price_dense(state, ExerciseStyle::american, as_large_as_priced());
}
// A tenth of that: half a minute for the whole.
void american_dividends(benchmark::State& state) {
    PricingOptions options;
    for (const YearMonthDay day : {20240809, 20241108, 20250207, 20250509}) {
        options.dividends.push_back({new_york_moment(day, 9 * 60 + 30), 0.25});
    }
    price_dense(state, ExerciseStyle::american, {{20250620, kAmericanContractsMax / 20}}, options);
}
void european_pairs(benchmark::State& state) {
    price_dense(state, ExerciseStyle::european, {{20240920, 500'000}});
}
BENCHMARK(american_strikes)->Name("market/american_million_strikes")->Unit(benchmark::kMillisecond);
BENCHMARK(american_pairs)->Name("market/american_million_contracts")->Unit(benchmark::kMillisecond);
BENCHMARK(american_limit)
    ->Name("market/american_million_contracts_50000_priced")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(american_dividends)
    ->Name("market/american_5000_contracts_four_dividends")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(european_pairs)->Name("market/european_million_contracts")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace scanmq::market
