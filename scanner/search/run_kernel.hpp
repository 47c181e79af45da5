#pragma once
// RunKernel: every metric and the score of runs of candidates, in lanes of the widest vectors the machine
//            has (highway, chosen at run time).
//
// A run fixes the strikes of all ranks but the last and spans neighbouring strikes of the last. Runs
// are packed into a block, sums and payoffs first; a full block is then scored at once.
// Exact:    G, R and the gates, bit for bit as the scalar path. The rest within rounding: a score
//           within kScoreSlack, but for candidates marked `coarse`.
// Threads:  pure functions.

#include "scanner/search/block.hpp"
#include "scanner/search/lane.hpp"

namespace scanmq::search {

// The sums over all ranks but the last.
struct Prefix {
    RankTerms sum;  // strike and below: not used
    double width{};
    std::array<double, kRanksMax> strike{};
    std::array<double, kRanksMax> below{};
};
[[nodiscard]] Prefix make_prefix(const Lane& lane, const Place& place) noexcept;

// What is to be known of candidates.
enum class Figures : std::uint8_t {
    all,   // everything in the block
    hits,  // the masks, and `unscored` may lack those that cannot reach the floor
};

// Packs candidates place[last] = place[last] ... + n - 1 behind what the block has; n <= block.room().
void gather(const Lane& lane, const Prefix& prefix, const Place& place, std::uint32_t n,
            Figures figures, Block& block);
// Scores what was gathered for the same figures. Where a bound of POP shows that no hit is among a
// vector's candidates, their probabilities are not computed. Precondition of hits: probability_rises().
void score_block(const Lane& lane, double floor, Figures figures, Block& block);

}  // namespace scanmq::search
