// log, exp and the normal distribution over the lanes of a highway vector of doubles.
//
// Role:     included by highway sources (foreach_target.h) of the scanner, after hwy/highway.h, and
//           compiled once for each target. highway's own contrib/math allows 2 to 4 ulp and has no
//           normal distribution.
// Accuracy: relative errors, as the tests of every target assert: log and exp 2.3e-16, log_ratio
//           5e-16, mills_ratio 1e-15, normal_pdf 6e-16, normal_cdf 1.5e-15. NaN in, NaN out.
// Targets:  the same bits on each (lanes-inl.hpp).
// Threads:  pure functions.
// See:      scanner/pricing/mills.hpp for the Mills ratio; docs/SCANNER.md, "Pricing kernels".

#if defined(SCANMQ_SCANNER_PRICING_VECTOR_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SCANMQ_SCANNER_PRICING_VECTOR_MATH_INL
#undef SCANMQ_SCANNER_PRICING_VECTOR_MATH_INL
#else
#define SCANMQ_SCANNER_PRICING_VECTOR_MATH_INL
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "scanner/pricing/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE {

// ln 2 in two parts, the first of 31 bits, so that its product with an exponent is exact.
inline constexpr double kLn2High = 0x1.62e42fee00000p-1;
inline constexpr double kLn2Low = 1.9082149292705877e-10;

// Added to an integer below 2^51 in size, this leaves the integer in the low bits of the sum.
inline constexpr double kShifter = 0x1.8p52;

// The polynomial c[0] + c[1] x + ... by Horner's rule.
template <class D, std::size_t N>
HWY_INLINE hn::Vec<D> polynomial(D d, hn::Vec<D> x, const double (&c)[N]) {
    auto sum = hn::Set(d, c[N - 1]);
    for (std::size_t i = N - 1; i-- > 0;) sum = hn::MulAdd(sum, x, hn::Set(d, c[i]));
    return sum;
}

// 2^k for whole k in [-1022, 1023].
template <class D>
HWY_INLINE hn::Vec<D> power_of_two(D d, hn::Vec<D> k) {
    const hn::RebindToUnsigned<D> du;
    const auto biased = hn::Add(k, hn::Set(d, kShifter + 1023.0));
    return hn::BitCast(d, hn::ShiftLeft<52>(hn::BitCast(du, biased)));
}

// e^x = 2^k e^r with |r| <= ln(2)/2.
template <class D>
struct ExpParts {
    hn::Vec<D> k;
    hn::Vec<D> mantissa;
};
template <class D>
HWY_INLINE ExpParts<D> exp_parts(D d, hn::Vec<D> x) {
    // (e^r - 1 - r) / r^2, error 1.4e-17 at |r| = ln(2)/2.
    static constexpr double kRest[] = {0.5000000000000001,     0.16666666666666669,
                                       0.04166666666662413,    0.008333333333330062,
                                       0.0013888888917213717,  0.00019841269863053618,
                                       2.4801521295954376e-05, 2.7557268459997064e-06,
                                       2.7620088445409746e-07, 2.510038549551032e-08};
    const auto shifter = hn::Set(d, kShifter);
    const auto k = hn::Sub(hn::MulAdd(x, hn::Set(d, 1.4426950408889634), shifter), shifter);
    const auto high = hn::NegMulAdd(k, hn::Set(d, kLn2High), x);
    const auto r = hn::NegMulAdd(k, hn::Set(d, kLn2Low), high);
    const auto rest = hn::Mul(hn::Mul(r, r), polynomial(d, r, kRest));
    return {k, hn::Add(hn::Set(d, 1.0), hn::Add(r, rest))};
}

// e^x for x in [-708, 709]: what is outside gives no useful value.
template <class D>
HWY_INLINE hn::Vec<D> exp_bounded(D d, hn::Vec<D> x) {
    const auto parts = exp_parts(d, x);
    return hn::Mul(parts.mantissa, power_of_two(d, parts.k));
}

// e^x for any x; 0 and infinity where it under- and overflows.
template <class D>
HWY_INLINE hn::Vec<D> exp(D d, hn::Vec<D> x) {
    const auto limited = hn::Min(hn::Max(x, hn::Set(d, -800.0)), hn::Set(d, 800.0));
    const auto parts = exp_parts(d, limited);
    // In two factors, as 2^k itself may be out of range.
    const auto shifter = hn::Set(d, kShifter);
    const auto half = hn::Sub(hn::MulAdd(parts.k, hn::Set(d, 0.5), shifter), shifter);
    const auto scaled = hn::Mul(hn::Mul(parts.mantissa, power_of_two(d, half)),
                                power_of_two(d, hn::Sub(parts.k, half)));
    return hn::IfThenElse(hn::IsNaN(x), x, scaled);
}

