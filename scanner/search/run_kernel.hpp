#pragma once
// RunKernel: every metric and the score of a run of candidates, in lanes of the widest vectors the
//            machine has (highway, chosen at run time).
//
// A run fixes the strikes of all ranks but the last and spans neighbouring strikes of the last.
// Exact:    G, R and the gates, bit for bit as the scalar path. The rest within rounding: a score
//           within kScoreSlack, but for candidates marked `coarse`.
// Threads:  pure functions.

#include "scanner/search/lane.hpp"
#include "scanner/search/reference.hpp"

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
    breakeven_low,   // NaN where there is none
    breakeven_high,  // the last; NaN where there is only one
};
inline constexpr std::size_t kMetrics = 13;

// Figures of up to kSize candidates. Masks have a bit for each.
struct Block {
    static constexpr std::uint32_t kSize = 64;

    std::uint64_t arbitrage{};  // by the first gate that is not passed
    std::uint64_t no_risk{};
    std::uint64_t no_profit{};
    std::uint64_t unscored{};
    std::uint64_t coarse{};  // probabilities are not within rounding, the score is an upper bound
    std::uint64_t hits{};    // score >= floor - kScoreSlack, or coarse and possibly so
    alignas(64) std::array<double, kSize> score{};
    alignas(64) std::array<std::array<double, kSize>, kMetrics> metric{};
    alignas(64) std::array<std::array<double, kSize>, score::kComponents> component{};

    [[nodiscard]] const double* operator[](Metric m) const noexcept {
        return metric[static_cast<std::size_t>(m)].data();
    }
};

// The sums over all ranks but the last.
struct Prefix {
    RankTerms sum;  // strike and below: not used
    double width{};
    std::array<double, kRanksMax> strike{};
    std::array<double, kRanksMax> below{};
};
[[nodiscard]] Prefix make_prefix(const Lane& lane, const Place& place) noexcept;

// Candidates place[last] = begin ... begin + n - 1, n <= Block::kSize.
// All of the block.
void run_full(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n,
              double floor, Block& out);
// Masks only, and `unscored` may lack those that cannot reach the floor. Where a bound of POP shows
// that none does, the probabilities are not computed. Precondition: probability_rises(lane).
void run_hits(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n,
              double floor, Block& out);

}  // namespace scanmq::search
