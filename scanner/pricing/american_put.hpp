#pragma once
// PutForm: a call or put brought into the form of a put, and which method its rates ask for.
//
// Role:     internal to scanner/pricing: american*.cpp.
// Formulas: McDonald and Schroder (1998), C(S, K, r, q) = P(K, S, q, r).
// Threads:  pure functions.

#include <cmath>
#include <limits>

#include "scanner/pricing/black.hpp"

namespace scanmq::pricing::detail {

// Below this sigma sqrt(T) the value is the deterministic one, which is within 0.4 S times it.
inline constexpr double kDeviationMin = 1e-8;

enum class Regime : unsigned char {
    bad,             // NaN
    exercise,        // T = 0
    deterministic,   // sigma sqrt(T) = 0
    european,        // never exercised early
    boundary,        // one exercise boundary
    two_boundaries,  // q < r < 0: exercised between two
};

struct PutForm {
    double spot{};
    double strike{};
    double rate{};
    double yield{};
};

[[nodiscard]] inline PutForm put_form(const BsmInputs& in, Right right) noexcept {
    if (right == Right::put) return {in.spot, in.strike, in.rate, in.yield};
    return {in.strike, in.spot, in.yield, in.rate};
}

[[nodiscard]] inline bool is_finite(double value) noexcept {
    return std::fabs(value) < std::numeric_limits<double>::infinity();
}

// Exercise pays r K - q S: it is never due where that is nowhere positive below the strike.
[[nodiscard]] inline Regime put_regime(const PutForm& put, double volatility,
                                       double years) noexcept {
    const bool usable = put.spot > 0.0 && put.strike > 0.0 && years >= 0.0 && volatility >= 0.0 &&
                        is_finite(put.spot) && is_finite(put.strike) && is_finite(years) &&
                        is_finite(volatility) && is_finite(put.rate) && is_finite(put.yield);
    if (!usable) return Regime::bad;
    if (years == 0.0) return Regime::exercise;
    if (volatility * std::sqrt(years) < kDeviationMin) return Regime::deterministic;
    if (put.rate <= 0.0 && put.yield >= put.rate) return Regime::european;
    return put.rate < 0.0 ? Regime::two_boundaries : Regime::boundary;
}

// Where the drift over the life is many deviations, steps of FP-A no longer converge: such rows, long
// and calm ones, are FP-B's.
inline constexpr double kDriftMax = 1.2;
[[nodiscard]] inline bool is_calm(const BsmInputs& in) noexcept {
    return std::fabs(in.rate - in.yield) * std::sqrt(in.years) > kDriftMax * in.volatility;
}

// The most that exercise at any time in [0, years] gives when the spot grows at r - q for certain,
// and that time.
struct Certain {
    double value{};
    double years{};
};
[[nodiscard]] Certain certain_exercise(const PutForm& put, double years) noexcept;

}  // namespace scanmq::pricing::detail
