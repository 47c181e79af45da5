#pragma once
// TestKernel: a condition of a filter on the candidates of a block, in vectors (highway, chosen at run time).
//
// Exact:   metrics that are exact in the block are judged as the scalar path does, bit for bit; of those
//          that are rounded, candidates near a bound are told apart, for the scalar path to judge.
// Threads: pure functions.

#include <optional>

#include "scanner/filter/filter.hpp"
#include "scanner/search/block.hpp"

namespace scanmq::search {

// A condition on candidates that pass the gates: the metric, divided by another one and by a constant,
// times a constant, within bounds; a missing value fails.
struct MetricTest {
    Metric metric{};
    std::optional<Metric> per{};
    double divisor{1.0};
    double factor{1.0};
    bool absolute{};  // of the magnitude
    filter::Bounds bounds;
};

// By slot; what is behind the block's size is of no meaning.
struct TestResult {
    std::uint64_t passed{};
    std::uint64_t missing{};
    std::uint64_t near{};  // rounding may decide
};
[[nodiscard]] TestResult judge_block(const MetricTest& test, const Block& block);

// Values that vectors round otherwise than the scalar path does.
[[nodiscard]] constexpr bool is_rounded(Metric metric) noexcept {
    return metric == Metric::pop || metric == Metric::ev;
}

}  // namespace scanmq::search
