// What the search's kernels share: the score's shapes over lanes of doubles.
//
// Role: included by highway sources (foreach_target.h) of scanner/search, once for each target.

#if defined(SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL
#undef SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL
#else
#define SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL
#endif

#include <hwy/highway.h>

#include "scanner/strategy/distribution-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {

namespace hn = scanmq::pricing::HWY_NAMESPACE::hn;
using scanmq::strategy::HWY_NAMESPACE::VectorDistribution;
using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;

HWY_INLINE V set(double x) { return hn::Set(D{}, x); }

// A probability of a payoff is a sum over its zeros: of each P(S_T < cut), less where the payoff rises. What a
// zero adds, with `cut` as in Block::cut and 0 where there is none.
using Crossing = VectorDistribution::Probability;
template <std::size_t N>
HWY_INLINE void cross(const VectorDistribution& distribution, const V (&cut)[N],
                      Crossing (&out)[N]) {
    V level[N];
    for (std::size_t i = 0; i < N; ++i) level[i] = hn::Abs(cut[i]);
    distribution.below(level, out);
    for (std::size_t i = 0; i < N; ++i) {
        const auto zero = hn::Zero(D{});
        out[i].value = hn::IfThenElse(hn::Lt(cut[i], zero), hn::Neg(out[i].value), out[i].value);
        out[i].value = hn::IfThenElseZero(hn::Ne(cut[i], zero), out[i].value);
    }
}

// base + top/bottom: the form of every component, so that several can share a division.
struct Share {
    V top;
    V bottom;
    double base;

    HWY_INLINE V times(V over_bottom) const {
        const auto share = hn::Mul(top, over_bottom);
        return base == 0.0 ? share : hn::Add(set(base), share);
    }
    HWY_INLINE V value() const {
        const auto share = hn::Div(top, bottom);
        return base == 0.0 ? share : hn::Add(set(base), share);
    }
};
// A divisor that does not exist must not spoil the one that shares its division.
HWY_INLINE V or_one(V x) { return hn::IfThenElse(hn::Eq(x, x), x, set(1.0)); }

// sat(x/y, half) for y > 0.
HWY_INLINE Share saturating(V x, V y, double half) {
    const auto positive = hn::IfThenElse(hn::Lt(x, hn::Zero(D{})), hn::Zero(D{}), x);  // keeps NaN
    return {hn::Mul(set(100.0), positive), hn::Add(positive, hn::Mul(set(half), y)), 0.0};
}
// sg(x/y, half) for y > 0.
HWY_INLINE Share signed_saturating(V x, V y, double half) {
    return {hn::Mul(set(50.0), x), hn::Add(hn::Abs(x), hn::Mul(set(half), y)), 50.0};
}
// 100/(1 + |x/y|/half) for y > 0.
HWY_INLINE Share neutral(V x, V y, double half) {
    const auto room = hn::Mul(set(half), y);
    return {hn::Mul(set(100.0), room), hn::Add(room, hn::Abs(x)), 0.0};
}

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
