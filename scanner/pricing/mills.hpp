#pragma once
// Mills ratio of the normal distribution, and the two combinations of it that make a Black value.
//
// Role:     internal to scanner/pricing: the normal distribution, the Black price and its inverse
//           are all written with it, because it carries no exponential and hence no under- or
//           overflow.
// Formulas: R(z) = (1 - N(z)) / n(z). With x = -|ln(F/K)|, a = |x|/v, t = v/2, the normalised
//           out-of-the-money value b and its vega b' = db/dv (Jaeckel 2015) are b' = exp(-(a^2 +
//           t^2)/2) / sqrt(2 pi), b  = b' [R(a - t) - R(a + t)]                  for a >= t,
//           e^(x/2) - b = b' [R(t - a) + R(t + a)]         for t >= a, which follows from e^(x/2)
//           n(a - t) = e^(-x/2) n(a + t) = b'.
// Threads:  pure functions.

#include <cmath>

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing::detail {

inline constexpr double kInvSqrtTwoPi = 0.398942280401432677939946;
inline constexpr double kSqrtTwoPi = 2.50662827463100050241577;
inline constexpr double kSqrtHalfPi = 1.25331413731550025120788;

// Past this n(z) has underflowed, so that no value depends on R there.
inline constexpr double kMillsMax = 64.0;

// Rational approximation of R on [0, 64], numerator over denominator of degree 9 over 10, fitted in
// 70-digit arithmetic by reweighted least squares: relative error 1.1e-16. All coefficients are
// positive, so that the evaluation itself does not cancel either.
[[nodiscard]] inline double mills_rational(double z) noexcept {
    // Even and odd powers apart: four independent chains instead of two twice as long.
    const double q = z * z;
    const double p_even =
        (((0.00010372108573670927336 * q + 0.011025054429701783413) * q + 0.25668341002005249847) *
             q +
         1.5253977968358781813) *
            q +
        1.2533141373155001103;
    const double p_odd =
        (((3.9388309123608851822e-6 * q + 0.0013421526604855713835) * q + 0.062835863426392494384) *
             q +
         0.75135995124909902019) *
            q +
        1.9672424655271749761;
    const double q_even =
        ((((3.938830912362827902e-6 * q + 0.0013460914914589734132) * q + 0.064170138613418548739) *
              q +
          0.81155103873385759208) *
             q +
         2.6060965741420350103) *
            q +
        1.0;
    const double q_odd =
        (((0.00010372108573618870428 * q + 0.011128775511260278971) * q + 0.26750101628381926768) *
             q +
         1.7610657697345760207) *
            q +
        2.3675169514027398346;
    return (p_even + z * p_odd) / (q_even + z * q_odd);
}

// R(z) for z >= 0.
[[nodiscard]] inline double mills_ratio(double z) noexcept {
    return mills_rational(z < kMillsMax ? z : kMillsMax);
}

struct MillsPair {
    double low{};   // R(|a - t|)
    double high{};  // R(a + t)
};

[[nodiscard]] inline MillsPair mills_pair(double a, double t) noexcept {
    return {mills_ratio(a < t ? t - a : a - t), mills_ratio(a + t)};
}

// Where the difference below would cancel, a series in t takes its place. From a = 40 on b' has
// underflowed, and the series' powers of a would only overflow.
[[nodiscard]] inline bool needs_series(double a, double t) noexcept {
    return t < 0.1 && a * t < 0.25 && a < 40.0;
}

// R(a - t) - R(a + t) for small t: 2 sum of t^(2k+1) S_(2k+1) / (2k+1)!, where S_n is (-1)^n times
// the n-th derivative of R. From S_0 = R, S_1 = 1 - a R and S_(n+1) = n S_(n-1) - a S_n, each odd
// S_n is a polynomial in a^2 less a R times another, and only the two sums meet R. For t < 0.1 the
// first term left out is below 1e-17 of the whole; the absolute error over t stays a few roundings
// while a t does not grow.
[[nodiscard]] inline double mills_difference_series(double a, double t) noexcept {
    const double ratio = mills_ratio(a);
    const double q = a * a;
    const double p = t * t;
    const double p1 = p * (1.0 / 6.0);
    const double p2 = p * p * (1.0 / 120.0);
    const double p3 = p * p * p * (1.0 / 5040.0);
    const double p4 = p * p * p * p * (1.0 / 362880.0);
    const double p5 = p * p * p * p * p * (1.0 / 39916800.0);
    const double plain =
        1.0 + p1 * (2.0 + q) + p2 * (8.0 + q * (9.0 + q)) +
        p3 * (48.0 + q * (87.0 + q * (20.0 + q))) +
        p4 * (384.0 + q * (975.0 + q * (345.0 + q * (35.0 + q)))) +
        p5 * (3840.0 + q * (12645.0 + q * (6090.0 + q * (938.0 + q * (54.0 + q)))));
    const double scaled =
        1.0 + p1 * (3.0 + q) + p2 * (15.0 + q * (10.0 + q)) +
        p3 * (105.0 + q * (105.0 + q * (21.0 + q))) +
        p4 * (945.0 + q * (1260.0 + q * (378.0 + q * (36.0 + q)))) +
        p5 * (10395.0 + q * (17325.0 + q * (6930.0 + q * (990.0 + q * (55.0 + q)))));
    return 2.0 * t * (plain - a * ratio * scaled);
}

// b / b' for a >= t, or for any a where needs_series(a, t).
[[nodiscard]] inline double mills_difference(double a, double t) noexcept {
    if (needs_series(a, t)) return mills_difference_series(a, t);
    const MillsPair ratio = mills_pair(a, t);
    return ratio.low - ratio.high;
}

// (e^(x/2) - b) / b' for t >= a.
[[nodiscard]] inline double mills_sum(double a, double t) noexcept {
    const MillsPair ratio = mills_pair(a, t);
    return ratio.low + ratio.high;
}

// ln(high/low) for high >= low > 0, accurate relative to itself as the two meet: the quotient would
// keep its rounding error, while the difference of close numbers is exact.
[[nodiscard]] inline double log_ratio(double high, double low) noexcept {
    const double d = (high - low) / (high + low);
    if (d > 0.05) return portable::log(high / low);
    const double q = d * d;
    return 2.0 * d *
           (1.0 + q * (1.0 / 3.0 +
                       q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0))))));
}

}  // namespace scanmq::pricing::detail
