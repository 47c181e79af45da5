#pragma once
// Implied volatility after Jaeckel, "Let's be rational" (2015): the out-of-the-money side,
// normalised Black, a rational initial guess and two Householder steps.
//
// Units: price and strike per share, years ACT/365, discount D = e^(-rT); the result as a decimal.
// Threads: pure functions.

#include <cstdint>
#include <span>

#include "scanner/market/chain.hpp"

namespace scanmq::pricing {

enum class IvStatus : std::uint8_t {
    ok,
    below_intrinsic,       // price under the discounted intrinsic value
    above_max,             // price over D*F (call) or D*K (put)
    no_bid,                // the bid is zero or missing: no two-sided quote to take a mid of
    no_ask,                // the ask is zero or missing
    expired,               // T <= 0
    not_tradable,          // past its last trade, before settlement (AM-settled roots)
    crossed,               // bid above ask
    no_forward,            // forward, strike, discount or T is not a positive finite number
    at_exercise_boundary,  // American: the value of immediate exercise, no volatility is determined
};
[[nodiscard]] const char* to_string(IvStatus status) noexcept;

struct IvResult {
    double volatility{};  // NaN unless status is ok
    IvStatus status{};
};

// price is discounted (a quote), discount the D of its expiry.
// At the discounted intrinsic value, up to the roundings of computing it: ok, with volatility 0. At
// D*F of a call or D*K of a put and over: above_max, as no finite volatility is left. A NaN price:
// no_bid. The rest of the statuses is the caller's, who knows the quote. Error: about 5e-15
// relatively, times b/(b' v) where that exceeds 1, that is only near the maximum. For an
// in-the-money price the subtraction of the intrinsic value costs what the price itself lacks in
// digits.
[[nodiscard]] IvResult implied_volatility(double price, double forward, double strike, double years,
                                          double discount, market::Right right) noexcept;

// The same for many quotes: spans of equal length, results overwritten, statuses as above. Vectorised:
// a row does not depend on its neighbours. Relative error 1e-12 where |ln K/F| <= 3, sigma sqrt(T)
// <= 3 and the out-of-the-money price is a normal double, which a kernel without loops answers; the
// rest takes the scalar function.
struct IvExpiry {
    double forward{};
    double years{};
    double discount{1.0};
};
void implied_volatility(const IvExpiry& common, std::span<const double> price,
                        std::span<const double> strike, std::span<const market::Right> right,
                        std::span<double> volatility, std::span<IvStatus> status) noexcept;

struct IvColumns {
    std::span<const double> price;
    std::span<const double> forward;
    std::span<const double> strike;
    std::span<const double> years;
    std::span<const double> discount;
    std::span<const market::Right> right;
};
void implied_volatility(const IvColumns& in, std::span<double> volatility,
                        std::span<IvStatus> status) noexcept;

// Normalised: beta = price / (D sqrt(F K)) of the out-of-the-money option, x = -|ln(F/K)| <= 0.
//             Returns v = sigma sqrt(T); 0 at beta = 0, NaN unless 0 <= beta < exp(x/2).
[[nodiscard]] double normalised_implied_volatility(double beta, double x) noexcept;

// Its inverse: the normalised out-of-the-money Black value b(x, v), x <= 0, v >= 0. Error: about
// 3e-15 relatively plus the roundings of the exponent, (x/v)^2 times 1e-16.
[[nodiscard]] double normalised_black(double x, double v) noexcept;

}  // namespace scanmq::pricing