// A positive normal number as mantissa 2^k with the mantissa in [sqrt(1/2), sqrt(2)).
template <class D>
struct LogParts {
    hn::Vec<D> k;
    hn::Vec<D> mantissa;
};
template <class D>
HWY_INLINE LogParts<D> log_parts(D d, hn::Vec<D> x) {
    const hn::RebindToUnsigned<D> du;
    constexpr std::uint64_t kRootHalf = 0x3FE6A09E667F3BCDu;  // the bits of sqrt(1/2)
    constexpr std::uint64_t kOne = 0x3FF0000000000000u;
    const auto shifted = hn::Add(hn::BitCast(du, x), hn::Set(du, kOne - kRootHalf));
    const auto biased = hn::ShiftRight<52>(shifted);
    const auto mantissa = hn::Add(hn::And(shifted, hn::Set(du, (std::uint64_t{1} << 52) - 1)),
                                  hn::Set(du, kRootHalf));
    // The exponent as a double: its integer in the low bits of 2^52.
    const auto k = hn::Sub(hn::BitCast(d, hn::Or(biased, hn::BitCast(du, hn::Set(d, 0x1p52)))),
                           hn::Set(d, 0x1p52 + 1023.0));
    return {k, hn::BitCast(d, mantissa)};
}

// (2 atanh(s) - 2 s) / s^3 as a function of s^2, for s up to (sqrt(2) - 1) / (sqrt(2) + 1). Error
// 1e-18 of 2 atanh(s) / s.
template <class D>
HWY_INLINE hn::Vec<D> atanh_rest(D d, hn::Vec<D> s_squared) {
    static constexpr double kRest[] = {
        0.6666666666666666,  0.40000000000000885, 0.28571428570799784, 0.22222222392581045,
        0.18181795547521137, 0.15386244737621665, 0.13268638369266825, 0.13088034850927555};
    return polynomial(d, s_squared, kRest);
}

// ln(x) for positive normal x: what is outside gives no useful value.
template <class D>
HWY_INLINE hn::Vec<D> log_bounded(D d, hn::Vec<D> x) {
    // f = m - 1 is exact, s = f / (2 + f), ln(m) = 2 atanh(s) = f - s (f - s^2 rest).
    const auto parts = log_parts(d, x);
    const auto f = hn::Sub(parts.mantissa, hn::Set(d, 1.0));
    const auto s = hn::Div(f, hn::Add(hn::Set(d, 2.0), f));
    const auto q = hn::Mul(s, s);
    const auto half_square = hn::Mul(hn::Mul(hn::Set(d, 0.5), f), f);
    // f - f^2/2 + s (f^2/2 + q rest): of the terms that carry a rounding, none is large.
    const auto inner = hn::MulAdd(q, atanh_rest(d, q), half_square);
    const auto low = hn::MulAdd(s, inner, hn::Mul(parts.k, hn::Set(d, kLn2Low)));
    const auto sum = hn::Sub(f, hn::Sub(half_square, low));
    return hn::MulAdd(parts.k, hn::Set(d, kLn2High), sum);
}

// ln(x): -infinity at 0, NaN below.
template <class D>
HWY_INLINE hn::Vec<D> log(D d, hn::Vec<D> x) {
    const auto subnormal = hn::Lt(x, hn::Set(d, 0x1p-1022));
    const auto normal = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, 0x1p54)), x);
    const auto shift = hn::IfThenElseZero(subnormal, hn::Set(d, 54.0 * 0.6931471805599453));
    auto result = hn::Sub(log_bounded(d, normal), shift);
    const auto infinity = hn::Inf(d);
    const auto zero = hn::Zero(d);
    result = hn::IfThenElse(hn::Eq(x, infinity), infinity, result);
    result = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), result);
    return hn::IfThenElse(hn::Ge(x, zero), result, hn::NaN(d));
}

