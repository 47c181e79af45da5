#pragma once
// Generator: the candidates of a strategy over one expiry, lazily, in runs.
//
// A run fixes the strikes of all ranks but the last and spans the last rank's strikes within the
// width bounds, so the caller's inner loop walks one contiguous range. For a vertical: one lower
// strike and every upper strike near enough. Cost:     two binary searches a run; nothing is
// allocated. Lifetime: the lists are borrowed and must outlive the generator, unchanged. Threads:
// one.

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "scanner/strategy/definition.hpp"

namespace scanmq::strategy {

// Distance between the strikes of neighbouring ranks, both bounds inclusive.
struct WidthBounds {
    double min{0.0};
    double max{std::numeric_limits<double>::infinity()};
};

// The strikes at which the legs of one rank can be traded, rising; equal ones do not occur.
using StrikeList = std::span<const double>;

class Generator {
  public:
    struct Run {
        std::array<std::uint32_t, kMaxRanks>
            prefix{};           // index into the list of each rank but the last
        std::uint32_t begin{};  // [begin, end) of the last rank's list
        std::uint32_t end{};
    };

    // One list for each rank, 1 to kMaxRanks of them.
    Generator(std::span<const StrikeList> lists, WidthBounds bounds) noexcept;

    // The next run; false when there is none. After a few thousand empty ones in a row it gives one
    // of them, so that whoever looks at a cancel flag between runs gets to it.
    [[nodiscard]] bool next(Run& run) noexcept;

    // Candidates left out so far because the last rank's strike was outside the bounds.
    [[nodiscard]] std::uint64_t out_of_bounds() const noexcept { return out_of_bounds_; }

  private:
    struct Range {
        std::uint32_t begin{};
        std::uint32_t end{};
        std::uint32_t above{};  // elements above the previous strike
    };
    [[nodiscard]] Range range_above(std::size_t rank, double strike) const noexcept;

    std::array<StrikeList, kMaxRanks> lists_{};
    std::size_t ranks_;
    WidthBounds bounds_;
    std::array<std::uint32_t, kMaxRanks> position_{};
    std::array<std::uint32_t, kMaxRanks> end_{};
    bool started_{};
    std::uint64_t out_of_bounds_{};
};

}  // namespace scanmq::strategy
