#include "scanner/search/run_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/search/run_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/search/vector_score-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {
namespace {

constexpr double kDeviationMin = 1e-4;  // below, a probability is not within rounding

template <std::size_t Ranks, bool Full>
class RunKernel {
  public:
    RunKernel(const Lane& lane, const Prefix& prefix, double floor, Block& out)
        : lane_(lane),
          prefix_(prefix),
          columns_(*lane.rank[kLast]),
          distribution_(lane.distribution),
          out_(out),
          wanted_(floor - kScoreSlack),
          tick_below_(1.0 / lane.ticks.per_unit_below),
          tick_above_(1.0 / lane.ticks.per_unit_above),
          has_history_(lane.iv_rank == lane.iv_rank),
          history_(0.02 * (2.0 * lane.iv_rank - 1.0)) {
        // The strikes add up first, as in strategy::Payoff.
        for (std::size_t r = 0; r < kLast; ++r) {
            at_zero_ += lane.shape.at_zero[r] * prefix.strike[r];
        }
    }

    HWY_INLINE void run(std::uint32_t begin, std::uint32_t n) {
        out_.arbitrage = out_.no_risk = out_.no_profit = 0;
        out_.unscored = out_.coarse = out_.hits = 0;
        const auto step = static_cast<std::uint32_t>(hn::Lanes(D{}));
        for (std::uint32_t i = 0; i < n; i += step) candidates(begin + i, i);
        const std::uint64_t valid = n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
        out_.arbitrage &= valid;
        out_.no_risk &= valid & ~out_.arbitrage;
        out_.no_profit &= valid & ~out_.arbitrage & ~out_.no_risk;
        const std::uint64_t alive = valid & ~out_.arbitrage & ~out_.no_risk & ~out_.no_profit;
        out_.unscored &= alive & ~out_.coarse;
        out_.coarse &= alive;
        out_.hits &= alive & ~out_.unscored;
    }

  private:
    static constexpr std::size_t kLast = Ranks - 1;

    struct Levels {
        V level[Ranks + 1];
        V value[Ranks + 1];  // profit there
    };
    struct Score {
        V sum;     // of weight times component, for those that apply
        V weight;  // of them
    };

    HWY_INLINE V column(Column c, std::uint32_t at) const {
        return hn::LoadU(D{}, columns_[c] + at);
    }
    HWY_INLINE V total(Column c, double prefix, std::uint32_t at) const {
        return hn::Add(set(prefix), column(c, at));
    }
    static HWY_INLINE void keep(M mask, std::uint32_t slot, std::uint64_t& bits) {
        std::uint8_t raw[8] = {};
        hn::StoreMaskBits(D{}, mask, raw);
        bits |= static_cast<std::uint64_t>(raw[0]) << slot;
    }
    HWY_INLINE void put(Metric m, V value, std::uint32_t slot) {
        if constexpr (Full) {
            hn::Store(value, D{}, out_.metric[static_cast<std::size_t>(m)].data() + slot);
        }
    }

    HWY_INLINE Levels levels(V strike, V cost) const {
        Levels out;
        auto value = hn::Add(set(at_zero_), hn::Mul(set(lane_.shape.at_zero[kLast]), strike));
        out.level[0] = hn::Zero(D{});
        out.value[0] = hn::Sub(value, cost);
        double slope = lane_.shape.first_slope;
        for (std::size_t r = 0; r < Ranks; ++r) {
            out.level[r + 1] = r == kLast ? strike : set(prefix_.strike[r]);
            value = hn::Add(value, hn::Mul(set(slope), hn::Sub(out.level[r + 1], out.level[r])));
            out.value[r + 1] = hn::Sub(value, cost);
            slope += lane_.shape.kink[r];
        }
        return out;
    }

