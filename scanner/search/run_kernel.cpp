#include "scanner/search/run_kernel.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/search/run_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/search/vector_score-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {
namespace {

constexpr double kWeightMin = 1e-100;  // of which an inverse is a number

// From what was gathered to scores.
template <bool All>
class Scores {
  public:
    Scores(const Lane& lane, double floor, Block& out)
        : lane_(lane),
          distribution_(lane.distribution),
          out_(out),
          wanted_(floor - kScoreSlack),
          tick_below_(1.0 / lane.ticks.per_unit_below),
          tick_above_(1.0 / lane.ticks.per_unit_above),
          has_history_(lane.iv_rank == lane.iv_rank),
          history_(0.02 * (2.0 * lane.iv_rank - 1.0)) {
        double slope = lane.shape.first_slope;
        for (std::size_t i = 0; i + 1 < lane.ranks(); ++i) {
            slope += lane.shape.kink[i];
            sloped_[i] = slope != 0.0;
        }
        for (const double weight : lane.weights.value) all_weights_ += weight;
        over_all_weights_ = 1.0 / all_weights_;
        has_weights_ = all_weights_ > kWeightMin;
    }

    HWY_INLINE void run() {
        out_.arbitrage = out_.no_risk = out_.no_profit = 0;
        out_.unscored = out_.coarse = out_.hits = 0;
        const auto step = static_cast<std::uint32_t>(hn::Lanes(D{}));
        if constexpr (All) {
            for (std::uint32_t slot = 0; slot < out_.size; slot += kBatch * step) {
                take_pops<kBatch>([&](std::uint32_t i) { return slot + i * step; });
            }
            for (std::uint32_t slot = 0; slot < out_.size; slot += step) {
                take_gates(slot);
                finish(slot, score_without_pop(slot));
            }
        } else {
            std::uint32_t hopeful[Block::kSize];  // vectors, by their first slot
            std::uint32_t count = 0;
            for (std::uint32_t slot = 0; slot < out_.size; slot += step) {
                if (may_reach(slot)) hopeful[count++] = slot;
            }
            for (std::uint32_t i = 0; i < count; i += kBatch) take_hopeful(hopeful + i, count - i);
            for (std::uint32_t i = 0; i < count; ++i) {
                const std::uint32_t slot = hopeful[i];
                finish(slot,
                       {load(out_.score.data() + slot), load(out_.weight.data() + slot), none()});
            }
        }
        settle();
    }

  private:
    static constexpr std::uint32_t kBatch = VectorDistribution::kAtOnce;

    struct Score {
        V sum;     // of weight times component, for those that apply
        V weight;  // of them
        M all;     // where they all apply
    };

    static HWY_INLINE M none() { return hn::FirstN(D{}, 0); }
    static HWY_INLINE V load(const double* at) { return hn::Load(D{}, at); }
    HWY_INLINE V metric(Metric m, std::uint32_t slot) const { return load(out_[m] + slot); }
    // Most masks are empty most of the time.
    static HWY_INLINE void keep(M mask, std::uint32_t slot, std::uint64_t& bits) {
        if (hn::AllFalse(D{}, mask)) return;
        std::uint8_t raw[8] = {};
        hn::StoreMaskBits(D{}, mask, raw);
        bits |= static_cast<std::uint64_t>(raw[0]) << slot;
    }
    [[nodiscard]] HWY_INLINE V weight(score::Component c) const { return set(lane_.weights[c]); }

    // Of kBatch vectors or as many as are left.
    HWY_INLINE void take_hopeful(const std::uint32_t* slots, std::uint32_t left) {
        constexpr std::uint32_t kFew = 2;  // that one after the other are the cheaper
        if (left <= kFew) {
            for (std::uint32_t i = 0; i < left; ++i) {
                take_pops<1>([&](std::uint32_t) { return slots[i]; });
            }
            return;
        }
        // The last one may come more than once, with the same result.
        take_pops<kBatch>([&](std::uint32_t i) { return slots[std::min(i, left - 1)]; });
    }

    // Of N vectors, the i-th at slot at(i).
    template <std::uint32_t N, class At>
    HWY_INLINE void take_pops(const At& at) {
        const D d;
        V pop[N];
        for (std::uint32_t j = 0; j < N; ++j) pop[j] = metric(Metric::pop, at(j));
        for (std::size_t i = 0; i + 1 < lane_.ranks(); ++i) {
            if (!sloped_[i]) continue;
            V cut[N];
            for (std::uint32_t j = 0; j < N; ++j) cut[j] = load(out_.cut[i].data() + at(j));
            Crossing there[N];
            cross(distribution_, cut, there);
            for (std::uint32_t j = 0; j < N; ++j) {
                const auto vague =
                    hn::Not(hn::Ge(there[j].deviation, set(strategy::kDeviationMin)));
                keep(hn::And(hn::Ne(cut[j], hn::Zero(d)), vague), at(j), out_.coarse);
                pop[j] = hn::Add(pop[j], there[j].value);
            }
        }
        for (std::uint32_t j = 0; j < N; ++j) {
            pop[j] = hn::Min(hn::Max(pop[j], hn::Zero(d)), set(1.0));
            hn::Store(pop[j], d, out_[Metric::pop] + at(j));
        }
    }

