// The two combinations of Mills ratios that make a Black value, over the lanes of a highway vector.
//
// Role:    mills.hpp for many rows at once: internal to the kernels of scanner/pricing, included by
//          highway sources after vector_math-inl.hpp. The formulas are explained there.
// Threads: pure functions.

#if defined(SCANMQ_SCANNER_PRICING_MILLS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SCANMQ_SCANNER_PRICING_MILLS_INL
#undef SCANMQ_SCANNER_PRICING_MILLS_INL
#else
#define SCANMQ_SCANNER_PRICING_MILLS_INL
#endif

#include <hwy/highway.h>

#include "scanner/pricing/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE {

// R(|a - t|) and R(a + t).
template <class D>
struct MillsPair {
    hn::Vec<D> near;
    hn::Vec<D> far;
};
template <class D>
HWY_INLINE MillsPair<D> mills_pair(D d, hn::Vec<D> a, hn::Vec<D> t) {
    const auto limit = hn::Set(d, 64.0);
    const auto near = mills_parts(d, hn::Min(hn::Abs(hn::Sub(a, t)), limit));
    const auto far = mills_parts(d, hn::Min(hn::Add(a, t), limit));
    // One division for both: denominators are below 1e13.
    const auto both = hn::Div(hn::Set(d, 1.0), hn::Mul(near.denominator, far.denominator));
    return {hn::Mul(near.numerator, hn::Mul(both, far.denominator)),
            hn::Mul(far.numerator, hn::Mul(both, near.denominator))};
}

// Where R(a - t) - R(a + t) would cancel.
template <class D>
HWY_INLINE hn::Mask<D> needs_series(D d, hn::Vec<D> a, hn::Vec<D> t) {
    const auto small = hn::And(hn::Lt(t, hn::Set(d, 0.1)), hn::Lt(hn::Mul(a, t), hn::Set(d, 0.25)));
    return hn::And(small, hn::Lt(a, hn::Set(d, 40.0)));
}

// R(a - t) - R(a + t) for small t, as mills_difference_series of mills.hpp.
template <class D>
HWY_INLINE hn::Vec<D> difference_series(D d, hn::Vec<D> a, hn::Vec<D> t) {
    static constexpr double kPlain1[] = {2.0, 1.0};
    static constexpr double kPlain2[] = {8.0, 9.0, 1.0};
    static constexpr double kPlain3[] = {48.0, 87.0, 20.0, 1.0};
    static constexpr double kPlain4[] = {384.0, 975.0, 345.0, 35.0, 1.0};
    static constexpr double kPlain5[] = {3840.0, 12645.0, 6090.0, 938.0, 54.0, 1.0};
    static constexpr double kScaled1[] = {3.0, 1.0};
    static constexpr double kScaled2[] = {15.0, 10.0, 1.0};
    static constexpr double kScaled3[] = {105.0, 105.0, 21.0, 1.0};
    static constexpr double kScaled4[] = {945.0, 1260.0, 378.0, 36.0, 1.0};
    static constexpr double kScaled5[] = {10395.0, 17325.0, 6930.0, 990.0, 55.0, 1.0};
    const auto q = hn::Mul(a, a);
    const auto p = hn::Mul(t, t);
    const auto next = [&](hn::Vec<D> inner, hn::Vec<D> term, double factor) HWY_ATTR {
        return hn::MulAdd(hn::Mul(p, hn::Set(d, factor)), inner, term);
    };
    // Nested in p: term_k + p / ((2k+2)(2k+3)) (term_(k+1) + ...).
    auto plain = polynomial(d, q, kPlain5);
    plain = next(plain, polynomial(d, q, kPlain4), 1.0 / 110.0);
    plain = next(plain, polynomial(d, q, kPlain3), 1.0 / 72.0);
    plain = next(plain, polynomial(d, q, kPlain2), 1.0 / 42.0);
    plain = next(plain, polynomial(d, q, kPlain1), 1.0 / 20.0);
    plain = next(plain, hn::Set(d, 1.0), 1.0 / 6.0);
    auto scaled = polynomial(d, q, kScaled5);
    scaled = next(scaled, polynomial(d, q, kScaled4), 1.0 / 110.0);
    scaled = next(scaled, polynomial(d, q, kScaled3), 1.0 / 72.0);
    scaled = next(scaled, polynomial(d, q, kScaled2), 1.0 / 42.0);
    scaled = next(scaled, polynomial(d, q, kScaled1), 1.0 / 20.0);
    scaled = next(scaled, hn::Set(d, 1.0), 1.0 / 6.0);
    const auto ratio = mills_ratio(d, hn::Min(a, hn::Set(d, 64.0)));
    return hn::Mul(hn::Add(t, t), hn::NegMulAdd(hn::Mul(a, ratio), scaled, plain));
}

}  // namespace scanmq::pricing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
