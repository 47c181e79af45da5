#pragma once
// American option values and Greeks with a continuous dividend yield.
//
// Role:     what price_chain and the scanner call for equity and ETF options. Cash dividends are in
//           cash_dividends.hpp, the inverse in american_implied_volatility.hpp, a cheap lower bound
//           in bjerksund_stensland.hpp.
// Units:    as black.hpp: prices per share, decimals per year, T in years (ACT/365), raw Greeks.
// Formulas: Andersen, Lake and Offengenden (2016), "High performance American option pricing": the
//           exercise boundary by collocation and fixed-point iteration, then Kim's integral of the
//           early exercise premium. Calls are puts by McDonald and Schroder's symmetry
//           C(S, K, r, q) = P(K, S, q, r). Where r and q leave no reason to exercise early, the
//           European value. Where the exercise region has two boundaries (put: q < r < 0, call:
//           r < q < 0), finite differences.
// Accuracy: at S = 100, volatilities from 2 % to 70 %, rates and yields up to 10 %, up to 3 years:
//           `fast` is within 1e-5 of `accurate`, which is within 1e-7 of the truth. Volatilities of
//           150 %, rates of 30 % or ten years: 5e-5. See docs/SCANNER.md.
//           Never below the European value or the value of immediate exercise.
// Bad input: a spot, strike, time or volatility that is not a finite number, or negative, or a spot
//           or strike of 0, or a rate or yield that is not finite: NaN. At T = 0 the value of
//           exercise; at sigma = 0 the best deterministic exercise.
// Threads:  pure functions. Speed: contracts are priced side by side in vector lanes, so many in
//           one call are much cheaper than many calls.
// See:      docs/SCANNER.md, "American exercise".

#include <cstdint>
#include <span>

#include "scanner/pricing/black.hpp"

namespace scanmq::pricing {

enum class AmericanScheme : std::uint8_t {
    fast,      // about 1e-5 at S = 100: quotes, chains, scans
    accurate,  // about 1e-8: single values, references
};

struct AmericanContract {
    BsmInputs in;
    Right right{};
};
// One row of an expiry.
[[nodiscard]] inline AmericanContract contract_of(const BsmExpiry& common, double strike,
                                                  double volatility, Right right) noexcept {
    return {{.spot = common.spot,
             .strike = strike,
             .rate = common.rate,
             .yield = common.yield,
             .years = common.years,
             .volatility = volatility},
            right};
}

[[nodiscard]] double american_price(const BsmInputs& in, Right right,
                                    AmericanScheme scheme = AmericanScheme::fast) noexcept;

// Delta and gamma are derivatives of the integral, theta follows from the Black-Scholes equation
// (0 where exercise is due), vega and rho are central differences of the price, whose scheme is
// smooth in both.
[[nodiscard]] Greeks american_greeks(const BsmInputs& in, Right right,
                                     AmericanScheme scheme = AmericanScheme::fast) noexcept;

// Any contracts, all inputs different. Spans of equal length, out overwritten.
void american_prices(std::span<const AmericanContract> contracts, std::span<double> out,
                     AmericanScheme scheme = AmericanScheme::fast) noexcept;

// One expiry, as bsm_greeks(): spans of equal length, out overwritten. A row whose volatility is NaN
// becomes NaN.
void american_prices(const BsmExpiry& common, std::span<const double> strike,
                     std::span<const double> volatility, std::span<const Right> right,
                     std::span<double> out, AmericanScheme scheme = AmericanScheme::fast) noexcept;
void american_greeks(const BsmExpiry& common, std::span<const double> strike,
                     std::span<const double> volatility, std::span<const Right> right,
                     std::span<Greeks> out, AmericanScheme scheme = AmericanScheme::fast) noexcept;

// The spot at and beyond which exercise is due now: the highest of a put, the lowest of a call. 0
// or infinity where early exercise never is, NaN for bad input and where there are two boundaries.
[[nodiscard]] double exercise_boundary(const BsmInputs& in, Right right,
                                       AmericanScheme scheme = AmericanScheme::accurate) noexcept;

}  // namespace scanmq::pricing
