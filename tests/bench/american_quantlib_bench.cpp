// american/quantlib_...: QuantLib's American engines on the same contracts as american/price_fast.

#include <benchmark/benchmark.h>

#include <vector>

#include "tests/bench/american_cases.hpp"
#include "tests/support/quantlib.hpp"

namespace {

namespace ql = QuantLib;

// One option and engine per contract, made before the clock runs: what is timed is a recalculation.
std::vector<ql::ext::shared_ptr<ql::VanillaOption>> options(
    const std::vector<scanmq::pricing::AmericanContract>& cases) {
    std::vector<ql::ext::shared_ptr<ql::VanillaOption>> out;
    for (const auto& [in, right] : cases) {
        const auto american = scanmq::testing::quantlib_american(in, right);
        out.push_back(american.option);
        out.back()->setPricingEngine(ql::ext::make_shared<ql::QdFpAmericanEngine>(
            american.process, ql::QdFpAmericanEngine::fastScheme()));
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
    state.counters["max_error"] = scanmq::bench::largest_difference(out, exact);
}
BENCHMARK(quantlib)->Name("american/quantlib_fast");

}  // namespace
