#pragma once
// Implied volatility of American options, with a continuous yield and with cash dividends.
//
// Role:     the inverse of american.hpp and cash_dividends.hpp, which price_chain calls per expiry.
// Units:    price and strike per share, rates per year, T in years; the result as a decimal.
// Method:   a bracket that each step shrinks, secant steps inside it, bisection where those fail;
//           the first guess is the European volatility, which is never below the American one. With
//           dividends, whose prices are dear, the first guess is the volatility of the price without
//           them, and the first steps are secants in the distance to it. At most kAmericanIvStepsMax
//           prices per contract; `accurate` does the same again from what `fast` has found.
// Status:   ok: the scheme's price at the volatility is the quote, up to 1e-9 of the spot.
//           below_intrinsic: under the value of exercise, or under the least value any volatility
//             gives. at_exercise_boundary: the value of immediate exercise up to rounding: every
//             volatility up to some limit gives it, so none is determined. above_max: no volatility
//             up to kAmericanIvMax gives it. no_bid: the price is NaN. expired: T <= 0. no_forward:
//             spot, strike, rate, yield or T is not a (positive) finite number, or a dividend is not.
// Threads:  pure functions.
// See:      docs/SCANNER.md, "American exercise".

#include <span>

#include "scanner/pricing/american.hpp"
#include "scanner/pricing/cash_dividends.hpp"
#include "scanner/pricing/implied_volatility.hpp"

namespace scanmq::pricing {

inline constexpr int kAmericanIvStepsMax = 48;
inline constexpr double kAmericanIvMax = 20.0;  // 2,000 %

// in.volatility is not read.
[[nodiscard]] IvResult american_implied_volatility(
    double price, const BsmInputs& in, Right right,
    AmericanScheme scheme = AmericanScheme::fast) noexcept;

// Rows of one expiry: spans of equal length, out overwritten. A row whose price is NaN is no_bid
// and costs nothing. Without a dividend in (0, T] the second form is the first.
void american_implied_volatility(const BsmExpiry& common, std::span<const double> price,
                                 std::span<const double> strike, std::span<const Right> right,
                                 std::span<IvResult> out,
                                 AmericanScheme scheme = AmericanScheme::fast) noexcept;
void american_implied_volatility(const BsmExpiry& common, std::span<const CashDividend> dividends,
                                 std::span<const double> price, std::span<const double> strike,
                                 std::span<const Right> right, std::span<IvResult> out,
                                 AmericanScheme scheme = AmericanScheme::fast) noexcept;

}  // namespace scanmq::pricing