    // Probability that the payoff is positive; pieces that pay anywhere count whole when !Exact.
    template <bool Exact>
    HWY_INLINE V pop(const Levels& at, V last_below, std::uint32_t slot) {
        const auto zero = hn::Zero(D{});
        auto sum = zero;
        auto first_cut = hn::NaN(D{});
        auto second_cut = hn::NaN(D{});
        auto from = zero;
        double slope = lane_.shape.first_slope;
        for (std::size_t i = 0; i <= Ranks; ++i) {
            const auto to = i == Ranks ? set(1.0) : i == kLast ? last_below : set(prefix_.below[i]);
            const auto left = hn::Gt(at.value[i], zero);
            const auto right = i == Ranks ? left : hn::Gt(at.value[i + 1], zero);
            if constexpr (!Exact) {
                sum = hn::Add(sum, hn::IfThenElseZero(hn::Or(left, right), hn::Sub(to, from)));
            } else {
                auto begin = from;
                auto end = to;
                const auto mixed = hn::Xor(left, right);
                if (slope != 0.0 && !hn::AllFalse(D{}, mixed)) {
                    const auto cut = hn::Sub(at.level[i], hn::Mul(at.value[i], set(1.0 / slope)));
                    const auto there = distribution_.below(cut);
                    keep(hn::And(mixed, hn::Not(hn::Ge(there.deviation, set(kDeviationMin)))), slot,
                         out_.coarse);
                    end = hn::IfThenElse(hn::And(mixed, left), there.value, end);
                    begin = hn::IfThenElse(hn::And(mixed, right), there.value, begin);
                    const auto is_second = hn::And(mixed, hn::Eq(first_cut, first_cut));
                    second_cut = hn::IfThenElse(is_second, cut, second_cut);
                    first_cut = hn::IfThenElse(hn::AndNot(is_second, mixed), cut, first_cut);
                }
                sum = hn::Add(sum, hn::IfThenElseZero(hn::Or(left, right), hn::Sub(end, begin)));
            }
            from = to;
            if (i < Ranks) slope += lane_.shape.kink[i];
        }
        if constexpr (Exact) {
            put(Metric::breakeven_low, first_cut, slot);
            put(Metric::breakeven_high, second_cut, slot);
        }
        return sum;
    }

    HWY_INLINE void add(score::Component c, V value, std::uint32_t slot, Score& score) {
        const auto applies = hn::Eq(value, value);
        const auto weight = hn::IfThenElseZero(applies, set(lane_.weights[c]));
        score.sum = hn::Add(score.sum, hn::IfThenElseZero(applies, hn::Mul(weight, value)));
        score.weight = hn::Add(score.weight, weight);
        if constexpr (Full) {
            hn::Store(value, D{}, out_.component[static_cast<std::size_t>(c)].data() + slot);
        }
    }
    static HWY_INLINE V by_stance(V x, V y, double half, score::Stance stance) {
        if (stance == score::Stance::neutral) return neutral(x, y, half);
        return signed_saturating(stance == score::Stance::long_stance ? x : hn::Neg(x), y, half);
    }

    HWY_INLINE V volatility(V price, V vega, std::uint32_t at) const {
        const RankTerms& sum = prefix_.sum;
        const auto abs_vega = total(Column::abs_vega, sum.abs_vega, at);
        auto edge = hn::Sub(total(Column::model_value, sum.model_value, at), price);
        if (has_history_) {
            const auto zero = hn::Zero(D{});
            const auto sign = hn::IfThenElse(hn::Lt(vega, zero), set(1.0),
                                             hn::IfThenElse(hn::Gt(vega, zero), set(-1.0), zero));
            edge = hn::Add(edge, hn::Mul(hn::Mul(set(history_), sign), abs_vega));
        }
        const auto component = signed_saturating(edge, abs_vega, 0.01);
        return hn::IfThenElse(hn::Gt(abs_vega, hn::Zero(D{})), component, hn::NaN(D{}));
    }

