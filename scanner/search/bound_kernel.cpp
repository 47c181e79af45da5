#include "scanner/search/bound_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/search/bound_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/search/vector_score-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {
namespace {

using Node = NodeTable::Node;

constexpr double kPopRounding = 1e-9;  // of P(S_T < K), far more than it has

class BoundKernel {
  public:
    BoundKernel(const Lane& lane, const Halves& halves, const Node& low, const NodeTable& high,
                double floor)
        : lane_(lane),
          low_(low),
          high_(high),
          distribution_(lane.distribution),
          peak_(halves.peak > 0.0),
          rounding_(2.0 * halves.profit_rounding),
          tick_(std::min(1.0 / lane.ticks.per_unit_below, 1.0 / lane.ticks.per_unit_above)),
          has_floor_(floor > -1e300),
          floor_(has_floor_ ? floor : 0.0) {
        double weight = 0.0;
        for (const double w : lane.weights.value) weight += w;
        enough_ = -kScoreSlack * weight;
    }

    HWY_INLINE double run(std::uint32_t begin, std::uint32_t n, std::uint64_t* survivors) {
        for (std::uint32_t i = 0; i < n; i += 64) survivors[i / 64] = 0;
        auto most = set(-1.0);
        const auto step = static_cast<std::uint32_t>(hn::Lanes(D{}));
        for (std::uint32_t i = 0; i < n; i += step) {
            const auto valid = hn::FirstN(D{}, n - i);
            M pass;
            const auto estimate = pairs(begin + i, pass);
            // In this order an estimate that is not a number is passed over.
            most = hn::Max(hn::IfThenElse(valid, estimate, set(-1.0)), most);
            std::uint8_t raw[8] = {};
            hn::StoreMaskBits(D{}, hn::And(valid, pass), raw);
            survivors[i / 64] |= static_cast<std::uint64_t>(raw[0]) << (i % 64);
        }
        return hn::GetLane(hn::MaxOfLanes(D{}, most));
    }

  private:
    struct Interval {
        V low;
        V high;
    };
    struct Sum {
        V test;    // sum of weight (component - floor)
        V score;   // of weight times component
        V weight;  // of them
    };
    struct Profits {
        V outer_low_side;   // upper bounds, below rank 0,
        V inner;            // between the inner strikes,
        V outer_high_side;  // above rank 3
        V gain;             // G at most
        V gain_least;
        V risk;  // R at least
        V risk_most;
    };

    HWY_INLINE V high(Bound b, std::uint32_t at) const { return hn::LoadU(D{}, high_[b] + at); }
    HWY_INLINE V sum(Bound b, std::uint32_t at) const { return hn::Add(set(low_[b]), high(b, at)); }
    static HWY_INLINE V max3(V a, V b, V c) { return hn::Max(hn::Max(a, b), c); }

    HWY_INLINE Profits profits(std::uint32_t at) const {
        const auto inner_low = high(Bound::inner_low, at);
        const auto inner_high = high(Bound::inner_high, at);
        Profits out;
        out.outer_low_side = hn::Add(set(low_[Bound::outer_high]), inner_high);
        out.inner = hn::Add(set(low_[Bound::inner_high]), inner_high);
        out.outer_high_side = hn::Add(set(low_[Bound::inner_high]), high(Bound::outer_high, at));
        const auto a = hn::Add(set(low_[Bound::outer_low]), inner_low);
        const auto b = hn::Add(set(low_[Bound::inner_low]), inner_low);
        const auto c = hn::Add(set(low_[Bound::inner_low]), high(Bound::outer_low, at));
        out.gain = max3(out.outer_low_side, out.inner, out.outer_high_side);
        out.gain_least = max3(a, b, c);
        // R = -min of the three profits: at least minus each, and minus any mean of them.
        out.risk = hn::Max(
            max3(hn::Neg(out.outer_low_side), hn::Neg(out.inner), hn::Neg(out.outer_high_side)),
            sum(Bound::loss_low, at));
        out.risk_most = max3(hn::Neg(a), hn::Neg(b), hn::Neg(c));
        return out;
    }

