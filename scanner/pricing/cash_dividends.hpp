#pragma once
// Options on a stock that pays cash dividends: the escrowed model.
//
// Role:     beside american.hpp, for chains whose dividend schedule is known.
// Model:    X = S - PV(dividends in (0, T]) diffuses with volatility sigma and drift r - q (q, a
//           continuous yield or borrow cost on top, is usually 0). European: Black-Scholes on X.
//           American: what exercise gives at t is X plus the present value of the dividends not yet
//           paid; a call is best exercised just before an ex-moment, a put just after or between.
// Method:   finite differences in ln X on two grids, extrapolated; exercise inside the elimination;
//           corrected by what the same grids do to the option without its dividends, whose value
//           american.hpp has (finite_differences.hpp).
// Accuracy: at S = 100 and up to a year: `fast` 6e-5 in the root mean square, up to 3e-4 where an
//           ex-moment is a few days off and for puts near their boundary; `accurate` a tenth of the
//           first, a fourth of the second.
// Limits:   dividends outside (0, T] are ignored; at most kDividendsMax inside, more is bad input.
//           Bad input, as in american.hpp, and a dividend that is negative or not finite, or a sum
//           that leaves X <= 0: NaN.
// Threads:  pure functions. The batch forms price contracts side by side in vector lanes.
// See:      docs/SCANNER.md, "American exercise".

#include <cstddef>
#include <span>

#include "scanner/pricing/american.hpp"

namespace scanmq::pricing {

struct CashDividend {
    double years{};   // from the quote's to the ex-moment
    double amount{};  // per share
};

inline constexpr std::size_t kDividendsMax = 64;

// X: the spot less the present value of the dividends in (0, years]. NaN for bad input.
[[nodiscard]] double escrowed_spot(const BsmExpiry& common,
                                   std::span<const CashDividend> dividends) noexcept;

// European: bsm_greeks() on X; theta includes the growth of the dividends' present value.
[[nodiscard]] Greeks european_greeks(const BsmInputs& in, std::span<const CashDividend> dividends,
                                     Right right) noexcept;

[[nodiscard]] double american_price(const BsmInputs& in, std::span<const CashDividend> dividends,
                                    Right right,
                                    AmericanScheme scheme = AmericanScheme::fast) noexcept;
// Delta, gamma and theta are read off the grid, vega and rho are central differences.
[[nodiscard]] Greeks american_greeks(const BsmInputs& in, std::span<const CashDividend> dividends,
                                     Right right,
                                     AmericanScheme scheme = AmericanScheme::fast) noexcept;

// Rows of one expiry, as in american.hpp. Without a dividend in (0, T] these are those forms.
void american_prices(const BsmExpiry& common, std::span<const CashDividend> dividends,
                     std::span<const double> strike, std::span<const double> volatility,
                     std::span<const Right> right, std::span<double> out,
                     AmericanScheme scheme = AmericanScheme::fast) noexcept;
void american_greeks(const BsmExpiry& common, std::span<const CashDividend> dividends,
                     std::span<const double> strike, std::span<const double> volatility,
                     std::span<const Right> right, std::span<Greeks> out,
                     AmericanScheme scheme = AmericanScheme::fast) noexcept;

}  // namespace scanmq::pricing
