#include "scanner/pricing/black_kernel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/pricing/black_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/pricing/mills-inl.hpp"
#include "scanner/pricing/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE {
namespace {

using detail::BlackBlock;
using detail::BlackTerms;

constexpr double kSizeMin = 1e-100;
constexpr double kSizeMax = 1e100;
constexpr double kDeviationMin = 1e-100;
constexpr double kDeviationMax = 1e3;

template <class D>
HWY_INLINE hn::Mask<D> between(D d, hn::Vec<D> x, double low, double high) {
    return hn::And(hn::Ge(x, hn::Set(d, low)), hn::Le(x, hn::Set(d, high)));
}

// One vector of rows, from row `at` on. Returns those that are in the limits.
template <class D>
HWY_INLINE hn::Mask<D> price_rows(D d, const BlackTerms& terms, BlackBlock& block, std::size_t at) {
    const auto one = hn::Set(d, 1.0);
    const auto half = hn::Set(d, 0.5);
    const auto zero = hn::Zero(d);
    const auto forward = hn::Set(d, terms.forward);
    const auto strike = hn::Load(d, block.strike + at);
    const auto volatility = hn::Load(d, block.volatility + at);
    const auto sign = hn::Load(d, block.sign + at);
    const auto v = hn::Mul(volatility, hn::Set(d, terms.root_years));

    const auto low = hn::Min(forward, strike);
    const auto high = hn::Max(forward, strike);
    const auto over_v = hn::Div(one, v);
    const auto a = hn::Mul(log_ratio(d, high, low), over_v);
    const auto t = hn::Mul(half, v);
    const auto exponent = hn::Mul(hn::Set(d, -0.5), hn::MulAdd(a, a, hn::Mul(t, t)));
    const auto vega = hn::Mul(hn::Mul(hn::Set(d, 0.398942280401432677939946), exp(d, exponent)),
                              hn::Sqrt(hn::Mul(low, high)));
    const auto ratio = mills_pair(d, a, t);
    const auto near_tail = hn::Mul(vega, ratio.near);  // low N(-|a - t|)
    const auto far = hn::Mul(vega, ratio.far);         // high N(-a - t)

    const auto is_far = hn::Gt(a, t);
    const auto near = hn::IfThenElse(is_far, near_tail, hn::Sub(low, near_tail));
    auto value = hn::Sub(near, far);
    const auto series = needs_series(d, a, t);
    if (!hn::AllFalse(d, series)) {
        value = hn::IfThenElse(series, hn::Mul(vega, difference_series(d, a, t)), value);
    }

    // F N(d1) and K N(d2) of the out-of-the-money call, or F N(-d1) and K N(-d2) of the put: `near`
    // belongs to the lower of F and K. In the money they are what is left of F and K.
    const auto is_out_call = hn::Le(forward, strike);
    const auto is_out = hn::Xor(is_out_call, hn::Lt(sign, zero));
    auto reach_forward = hn::IfThenElse(is_out_call, near, far);
    auto reach_strike = hn::IfThenElse(is_out_call, far, near);
    reach_forward = hn::IfThenElse(is_out, reach_forward, hn::Sub(forward, reach_forward));
    reach_strike = hn::IfThenElse(is_out, reach_strike, hn::Sub(strike, reach_strike));

    const auto discount = hn::Set(d, terms.discount);
    const auto intrinsic = hn::Max(hn::Mul(sign, hn::Sub(forward, strike)), zero);
    const auto price = hn::Mul(discount, hn::Add(value, intrinsic));
    // e^(-qT) N(d1) = (F N(d1)) D / S.
    const auto spot_delta = hn::Mul(hn::Mul(sign, discount), reach_forward);
    const auto discounted_vega = hn::Mul(discount, vega);
    const auto over_spot = hn::Set(d, 1.0 / terms.spot);
    hn::Store(price, d, block.price + at);
    hn::Store(hn::Mul(spot_delta, over_spot), d, block.delta + at);
    hn::Store(hn::Mul(hn::Mul(discounted_vega, over_v), hn::Set(d, 1.0 / terms.spot / terms.spot)),
              d, block.gamma + at);
    hn::Store(hn::Mul(discounted_vega, hn::Set(d, terms.root_years)), d, block.vega + at);
    const auto decay =
        hn::Mul(hn::Mul(volatility, discounted_vega), hn::Set(d, 0.5 * terms.over_root_years));
    const auto carried = hn::NegMulAdd(hn::Set(d, terms.carry), spot_delta, hn::Neg(decay));
    hn::Store(hn::MulAdd(hn::Set(d, terms.rate), price, carried), d, block.theta + at);
    hn::Store(hn::Mul(hn::Mul(sign, hn::Set(d, terms.years * terms.discount)), reach_strike), d,
              block.rho + at);
    // NaN stays NaN through all of the above.
    const auto deviations = hn::Or(between(d, v, kDeviationMin, kDeviationMax), hn::IsNaN(v));
    return hn::And(deviations, hn::And(between(d, strike, kSizeMin, kSizeMax),
                                       between(d, forward, kSizeMin, kSizeMax)));
}

std::uint64_t price_block(const BlackTerms& terms, BlackBlock& block, std::size_t size) {
    const hn::CappedTag<double, 16> d;
    std::uint64_t refused = 0;
    for (std::size_t at = 0; at < size; at += hn::Lanes(d)) {
        const auto taken = price_rows(d, terms, block, at);
        std::uint8_t bits[8] = {};
        hn::StoreMaskBits(d, hn::Not(taken), bits);
        refused |= (std::uint64_t{bits[0]} | std::uint64_t{bits[1]} << 8) << at;
    }
    return size < detail::kBlackRows ? refused & ((std::uint64_t{1} << size) - 1) : refused;
}

}  // namespace
}  // namespace scanmq::pricing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::pricing::detail {

HWY_EXPORT(price_block);

std::uint64_t price_block(const BlackTerms& terms, BlackBlock& block, std::size_t size) noexcept {
    return HWY_DYNAMIC_DISPATCH(price_block)(terms, block, size);
}

}  // namespace scanmq::pricing::detail
#endif
