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

void moments_in_lanes(const Distribution& scalar, const double* strikes, std::size_t size,
                      StrikeMoments* out) {
    constexpr std::size_t kAtOnce = 4;  // vectors
    const hn::ScalableTag<double> d;
    using V = hn::Vec<hn::ScalableTag<double>>;
    const VectorDistribution distribution(scalar);
    const std::size_t lanes = hn::Lanes(d);
    const std::size_t step = kAtOnce * lanes;
    for (std::size_t i = 0; i < size; i += step) {
        const std::size_t n = std::min(step, size - i);
        // What is missing of the last vectors is some strike: a row does not see its neighbours.
        alignas(64) double level[kAtOnce * kLanesMax];
        for (std::size_t j = 0; j < step; ++j) level[j] = strikes[i + (j < n ? j : 0)];
        V levels[kAtOnce];
        for (std::size_t v = 0; v < kAtOnce; ++v) levels[v] = hn::Load(d, level + v * lanes);
        VectorDistribution::Moments moments[kAtOnce];
        distribution.moments(levels, moments);
        alignas(64) double below[kAtOnce * kLanesMax];
        alignas(64) double mean[kAtOnce * kLanesMax];
        for (std::size_t v = 0; v < kAtOnce; ++v) {
            hn::Store(moments[v].below, d, below + v * lanes);
            hn::Store(moments[v].mean, d, mean + v * lanes);
        }
        for (std::size_t j = 0; j < n; ++j) out[i + j] = {below[j], mean[j]};
    }
}

void touches_in_lanes(const Distribution& scalar, const TouchMarket& market, const double* strikes,
                      std::size_t size, double* out) {
    const hn::ScalableTag<double> d;
    const VectorDistribution distribution(scalar);
    const auto years = hn::Set(d, market.years);
    const auto zero = hn::Zero(d);
    const auto carry = hn::Set(d, portable::log(scalar.forward() / market.spot) / market.years);
    const std::size_t step = hn::Lanes(d);
    for (std::size_t i = 0; i < size; i += step) {
        const std::size_t n = std::min(step, size - i);
        alignas(64) double lanes[kLanesMax];
        for (std::size_t j = 0; j < step; ++j) lanes[j] = strikes[i + (j < n ? j : 0)];
        const auto level = hn::Load(d, lanes);
        const auto v = distribution.deviation(level);
        const auto variance = hn::Div(hn::Mul(v, v), years);  // per year
        const auto m = hn::Sub(carry, hn::Mul(hn::Set(d, 0.5), variance));
        const auto b = vm::log_bounded(d, hn::Div(level, hn::Set(d, market.spot)));
        const auto distance = hn::Neg(hn::Abs(b));
        const auto mt = hn::Mul(m, years);
        const auto drift = hn::IfThenElse(hn::Gt(b, zero), mt, hn::Neg(mt));
        const auto over_v = hn::Div(hn::Set(d, 1.0), v);
        const auto direct = vm::normal_cdf(d, hn::Mul(hn::Add(distance, drift), over_v));
        const auto tail = vm::normal_cdf(d, hn::Mul(hn::Sub(distance, drift), over_v));
        const auto power = hn::Div(hn::Mul(hn::Mul(hn::Set(d, 2.0), m), b), variance);
        const auto mirrored =
            hn::IfThenElseZero(hn::Gt(tail, zero), hn::Mul(vm::exp(d, power), tail));
        const auto touch = hn::Add(direct, mirrored);
        hn::Store(hn::IfThenElse(hn::Eq(b, zero), hn::Set(d, 1.0), touch), d, lanes);
        for (std::size_t j = 0; j < n; ++j) out[i + j] = lanes[j];
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