    // All components but the probability.
    HWY_INLINE Score score_without_pop(std::uint32_t at, std::uint32_t slot, V price, V strike,
                                       V gain, V risk) {
        using score::Component;
        const RankTerms& sum = prefix_.sum;
        const auto delta = total(Column::delta, sum.delta, at);
        const auto theta = total(Column::day_theta, sum.day_theta, at);
        const auto vega = total(Column::vega, sum.vega, at);
        const auto spread = total(Column::quoted_spread, sum.quoted_spread, at);
        const auto before = set(sum.leg_liquidity);
        const auto leg = column(Column::leg_liquidity, at);
        const auto liquidity = hn::IfThenElse(hn::Lt(leg, before), leg, before);
        auto width = set(prefix_.width);  // no number where there is no wing
        if (lane_.wing(kLast - 1)) {
            const auto gap = hn::Sub(strike, set(prefix_.strike[kLast - 1]));
            width = hn::IfThenElse(hn::Ge(width, gap), width, gap);
        }
        Score out{hn::Zero(D{}), hn::Zero(D{})};
        add(Component::risk_reward, saturating(gain, risk, 0.25), slot, out);
        const auto all_costs = hn::Add(hn::Add(gain, spread), set(2.0 * lane_.fees));
        add(Component::liquidity, hn::Div(hn::Mul(hn::Mul(set(100.0), liquidity), gain), all_costs),
            slot, out);
        add(Component::delta,
            by_stance(hn::Mul(delta, set(lane_.scale.daily_move)), risk, 0.1, lane_.delta), slot,
            out);
        add(Component::theta, signed_saturating(theta, risk, 0.01), slot, out);
        add(Component::vega, by_stance(hn::Mul(vega, set(0.01)), risk, 0.02, lane_.vega), slot,
            out);
        add(Component::volatility, volatility(price, vega, at), slot, out);
        add(Component::width, saturating(width, set(lane_.scale.move), 0.25), slot, out);
        add(Component::time_decay, signed_saturating(theta, gain, 0.02), slot, out);
        put(Metric::delta, delta, slot);
        put(Metric::day_theta, theta, slot);
        put(Metric::vega, vega, slot);
        put(Metric::quoted_spread, spread, slot);
        put(Metric::leg_liquidity, liquidity, slot);
        put(Metric::width, width, slot);
        return out;
    }

    HWY_INLINE V with_pop(V pop, std::uint32_t slot, Score score) {
        add(score::Component::probability, hn::Mul(set(100.0), pop), slot, score);
        return hn::Div(score.sum, score.weight);  // NaN where no weight applies
    }

    HWY_INLINE void candidates(std::uint32_t at, std::uint32_t slot) {
        const D d;
        const auto strike = column(Column::strike, at);
        const auto price = total(Column::price, prefix_.sum.price, at);
        const auto cost = hn::Add(price, set(lane_.fees));
        const Levels payoff = levels(strike, cost);
        auto gain = payoff.value[0];
        auto worst = payoff.value[0];
        for (std::size_t i = 1; i <= Ranks; ++i) {
            const auto value = payoff.value[i];
            gain = hn::IfThenElse(hn::Gt(value, gain), value, gain);
            worst = hn::IfThenElse(hn::Lt(value, worst), value, worst);
        }
        const auto risk = hn::Neg(worst);
        const auto tick = hn::IfThenElse(hn::Lt(gain, set(lane_.ticks.threshold)), set(tick_below_),
                                         set(tick_above_));
        const auto arbitrage = hn::Le(hn::Sub(risk, set(lane_.fees)), set(kPriceTolerance));
        const auto no_risk = hn::Not(hn::Gt(risk, hn::Zero(d)));
        const auto no_profit = hn::Not(hn::Ge(gain, hn::Sub(tick, set(kPriceTolerance))));
        keep(arbitrage, slot, out_.arbitrage);
        keep(no_risk, slot, out_.no_risk);
        keep(no_profit, slot, out_.no_profit);
        put(Metric::net_price, price, slot);
        put(Metric::gain, gain, slot);
        put(Metric::risk, risk, slot);

        const auto last_below = column(Column::below, at);
        const Score partial = score_without_pop(at, slot, price, strike, gain, risk);
        if constexpr (!Full) {
            const auto dead = hn::Or(arbitrage, hn::Or(no_risk, no_profit));
            const auto at_most = with_pop(pop<false>(payoff, last_below, slot), slot, partial);
            const auto hopeful = hn::AndNot(dead, hn::Not(hn::Lt(at_most, set(wanted_))));
            if (hn::AllFalse(d, hopeful)) return;
        }
        const auto probability =
            hn::Min(hn::Max(pop<true>(payoff, last_below, slot), hn::Zero(d)), set(1.0));
        auto score = with_pop(probability, slot, partial);
        keep(hn::IsNaN(score), slot, out_.unscored);
        // A coarse probability decides nothing: let the scalar path.
        keep(hn::Ge(score, set(wanted_)), slot, out_.hits);
        out_.hits |= out_.coarse;
        if constexpr (Full) {
            hn::Store(score, d, out_.score.data() + slot);
            put(Metric::pop, probability, slot);
            put(Metric::ev, hn::Sub(total(Column::expected, prefix_.sum.expected, at), cost), slot);
        }
    }

