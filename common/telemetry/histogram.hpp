#pragma once
// Histogram: latencies in fixed memory, with percentiles, after the idea of HdrHistogram (Tene
//            2012).
//
// Buckets are linear within each power of two, 128 of them, so a percentile is at most 0.8 % above
// the true value; below 256 ns they are exact.
//
// Threads:  one; give each thread its own and merge.
// Limits:   kMaxValue (73 minutes); longer values count as that. About 36 KiB each.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.hpp"

namespace scanmq::telemetry {

class Histogram {
  public:
    static constexpr Duration kMaxValue{(std::int64_t{1} << 42) - 1};

    // Negative values count as zero.
    void record(Duration value) noexcept;
    void merge(const Histogram& other) noexcept;

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    // Exact; zero when empty.
    [[nodiscard]] Duration min() const noexcept;
    [[nodiscard]] Duration max() const noexcept { return Duration{max_}; }
    // The smallest bucket edge with at least that share of the values at or below it, never above
    // max(). fraction in [0, 1]; zero when empty.
    [[nodiscard]] Duration percentile(double fraction) const noexcept;

    // One line of text, to hand a histogram to another process: "min max index:count ...".
    [[nodiscard]] std::string encode() const;
    // Merges what encode() wrote. False, and nothing is changed, when the text is not that.
    [[nodiscard]] bool merge_encoded(std::string_view text);

  private:
    static constexpr unsigned kSubBits = 7;  // 128 buckets for each power of two
    static constexpr std::size_t kBuckets =
        ((42 - kSubBits) << kSubBits) + (std::size_t{1} << kSubBits);

    [[nodiscard]] static std::size_t index_of(std::uint64_t value) noexcept;
    [[nodiscard]] static std::uint64_t upper_edge(std::size_t index) noexcept;

    std::array<std::uint64_t, kBuckets> counts_{};
    std::uint64_t count_{};
    std::int64_t min_{kMaxValue.count()};
    std::int64_t max_{};
};

}  // namespace scanmq::telemetry
