#pragma once
// RunKernel: POP, gates and score of the candidates gathered in a block, in lanes of the widest vectors the
//            machine has (highway, chosen at run time).
//
// Exact:    G, R and the gates, bit for bit as the scalar path. The rest within rounding: a score
//           within kScoreSlack, but for candidates marked `coarse`.
// Threads:  pure functions.

#include "scanner/search/gather_kernel.hpp"

namespace scanmq::search {

// POP, masks and scores of what was gathered for the same figures. Hits: where a bound of POP shows that
// none is among a vector's candidates, their probabilities are not computed. Precondition of hits:
// probability_rises().
void score_block(const Lane& lane, double floor, Figures figures, Block& block);

}  // namespace scanmq::search