    const Lane& lane_;
    const Prefix& prefix_;
    const Columns& columns_;
    const VectorDistribution distribution_;
    Block& out_;
    double wanted_;
    double tick_below_;
    double tick_above_;
    bool has_history_;
    double history_;
    double at_zero_{};
};

template <bool Full>
void run(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n, double floor,
         Block& out) {
    switch (lane.ranks()) {
        case 2:
            RunKernel<2, Full>(lane, prefix, floor, out).run(begin, n);
            break;
        case 3:
            RunKernel<3, Full>(lane, prefix, floor, out).run(begin, n);
            break;
        default:
            RunKernel<4, Full>(lane, prefix, floor, out).run(begin, n);
            break;
    }
}

}  // namespace

void run_full_in_lanes(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n,
                       double floor, Block& out) {
    run<true>(lane, prefix, begin, n, floor, out);
}
void run_hits_in_lanes(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n,
                       double floor, Block& out) {
    run<false>(lane, prefix, begin, n, floor, out);
}

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace scanmq::search {

HWY_EXPORT(run_full_in_lanes);
HWY_EXPORT(run_hits_in_lanes);

Prefix make_prefix(const Lane& lane, const Place& place) noexcept {
    Prefix out;
    out.width = market::kMissing;
    out.sum.leg_liquidity = std::numeric_limits<double>::infinity();
    for (std::size_t r = 0; r + 1 < lane.ranks(); ++r) {
        const RankTerms& terms = lane.rank[r]->at(place[r]);
        out.strike[r] = terms.strike;
        out.below[r] = terms.below;
        out.sum.price += terms.price;
        out.sum.delta += terms.delta;
        out.sum.day_theta += terms.day_theta;
        out.sum.vega += terms.vega;
        out.sum.quoted_spread += terms.quoted_spread;
        out.sum.leg_liquidity = std::min(out.sum.leg_liquidity, terms.leg_liquidity);
        out.sum.expected += terms.expected;
        out.sum.model_value += terms.model_value;
        out.sum.abs_vega += terms.abs_vega;
        if (r == 0 || !lane.wing(r - 1)) continue;
        const double gap = out.strike[r] - out.strike[r - 1];
        if (!(out.width >= gap)) out.width = gap;
    }
    return out;
}

void run_full(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n,
              double floor, Block& out) {
    HWY_DYNAMIC_DISPATCH(run_full_in_lanes)(lane, prefix, begin, n, floor, out);
}

void run_hits(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n,
              double floor, Block& out) {
    HWY_DYNAMIC_DISPATCH(run_hits_in_lanes)(lane, prefix, begin, n, floor, out);
}

}  // namespace scanmq::search

#endif  // HWY_ONCE
