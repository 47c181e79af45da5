#include "scanner/pricing/black.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/base/assert.hpp"
#include "scanner/pricing/black_kernel.hpp"
#include "scanner/pricing/mills.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing {
namespace {

// The undiscounted out-of-the-money option, from which both rights follow by parity.
struct OutOfTheMoney {
    double value{};
    double vega{};     // dV/dv, F n(d1) = K n(d2)
    double reach_1{};  // N(d1) of a call, N(-d1) of a put
    double reach_2{};  // N(d2) of a call, N(-d2) of a put
};

// No time or no volatility left: reach is a step, 1/2 on it.
OutOfTheMoney settled(double forward, double strike) noexcept {
    const double reach = forward == strike ? 0.5 : 0.0;
    return {0.0, 0.0, reach, reach};
}

inline OutOfTheMoney out_of_the_money(double forward, double strike, double v) noexcept {
    if (v <= 0.0) return settled(forward, strike);
    const bool is_call = forward <= strike;
    const double low = is_call ? forward : strike;
    const double high = is_call ? strike : forward;

    // mills.hpp; everything below is that one exponential times ratios.
    const double a = detail::log_ratio(high, low) / v;
    const double t = 0.5 * v;
    const double vega =
        detail::kInvSqrtTwoPi * std::sqrt(low * high) * portable::exp(-0.5 * (a * a + t * t));
    const detail::MillsPair ratio = detail::mills_pair(a, t);
    const double near_tail = vega * ratio.low / low;  // N(-|a - t|), as low n(a - t) = vega
    const double far = vega * ratio.high / high;      // N(-a - t)

    double near;
    double value;
    if (a > t) {
        near = near_tail;
        value = vega * (ratio.low - ratio.high);
    } else {
        near = 1.0 - near_tail;
        value = low - vega * (ratio.low + ratio.high);
    }
    if (detail::needs_series(a, t)) value = vega * detail::mills_difference_series(a, t);
    return is_call ? OutOfTheMoney{value, vega, near, far} : OutOfTheMoney{value, vega, far, near};
}

double value_of(const OutOfTheMoney& otm, double forward, double strike, Right right) noexcept {
    const double intrinsic = right == Right::call ? forward - strike : strike - forward;
    return otm.value + std::max(intrinsic, 0.0);
}

using detail::BlackBlock;
using detail::BlackTerms;
using detail::kBlackRows;

BlackTerms terms_of(const BsmExpiry& in) noexcept {
    BlackTerms out;
    out.spot = in.spot;
    out.rate = in.rate;
    out.carry = in.rate - in.yield;
    out.years = in.years;
    out.root_years = std::sqrt(in.years);
    out.over_root_years = in.years > 0.0 ? 1.0 / out.root_years : 0.0;
    out.discount = portable::exp(-in.rate * in.years);
    out.yield_discount = portable::exp(-in.yield * in.years);
    out.forward = in.spot * portable::exp(out.carry * in.years);
    return out;
}

inline Greeks row(const BlackTerms& terms, double strike, double volatility, Right right) noexcept {
    const double v = volatility * terms.root_years;
    const OutOfTheMoney otm = out_of_the_money(terms.forward, strike, v);
    const bool is_call = right == Right::call;
    const bool is_out = is_call == (terms.forward <= strike);
    const double sign = is_call ? 1.0 : -1.0;
    const double reach_1 = is_out ? otm.reach_1 : 1.0 - otm.reach_1;
    const double reach_2 = is_out ? otm.reach_2 : 1.0 - otm.reach_2;
    const double vega = terms.discount * otm.vega;  // per 1.00 of v

    Greeks out;
    out.price = terms.discount * value_of(otm, terms.forward, strike, right);
    out.delta = sign * terms.yield_discount * reach_1;
    out.gamma = v > 0.0 ? vega / (terms.spot * terms.spot * v) : vega;
    out.vega = vega * terms.root_years;
    // rV - (r - q) S delta - sigma^2 S^2 gamma / 2, the last as vega sigma / (2 sqrt T).
    out.theta = terms.rate * out.price - terms.carry * terms.spot * out.delta -
                0.5 * volatility * vega * terms.over_root_years;
    out.rho = sign * strike * terms.years * terms.discount * reach_2;
    return out;
}

// Block by block through the kernel, and the rows it does not take one by one. `write` gets the
// first row's number, the number of rows and the block with their results.
template <class Write>
void price_blocks(const BsmExpiry& common, std::span<const double> strike,
                  std::span<const double> volatility, std::span<const Right> right,
                  Write write) noexcept {
    SCANMQ_ASSERT(volatility.size() == strike.size() && right.size() == strike.size());
    const BlackTerms terms = terms_of(common);
    BlackBlock block;
    // Rows that fill up the last vector.
    std::fill_n(block.strike, kBlackRows, 1.0);
    std::fill_n(block.volatility, kBlackRows, 1.0);
    std::fill_n(block.sign, kBlackRows, 1.0);
    for (std::size_t begin = 0; begin < strike.size(); begin += kBlackRows) {
        const std::size_t size = std::min(kBlackRows, strike.size() - begin);
        std::copy_n(strike.data() + begin, size, block.strike);
        std::copy_n(volatility.data() + begin, size, block.volatility);
        for (std::size_t i = 0; i < size; ++i) {
            block.sign[i] = right[begin + i] == Right::call ? 1.0 : -1.0;
        }
        std::uint64_t rest = detail::price_block(terms, block, size);
        for (; rest != 0; rest &= rest - 1) {
            const auto i = static_cast<std::size_t>(std::countr_zero(rest));
            const Greeks one =
                row(terms, strike[begin + i], volatility[begin + i], right[begin + i]);
            block.price[i] = one.price;
            block.delta[i] = one.delta;
            block.gamma[i] = one.gamma;
            block.vega[i] = one.vega;
            block.theta[i] = one.theta;
            block.rho[i] = one.rho;
        }
        write(begin, size, block);
    }
}

}  // namespace

