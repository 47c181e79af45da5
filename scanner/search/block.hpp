#pragma once
// Block: the figures of up to kSize candidates of one lane, in columns: what the search's kernels write and
//        judge, small enough for the nearest cache.
//
// Runs:    candidates come in runs, neighbouring strikes of the last rank under one prefix, packed one
//          after another. A candidate's place in the block is its slot; masks have a bit for each.
// Threads: a value.

#include <algorithm>
#include <array>
#include <cstdint>

#include "scanner/search/lane.hpp"

namespace scanmq::search {

enum class Metric : std::uint8_t {
    net_price,
    gain,
    risk,
    width,
    pop,
    ev,
    delta,
    day_theta,
    vega,
    quoted_spread,
    leg_liquidity,
};
inline constexpr std::size_t kMetrics = 11;

struct alignas(64) Block {
    static constexpr std::uint32_t kSize = 64;
    // A double for each slot, and room for a vector that begins in the last one.
    using PerSlot = std::array<double, kSize + kLanesMax>;

    struct Run {
        Place place{};  // of its first candidate
        std::uint32_t slot{};
    };

    // gather() writes them, `ev` for Figures::all only, and of `pop` what the payoff's end gives; the
    // zeros' part and all below `cut` are of score_block().
    std::array<PerSlot, kMetrics> metric{};
    // What scores are made of beside metrics.
    PerSlot abs_vega{};
    PerSlot edge{};       // model value - price paid
    PerSlot pop_bound{};  // Figures::hits: pieces of the payoff that pay anywhere count whole
    // Where each inner piece of the payoff is zero, < 0 where it pays above that; 0: nowhere.
    std::array<PerSlot, kRanksMax - 1> cut{};
    std::array<double, kSize> score{};   // Figures::hits: its sum without POP,
    std::array<double, kSize> weight{};  // and the weight of what is in that

    std::uint64_t arbitrage{};  // by the first gate that is not passed
    std::uint64_t no_risk{};
    std::uint64_t no_profit{};
    std::uint64_t unscored{};
    std::uint64_t coarse{};  // probabilities are not within rounding, the score is an upper bound
    std::uint64_t hits{};    // score >= floor - kScoreSlack, or coarse and possibly so

    std::array<Run, kSize> runs{};
    std::uint32_t run_count{};
    std::uint32_t size{};

    [[nodiscard]] const double* operator[](Metric m) const noexcept {
        return metric[static_cast<std::size_t>(m)].data();
    }
    [[nodiscard]] double* operator[](Metric m) noexcept {
        return metric[static_cast<std::size_t>(m)].data();
    }
    [[nodiscard]] std::uint32_t room() const noexcept { return kSize - size; }
    [[nodiscard]] std::uint64_t valid() const noexcept {
        return size == kSize ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
    }
    // The place of a candidate. last: the lane's last rank.
    [[nodiscard]] Place place(std::uint32_t slot, std::size_t last) const noexcept {
        const auto* after =
            std::upper_bound(runs.data(), runs.data() + run_count, slot,
                             [](std::uint32_t s, const Run& run) { return s < run.slot; });
        Place out = after[-1].place;
        out[last] += slot - after[-1].slot;
        return out;
    }
    void clear() noexcept { run_count = size = 0; }
};

}  // namespace scanmq::search
