// chain/: vendors' files read from memory into chains, quotes checked; bytes are the files'.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "scanner/market/reader.hpp"
#include "scanner/market/snapshot.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::market {
namespace {

std::string vendor_text(const char* name) {
    std::ifstream file(tests::vendor_file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void read_text(benchmark::State& state, const char* name) {
    const std::string text = vendor_text(name);
    if (text.empty()) {
        state.SkipWithError("needs the vendors' files: name their folder in SCANMQ_TEST_DATA");
        return;
    }
    std::uint64_t contracts = 0;
    for (auto _ : state) {
        const auto report = read_chain_text(text, name);
        contracts += report->contracts;
        benchmark::DoNotOptimize(report->chains.data());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
    state.SetItemsProcessed(static_cast<std::int64_t>(contracts));
}

void BM_cboe(benchmark::State& state) { read_text(state, "cboe_spx_2023-09-14_quotedata.csv"); }
// What reading the same bytes takes with the standard library: lines, cells, and a number of each cell.
void BM_getline_strtod(benchmark::State& state) {
    const std::string text = vendor_text("cboe_spx_2023-09-14_quotedata.csv");
    if (text.empty()) {
        state.SkipWithError("needs the vendors' files: name their folder in SCANMQ_TEST_DATA");
        return;
    }
    for (auto _ : state) {
        std::istringstream in(text);
        std::string line;
        double sum = 0.0;
        while (std::getline(in, line)) {
            for (std::size_t at = 0; at < line.size();) {
                const std::size_t end = std::min(line.find(',', at), line.size());
                sum += std::strtod(line.c_str() + at, nullptr);
                at = end + 1;
            }
        }
        benchmark::DoNotOptimize(sum);
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK(BM_getline_strtod)->Name("chain/getline_strtod_spx")->Unit(benchmark::kMillisecond);

void BM_ivolatility(benchmark::State& state) {
    read_text(state, "ivolatility_spx_2011-01-03_07.csv");
}
void BM_lean(benchmark::State& state) {
    read_text(state, "lean_goog_2015-12-24_1300et_snapshot.csv");
}
void BM_tda(benchmark::State& state) { read_text(state, "tda_msft_2021-05-17.json"); }
BENCHMARK(BM_cboe)->Name("chain/read_cboe_spx")->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ivolatility)->Name("chain/read_ivolatility_spx")->Unit(benchmark::kMillisecond);
BENCHMARK(BM_lean)->Name("chain/read_lean_goog")->Unit(benchmark::kMillisecond);
BENCHMARK(BM_tda)->Name("chain/read_tda_msft")->Unit(benchmark::kMillisecond);

void BM_decode_snapshot(benchmark::State& state) {
    const auto report =
        read_chain_text(vendor_text("cboe_spx_2023-09-14_quotedata.csv"), "spx.csv");
    if (!report.ok()) {
        state.SkipWithError("needs the SPX file: name its folder in SCANMQ_TEST_DATA");
        return;
    }
    const std::string bytes = encode_snapshot(report->chains.at(0));
    for (auto _ : state) benchmark::DoNotOptimize(decode_snapshot(bytes));
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
BENCHMARK(BM_decode_snapshot)->Name("chain/decode_spx_snapshot")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace scanmq::market