    // Returns those that do not pass.
    HWY_INLINE M take_gates(std::uint32_t slot) {
        const auto gain = metric(Metric::gain, slot);
        const auto risk = metric(Metric::risk, slot);
        const auto tick = hn::IfThenElse(hn::Lt(gain, set(lane_.ticks.threshold)), set(tick_below_),
                                         set(tick_above_));
        const auto arbitrage = hn::Le(hn::Sub(risk, set(lane_.fees)), set(kPriceTolerance));
        const auto no_risk = hn::Not(hn::Gt(risk, hn::Zero(D{})));
        const auto no_profit = hn::Not(hn::Ge(gain, hn::Sub(tick, set(kPriceTolerance))));
        keep(arbitrage, slot, out_.arbitrage);
        keep(no_risk, slot, out_.no_risk);
        keep(no_profit, slot, out_.no_profit);
        return hn::Or(arbitrage, hn::Or(no_risk, no_profit));
    }

    static HWY_INLINE Share by_stance(V x, V y, double half, score::Stance stance) {
        if (stance == score::Stance::neutral) return neutral(x, y, half);
        return signed_saturating(stance == score::Stance::long_stance ? x : hn::Neg(x), y, half);
    }
    HWY_INLINE V volatility(std::uint32_t slot, V vega) const {
        const auto abs_vega = load(out_.abs_vega.data() + slot);
        auto edge = load(out_.edge.data() + slot);
        const auto zero = hn::Zero(D{});
        if (has_history_) {
            const auto sign = hn::IfThenElse(hn::Lt(vega, zero), set(1.0),
                                             hn::IfThenElse(hn::Gt(vega, zero), set(-1.0), zero));
            edge = hn::Add(edge, hn::Mul(hn::Mul(set(history_), sign), abs_vega));
        }
        const auto component = signed_saturating(edge, abs_vega, 0.01).value();
        return hn::IfThenElse(hn::Gt(abs_vega, zero), component, hn::NaN(D{}));
    }

    // All components but the probability.
    HWY_INLINE Score score_without_pop(std::uint32_t slot) {
        using score::Component;
        const auto gain = metric(Metric::gain, slot);
        const auto risk = metric(Metric::risk, slot);
        const auto theta = metric(Metric::day_theta, slot);
        const auto vega = metric(Metric::vega, slot);
        V value[score::kComponents];
        const auto at = [](Component c) { return static_cast<std::size_t>(c); };
        const auto one = set(1.0);
        {
            // Both exist where theta does.
            const Share by_risk = signed_saturating(theta, risk, 0.01);
            const Share by_gain = signed_saturating(theta, gain, 0.02);
            const auto inverse = hn::Div(one, hn::Mul(by_risk.bottom, by_gain.bottom));
            value[at(Component::theta)] = by_risk.times(hn::Mul(by_gain.bottom, inverse));
            value[at(Component::time_decay)] = by_gain.times(hn::Mul(by_risk.bottom, inverse));
        }
        {
            const auto move = hn::Mul(metric(Metric::delta, slot), set(lane_.scale.daily_move));
            const Share delta = by_stance(move, risk, 0.1, lane_.delta);
            const Share by_vega = by_stance(hn::Mul(vega, set(0.01)), risk, 0.02, lane_.vega);
            const auto a = or_one(delta.bottom);
            const auto b = or_one(by_vega.bottom);
            const auto inverse = hn::Div(one, hn::Mul(a, b));
            value[at(Component::delta)] =
                or_missing(delta.bottom, delta.times(hn::Mul(b, inverse)));
            value[at(Component::vega)] =
                or_missing(by_vega.bottom, by_vega.times(hn::Mul(a, inverse)));
        }
        {
            const auto all_costs =
                hn::Add(hn::Add(gain, metric(Metric::quoted_spread, slot)), set(2.0 * lane_.fees));
            const auto offered = hn::Mul(metric(Metric::leg_liquidity, slot), gain);
            const Share liquidity{hn::Mul(set(100.0), offered), all_costs, 0.0};
            const Share reward = saturating(gain, risk, 0.25);
            const Share width =
                saturating(metric(Metric::width, slot), set(lane_.scale.move), 0.25);
            const auto a = or_one(liquidity.bottom);
            const auto b = or_one(width.bottom);
            const auto both = hn::Mul(a, b);
            const auto inverse = hn::Div(one, hn::Mul(both, reward.bottom));
            const auto rest = hn::Mul(inverse, reward.bottom);
            value[at(Component::liquidity)] =
                or_missing(liquidity.bottom, liquidity.times(hn::Mul(b, rest)));
            value[at(Component::width)] = width.times(hn::Mul(a, rest));
            value[at(Component::risk_reward)] = reward.times(hn::Mul(both, inverse));
        }
        value[at(Component::volatility)] = volatility(slot, vega);
        value[at(Component::probability)] = hn::Zero(D{});
        return weighted(value);
    }
    // No number where `exists` is none.
    static HWY_INLINE V or_missing(V exists, V value) {
        return hn::IfThenElse(hn::Eq(exists, exists), value, exists);
    }

