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
    constexpr std::size_t kLanesMax = 8;
    const hn::ScalableTag<double> d;
    const VectorDistribution distribution(scalar);
    alignas(64) double below[kLanesMax];
    alignas(64) double mean[kLanesMax];
    const std::size_t step = hn::Lanes(d);
    for (std::size_t i = 0; i < size; i += step) {
        const std::size_t n = std::min(step, size - i);
        // What is missing of the last vector is some strike: a row does not see its neighbours.
        alignas(64) double level[kLanesMax];
        for (std::size_t j = 0; j < step; ++j) level[j] = strikes[i + (j < n ? j : 0)];
        const auto moments = distribution.moments(hn::Load(d, level));
        hn::Store(moments.below, d, below);
        hn::Store(moments.mean, d, mean);
        for (std::size_t j = 0; j < n; ++j) out[i + j] = {below[j], mean[j]};
    }
}

}  // namespace
}  // namespace scanmq::strategy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::strategy {

HWY_EXPORT(moments_in_lanes);

void strike_moments(const Distribution& distribution, std::span<const double> strikes,
                    std::span<StrikeMoments> out) noexcept {
    HWY_DYNAMIC_DISPATCH(moments_in_lanes)(distribution, strikes.data(), out.size(), out.data());
}

}  // namespace scanmq::strategy
#endif
