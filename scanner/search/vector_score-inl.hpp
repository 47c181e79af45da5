// What the search's kernels share: P(S_T < K) and the score's shapes over lanes of doubles.
//
// Role: included by highway sources (foreach_target.h) of scanner/search, once for each target.

#if defined(SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL
#undef SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL
#else
#define SCANMQ_SCANNER_SEARCH_VECTOR_SCORE_INL
#endif

#include <hwy/highway.h>

#include <cmath>

#include "scanner/pricing/vector_math-inl.hpp"
#include "scanner/strategy/distribution.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace vm = scanmq::pricing::HWY_NAMESPACE;
using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;

HWY_INLINE V set(double x) { return hn::Set(D{}, x); }

// strategy::Distribution over lanes.
class VectorDistribution {
  public:
    explicit VectorDistribution(const strategy::Distribution& scalar)
        : forward_(scalar.forward()), smile_(scalar.smile()) {}

    struct Probability {
        V value;
        V deviation;  // sigma sqrt(T) there
    };
    HWY_INLINE Probability below(V level) const {
        const D d;
        const auto ratio = hn::Max(hn::Div(level, set(forward_)), set(1e-300));
        const auto k = vm::log_bounded(d, ratio);
        const auto half = set(0.5);
        const bool flat = smile_.b == 0.0;
        auto variance = set(smile_.a);
        auto distance = hn::Zero(d);
        auto root = hn::Zero(d);
        if (!flat) {
            distance = hn::Sub(k, set(smile_.m));
            root = hn::Sqrt(hn::Add(hn::Mul(distance, distance), set(smile_.s * smile_.s)));
            variance =
                hn::Add(variance,
                        hn::Mul(set(smile_.b), hn::Add(hn::Mul(set(smile_.rho), distance), root)));
        }
        const auto v = hn::Sqrt(variance);
        const auto inverse = hn::Div(set(1.0), v);
        const auto minus_d2 = hn::Add(hn::Mul(k, inverse), hn::Mul(half, v));
        const auto normal = vm::normal_parts(d, minus_d2);
        auto p = normal.cumulative;
        if (!flat) {
            const auto slope =
                hn::Mul(set(smile_.b), hn::Add(set(smile_.rho), hn::Div(distance, root)));
            p = hn::Add(p, hn::Mul(hn::Mul(normal.density, slope), hn::Mul(half, inverse)));
        }
        return {hn::IfThenElseZero(hn::Gt(level, hn::Zero(d)), p), v};
    }

  private:
    double forward_;
    market::Smile smile_;
};

// sat(x/y, half) for y > 0.
HWY_INLINE V saturating(V x, V y, double half) {
    const auto positive = hn::IfThenElse(hn::Lt(x, hn::Zero(D{})), hn::Zero(D{}), x);  // keeps NaN
    return hn::Div(hn::Mul(set(100.0), positive), hn::Add(positive, hn::Mul(set(half), y)));
}
// sg(x/y, half) for y > 0.
HWY_INLINE V signed_saturating(V x, V y, double half) {
    const auto share = hn::Div(x, hn::Add(hn::Abs(x), hn::Mul(set(half), y)));
    return hn::Add(set(50.0), hn::Mul(set(50.0), share));
}
// 100/(1 + |x/y|/half) for y > 0.
HWY_INLINE V neutral(V x, V y, double half) {
    const auto room = hn::Mul(set(half), y);
    return hn::Div(hn::Mul(set(100.0), room), hn::Add(room, hn::Abs(x)));
}

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
