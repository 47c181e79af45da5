#include "scanner/pricing/implied_volatility.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "scanner/pricing/mills.hpp"
#include "scanner/pricing/portable_math.hpp"
#include "scanner/pricing/rational_cubic.hpp"

// Jaeckel (2015), "Let's be rational". The inflection point of b(v) is s_c = sqrt(2|x|); its
// tangent there meets 0 at s_l = s_c - b(s_c)/b'(s_c) and the maximum e^(x/2) at s_u = s_c +
// (e^(x/2) - b(s_c))/b'(s_c). The prices b(s_l), b(s_c), b(s_u) divide the range of beta into four
// pieces, each with its own initial guess and, but for the two in the middle, its own objective
// function; two Householder steps of order four follow.
//
// Here all of it is written with Mills ratios (mills.hpp). What the paper calls b/b' is then a
// difference of two ratios without an exponential, and near the maximum e^(x/2) - b is a sum that
// does not cancel. The regions that the paper needs to compute b reduce to one series for small v,
// because an absolute error e in b/b' moves v by e: a large |x|/v, where b/b' is far smaller than
// v, is benign.

namespace scanmq::pricing {
namespace {

using detail::kInvSqrtTwoPi;
using detail::kSqrtHalfPi;
using detail::kSqrtTwoPi;

constexpr double kLogInvSqrtTwoPi = -0.918938533204672741780330;
constexpr double kSqrtThree = 1.73205080756887729352745;
constexpr double kLogSqrtThree = 0.549306144334054845697623;
constexpr double kTwoPi = 6.28318530717958647692529;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A normalised out-of-the-money quote.
struct Quote {
    double beta{};      // value * scale
    double headroom{};  // maximum - beta, given apart because subtracting here could cancel
    double maximum{};   // e^(-m/2)
    double m{};         // |ln(F/K)|
    double value{};     // price before normalisation
    double scale{1.0};

