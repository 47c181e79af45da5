#pragma once
// European option values: Black (1976) on the forward; Black-Scholes-Merton is the same with
// F = S e^((r-q)T), D = e^(-rT).
//
// Units: prices per share; rates and volatility as decimals per year; T in years (ACT/365).
//        Greeks are raw: vega per 1.00 of volatility, theta per year, rho per 1.00 of rate.
// Formulas: Haug (1998) ch. 1-2; d1 = ln(F/K)/v + v/2, d2 = d1 - v, v = sigma sqrt(T).
// Accuracy: the out-of-the-money value is computed without cancellation and the in-the-money one by
//        parity from it. NaN in, NaN out. At v = 0 the discounted intrinsic value and the limits of
//        delta, theta and rho (1/2 of the step where F = K); gamma and vega are 0 there.
// Threads: pure functions.

#include <span>

#include "scanner/market/chain.hpp"

namespace scanmq::pricing {

using market::Right;

struct BlackInputs {
    double forward{};      // F > 0
    double strike{};       // K > 0
    double volatility{};   // sigma >= 0
    double years{};        // T >= 0
    double discount{1.0};  // D > 0
};

// Undiscounted value times D. At v = 0 the discounted intrinsic value.
[[nodiscard]] double black_price(const BlackInputs& in, Right right) noexcept;

struct BsmInputs {
    double spot{};
    double strike{};
    double rate{};
    double yield{};  // continuous dividend yield q (or r for futures)
    double years{};
    double volatility{};
};

struct Greeks {
    double price{};
    double delta{};  // dV/dS
    double gamma{};
    double vega{};   // per 1.00 of volatility
    double theta{};  // per year
    double rho{};    // per 1.00 of rate
};

[[nodiscard]] double bsm_price(const BsmInputs& in, Right right) noexcept;
[[nodiscard]] Greeks bsm_greeks(const BsmInputs& in, Right right) noexcept;

// The same for many contracts of one expiry: spans of equal length, out overwritten.
// spot, rate, yield and years are shared; strike, volatility and right vary by row. Vectorised: a row
// does not depend on its neighbours; it is within 1e-14 of each Greek's scale of the single form,
// and every instruction set gives the same bits.
struct BsmExpiry {
    double spot{};
    double rate{};
    double yield{};
    double years{};
};
void bsm_greeks(const BsmExpiry& common, std::span<const double> strike,
                std::span<const double> volatility, std::span<const Right> right,
                std::span<Greeks> out) noexcept;

// The same into columns.
struct GreekColumns {
    std::span<double> price;
    std::span<double> delta;
    std::span<double> gamma;
    std::span<double> vega;
    std::span<double> theta;
    std::span<double> rho;
};
void bsm_greeks(const BsmExpiry& common, std::span<const double> strike,
                std::span<const double> volatility, std::span<const Right> right,
                const GreekColumns& out) noexcept;

}  // namespace scanmq::pricing
