#pragma once
// American option values by Bjerksund and Stensland (2002): cheap, and a lower bound.
//
// Role:     a first look at a value or an early exercise premium; american.hpp is the exact one.
// Units:    as black.hpp.
// Formulas: Bjerksund and Stensland (2002), "Closed form valuation of American options": exercise at
//           the first touch of one flat boundary up to t = (sqrt(5) - 1) T/2 and of another after it.
//           Puts by the symmetry P(S, K, r, q) = C(K, S, q, r).
// Accuracy: a strategy's value, so at most the American value; short of it by up to 0.2 % of the spot
//           within a year, a quarter of the early exercise premium. Where the formula has no finite
//           value (a negative rate, a volatility of a few percent) what is left is the larger of the
//           European value and that of exercise, below which the result never is.
// Threads:  pure functions. Bad input as in american.hpp: NaN.

#include "scanner/pricing/black.hpp"

namespace scanmq::pricing {

[[nodiscard]] double bjerksund_stensland_price(const BsmInputs& in, Right right) noexcept;

}  // namespace scanmq::pricing
