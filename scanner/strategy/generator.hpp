#pragma once
// Generator: the candidates of a strategy over one expiry, lazily, in runs.
//
// A run fixes the strikes of all ranks but the last and spans the last rank's strikes within the
// bounds, so the caller's inner loop walks one contiguous range. For a vertical: one lower strike
// and every upper strike near enough.
// Cost:     two binary searches a run; nothing is allocated.
// Lifetime: the lists are borrowed and must outlive the generator, unchanged.
// Threads:  one.

#include <array>
#include <cstdint>
#include <limits>
#include <span>

#include "scanner/strategy/definition.hpp"

namespace scanmq::strategy {

inline constexpr double kStrikeTolerance = 1e-9;  // strikes nearer than this are one

// Distance between the strikes of neighbouring ranks, both bounds inclusive.
struct WidthBounds {
    double min{0.0};
    double max{std::numeric_limits<double>::infinity()};
};

// What one gap may be: within the bounds and, as its kind says, as wide as gap 0 or not.
struct GapBounds {
    WidthBounds bounds;
    Gap kind{Gap::inner};
};
using GapList = std::array<GapBounds, kMaxGaps>;

// The strategy's gaps, its wings within `wings`.
[[nodiscard]] GapList gap_bounds(const Strategy& strategy, WidthBounds wings) noexcept;

// Every gap a wing within the same bounds.
[[nodiscard]] GapList every_gap(WidthBounds bounds) noexcept;

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
    Generator(std::span<const StrikeList> lists, const GapList& gaps) noexcept;

    // The next run; false when there is none. After a few thousand empty ones in a row it gives one
    // of them, so that whoever looks at a cancel flag between runs gets to it.
    [[nodiscard]] bool next(Run& run) noexcept;

  private:
    struct Range {
        std::uint32_t begin{};
        std::uint32_t end{};
        std::uint32_t hole{kNoHole};  // an element of the range that is left out
    };
    static constexpr std::uint32_t kNoHole = 0xffffffffU;
    [[nodiscard]] Range range_after(std::size_t rank) const noexcept;
    [[nodiscard]] bool skips(std::size_t rank) const noexcept;
    [[nodiscard]] bool emit(const Range& range, Run& run) noexcept;

    std::array<StrikeList, kMaxRanks> lists_{};
    std::size_t ranks_;
    GapList gaps_;
    std::array<std::uint32_t, kMaxRanks> position_{};
    std::array<std::uint32_t, kMaxRanks> end_{};
    std::array<std::uint32_t, kMaxRanks> hole_{};
    bool started_{};
    Run rest_;  // the part of a run after its hole
    bool has_rest_{};
};

// How many candidates there are, without going through them: exact but for equal and unequal wings,
// where it is an upper bound; exact up to 2^53.
[[nodiscard]] double count_candidates(std::span<const StrikeList> lists,
                                      const GapList& gaps) noexcept;

// Pairs of strikes that a wing may be made of, over every wing.
struct WingCount {
    std::uint64_t pairs{};          // the second above the first
    std::uint64_t out_of_bounds{};  // of them
};
[[nodiscard]] WingCount count_wings(std::span<const StrikeList> lists,
                                    const GapList& gaps) noexcept;

}  // namespace scanmq::strategy
