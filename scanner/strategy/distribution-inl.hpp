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
        const V levels[1] = {level};
        Probability out[1];
        below(levels, out);
        return out[0];
    }

    // Of several vectors at once: the chains of one step of each run beside those of the others, where a
    // processor's window is too short for the whole way. The same bits as one at a time.
    static constexpr std::size_t kAtOnce = 8;
    template <std::size_t N>
    HWY_INLINE void below(const V (&level)[N], Probability (&out)[N]) const {
        const D d;
        V x[N];
        V bend[N];
        for (std::size_t i = 0; i < N; ++i) x[i] = log_moneyness(level[i]);
        for (std::size_t i = 0; i < N; ++i) {
            const Terms t = terms_at(x[i]);
            out[i].deviation = t.v;
            x[i] = t.minus_d2;
            bend[i] = t.bend;
        }
        V density[N];
        for (std::size_t i = 0; i < N; ++i) density[i] = plain_density(x[i]);
        for (std::size_t i = 0; i < N; ++i) {
            const auto tail = hn::Mul(density[i], vm::mills_ratio(d, bounded_size(x[i])));
            const auto normal =
                hn::IfThenElse(hn::Lt(x[i], hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0), tail));
            out[i].value = positive(level[i], hn::MulAdd(density[i], bend[i], normal));
        }
    }

    // sigma sqrt(T) at the level.
    HWY_INLINE V deviation(V level) const { return terms(level).v; }

    struct Moments {
        V below;  // P(S_T < level)
        V mean;   // E[S_T; S_T < level]
    };
    template <std::size_t N>
    HWY_INLINE void moments(const V (&level)[N], Moments (&out)[N]) const {
        const D d;
        V x[N];
        V v[N];
        V bend[N];
        for (std::size_t i = 0; i < N; ++i) x[i] = log_moneyness(level[i]);
        for (std::size_t i = 0; i < N; ++i) {
            const Terms t = terms_at(x[i]);
            v[i] = t.v;
            x[i] = t.minus_d2;
            bend[i] = t.bend;
        }
        for (std::size_t i = 0; i < N; ++i) {
            const auto normal = vm::normal_parts(d, x[i]);
            const auto skew = hn::Mul(normal.density, bend[i]);
            out[i].below = positive(level[i], hn::Add(normal.cumulative, skew));
            bend[i] = hn::Mul(level[i], skew);
        }
        for (std::size_t i = 0; i < N; ++i) {
            const auto share = vm::normal_cdf(d, hn::Sub(x[i], v[i]));
            out[i].mean =
                positive(level[i], hn::Add(hn::Mul(hn::Set(d, forward_), share), bend[i]));
        }
    }

  private:
    struct Terms {
        V v;
        V minus_d2;
        V bend;  // v'(k)
    };

    // n(x) as near as a probability needs it: the error is that of rounding x^2, x^2 n(x) epsilon.
    static HWY_INLINE V plain_density(V x) {
        const D d;
        const auto z = bounded_size(x);
        return hn::Mul(vm::exp_bounded(d, hn::Mul(hn::Mul(hn::Set(d, -0.5), z), z)),
                       hn::Set(d, 0.398942280401432677939946));
    }
    // |x|, beyond which N(-|x|) is nothing; keeps what is no number.
    static HWY_INLINE V bounded_size(V x) { return hn::Min(hn::Set(D{}, kFar), hn::Abs(x)); }

    HWY_INLINE V log_moneyness(V level) const {
        const D d;
        const auto ratio = hn::Max(hn::Mul(level, hn::Set(d, over_forward_)), hn::Set(d, 1e-300));
        return vm::log_bounded(d, ratio);
    }
    HWY_INLINE Terms terms(V level) const { return terms_at(log_moneyness(level)); }
    HWY_INLINE Terms terms_at(V k) const {
        const D d;
        const auto half = hn::Set(d, 0.5);
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

    static constexpr double kFar = 37.0;  // N(-37) = 6e-300

    double forward_;
    double over_forward_;
    market::Smile smile_;
};

}  // namespace scanmq::strategy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
