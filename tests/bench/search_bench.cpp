// search/: the exact search over lanes that are ready: verticals in vectors, iron condors by branch and
// bound, each beside brute force.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "scanner/market/reader.hpp"
#include "tests/support/search_lanes.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::search {
namespace {

using scanmq::testing::BestSink;
using scanmq::testing::LaneOptions;
using scanmq::testing::LaneSet;

// The SPX file, priced; null without it.
const market::PricedChain* spx() {
    static const std::unique_ptr<const market::PricedChain> chain =
        []() -> std::unique_ptr<const market::PricedChain> {
        const auto report =
            market::read_chain_file(tests::vendor_file("cboe_spx_2023-09-14_quotedata.csv"));
        if (!report.ok()) return nullptr;
        return std::make_unique<const market::PricedChain>(
            market::price_chain(std::make_shared<const market::Chain>(report->chains.at(0))));
    }();
    return chain.get();
}

LaneSet verticals() {
    LaneSet out;
    LaneOptions options;
    options.gaps[0].bounds.max = 100.0;
    options.all_bids = true;
    out.add(*spx(), scanmq::testing::kBearCallLegs, options);
    out.add(*spx(), scanmq::testing::kBearPutLegs, options);
    out.add(*spx(), scanmq::testing::kBullCallLegs, options);
    out.add(*spx(), scanmq::testing::kBullPutLegs, options);
    return out;
}

LaneSet condors() {
    LaneSet out;
    LaneOptions options = scanmq::testing::condor_options(100.0);
    options.all_bids = true;
    options.dte_max = 60;
    out.add(*spx(), scanmq::testing::kIronCondorLegs, options);
    return out;
}

enum class How { pruned, all, scalar };

void search_for(benchmark::State& state, LaneSet (*make)(), How how, std::size_t k) {
    if (spx() == nullptr) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    const LaneSet set = make();
    Totals totals;
    std::uint64_t offers = 0;
    for (auto _ : state) {
        totals = {};
        BestSink sink(set.lanes(), k);
        if (how == How::scalar) {
            for (std::uint32_t l = 0; l < set.lanes().size(); ++l) {
                const Lane& lane = set.lanes()[l];
                Place p{};
                for (p[0] = 0; p[0] < lane.rank[0]->size(); ++p[0]) {
                    const Range range =
                        range_above(lane.rank[1]->strikes(), lane.rank[0]->strikes()[p[0]],
                                    lane.gaps[0].bounds);
                    for (p[1] = range.begin; p[1] < range.end; ++p[1]) sink.offer(l, p);
                }
            }
        } else if (!run(set.lanes(), {.prune = how == How::pruned}, sink, totals)) {
            state.SkipWithError("was cancelled");
        }
        offers = sink.offers();
        benchmark::DoNotOptimize(sink.best());
    }
    state.counters["candidates"] = static_cast<double>(totals.candidates);
    state.counters["evaluated"] = static_cast<double>(totals.evaluated);
    state.counters["bounds"] = static_cast<double>(totals.bounds);
    state.counters["scalar"] = static_cast<double>(offers);
    state.counters["arbitrage"] = static_cast<double>(totals.arbitrage_quote);
}

void BM_verticals(benchmark::State& s) { search_for(s, verticals, How::all, 50); }
BENCHMARK(BM_verticals)->Name("search/spx_verticals_100")->Unit(benchmark::kMillisecond);
void BM_verticals_hits(benchmark::State& s) { search_for(s, verticals, How::pruned, 50); }
BENCHMARK(BM_verticals_hits)
    ->Name("search/spx_verticals_100_top_only")
    ->Unit(benchmark::kMillisecond);
void BM_verticals_scalar(benchmark::State& s) { search_for(s, verticals, How::scalar, 50); }
BENCHMARK(BM_verticals_scalar)
    ->Name("search/spx_verticals_100_scalar")
    ->Unit(benchmark::kMillisecond);
void BM_condors(benchmark::State& s) { search_for(s, condors, How::pruned, 100); }
BENCHMARK(BM_condors)->Name("search/spx_condors_100")->Unit(benchmark::kMillisecond);
void BM_condors_all(benchmark::State& s) { search_for(s, condors, How::all, 100); }
BENCHMARK(BM_condors_all)
    ->Name("search/spx_condors_100_brute_force")
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace scanmq::search
