#pragma once
// What a benchmark must not hide: it reports what came out wrong, and scanmq-microbench ends with 1.
//
// Threads: one, that of the benchmarks.

#include <string_view>

namespace scanmq::bench {

// Prints what is wrong on stderr and makes the program end with a failure.
void report_failure(std::string_view text);
[[nodiscard]] bool any_failure() noexcept;

}  // namespace scanmq::bench
