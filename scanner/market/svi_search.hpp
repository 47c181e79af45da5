#pragma once
// The SVI fit's outer problem: where the vertex is, and what to do about butterflies.
//
// Method:  search: a coarse grid over (m, s), then the simplex method of Nelder and Mead (1965) on the
//          two, each step the inner problem's exact optimum. polish: Levenberg-Marquardt on all five,
//          which takes over where the simplex gets slow. repair: the search once more where a smile
//          without butterflies beats any with (Deb 2000), then from there as far towards the best fit
//          as butterflies allow.
// Bounded: every loop has a fixed number of rounds.
// Threads: pure functions.

#include "scanner/market/svi_points.hpp"

namespace scanmq::market {

// The best smile near the quotes that a coarse search finds.
[[nodiscard]] Svi search_svi(const SviPoints& points) noexcept;

// Improves a feasible smile; stops early once it no longer gets better.
void polish_svi(const SviPoints& points, int rounds_max, Svi& svi) noexcept;

// Replaces the best fit by a good one with g >= 0. w0 is the scale of z. False where none was found.
[[nodiscard]] bool repair_svi(const SviPoints& points, double w0, Svi& svi) noexcept;

}  // namespace scanmq::market
