#include "scanner/strategy/distribution_columns.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/strategy/distribution_columns.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/strategy/distribution-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::strategy::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

constexpr std::size_t kAtOnce = 4;  // vectors, whose chains run beside each other

// The next kAtOnce vectors' worth of strikes, or as many as there are: what is missing is some strike, as a row
// does not see its neighbours.
struct Batch {
    Batch(const double* strikes, std::size_t left) : n(std::min(left, kAtOnce * hn::Lanes(D{}))) {
        alignas(64) double each[kAtOnce * kLanesMax];
        const std::size_t lanes = hn::Lanes(D{});
        for (std::size_t j = 0; j < kAtOnce * lanes; ++j) each[j] = strikes[j < n ? j : 0];
        for (std::size_t v = 0; v < kAtOnce; ++v) level[v] = hn::Load(D{}, each + v * lanes);
    }
    std::size_t n;
    V level[kAtOnce];
};
struct alignas(64) Rows {
    HWY_INLINE void put(std::size_t vector, V value) {
        hn::Store(value, D{}, each + vector * hn::Lanes(D{}));
    }
    double each[kAtOnce * kLanesMax];
};

void moments_in_lanes(const Distribution& scalar, const double* strikes, std::size_t size,
                      StrikeMoments* out) {
    const VectorDistribution distribution(scalar);
    for (std::size_t i = 0; i < size;) {
        const Batch batch(strikes + i, size - i);
        VectorDistribution::Moments moments[kAtOnce];
        distribution.moments(batch.level, moments);
        Rows below;
        Rows mean;
        for (std::size_t v = 0; v < kAtOnce; ++v) {
            below.put(v, moments[v].below);
            mean.put(v, moments[v].mean);
        }
        for (std::size_t j = 0; j < batch.n; ++j) out[i + j] = {below.each[j], mean.each[j]};
        i += batch.n;
    }
}

void touches_in_lanes(const Distribution& scalar, const TouchMarket& market, const double* strikes,
                      std::size_t size, double* out) {
    const D d;
    const VectorDistribution distribution(scalar);
    const auto years = hn::Set(d, market.years);
    const auto zero = hn::Zero(d);
    const auto carry = hn::Set(d, portable::log(scalar.forward() / market.spot) / market.years);
    for (std::size_t i = 0; i < size;) {
        const Batch batch(strikes + i, size - i);
        V b[kAtOnce];
        V power[kAtOnce];
        V direct[kAtOnce];
        V tail[kAtOnce];
        for (std::size_t n = 0; n < kAtOnce; ++n) {
            const auto v = distribution.deviation(batch.level[n]);
            const auto variance = hn::Div(hn::Mul(v, v), years);  // per year
            const auto m = hn::Sub(carry, hn::Mul(hn::Set(d, 0.5), variance));
            b[n] = vm::log_bounded(d, hn::Div(batch.level[n], hn::Set(d, market.spot)));
            const auto distance = hn::Neg(hn::Abs(b[n]));
            const auto mt = hn::Mul(m, years);
            const auto drift = hn::IfThenElse(hn::Gt(b[n], zero), mt, hn::Neg(mt));
            const auto over_v = hn::Div(hn::Set(d, 1.0), v);
            direct[n] = hn::Mul(hn::Add(distance, drift), over_v);
            tail[n] = hn::Mul(hn::Sub(distance, drift), over_v);
            power[n] = hn::Div(hn::Mul(hn::Mul(hn::Set(d, 2.0), m), b[n]), variance);
        }
        for (std::size_t n = 0; n < kAtOnce; ++n) direct[n] = vm::normal_cdf(d, direct[n]);
        for (std::size_t n = 0; n < kAtOnce; ++n) tail[n] = vm::normal_cdf(d, tail[n]);
        Rows touch;
        for (std::size_t n = 0; n < kAtOnce; ++n) {
            const auto mirrored =
                hn::IfThenElseZero(hn::Gt(tail[n], zero), hn::Mul(vm::exp(d, power[n]), tail[n]));
            const auto sum = hn::Add(direct[n], mirrored);
            touch.put(n, hn::IfThenElse(hn::Eq(b[n], zero), hn::Set(d, 1.0), sum));
        }
        for (std::size_t j = 0; j < batch.n; ++j) out[i + j] = touch.each[j];
        i += batch.n;
    }
}

}  // namespace
}  // namespace scanmq::strategy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::strategy {

HWY_EXPORT(moments_in_lanes);
HWY_EXPORT(touches_in_lanes);

void strike_moments(const Distribution& distribution, std::span<const double> strikes,
                    std::span<StrikeMoments> out) noexcept {
    HWY_DYNAMIC_DISPATCH(moments_in_lanes)(distribution, strikes.data(), out.size(), out.data());
}

void touch_probabilities(const Distribution& distribution, const TouchMarket& market,
                         std::span<const double> strikes, std::span<double> out) noexcept {
    HWY_DYNAMIC_DISPATCH(touches_in_lanes)
    (distribution, market, strikes.data(), out.size(), out.data());
}

}  // namespace scanmq::strategy
#endif
