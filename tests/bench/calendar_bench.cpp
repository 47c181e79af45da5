// calendar/: two-expiry spreads of an American chain, the GOOG file: scans as a user asks for them.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "scanner/market/reader.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::service {
namespace {

// Priced; null without the file.
std::unique_ptr<const market::PricedChain> goog(const market::PricingOptions& options) {
    const auto report =
        market::read_chain_file(tests::vendor_file("lean_goog_2015-12-24_1300et_snapshot.csv"));
    if (!report.ok()) return nullptr;
    return std::make_unique<const market::PricedChain>(
        market::price_chain(std::make_shared<const market::Chain>(report->chains.at(0)), options));
}

// Quarterly dividends, as if it paid some.
market::PricingOptions paying() {
    market::PricingOptions out;
    constexpr std::int64_t kFirst = 1'452'868'200'000;  // 2016-01-15 09:30 in New York
    for (int i = 0; i < 8; ++i) {
        out.dividends.push_back({.ex_moment = kFirst + i * 91LL * 86'400'000, .amount = 1.5});
    }
    return out;
}

void scan_for(benchmark::State& state, std::vector<std::string> strategies, bool dividends) {
    const auto chain = goog(dividends ? paying() : market::PricingOptions{});
    if (chain == nullptr) {
        state.SkipWithError("needs the GOOG file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    ScanRequest request;
    request.strategies = std::move(strategies);
    request.filters = {{"width", {{"max", 20.0}}}};
    request.candidates_max = 2'000'000'000;
    std::uint64_t candidates = 0;
    for (auto _ : state) {
        const auto result = scan(*chain, request);
        if (!result.ok()) {
            state.SkipWithError(result.error().message.c_str());
            return;
        }
        candidates = result->counts.candidates;
    }
    state.counters["candidates"] = static_cast<double>(candidates);
}

void calendars(benchmark::State& state) {
    scan_for(state, {"call_calendar", "put_calendar"}, false);
}
void diagonals(benchmark::State& state) {
    scan_for(state, {"call_diagonal", "put_diagonal"}, false);
}
void calendars_paying(benchmark::State& state) {
    scan_for(state, {"call_calendar", "put_calendar"}, true);
}
BENCHMARK(calendars)->Name("calendar/goog_calendars")->Unit(benchmark::kMillisecond);
BENCHMARK(diagonals)->Name("calendar/goog_diagonals_20")->Unit(benchmark::kMillisecond);
BENCHMARK(calendars_paying)
    ->Name("calendar/goog_calendars_dividends")
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace scanmq::service
