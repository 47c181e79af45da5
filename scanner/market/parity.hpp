#pragma once
// Put-call parity, C - P = D (F - K): one discount curve for a snapshot and a forward for each
// expiry.
//
// Method:  each European expiry gives one estimate of -ln(D)/T, the slope of C - P over K near the
//          money, with a variance. The curve is then fitted jointly to all of them: weighted by
//          1/variance, which grows like T^2, outliers left out. An expiry never gets a slope of its
//          own: near ones are dominated by quote noise.
// Curve:   Nelson and Siegel (1987) with a decay of one year, r(T) = level + slope p + hump (p -
//          e^-T), p = (1 - e^-T)/T. A weak normal prior around zero (ridge) settles what quotes
//          leave open.
// Threads: pure functions.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "scanner/market/chain.hpp"
#include "scanner/market/market_inputs.hpp"

namespace scanmq::market {

// A strike whose call and put both have a two-sided, uncrossed quote.
struct ParityPair {
    double strike{};
    double difference{};   // C - P at the mids
    double uncertainty{};  // half the sum of the two spreads, above zero
    double call{};         // C
};

// The pairs of one expiry by rising strike. Overwrites `pairs`.
void find_parity_pairs(const Chain& chain, const Expiry& expiry, std::vector<ParityPair>& pairs);

// The strike at which calls and puts cost the same, within a few percent of the forward: a starting
// point. NaN without pairs.
[[nodiscard]] double rough_forward(std::span<const ParityPair> pairs) noexcept;

// Those within `window` of the forward (in |ln K/F|), of them the nearest, at most `pairs_max`. A
// view.
[[nodiscard]] std::span<const ParityPair> nearest_pairs(std::span<const ParityPair> pairs,
                                                        double forward, double window,
                                                        std::size_t pairs_max) noexcept;

// One expiry's say about the curve.
struct RateEstimate {
    double years{};
    double rate{};      // -ln(D)/T
    double variance{};  // of the rate
};

// Which pairs an estimate takes: those within `window` of the forward (in |ln K/F|), and beyond it
// the nearest, up to `pairs_wanted` in all, where strikes are sparse.
struct NearMoney {
    double window{};
    std::size_t pairs_wanted{};
};

// The weighted regression of C - P on K over the pairs near the money. False when there are fewer
// than four, or the slope is no discount factor.
[[nodiscard]] bool estimate_rate(std::span<const ParityPair> pairs, double forward,
                                 NearMoney near_money, double years, RateEstimate& out);

class RateCurve {
  public:
    // The zero curve.
    RateCurve() = default;
    [[nodiscard]] static RateCurve flat(double rate) noexcept;
    // Fits level, slope and hump; with `level_only`, a flat curve. Order of estimates does not matter
    // beyond rounding. No estimates: the zero curve.
    [[nodiscard]] static RateCurve fit(std::span<const RateEstimate> estimates, bool level_only);

    // Linear between the points, in any order; the first and last one's rate outside. Points that are
    // not finite or before time zero do not count; without any, the zero curve.
    [[nodiscard]] static RateCurve through(std::span<const RatePoint> points);

    [[nodiscard]] bool has_points() const noexcept { return !points_.empty(); }

    // Continuous zero rate; beyond the last fitted expiry that expiry's.
    [[nodiscard]] double rate(double years) const noexcept;
    [[nodiscard]] double discount(double years) const noexcept;
    // Standard deviation of the level after the fit; only meaningful for a flat curve.
    [[nodiscard]] double level_deviation() const noexcept { return level_deviation_; }

  private:
    std::array<double, 3> coefficients_{};
    std::vector<RatePoint> points_;  // instead of coefficients, unless empty
    double years_max_ = 0;
    double level_deviation_ = 0;
};

// The forward: median of K + (C - P)/D over the pairs nearest to `rough`, at most `pairs_max` of
// them, weighted by 1/uncertainty. NaN when no pair is within 20 % of `rough`.
[[nodiscard]] double parity_forward(std::span<const ParityPair> pairs, double rough,
                                    double discount, std::size_t pairs_max);

}  // namespace scanmq::market
