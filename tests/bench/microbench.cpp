// scanmq-microbench: Google Benchmark's own main, but ends with 1 when a benchmark reported wrong results.

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <cstdio>

#include "tests/bench/failures.hpp"

namespace scanmq::bench {
namespace {
bool failed = false;
}

void report_failure(std::string_view text) {
    failed = true;
    fmt::print(stderr, "FAILED: {}\n", text);
}
bool any_failure() noexcept { return failed; }

}  // namespace scanmq::bench

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return scanmq::bench::any_failure() ? 1 : 0;
}