    // P(payoff > 0) at most. The probability rises with the level.
    HWY_INLINE V pop(const Profits& profit, std::uint32_t at) const {
        const auto zero = hn::Zero(D{});
        const auto one = set(1.0);
        const auto inner_low = set(low_[Bound::inner_strike]);
        const auto inner_high = high(Bound::inner_strike, at);
        const auto outer_low = set(low_[Bound::strike_low]);
        const auto outer_high = high(Bound::strike_high, at);
        const auto low_pays = hn::Gt(profit.outer_low_side, zero);
        const auto high_pays = hn::Gt(profit.outer_high_side, zero);
        V out;
        if (peak_) {
            // Profit ends where the peak has come down by its height.
            const auto up = hn::Min(hn::Add(inner_high, profit.inner), outer_high);
            const auto down = hn::Max(hn::Sub(inner_low, profit.inner), outer_low);
            const auto above = hn::IfThenElse(high_pays, one, distribution_.below(up).value);
            const auto below =
                hn::IfThenElseZero(hn::Not(low_pays), distribution_.below(down).value);
            out = hn::Sub(above, below);
        } else {
            const auto depth = hn::Min(profit.inner, zero);
            const auto left = hn::Max(hn::Add(inner_low, depth), outer_low);
            const auto right = hn::Min(hn::Sub(inner_high, depth), outer_high);
            const auto below = hn::IfThenElseZero(low_pays, distribution_.below(left).value);
            const auto above =
                hn::IfThenElseZero(high_pays, hn::Sub(one, distribution_.below(right).value));
            out = hn::IfThenElse(hn::Gt(profit.inner, zero), one, hn::Add(below, above));
        }
        return hn::Min(hn::Add(out, set(kPopRounding)), one);
    }

    HWY_INLINE void add(V component, score::Component c, Sum& out) const {
        const auto weight = set(lane_.weights[c]);
        out.test = hn::Add(out.test, hn::Mul(weight, hn::Sub(component, set(floor_))));
        out.score = hn::Add(out.score, hn::Mul(weight, component));
        out.weight = hn::Add(out.weight, weight);
    }
    // A component that some or all of the candidates may lack.
    HWY_INLINE void add(V component, score::Component c, Lack lack, std::uint32_t at,
                        Sum& out) const {
        const hn::RebindToUnsigned<D> du;
        const auto lacks = hn::Or(hn::LoadU(du, high_.lacks() + at), hn::Set(du, low_.lacks));
        const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(lack);
        const auto zero_bits = hn::Zero(du);
        const auto some = hn::RebindMask(D{}, hn::Ne(hn::And(lacks, hn::Set(du, bit)), zero_bits));
        const auto all =
            hn::RebindMask(D{}, hn::Ne(hn::And(lacks, hn::Set(du, bit << kAllShift)), zero_bits));
        const auto weight = hn::IfThenZeroElse(all, set(lane_.weights[c]));
        // Where none has it its bound may be no number.
        const auto value = hn::IfThenZeroElse(all, component);
        auto test = hn::Mul(weight, hn::Sub(value, set(floor_)));
        test = hn::IfThenElse(some, hn::Max(test, hn::Zero(D{})), test);
        out.test = hn::Add(out.test, test);
        out.score = hn::Add(out.score, hn::Mul(weight, value));
        out.weight = hn::Add(out.weight, weight);
    }

    // Of x/y with x in an interval and y in [least, most], y > 0.
    static HWY_INLINE V by_stance(Interval x, V least, V most, double half, score::Stance stance) {
        if (stance == score::Stance::neutral) {
            const auto nearest = max3(x.low, hn::Neg(x.high), hn::Zero(D{}));
            return neutral(nearest, most, half).value();
        }
        const auto top = stance == score::Stance::long_stance ? x.high : hn::Neg(x.low);
        return rising(top, least, most, half);
    }
    static HWY_INLINE V rising(V top, V least, V most, double half) {
        const auto base = hn::IfThenElse(hn::Ge(top, hn::Zero(D{})), least, most);
        return signed_saturating(top, base, half).value();
    }

    HWY_INLINE V volatility(std::uint32_t at) const {
        const auto tiny = set(1e-280);
        const auto edge = sum(Bound::edge_high, at);
        const auto least = hn::Max(sum(Bound::abs_vega_low, at), tiny);
        const auto most = hn::Max(sum(Bound::abs_vega_high, at), tiny);
        if (lane_.iv_rank != lane_.iv_rank) return rising(edge, least, most, 0.01);
        const auto base = hn::IfThenElse(hn::Ge(edge, hn::Zero(D{})), least, most);
        const auto top = hn::Add(hn::Div(hn::Min(edge, set(1e100)), hn::Max(base, set(1e-100))),
                                 set(std::fabs(0.02 * (2.0 * lane_.iv_rank - 1.0))));
        return signed_saturating(top, set(1.0), 0.01).value();
    }

