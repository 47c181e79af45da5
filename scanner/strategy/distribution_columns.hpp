#pragma once
// DistributionColumns: an expiry's distribution at many strikes at once, in vectors.
//
// Role:    legs of a scan are made of it, an expiry at a time.
// Limits:  within 1e-14 of Distribution's P(S_T < K), and of E[S_T; S_T < K] relative to the forward,
//          where sigma sqrt(T) is 1e-4 or more.
// Threads: pure functions. A row never depends on its neighbours.

#include <cstddef>
#include <span>

#include "scanner/strategy/distribution.hpp"

namespace scanmq::strategy {

inline constexpr std::size_t kLanesMax = 8;  // doubles in the widest vector of any target

// What a strike has to do with where the underlying ends.
struct StrikeMoments {
    double below{};       // P(S_T < K)
    double mean_below{};  // E[S_T; S_T < K]
};

// Spans of equal length; out is overwritten.
void strike_moments(const Distribution& distribution, std::span<const double> strikes,
                    std::span<StrikeMoments> out) noexcept;

// What P(touch) needs beside the distribution.
struct TouchMarket {
    double spot{};   // > 0
    double years{};  // > 0
};
// touch_probability() of each strike before the expiry, at the distribution's volatility there and with
// its forward's drift; within 1e-13 of it.
void touch_probabilities(const Distribution& distribution, const TouchMarket& market,
                         std::span<const double> strikes, std::span<double> out) noexcept;

}  // namespace scanmq::strategy