// ln(high/low) for normal high >= low > 0, accurate relative to itself as the two meet.
template <class D>
HWY_INLINE hn::Vec<D> log_ratio(D d, hn::Vec<D> high, hn::Vec<D> low) {
    // Both as mantissa and exponent; the difference of mantissas within a factor of two is exact,
    // and k = 0 wherever the two are close unless they lie about a mantissa's end, which the
    // halving below mends.
    const auto above = log_parts(d, high);
    const auto below = log_parts(d, low);
    const auto one = hn::Set(d, 1.0);
    const auto root_two = hn::Set(d, 1.4142135623730951);
    auto m = above.mantissa;
    auto k = hn::Sub(above.k, below.k);
    const auto too_high = hn::Gt(m, hn::Mul(below.mantissa, root_two));
    const auto too_low = hn::Lt(hn::Mul(m, root_two), below.mantissa);
    m = hn::IfThenElse(too_high, hn::Mul(m, hn::Set(d, 0.5)), m);
    m = hn::IfThenElse(too_low, hn::Add(m, m), m);
    k = hn::IfThenElse(too_high, hn::Add(k, one), k);
    k = hn::IfThenElse(too_low, hn::Sub(k, one), k);
    const auto s = hn::Div(hn::Sub(m, below.mantissa), hn::Add(m, below.mantissa));
    const auto q = hn::Mul(s, s);
    const auto rest = hn::MulAdd(hn::Mul(s, q), atanh_rest(d, q), hn::Mul(k, hn::Set(d, kLn2Low)));
    return hn::MulAdd(k, hn::Set(d, kLn2High), hn::Add(hn::Add(s, s), rest));
}

// Numerator and denominator of the Mills ratio R(z) = (1 - N(z)) / n(z), 0 <= z <= 64, as in
// mills.hpp: apart, so that two ratios can share a division.
template <class D>
struct MillsParts {
    hn::Vec<D> numerator;
    hn::Vec<D> denominator;
};
template <class D>
HWY_INLINE MillsParts<D> mills_parts(D d, hn::Vec<D> z) {
    static constexpr double kNumeratorEven[] = {1.2533141373155001103, 1.5253977968358781813,
                                                0.25668341002005249847, 0.011025054429701783413,
                                                0.00010372108573670927336};
    static constexpr double kNumeratorOdd[] = {1.9672424655271749761, 0.75135995124909902019,
                                               0.062835863426392494384, 0.0013421526604855713835,
                                               3.9388309123608851822e-6};
    static constexpr double kDenominatorEven[] = {1.0,
                                                  2.6060965741420350103,
                                                  0.81155103873385759208,
                                                  0.064170138613418548739,
                                                  0.0013460914914589734132,
                                                  3.938830912362827902e-6};
    static constexpr double kDenominatorOdd[] = {2.3675169514027398346, 1.7610657697345760207,
                                                 0.26750101628381926768, 0.011128775511260278971,
                                                 0.00010372108573618870428};
    const auto q = hn::Mul(z, z);
    return {hn::MulAdd(z, polynomial(d, q, kNumeratorOdd), polynomial(d, q, kNumeratorEven)),
            hn::MulAdd(z, polynomial(d, q, kDenominatorOdd), polynomial(d, q, kDenominatorEven))};
}
template <class D>
HWY_INLINE hn::Vec<D> mills_ratio(D d, hn::Vec<D> z) {
    const auto parts = mills_parts(d, z);
    return hn::Div(parts.numerator, parts.denominator);
}

// n(x).
template <class D>
HWY_INLINE hn::Vec<D> normal_pdf(D d, hn::Vec<D> x) {
    // Beyond 40 the density is 0. x = c + r with c of 26 bits, so that c^2 is exact, and x^2 = c^2 +
    // r (x + c): the rounding of x^2 would be an error of x^2 epsilon.
    const hn::RebindToUnsigned<D> du;
    const auto z = hn::Min(hn::Abs(x), hn::Set(d, 40.0));
    const auto coarse =
        hn::BitCast(d, hn::And(hn::BitCast(du, z), hn::Set(du, ~std::uint64_t{0} << 27)));
    const auto rest = hn::Mul(hn::Mul(hn::Set(d, -0.5), hn::Sub(z, coarse)), hn::Add(z, coarse));
    // e^rest, |rest| < 40^2 2^-26.
    static constexpr double kExp[] = {1.0, 1.0, 0.5, 1.0 / 6.0};
    const auto density =
        hn::Mul(exp(d, hn::Mul(hn::Mul(hn::Set(d, -0.5), coarse), coarse)),
                hn::Mul(polynomial(d, rest, kExp), hn::Set(d, 0.398942280401432677939946)));
    return hn::IfThenElse(hn::IsNaN(x), x, density);
}

// N(x), and n(x) which it needs anyway.
template <class D>
struct NormalParts {
    hn::Vec<D> density;
    hn::Vec<D> cumulative;
};
template <class D>
HWY_INLINE NormalParts<D> normal_parts(D d, hn::Vec<D> x) {
    const auto density = normal_pdf(d, x);
    const auto z = hn::Min(hn::Abs(x), hn::Set(d, 64.0));
    const auto tail = hn::Mul(density, mills_ratio(d, z));
    const auto cumulative =
        hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0), tail));
    return {density, cumulative};
}
template <class D>
HWY_INLINE hn::Vec<D> normal_cdf(D d, hn::Vec<D> x) {
    return normal_parts(d, x).cumulative;
}

}  // namespace scanmq::pricing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
