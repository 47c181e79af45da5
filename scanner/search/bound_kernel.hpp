#pragma once
// BoundKernel: which pairs of nodes may hold a candidate that matters, from an upper bound of the score
//              of all candidates they hold, in lanes.
//
// A pair of nodes is left out only when it holds no arbitrage quote and each of its candidates either
// fails a gate or scores less than floor - kScoreSlack.
// Test:    sum of weight (component - floor) over the components there are, each at its bound; one
//          that only some candidates have counts where it is positive. Below zero: none reaches it.
// Threads: pure functions.
// See:     docs/SCANNER.md, "Exact search": why each bound holds.

#include "scanner/search/nodes.hpp"

namespace scanmq::search {

inline constexpr std::uint32_t kBoundsAtOnce = 1024;

// `low` with each of the high nodes [begin, begin + n), n <= kBoundsAtOnce: bit i of
// survivors[i / 64]. A floor of -infinity lets all pass. Returns the largest bound among them (or
// thereabouts: for an order of visit; infinity where there may be arbitrage).
double bound_pairs(const Lane& lane, const Halves& halves, const NodeTable::Node& low,
                   const NodeTable& high, std::uint32_t begin, std::uint32_t n, double floor,
                   std::uint64_t* survivors);

}  // namespace scanmq::search
