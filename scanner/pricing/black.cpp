#include "scanner/pricing/black.hpp"

#include <algorithm>
#include <cmath>

#include "common/base/assert.hpp"
#include "scanner/pricing/mills.hpp"

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
        detail::kInvSqrtTwoPi * std::sqrt(low * high) * std::exp(-0.5 * (a * a + t * t));
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

// What the rows of one expiry share.
struct Terms {
    explicit Terms(const BsmExpiry& in) noexcept
        : spot(in.spot),
          rate(in.rate),
          carry(in.rate - in.yield),
          years(in.years),
          root_years(std::sqrt(in.years)),
          over_root_years(in.years > 0.0 ? 1.0 / root_years : 0.0),
          discount(std::exp(-in.rate * in.years)),
          yield_discount(std::exp(-in.yield * in.years)),
          forward(in.spot * std::exp(carry * in.years)) {}

    double spot;
    double rate;
    double carry;
    double years;
    double root_years;
    double over_root_years;
    double discount;
    double yield_discount;
    double forward;
};

inline Greeks row(const Terms& terms, double strike, double volatility, Right right) noexcept {
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

}  // namespace

double black_price(const BlackInputs& in, Right right) noexcept {
    const OutOfTheMoney otm =
        out_of_the_money(in.forward, in.strike, in.volatility * std::sqrt(in.years));
    return in.discount * value_of(otm, in.forward, in.strike, right);
}

double bsm_price(const BsmInputs& in, Right right) noexcept {
    return black_price({.forward = in.spot * std::exp((in.rate - in.yield) * in.years),
                        .strike = in.strike,
                        .volatility = in.volatility,
                        .years = in.years,
                        .discount = std::exp(-in.rate * in.years)},
                       right);
}

Greeks bsm_greeks(const BsmInputs& in, Right right) noexcept {
    const Terms terms({in.spot, in.rate, in.yield, in.years});
    return row(terms, in.strike, in.volatility, right);
}

void bsm_greeks(const BsmExpiry& common, std::span<const double> strike,
                std::span<const double> volatility, std::span<const Right> right,
                std::span<Greeks> out) noexcept {
    SCANMQ_ASSERT(strike.size() == out.size() && volatility.size() == out.size() &&
                  right.size() == out.size());
    const Terms terms(common);
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = row(terms, strike[i], volatility[i], right[i]);
    }
}

}  // namespace scanmq::pricing
