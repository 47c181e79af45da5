#pragma once
// Rational cubic interpolation of Delbourgo and Gregory (1985) on the unit interval, with the
// control parameter chosen to match a second derivative at one end (Jaeckel 2015).
//
// Role:    internal to scanner/pricing: initial guesses of the implied volatility.
// Threads: pure functions.

#include <algorithm>
#include <cmath>

namespace scanmq::pricing::detail {

// Values and slopes at 0 and 1 of a convex or concave increasing function of the unit interval.
struct CubicEnds {
    double left{};
    double right{};
    double slope_left{};
    double slope_right{};
};

// The smallest control parameter that keeps the interpolant monotone and convex or concave.
[[nodiscard]] inline double shape_control(const CubicEnds& ends) noexcept {
    const double chord = ends.right - ends.left;
    const double bend = std::fabs(ends.slope_right - ends.slope_left);
    const double thinner =
        std::min(std::fabs(ends.slope_right - chord), std::fabs(chord - ends.slope_left));
    return std::max((ends.slope_left + ends.slope_right) / chord, bend / thinner);
}

[[nodiscard]] inline double evaluate(const CubicEnds& ends, double control, double at) noexcept {
    // A straight piece has chord = slopes and no finite control: the limit is linear.
    if (!(control < 1e12)) return ends.left + (ends.right - ends.left) * at;
    const double rest = 1.0 - at;
    const double numerator =
        ends.right * at * at * at + (control * ends.right - ends.slope_right) * at * at * rest +
        (control * ends.left + ends.slope_left) * at * rest * rest + ends.left * rest * rest * rest;
    return numerator / (1.0 + (control - 3.0) * at * rest);
}

// Interpolants whose second derivative at 1, or at 0, is `second` where the shape allows it.
[[nodiscard]] inline double cubic_fit_right(const CubicEnds& ends, double second,
                                            double at) noexcept {
    const double chord = ends.right - ends.left;
    const double control =
        (0.5 * second + ends.slope_right - ends.slope_left) / (ends.slope_right - chord);
    return evaluate(ends, std::max(control, shape_control(ends)), at);
}
[[nodiscard]] inline double cubic_fit_left(const CubicEnds& ends, double second,
                                           double at) noexcept {
    const double chord = ends.right - ends.left;
    const double control =
        (0.5 * second + ends.slope_right - ends.slope_left) / (chord - ends.slope_left);
    return evaluate(ends, std::max(control, shape_control(ends)), at);
}

}  // namespace scanmq::pricing::detail
