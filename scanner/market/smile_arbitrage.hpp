#pragma once
// Static arbitrage in smiles: butterflies within an expiry, calendars between two.
//
// Butterfly: with w = w(k), the density of ln S_T is g(k) n(d2)/sqrt(w),
//              g = (1 - k w'/(2 w))^2 - w'^2/4 (1/w + 1/4) + w''/2
//            (Gatheral and Jacquier 2014, eq. 2.1): no butterfly loses money where g >= 0.
// Wings:     total variance grows by at most 2 |k| (Lee 2004), b (1 + |rho|) <= 2 for raw SVI. The
//            bound here is a hair tighter, so that g stays above zero in the wings.
// Calendar:  total variance at equal k does not fall from one expiry to the next (Gatheral and
//            Jacquier 2014, lemma 2.1).
// Threads:   pure functions.

#include <cstdint>

#include "scanner/market/smile.hpp"

namespace scanmq::market {

inline constexpr double kWingSlopeMax = 1.99;  // of w over |k|

// g(k); NaN where the variance is not positive.
[[nodiscard]] double butterfly_density(const Smile& smile, double k) noexcept;

// The least g on a grid: k = m + s sinh(u), |u| <= 8, so dense around the vertex and log-spaced out to
// 1,490 s, beyond which a wing is straight. -inf where the variance is not positive or a wing is too
// steep.
enum class DensityGrid : std::uint8_t { coarse, fine };  // 65 points, for a search; 257, to be sure
[[nodiscard]] double least_butterfly_density(const Smile& smile,
                                             DensityGrid grid = DensityGrid::fine) noexcept;

// How far total variance falls from the earlier to the later smile at most, on 33 points of [k_low,
// k_high]; 0 where it never does.
[[nodiscard]] double calendar_fall(const Smile& before, const Smile& after, double k_low,
                                   double k_high) noexcept;

}  // namespace scanmq::market
