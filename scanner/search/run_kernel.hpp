#pragma once
// RunKernel: every metric and the score of runs of candidates, in lanes of the widest vectors the machine
//            has (highway, chosen at run time).
//
// A run fixes the strikes of all ranks but the last and spans neighbouring strikes of the last. Runs
// are packed into a block, sums and payoffs first; a full block is then scored at once.
// Exact:    G, R and the gates, bit for bit as the scalar path. The rest within rounding: a score
//           within kScoreSlack, but for candidates marked `coarse`.
// Threads:  pure functions.

#include "scanner/search/gather_kernel.hpp"

namespace scanmq::search {

// Scores what was gathered for the same figures. Where a bound of POP shows that no hit is among a
// vector's candidates, their probabilities are not computed. Precondition of hits: probability_rises().
void score_block(const Lane& lane, double floor, Figures figures, Block& block);

}  // namespace scanmq::search