    HWY_INLINE Score weighted(const V (&value)[score::kComponents]) const {
        constexpr auto kProbability = static_cast<std::size_t>(score::Component::probability);
        const D d;
        auto sum = hn::Zero(d);
        for (std::size_t c = 0; c < score::kComponents; ++c) {
            if (c == kProbability) continue;
            sum = hn::Add(sum, hn::Mul(set(lane_.weights.value[c]), value[c]));
        }
        const auto all = has_weights_ ? hn::Eq(sum, sum) : none();
        if (hn::AllTrue(d, all)) {
            return {sum, set(all_weights_ - lane_.weights.value[kProbability]), all};
        }
        auto applying = hn::Zero(d);
        sum = hn::Zero(d);
        for (std::size_t c = 0; c < score::kComponents; ++c) {
            if (c == kProbability) continue;
            const auto applies = hn::Eq(value[c], value[c]);
            const auto weight = set(lane_.weights.value[c]);
            sum = hn::Add(sum, hn::IfThenElseZero(applies, hn::Mul(weight, value[c])));
            applying = hn::Add(applying, hn::IfThenElseZero(applies, weight));
        }
        return {sum, applying, all};
    }

    HWY_INLINE V with_pop(V pop, const Score& score) const {
        const auto probability = weight(score::Component::probability);
        const auto sum = hn::Add(score.sum, hn::Mul(probability, hn::Mul(set(100.0), pop)));
        // NaN where no weight applies.
        const auto by_all = hn::Mul(sum, set(over_all_weights_));
        if (hn::AllTrue(D{}, score.all)) return by_all;
        return hn::IfThenElse(score.all, by_all, hn::Div(sum, hn::Add(score.weight, probability)));
    }

    // Hits: can one of the vector reach the floor?
    HWY_INLINE bool may_reach(std::uint32_t slot) {
        const auto dead = take_gates(slot);
        const Score score = score_without_pop(slot);
        hn::Store(score.sum, D{}, out_.score.data() + slot);
        hn::Store(score.weight, D{}, out_.weight.data() + slot);
        const auto at_most = with_pop(load(out_.pop_bound.data() + slot), score);
        const auto low = hn::Lt(at_most, set(wanted_));
        return !hn::AllTrue(D{}, hn::Or(dead, low));
    }

    HWY_INLINE void finish(std::uint32_t slot, const Score& partial) {
        const auto score = with_pop(metric(Metric::pop, slot), partial);
        keep(hn::IsNaN(score), slot, out_.unscored);
        // A coarse probability decides nothing: let the scalar path.
        keep(hn::Ge(score, set(wanted_)), slot, out_.hits);
        if constexpr (All) hn::Store(score, D{}, out_.score.data() + slot);
    }

    HWY_INLINE void settle() {
        const std::uint64_t valid = out_.valid();
        out_.arbitrage &= valid;
        out_.no_risk &= valid & ~out_.arbitrage;
        out_.no_profit &= valid & ~out_.arbitrage & ~out_.no_risk;
        const std::uint64_t alive = valid & ~out_.arbitrage & ~out_.no_risk & ~out_.no_profit;
        out_.coarse &= alive;
        out_.hits |= out_.coarse;
        out_.unscored &= alive & ~out_.coarse;
        out_.hits &= alive & ~out_.unscored;
    }

    const Lane& lane_;
    const VectorDistribution distribution_;
    Block& out_;
    double wanted_;
    double tick_below_;
    double tick_above_;
    bool has_history_;
    double history_;
    bool sloped_[kRanksMax - 1] = {};  // pieces of the payoff between strikes
    double all_weights_{};
    double over_all_weights_{};
    bool has_weights_{};
};

}  // namespace

void score_in_lanes(const Lane& lane, double floor, Figures figures, Block& out) {
    if (figures == Figures::all) {
        Scores<true>(lane, floor, out).run();
    } else {
        Scores<false>(lane, floor, out).run();
    }
}

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace scanmq::search {

HWY_EXPORT(score_in_lanes);

void score_block(const Lane& lane, double floor, Figures figures, Block& block) {
    HWY_DYNAMIC_DISPATCH(score_in_lanes)(lane, floor, figures, block);
}

}  // namespace scanmq::search

#endif  // HWY_ONCE