    // The estimate; pass: may hold a candidate that matters.
    HWY_INLINE V pairs(std::uint32_t at, M& pass) const {
        using score::Component;
        const auto tolerance = set(kPriceTolerance);
        Profits profit = profits(at);
        // The gates come first: an arbitrage quote always matters, a candidate under one tick never.
        const auto arbitrage = hn::Le(profit.risk, set(lane_.fees + kPriceTolerance + rounding_));
        const auto pays = hn::Ge(profit.gain, set(tick_ - kPriceTolerance - rounding_));
        profit.risk = hn::Max(profit.risk, hn::Add(set(lane_.fees), tolerance));
        profit.risk_most = hn::Max(profit.risk_most, profit.risk);
        profit.gain_least = hn::Max(profit.gain_least, set(0.5 * tick_));
        profit.gain = hn::Max(profit.gain, profit.gain_least);

        Sum total{hn::Zero(D{}), hn::Zero(D{}), hn::Zero(D{})};
        add(saturating(profit.gain, profit.risk, 0.25).value(), Component::risk_reward, total);
        const auto liquidity =
            hn::Min(set(low_[Bound::liquidity_high]), high(Bound::liquidity_high, at));
        const auto costs =
            hn::Add(hn::Add(profit.gain, sum(Bound::spread_low, at)), set(2.0 * lane_.fees));
        add(hn::Div(hn::Mul(hn::Mul(set(100.0), liquidity), profit.gain), costs),
            Component::liquidity, Lack::quality, at, total);
        const auto daily = set(lane_.scale.daily_move);
        const Interval delta{hn::Mul(sum(Bound::delta_low, at), daily),
                             hn::Mul(sum(Bound::delta_high, at), daily)};
        add(by_stance(delta, profit.risk, profit.risk_most, 0.1, lane_.delta), Component::delta,
            Lack::delta, at, total);
        const auto theta = sum(Bound::theta_high, at);
        add(rising(theta, profit.risk, profit.risk_most, 0.01), Component::theta, Lack::theta, at,
            total);
        const Interval vega{hn::Mul(sum(Bound::vega_low, at), set(0.01)),
                            hn::Mul(sum(Bound::vega_high, at), set(0.01))};
        add(by_stance(vega, profit.risk, profit.risk_most, 0.02, lane_.vega), Component::vega,
            Lack::vega, at, total);
        add(volatility(at), Component::volatility, Lack::volatility, at, total);
        const auto width = hn::Max(set(low_[Bound::width_high]), high(Bound::width_high, at));
        add(saturating(width, set(lane_.scale.move), 0.25).value(), Component::width, total);
        add(rising(theta, profit.gain_least, profit.gain, 0.02), Component::time_decay, Lack::theta,
            at, total);

        const auto enough = set(enough_);
        if (has_floor_) {  // with a sure profit first: it spares two logarithms
            Sum sure = total;
            add(set(100.0), Component::probability, sure);
            pass = hn::Or(arbitrage, hn::And(pays, hn::Not(hn::Lt(sure.test, enough))));
            if (hn::AllFalse(D{}, pass)) return hn::Div(sure.score, sure.weight);
        }
        add(hn::Mul(set(100.0), pop(profit, at)), Component::probability, total);
        const auto reaches = has_floor_ ? hn::Not(hn::Lt(total.test, enough)) : pays;
        pass = hn::Or(arbitrage, hn::And(pays, reaches));
        const auto estimate = hn::IfThenElse(pays, hn::Div(total.score, total.weight), set(-1.0));
        return hn::IfThenElse(arbitrage, hn::Inf(D{}), estimate);
    }

    const Lane& lane_;
    const Node& low_;
    const NodeTable& high_;
    const VectorDistribution distribution_;
    bool peak_;
    double rounding_;
    double tick_;
    bool has_floor_;
    double floor_;
    double enough_{};
};

}  // namespace

double bound_in_lanes(const Lane& lane, const Halves& halves, const Node& low,
                      const NodeTable& high, std::uint32_t begin, std::uint32_t n, double floor,
                      std::uint64_t* survivors) {
    return BoundKernel(lane, halves, low, high, floor).run(begin, n, survivors);
}

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace scanmq::search {

HWY_EXPORT(bound_in_lanes);

double bound_pairs(const Lane& lane, const Halves& halves, const NodeTable::Node& low,
                   const NodeTable& high, std::uint32_t begin, std::uint32_t n, double floor,
                   std::uint64_t* survivors) {
    return HWY_DYNAMIC_DISPATCH(bound_in_lanes)(lane, halves, low, high, begin, n, floor,
                                                survivors);
}

}  // namespace scanmq::search

#endif  // HWY_ONCE
