// scan/: from a priced chain to its best verticals, and from a vendor's file to the printed table.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "scanner/market/reader.hpp"
#include "scanner/search/metrics_kernel.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "scanner/service/table.hpp"
#include "tests/support/priced_chains.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::service {
namespace {

// Every vertical up to 100 points wide.
ScanRequest verticals_100() {
    ScanRequest request;
    request.filters = {{"width", {{"max", 100.0}}}};
    return request;
}

std::string spx_file() { return tests::vendor_file("cboe_spx_2023-09-14_quotedata.csv"); }

void scan_for(benchmark::State& state, const market::PricedChain& chain, const ScanRequest& request,
              bool brute_force = false) {
    std::uint64_t candidates = 0;
    std::uint64_t pruned = 0;
    for (auto _ : state) {
        const auto result = scan(chain, request, ScanControl{.brute_force = brute_force});
        if (!result.ok()) {
            state.SkipWithError(result.error().message.c_str());
            return;
        }
        candidates += result->counts.candidates;
        pruned = result->counts.pruned;
        benchmark::DoNotOptimize(result->spreads.data());
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(candidates));
    state.counters["candidates"] =
        static_cast<double>(candidates) / static_cast<double>(state.iterations());
    state.counters["pruned"] = static_cast<double>(pruned);
}

// About the size of the SPX file: 50 expiries of 200 strikes, 5 points apart.
const market::PricedChain& synthetic_chain() {
    static const market::PricedChain chain = [] {
        Rng rng(1);
        return testing::random_chain(rng, {.symbol = "BIG",
                                           .expiries = 50,
                                           .strikes = 200,
                                           .forward = 4500.0,
                                           .strike_step = 5.0});
    }();
    return chain;
}

void BM_synthetic(benchmark::State& state) { scan_for(state, synthetic_chain(), verticals_100()); }
BENCHMARK(BM_synthetic)->Name("scan/synthetic_verticals_100")->Unit(benchmark::kMillisecond);

void BM_synthetic_filtered(benchmark::State& state) {
    ScanRequest request = verticals_100();
    request.filters.push_back({"delta", {{"min", 0.10}, {"max", 0.35}}});
    request.filters.push_back({"liquidity", {{"min_open_interest", 100.0}}});
    request.filters.push_back({"pop", {{"min", 0.5}}});
    scan_for(state, synthetic_chain(), request);
}
BENCHMARK(BM_synthetic_filtered)
    ->Name("scan/synthetic_verticals_100_filtered")
    ->Unit(benchmark::kMillisecond);

// The SPX file, priced; null without it.
const market::PricedChain* spx() {
    static const std::unique_ptr<const market::PricedChain> chain =
        []() -> std::unique_ptr<const market::PricedChain> {
        const auto report = market::read_chain_file(spx_file());
        if (!report.ok()) return nullptr;
        return std::make_unique<const market::PricedChain>(
            market::price_chain(std::make_shared<const market::Chain>(report->chains.at(0))));
    }();
    return chain.get();
}

void spx_scan_for(benchmark::State& state, const ScanRequest& request, bool brute_force = false) {
    if (spx() == nullptr) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    scan_for(state, *spx(), request, brute_force);
}

// Every leg with a bid: the 383,648 that can be traded both ways.
ScanRequest tradable_verticals() {
    ScanRequest request = verticals_100();
    request.filters.push_back({"liquidity", {{"min_bid", 0.01}}});
    return request;
}
void BM_spx(benchmark::State& state) { spx_scan_for(state, tradable_verticals()); }
BENCHMARK(BM_spx)->Name("scan/spx_verticals_100")->Unit(benchmark::kMillisecond);
// Every figure that filters may ask for, POP and EV included, of every one.
void BM_spx_all(benchmark::State& state) {
    ScanRequest request = tradable_verticals();
    request.filters.push_back({"ev", {{"min", -1e6}}});
    request.exact_count = true;
    spx_scan_for(state, request);
}
BENCHMARK(BM_spx_all)->Name("scan/spx_verticals_100_all_metrics")->Unit(benchmark::kMillisecond);
// Every metric that a spread in a result has, of every one, put into columns.
void BM_spx_every(benchmark::State& state) {
    if (spx() == nullptr) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    std::uint64_t seen = 0;
    std::uint64_t staked = 0;
    const MetricsObserver observer = [&](const Lane&, const search::Block& block,
                                         const search::MoreFigures& more) {
        seen += block.size;
        benchmark::DoNotOptimize(&block);
        benchmark::DoNotOptimize(&more);
        benchmark::ClobberMemory();
    };
    for (auto _ : state) {
        const auto result = scan(*spx(), tradable_verticals(), ScanControl{.metrics = &observer});
        benchmark::DoNotOptimize(result->spreads.data());
    }
    // How many have a Kelly fraction to be searched for.
    const MetricsObserver count = [&](const Lane&, const search::Block& block,
                                      const search::MoreFigures& more) {
        for (std::uint32_t i = 0; i < block.size; ++i) {
            staked += more[search::MoreMetric::kelly][i] > 0.0 ? 1 : 0;
        }
    };
    (void)scan(*spx(), tradable_verticals(), ScanControl{.metrics = &count});
    state.counters["candidates"] =
        static_cast<double>(seen) / static_cast<double>(state.iterations());
    state.counters["staked"] = static_cast<double>(staked);
}
BENCHMARK(BM_spx_every)->Name("scan/spx_verticals_100_every_metric")->Unit(benchmark::kMillisecond);
void BM_spx_scalar(benchmark::State& state) { spx_scan_for(state, tradable_verticals(), true); }
BENCHMARK(BM_spx_scalar)->Name("scan/spx_verticals_100_brute_force")->Unit(benchmark::kMillisecond);

// The 75,051,161 condors within 60 days with wings up to 100 points.
ScanRequest condors() {
    ScanRequest request = tradable_verticals();
    request.strategies = {"iron_condor"};
    request.filters.push_back({"dte", {{"min", 0.0}, {"max", 60.0}}});
    request.limit = 100;
    return request;
}
void BM_spx_condors(benchmark::State& state) { spx_scan_for(state, condors()); }
BENCHMARK(BM_spx_condors)->Name("scan/spx_condors_100")->Unit(benchmark::kMillisecond);
void BM_spx_condors_counted(benchmark::State& state) {
    ScanRequest request = condors();
    request.exact_count = true;
    spx_scan_for(state, request);
}
BENCHMARK(BM_spx_condors_counted)
    ->Name("scan/spx_condors_100_every_one_in_vectors")
    ->Unit(benchmark::kMillisecond);
void BM_spx_condors_scalar(benchmark::State& state) { spx_scan_for(state, condors(), true); }
BENCHMARK(BM_spx_condors_scalar)
    ->Name("scan/spx_condors_100_brute_force")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

void BM_spx_file_to_table(benchmark::State& state) {
    const std::string path = spx_file();
    if (path.empty()) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    for (auto _ : state) {
        auto report = market::read_chain_file(path);
        const auto chain = market::price_chain(
            std::make_shared<const market::Chain>(std::move(report->chains.at(0))));
        const auto result = scan(chain, verticals_100());
        std::string table = format_table(*result, 20);
        benchmark::DoNotOptimize(table.data());
    }
}
BENCHMARK(BM_spx_file_to_table)->Name("scan/spx_csv_to_table")->Unit(benchmark::kMillisecond);

// The 50 best as a worker sends them, and as a subscriber reads them.
void BM_encode_result(benchmark::State& state) {
    const auto result = scan(synthetic_chain(), verticals_100());
    std::size_t bytes = 0;
    for (auto _ : state) {
        const std::string text = encode(*result, Encoding::msgpack);
        bytes = text.size();
        benchmark::DoNotOptimize(text.data());
    }
    state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_encode_result)->Name("scan/encode_result_50")->Unit(benchmark::kMicrosecond);

void BM_decode_result(benchmark::State& state) {
    const std::string text = encode(*scan(synthetic_chain(), verticals_100()), Encoding::msgpack);
    for (auto _ : state) benchmark::DoNotOptimize(decode_result(text));
}
BENCHMARK(BM_decode_result)->Name("scan/decode_result_50")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace scanmq::service
