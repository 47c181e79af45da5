// Distribution over the lanes of a highway vector of doubles.
//
// Role:     included by highway sources (foreach_target.h) of the scanner, once for each target.
// Accuracy: probabilities within 1e-14 of Distribution's where sigma sqrt(T) is 1e-4 or more; below,
//           the rounding of ln(K/F) shows.
// Threads:  pure functions.

#if defined(SCANMQ_SCANNER_STRATEGY_DISTRIBUTION_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SCANMQ_SCANNER_STRATEGY_DISTRIBUTION_INL
#undef SCANMQ_SCANNER_STRATEGY_DISTRIBUTION_INL
#else
#define SCANMQ_SCANNER_STRATEGY_DISTRIBUTION_INL
#endif

#include <hwy/highway.h>

#include <cmath>

#include "scanner/pricing/vector_math-inl.hpp"
#include "scanner/strategy/distribution.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::strategy::HWY_NAMESPACE {

namespace hn = scanmq::pricing::HWY_NAMESPACE::hn;
namespace vm = scanmq::pricing::HWY_NAMESPACE;

class VectorDistribution {
  public:
    using D = hn::ScalableTag<double>;
    using V = hn::Vec<D>;

    explicit VectorDistribution(const Distribution& scalar)
        : forward_(scalar.forward()),
          over_forward_(1.0 / scalar.forward()),
          smile_(scalar.smile()) {}

    struct Probability {
        V value;      // P(S_T < level)
        V deviation;  // sigma sqrt(T) there
    };
    HWY_INLINE Probability below(V level) const {
        const Terms t = terms(level);
        const auto normal = vm::normal_parts(D{}, t.minus_d2);
        const auto p = hn::Add(normal.cumulative, hn::Mul(normal.density, t.bend));
        return {positive(level, p), t.v};
    }

    // sigma sqrt(T) at the level.
    HWY_INLINE V deviation(V level) const { return terms(level).v; }

    struct Moments {
        V below;  // P(S_T < level)
        V mean;   // E[S_T; S_T < level]
    };
    HWY_INLINE Moments moments(V level) const {
        const D d;
        const Terms t = terms(level);
        const auto normal = vm::normal_parts(d, t.minus_d2);
        const auto skew = hn::Mul(normal.density, t.bend);
        const auto below = hn::Add(normal.cumulative, skew);
        const auto share = vm::normal_cdf(d, hn::Sub(t.minus_d2, t.v));
        const auto mean = hn::Add(hn::Mul(hn::Set(d, forward_), share), hn::Mul(level, skew));
        return {positive(level, below), positive(level, mean)};
    }

  private:
    struct Terms {
        V v;
        V minus_d2;
        V bend;  // v'(k)
    };

    HWY_INLINE Terms terms(V level) const {
        const D d;
        const auto half = hn::Set(d, 0.5);
        const auto ratio = hn::Max(hn::Mul(level, hn::Set(d, over_forward_)), hn::Set(d, 1e-300));
        const auto k = vm::log_bounded(d, ratio);
        if (smile_.b == 0.0) {
            const auto v = hn::Set(d, std::sqrt(smile_.a));
            const auto minus_d2 = hn::Add(hn::Div(k, v), hn::Mul(half, v));
            return {v, minus_d2, hn::Zero(d)};
        }
        const auto b = hn::Set(d, smile_.b);
        const auto rho = hn::Set(d, smile_.rho);
        const auto distance = hn::Sub(k, hn::Set(d, smile_.m));
        const auto root =
            hn::Sqrt(hn::Add(hn::Mul(distance, distance), hn::Set(d, smile_.s * smile_.s)));
        const auto variance =
            hn::Add(hn::Set(d, smile_.a), hn::Mul(b, hn::Add(hn::Mul(rho, distance), root)));
        const auto v = hn::Sqrt(variance);
        // One division for both k over v and distance over root.
        const auto inverse = hn::Div(hn::Set(d, 1.0), hn::Mul(v, root));
        const auto over_v = hn::Mul(inverse, root);
        const auto slope = hn::Add(rho, hn::Mul(distance, hn::Mul(inverse, v)));
        return {v, hn::Add(hn::Mul(k, over_v), hn::Mul(half, v)),
                hn::Mul(hn::Mul(b, slope), hn::Mul(half, over_v))};
    }
    static HWY_INLINE V positive(V level, V value) {
        return hn::IfThenElseZero(hn::Gt(level, hn::Zero(D{})), value);
    }

    double forward_;
    double over_forward_;
    market::Smile smile_;
};

}  // namespace scanmq::strategy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
