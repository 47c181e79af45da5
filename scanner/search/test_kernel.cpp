#include "scanner/search/test_kernel.hpp"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/search/test_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/pricing/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {
namespace {

namespace hn = scanmq::pricing::HWY_NAMESPACE::hn;
using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;

// Probabilities and expected values in lanes are nearer than this to the scalar path's.
constexpr double kRounding = 1e-9;

HWY_INLINE std::uint64_t bits(M mask, std::uint32_t slot) {
    std::uint8_t raw[8] = {};
    hn::StoreMaskBits(D{}, mask, raw);
    return static_cast<std::uint64_t>(raw[0]) << slot;
}

// In the order of the scalar path's operations.
HWY_INLINE V value_of(const MetricTest& test, const Block& block, std::uint32_t slot) {
    const D d;
    auto value = hn::Load(d, block[test.metric] + slot);
    if (test.per) value = hn::Div(value, hn::Load(d, block[*test.per] + slot));
    if (test.divisor != 1.0) value = hn::Div(value, hn::Set(d, test.divisor));
    if (test.factor != 1.0) value = hn::Mul(value, hn::Set(d, test.factor));
    return test.absolute ? hn::Abs(value) : value;
}

HWY_INLINE M near(V value, double bound) {
    const D d;
    const auto room = hn::Set(d, kRounding * (1.0 + std::fabs(bound)));
    return hn::Le(hn::Abs(hn::Sub(value, hn::Set(d, bound))), room);
}

TestResult judge_in_lanes(const MetricTest& test, const Block& block) {
    const D d;
    const bool near_min = is_rounded(test.metric) && std::isfinite(test.bounds.min);
    const bool near_max = is_rounded(test.metric) && std::isfinite(test.bounds.max);
    const auto min = hn::Set(d, test.bounds.min);
    const auto max = hn::Set(d, test.bounds.max);
    TestResult out;
    const auto step = static_cast<std::uint32_t>(hn::Lanes(d));
    for (std::uint32_t slot = 0; slot < block.size; slot += step) {
        const auto value = value_of(test, block, slot);
        out.passed |= bits(hn::And(hn::Ge(value, min), hn::Le(value, max)), slot);
        out.missing |= bits(hn::IsNaN(value), slot);
        if (near_min) out.near |= bits(near(value, test.bounds.min), slot);
        if (near_max) out.near |= bits(near(value, test.bounds.max), slot);
    }
    return out;
}

}  // namespace
}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::search {

HWY_EXPORT(judge_in_lanes);

TestResult judge_block(const MetricTest& test, const Block& block) {
    return HWY_DYNAMIC_DISPATCH(judge_in_lanes)(test, block);
}

}  // namespace scanmq::search
#endif
