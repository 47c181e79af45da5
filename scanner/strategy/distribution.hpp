#pragma once
// Distribution: the risk-neutral distribution of S_T that an expiry's smile implies. One per expiry:
//               with a volatility of its own for each candidate, one breakeven would have two
//               probabilities.
//
// Formulas: v(k) = sqrt(w(k)), k = ln(K/F), d2 = -k/v - v/2, d1 = d2 + v (Breeden and Litzenberger 1978
//           on Black 1976):
//             P(S_T < K)     = N(-d2) + n(d2) v'(k),        v'(k) = w'(k)/(2 v) = K sqrt(T) dsigma/dK
//             E[S_T; S_T<K]  = K P(S_T < K) - put/D = F N(-d1) + K n(d2) v'(k)
// Precondition: forward > 0, the smile's variance is positive everywhere and free of butterfly
//           arbitrage; else what it gives is no distribution.
// Threads:  a value, pure functions; inline, on the path of every candidate.

#include <cmath>

#include "scanner/market/smile.hpp"
#include "scanner/pricing/normal.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::strategy {

// Of sigma sqrt(T): below, the rounding of ln(K/F) shows in probabilities.
inline constexpr double kDeviationMin = 1e-4;

class Distribution {
  public:
    Distribution(double forward, const market::Smile& smile) noexcept
        : forward_(forward), smile_(smile) {}

    // P(S_T < level); 0 at level <= 0.
    [[nodiscard]] double below(double level) const noexcept {
        if (level <= 0.0) return 0.0;
        const Terms t = terms(level);
        return pricing::normal_cdf(-t.d2) + t.skew;
    }
    // E[S_T; S_T < level].
    [[nodiscard]] double mean_below(double level) const noexcept {
        if (level <= 0.0) return 0.0;
        const Terms t = terms(level);
        return forward_ * pricing::normal_cdf(-t.d2 - t.v) + level * t.skew;
    }
    [[nodiscard]] double forward() const noexcept { return forward_; }
    [[nodiscard]] const market::Smile& smile() const noexcept { return smile_; }
    // sigma sqrt(T) at the money.
    [[nodiscard]] double total_deviation() const noexcept {
        return std::sqrt(smile_.variance(0.0));
    }

  private:
    struct Terms {
        double v;
        double d2;
        double skew;  // n(d2) v'(k)
    };
    [[nodiscard]] Terms terms(double level) const noexcept {
        const double k = portable::log(level / forward_);
        const double v = std::sqrt(smile_.variance(k));
        const double d2 = -k / v - 0.5 * v;
        if (smile_.b == 0.0) return {v, d2, 0.0};
        return {v, d2, pricing::normal_pdf(d2) * smile_.variance_slope(k) / (2.0 * v)};
    }

    double forward_;
    market::Smile smile_;
};

}  // namespace scanmq::strategy
