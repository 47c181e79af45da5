#pragma once
// Probabilities of a path, and the share of capital that grows fastest.
//
// Threads: pure functions.

#include <array>

#include "scanner/strategy/payoff.hpp"
#include "scanner/strategy/two_expiry.hpp"

namespace scanmq::strategy {

struct TouchInput {
    double barrier{};  // > 0
    double spot{};     // > 0
    double carry{};    // r - q, per year
    double volatility{};
    double years{};
};
// P(S reaches the barrier before T) of a lognormal walk watched all the time: m = r - q - sigma^2/2,
// b = ln(B/S), e = sign b, v = sigma sqrt(T): N((-eb + emT)/v) + e^(2mb/sigma^2) N((-eb - emT)/v)
// (Rubinstein and Reiner 1991). 1 at the barrier; NaN where an input is missing.
[[nodiscard]] double touch_probability(const TouchInput& in) noexcept;

// The fraction f in [0, .25] that makes E ln(1 + f X / risk) largest (Kelly 1956), X the payoff, by
// masses of the distribution between strikes and along a grid; 0 where EV <= 0. NaN where the payoff's
// loss is unbounded: no fraction survives it.
[[nodiscard]] double kelly_fraction(const Payoff& payoff, double risk, const double* strikes,
                                    std::size_t count, const Distribution& distribution) noexcept;
// The same where it is taken at the nearer of two expiries, whose distribution it is.
[[nodiscard]] double kelly_fraction(const TwoExpiryPayoff& payoff, double risk,
                                    const double* strikes, std::size_t count,
                                    const Distribution& distribution) noexcept;

inline constexpr double kKellyMax = 0.25;

// How the fraction of a payoff at one expiry is found, for whoever finds it in vectors: masses end at
// strikes and, where the payoff is sloped, at these levels; Newton's method goes on until a step is
// kKellyStep or less.
inline constexpr std::size_t kKellyLevels = 65;
inline constexpr double kKellyStep = 1e-10;
inline constexpr int kKellySteps = 60;
[[nodiscard]] std::array<double, kKellyLevels> kelly_levels(
    const Distribution& distribution) noexcept;

}  // namespace scanmq::strategy
