// scanmq-microbench: Google Benchmark's own main, but ends with 1 when a benchmark reported wrong results.

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <cstdio>
#include <functional>
#include <set>
#include <string>

#include "tests/bench/failures.hpp"

namespace scanmq::bench {
namespace {
// Google Benchmark calls a benchmark several times to find its number of iterations.
std::set<std::string, std::less<>>& reported() {
    static std::set<std::string, std::less<>> texts;
    return texts;
}
}  // namespace

void report_failure(std::string_view text) {
    if (reported().emplace(text).second) fmt::print(stderr, "FAILED: {}\n", text);
}
bool any_failure() noexcept { return !reported().empty(); }

}  // namespace scanmq::bench

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return scanmq::bench::any_failure() ? 1 : 0;
}
