#pragma once
// GatherKernel: the sums over ranks, the payoff and its zeros of a run of candidates, packed into a block (highway,
//               chosen at run time).
//
// Exact:    sums, G and R, bit for bit as the scalar path.
// Threads:  pure functions.
// See:      run_kernel.hpp, which scores what is gathered here.

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

}  // namespace scanmq::search