double black_price(const BlackInputs& in, Right right) noexcept {
    const OutOfTheMoney otm =
        out_of_the_money(in.forward, in.strike, in.volatility * std::sqrt(in.years));
    return in.discount * value_of(otm, in.forward, in.strike, right);
}

double bsm_price(const BsmInputs& in, Right right) noexcept {
    return black_price({.forward = in.spot * portable::exp((in.rate - in.yield) * in.years),
                        .strike = in.strike,
                        .volatility = in.volatility,
                        .years = in.years,
                        .discount = portable::exp(-in.rate * in.years)},
                       right);
}

Greeks bsm_greeks(const BsmInputs& in, Right right) noexcept {
    return row(terms_of({in.spot, in.rate, in.yield, in.years}), in.strike, in.volatility, right);
}

void bsm_greeks(const BsmExpiry& common, std::span<const double> strike,
                std::span<const double> volatility, std::span<const Right> right,
                std::span<Greeks> out) noexcept {
    SCANMQ_ASSERT(out.size() == strike.size());
    price_blocks(common, strike, volatility, right,
                 [&](std::size_t begin, std::size_t size, const BlackBlock& block) {
                     Greeks* const rows = out.data() + begin;
                     for (std::size_t i = 0; i < size; ++i) {
                         rows[i] = {block.price[i], block.delta[i], block.gamma[i],
                                    block.vega[i],  block.theta[i], block.rho[i]};
                     }
                 });
}

void bsm_greeks(const BsmExpiry& common, std::span<const double> strike,
                std::span<const double> volatility, std::span<const Right> right,
                const GreekColumns& out) noexcept {
    const std::size_t rows = strike.size();
    SCANMQ_ASSERT(out.price.size() == rows && out.delta.size() == rows &&
                  out.gamma.size() == rows && out.vega.size() == rows && out.theta.size() == rows &&
                  out.rho.size() == rows);
    price_blocks(common, strike, volatility, right,
                 [&](std::size_t begin, std::size_t size, const BlackBlock& block) {
                     std::copy_n(block.price, size, out.price.data() + begin);
                     std::copy_n(block.delta, size, out.delta.data() + begin);
                     std::copy_n(block.gamma, size, out.gamma.data() + begin);
                     std::copy_n(block.vega, size, out.vega.data() + begin);
                     std::copy_n(block.theta, size, out.theta.data() + begin);
                     std::copy_n(block.rho, size, out.rho.data() + begin);
                 });
}

}  // namespace scanmq::pricing