    // Of a subnormal beta, which has lost digits or all of them, by its factors.
    [[nodiscard]] double log_beta() const noexcept {
        if (beta >= std::numeric_limits<double>::min()) return portable::log(beta);
        return portable::log(value) + portable::log(scale);
    }
};

// -N^-1(exp(log_p)) for p < 1/2 to 4.5e-4, enough for a guess: Hastings, in Abramowitz and Stegun
// (1964) 26.2.23.
double rough_inverse_tail(double log_p) noexcept {
    const double r = std::sqrt(-2.0 * log_p);
    return r - (2.515517 + r * (0.802853 + r * 0.010328)) /
                   (1.0 + r * (1.432788 + r * (0.189269 + r * 0.001308)));
}

// One step of Householder's method of order four from Newton's step and the ratios of the second
// and third derivative of the objective to its first.
double householder(double newton, double second, double third) noexcept {
    return newton * (1.0 + 0.5 * second * newton) /
           (1.0 + newton * (second + third * newton * (1.0 / 6.0)));
}

// b''/b' and b'''/b' at v.
struct VegaRatios {
    VegaRatios(double m, double v) noexcept {
        const double a = m / v;
        const double over_v = 1.0 / v;
        second = a * a * over_v - 0.25 * v;
        third = second * second - 3.0 * (a * over_v) * (a * over_v) - 0.25;
    }
    double second;
    double third;
};

// The objective below s_l: 1/ln b - 1/ln beta.
double step_low(const Quote& quote, double log_beta, double v) noexcept {
    const double a = quote.m / v;
    const double t = 0.5 * v;
    const double ratio = detail::mills_difference(a, t);
    const double log_b = kLogInvSqrtTwoPi - 0.5 * (a * a + t * t) + portable::log(ratio);
    const double slope = 1.0 / ratio;  // b'/b
    const double over_log = 1.0 / log_b;
    const VegaRatios vega(quote.m, v);
    const double newton = (log_beta - log_b) * log_b / log_beta * ratio;
    const double twist = slope * (1.0 + 2.0 * over_log);
    const double second = vega.second - twist;
    const double third = vega.third +
                         2.0 * slope * slope * (1.0 + 3.0 * over_log * (1.0 + over_log)) -
                         3.0 * vega.second * twist;
    return householder(newton, second, third);
}

// The objective between s_l and s_u: b - beta.
double step_middle(const Quote& quote, double v) noexcept {
    const double a = quote.m / v;
    const double t = 0.5 * v;
    const double over_vega = kSqrtTwoPi * portable::exp(0.5 * (a * a + t * t));
    const VegaRatios vega(quote.m, v);
    double newton;
    if (a > t || detail::needs_series(a, t)) {
        newton = quote.beta * over_vega - detail::mills_difference(a, t);
    } else {
        newton = detail::mills_sum(a, t) - quote.headroom * over_vega;
    }
    return householder(newton, vega.second, vega.third);
}

// The objective above s_u: ln(maximum - beta) - ln(maximum - b).
double step_high(const Quote& quote, double log_headroom, double v) noexcept {
    const double a = quote.m / v;
    const double t = 0.5 * v;
    const double ratio = detail::mills_sum(a, t);
    const double log_rest = kLogInvSqrtTwoPi - 0.5 * (a * a + t * t) + portable::log(ratio);
    const double slope = 1.0 / ratio;
    const VegaRatios vega(quote.m, v);
    return householder((log_rest - log_headroom) * ratio, vega.second + slope,
                       vega.third + slope * (2.0 * slope + 3.0 * vega.second));
}

// Two steps reach the last place from these guesses; the check buys more of them for inputs far
// outside of any market, and bounds keep every iterate in the piece that holds the root.
template <class Step>
double iterate(double guess, double low, double high, Step step) noexcept {
    double v = std::clamp(guess, low, high);
    for (int i = 0; i < 8; ++i) {
        const double moved = std::clamp(v + step(v), low, high);
        const double change = std::fabs(moved - v);
        v = moved;
        // Order four: a step this small has left an error of its fourth power.
        if (i > 0 && !(change > 1e-4 * v)) break;
    }
    return v;
}

// s_c and what is known there: a = t, so that one of the two ratios is R(0).
struct Inflection {
    explicit Inflection(double m) noexcept : v(std::sqrt(2.0 * m)), ratio(detail::mills_ratio(v)) {}
    double v;
    double ratio;  // R(s_c)
};

// The guess below s_l: f(v) = 2 pi m / (3 sqrt 3) N(-m/(sqrt 3
// v))^3 is near b there; a rational cubic maps beta to f, and f is inverted. In units of b_l, all
// exponentials but e^(s_l^2/8) drop out.
double guess_low(const Quote& quote, double log_beta, double v_l, double ratio_l,
                 double b_l) noexcept {
    const double z = quote.m / (kSqrtThree * v_l);
    const double y = z * z;
    const double mills = detail::mills_ratio(z);
    const double w = portable::exp(0.125 * v_l * v_l);
    const double mapped = quote.m * mills * mills * mills * w / (3.0 * kSqrtThree * ratio_l);
    const double slope = y * mills * mills * w;
    const double second =
        ratio_l * w * y * mills * (2.0 * (z - (1.0 + y) * mills) / v_l + 0.25 * mills * v_l);
    const double tau = quote.beta / b_l;
    const double f = detail::cubic_fit_right({0.0, mapped, 1.0, slope}, second, tau);
    // f over beta, which neither underflows with beta nor, as the cubic's slope at 0 is 1, leaves 1 there.
    const double factor = f > 0.0 ? f / tau : 1.0;
    const double log_p =
        kLogSqrtThree + (log_beta + portable::log(factor / (kTwoPi * quote.m))) / 3.0;
    return quote.m / (kSqrtThree * rough_inverse_tail(std::min(log_p, -0.7)));
}

double solve_below(const Quote& quote, const Inflection& centre, double b_c) noexcept {
    // s_l = s_c - b_c/b'_c; by its series where that would cancel.
    const double v_c = centre.v;
    const double v_l = v_c < 1e-3 ? v_c * v_c * (0.5 * kSqrtHalfPi - v_c / 3.0)
                                  : v_c - (kSqrtHalfPi - centre.ratio);
    const double a = quote.m / v_l;
    const double t = 0.5 * v_l;
    const double ratio_l = detail::mills_difference(a, t);
    const double over_vega = kSqrtTwoPi * portable::exp(0.5 * (a * a + t * t));
    const double b_l = ratio_l / over_vega;
    if (quote.beta < b_l) {
        const double log_beta = quote.log_beta();
        return iterate(guess_low(quote, log_beta, v_l, ratio_l, b_l), 1e-3 * v_l, v_l,
                       [&](double v) { return step_low(quote, log_beta, v); });
    }
    const double width = b_c - b_l;
    const double guess =
        detail::cubic_fit_right({v_l, v_c, width * over_vega, width * kSqrtTwoPi / quote.maximum},
                                0.0, (quote.beta - b_l) / width);
    return iterate(guess, v_l, v_c, [&](double v) { return step_middle(quote, v); });
}

// The guess above s_u: f(v) = N(-v/2) is near maximum - b.
double guess_high(const Quote& quote, double v_u, double ratio_u, double rest_u) noexcept {
    const double a = quote.m / v_u;
    const double t = 0.5 * v_u;
    const double growth = portable::exp(0.5 * a * a);
    const double mapped = growth * detail::mills_ratio(t) / ratio_u;
    const double second = 0.5 * ratio_u * a * a / v_u * growth;
    const double tau = quote.headroom / rest_u;
    const double f = detail::cubic_fit_right({0.0, mapped, 0.5, 0.5 * growth}, second, tau);
    return 2.0 * rough_inverse_tail(std::min(portable::log((f > 0.0 ? f : tau) * rest_u), -0.7));
}

double solve_above(const Quote& quote, const Inflection& centre, double b_c) noexcept {
    // s_u = s_c + (maximum - b_c)/b'_c.
    const double v_u = centre.v + kSqrtHalfPi + centre.ratio;
    const double a = quote.m / v_u;
    const double t = 0.5 * v_u;
    const double ratio_u = detail::mills_sum(a, t);
    const double over_vega = kSqrtTwoPi * portable::exp(0.5 * (a * a + t * t));
    const double rest_u = ratio_u / over_vega;  // maximum - b_u
    if (quote.headroom < rest_u) {
        const double log_headroom = portable::log(quote.headroom);
        return iterate(guess_high(quote, v_u, ratio_u, rest_u), v_u, 1e3,
                       [&](double v) { return step_high(quote, log_headroom, v); });
    }
    const double width = quote.maximum - rest_u - b_c;
    const double guess = detail::cubic_fit_left(
        {centre.v, v_u, width * kSqrtTwoPi / quote.maximum, width * over_vega}, 0.0,
        (quote.beta - b_c) / width);
    return iterate(guess, centre.v, v_u, [&](double v) { return step_middle(quote, v); });
}

double solve(const Quote& quote) noexcept {
    // At the money b = erf(v / sqrt 8), whose first term is exact here; v may be subnormal.
    if (quote.m == 0.0 && quote.beta < 1e-9) return kSqrtTwoPi * quote.beta;
    const Inflection centre(quote.m);
    // b(s_c)/maximum = 1/2 - R(s_c)/sqrt(2 pi), again by its series where that would cancel.
    const double share =
        centre.v < 1e-3
            ? kInvSqrtTwoPi * centre.v * (1.0 - centre.v * (0.5 * kSqrtHalfPi - centre.v / 3.0))
            : 0.5 - kInvSqrtTwoPi * centre.ratio;
    const double b_c = quote.maximum * share;
    return quote.beta < b_c ? solve_below(quote, centre, b_c) : solve_above(quote, centre, b_c);
}

bool positive_finite(double value) noexcept {
    return value > 0.0 && value < std::numeric_limits<double>::infinity();
}

}  // namespace

const char* to_string(IvStatus status) noexcept {
    switch (status) {
        case IvStatus::ok:
            return "ok";
        case IvStatus::below_intrinsic:
            return "below_intrinsic";
        case IvStatus::above_max:
            return "above_max";
        case IvStatus::no_bid:
            return "no_bid";
        case IvStatus::no_ask:
            return "no_ask";
        case IvStatus::expired:
            return "expired";
        case IvStatus::not_tradable:
            return "not_tradable";
        case IvStatus::crossed:
            return "crossed";
        case IvStatus::no_forward:
            return "no_forward";
        case IvStatus::at_exercise_boundary:
            return "at_exercise_boundary";
    }
    return "unknown";
}

IvResult implied_volatility(double price, double forward, double strike, double years,
                            double discount, market::Right right) noexcept {
    if (!(years > 0.0)) return {kNaN, IvStatus::expired};
    if (!positive_finite(forward) || !positive_finite(strike) || !positive_finite(discount) ||
        !positive_finite(years)) {
        return {kNaN, IvStatus::no_forward};
    }
    if (std::isnan(price)) return {kNaN, IvStatus::no_bid};

    const bool is_call = right == market::Right::call;
    const double undiscounted = price / discount;
    const double headroom = (is_call ? forward : strike) - undiscounted;
    if (headroom <= 0.0) return {kNaN, IvStatus::above_max};

    const double intrinsic = is_call ? forward - strike : strike - forward;
    double out_of_the_money = undiscounted;
    if (intrinsic > 0.0) {
        // D F - D K as the caller computes it carries roundings of its own.
        const double rounding = std::numeric_limits<double>::epsilon() * (forward + strike);
        out_of_the_money -= intrinsic;
        if (std::fabs(out_of_the_money) <= rounding) out_of_the_money = 0.0;
    }
    if (out_of_the_money < 0.0) return {kNaN, IvStatus::below_intrinsic};
    if (out_of_the_money == 0.0) return {0.0, IvStatus::ok};

    const double low = std::min(forward, strike);
    const double high = std::max(forward, strike);
    // b_max = sqrt(low/high), and sqrt(F K) b_max = low.
    const double maximum = std::sqrt(low / high);
    const double scale = maximum / low;
    // Not 0: what is normalised to less still has an answer, by Quote::log_beta.
    const double beta =
        std::max(out_of_the_money * scale, std::numeric_limits<double>::denorm_min());
    const double v = solve({.beta = beta,
                            .headroom = headroom * scale,
                            .maximum = maximum,
                            .m = detail::log_ratio(high, low),
                            .value = out_of_the_money,
                            .scale = scale});
    return {v / std::sqrt(years), IvStatus::ok};
}

double normalised_implied_volatility(double beta, double x) noexcept {
    const double m = std::fabs(x);
    const double maximum = portable::exp(-0.5 * m);
    if (beta == 0.0) return 0.0;
    if (!(beta > 0.0 && beta < maximum)) return kNaN;
    return solve(
        {.beta = beta, .headroom = maximum - beta, .maximum = maximum, .m = m, .value = beta});
}

double normalised_black(double x, double v) noexcept {
    if (v <= 0.0) return 0.0;
    const double m = std::fabs(x);
    const double a = m / v;
    const double t = 0.5 * v;
    const double vega = kInvSqrtTwoPi * portable::exp(-0.5 * (a * a + t * t));
    if (a > t || detail::needs_series(a, t)) return vega * detail::mills_difference(a, t);
    return portable::exp(-0.5 * m) - vega * detail::mills_sum(a, t);
}

}  // namespace scanmq::pricing
