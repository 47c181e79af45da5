// market/: from a chain to curve, forwards, volatilities, Greeks and smiles.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "scanner/market/expiry_smile.hpp"
#include "scanner/market/reader.hpp"

namespace scanmq::market {
namespace {

std::shared_ptr<const Chain> spx_chain() {
    const char* folder = std::getenv("SCANMQ_TEST_DATA");
    const std::filesystem::path base = folder != nullptr ? folder : "../shared/data/chains";
    auto report = read_chain_file((base / "cboe_spx_2023-09-14_quotedata.csv").string());
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

}  // namespace
}  // namespace scanmq::market
