#include "scanner/search/gather_kernel.hpp"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/search/gather_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/search/vector_score-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {
namespace {

// Sums, payoff and its zeros of one run. Slots are anywhere, so that runs follow each other closely.
template <std::size_t Ranks, bool All>
class Gather {
  public:
    Gather(const Lane& lane, const Prefix& prefix, Block& out)
        : lane_(lane), prefix_(prefix), columns_(*lane.rank[kLast]), out_(out) {
        // The strikes add up first, as in strategy::Payoff.
        for (std::size_t r = 0; r < kLast; ++r) {
            at_zero_ += lane.shape.at_zero[r] * prefix.strike[r];
        }
    }

    HWY_INLINE void run(std::uint32_t begin, std::uint32_t n) {
        const auto step = static_cast<std::uint32_t>(hn::Lanes(D{}));
        for (std::uint32_t i = 0; i < n; i += step) candidates(begin + i, out_.size + i);
    }

  private:
    static constexpr std::size_t kLast = Ranks - 1;

    struct Levels {
        V level[Ranks];      // strikes
        V value[Ranks + 1];  // profit at zero and at the strikes
    };

    HWY_INLINE V column(Column c, std::uint32_t at) const {
        return hn::LoadU(D{}, columns_[c] + at);
    }
    HWY_INLINE V total(Column c, double prefix, std::uint32_t at) const {
        return hn::Add(set(prefix), column(c, at));
    }
    static HWY_INLINE void put(Block::PerSlot& figures, V value, std::uint32_t slot) {
        hn::StoreU(value, D{}, figures.data() + slot);
    }
    HWY_INLINE void put(Metric m, V value, std::uint32_t slot) {
        hn::StoreU(value, D{}, out_[m] + slot);
    }

    HWY_INLINE Levels levels(V strike, V cost) const {
        Levels out;
        auto value = hn::Add(set(at_zero_), hn::Mul(set(lane_.shape.at_zero[kLast]), strike));
        auto from = hn::Zero(D{});
        out.value[0] = hn::Sub(value, cost);
        double slope = lane_.shape.first_slope;
        for (std::size_t r = 0; r < Ranks; ++r) {
            out.level[r] = r == kLast ? strike : set(prefix_.strike[r]);
            value = hn::Add(value, hn::Mul(set(slope), hn::Sub(out.level[r], from)));
            out.value[r + 1] = hn::Sub(value, cost);
            from = out.level[r];
            slope += lane_.shape.kink[r];
        }
        return out;
    }

    // POP is 1 where the end of the payoff is positive, else 0, plus P(S_T < cut) of each zero that it
    // falls through, less that of each it rises through: what lies between cancels out.
    HWY_INLINE void cuts(const Levels& at, std::uint32_t slot) {
        const auto zero = hn::Zero(D{});
        double slope = lane_.shape.first_slope;
        for (std::size_t i = 1; i < Ranks; ++i) {
            slope += lane_.shape.kink[i - 1];
            if (slope == 0.0) continue;
            const auto left = hn::Gt(at.value[i], zero);
            const auto mixed = hn::Xor(left, hn::Gt(at.value[i + 1], zero));
            const auto cut = hn::Sub(at.level[i - 1], hn::Mul(at.value[i], set(1.0 / slope)));
            const auto with_sign = hn::IfThenElse(left, cut, hn::Neg(cut));
            put(out_.cut[i - 1], hn::IfThenElseZero(mixed, with_sign), slot);
        }
        put(Metric::pop, hn::IfThenElseZero(hn::Gt(at.value[Ranks], zero), set(1.0)), slot);
    }

    HWY_INLINE V pop_bound(const Levels& at, V last_below) const {
        const auto zero = hn::Zero(D{});
        auto sum = zero;
        auto from = zero;
        for (std::size_t i = 0; i <= Ranks; ++i) {
            const auto to = i == Ranks ? set(1.0) : i == kLast ? last_below : set(prefix_.below[i]);
            const auto left = hn::Gt(at.value[i], zero);
            const auto right = i == Ranks ? left : hn::Gt(at.value[i + 1], zero);
            sum = hn::Add(sum, hn::IfThenElseZero(hn::Or(left, right), hn::Sub(to, from)));
            from = to;
        }
        return sum;
    }

    HWY_INLINE void candidates(std::uint32_t at, std::uint32_t slot) {
        const RankTerms& sum = prefix_.sum;
        const auto strike = column(Column::strike, at);
        const auto price = total(Column::price, sum.price, at);
        const auto cost = hn::Add(price, set(lane_.fees));
        const Levels payoff = levels(strike, cost);
        auto gain = payoff.value[0];
        auto worst = payoff.value[0];
        for (std::size_t i = 1; i <= Ranks; ++i) {
            const auto value = payoff.value[i];
            gain = hn::IfThenElse(hn::Gt(value, gain), value, gain);
            worst = hn::IfThenElse(hn::Lt(value, worst), value, worst);
        }
        put(Metric::net_price, price, slot);
        put(Metric::gain, gain, slot);
        put(Metric::risk, hn::Neg(worst), slot);
        cuts(payoff, slot);

        const auto before = set(sum.leg_liquidity);
        const auto leg = column(Column::leg_liquidity, at);
        auto width = set(prefix_.width);  // no number where there is no wing
        if (lane_.wing(kLast - 1)) {
            const auto gap = hn::Sub(strike, set(prefix_.strike[kLast - 1]));
            width = hn::IfThenElse(hn::Ge(width, gap), width, gap);
        }
        put(Metric::leg_liquidity, hn::IfThenElse(hn::Lt(leg, before), leg, before), slot);
        put(Metric::width, width, slot);
        put(Metric::delta, total(Column::delta, sum.delta, at), slot);
        put(Metric::day_theta, total(Column::day_theta, sum.day_theta, at), slot);
        put(Metric::vega, total(Column::vega, sum.vega, at), slot);
        put(Metric::quoted_spread, total(Column::quoted_spread, sum.quoted_spread, at), slot);
        put(out_.abs_vega, total(Column::abs_vega, sum.abs_vega, at), slot);
        const auto model = total(Column::model_value, sum.model_value, at);
        put(out_.edge, hn::Sub(model, price), slot);
        if constexpr (All) {
            const auto expected = total(Column::expected, sum.expected, at);
            put(Metric::ev, hn::Sub(expected, cost), slot);
        } else {
            put(out_.pop_bound, pop_bound(payoff, column(Column::below, at)), slot);
        }
    }

    const Lane& lane_;
    const Prefix& prefix_;
    const Columns& columns_;
    Block& out_;
    double at_zero_{};
};

template <bool All>
HWY_INLINE void gather_run(const Lane& lane, const Prefix& prefix, std::uint32_t begin,
                           std::uint32_t n, Block& out) {
    switch (lane.ranks()) {
        case 2:
            Gather<2, All>(lane, prefix, out).run(begin, n);
            break;
        case 3:
            Gather<3, All>(lane, prefix, out).run(begin, n);
            break;
        default:
            Gather<4, All>(lane, prefix, out).run(begin, n);
            break;
    }
}

}  // namespace

void gather_in_lanes(const Lane& lane, const Prefix& prefix, std::uint32_t begin, std::uint32_t n,
                     Figures figures, Block& out) {
    if (figures == Figures::all) {
        gather_run<true>(lane, prefix, begin, n, out);
    } else {
        gather_run<false>(lane, prefix, begin, n, out);
    }
}

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace scanmq::search {

HWY_EXPORT(gather_in_lanes);

Prefix make_prefix(const Lane& lane, const Place& place) noexcept {
    constexpr double kNoLeg = std::numeric_limits<double>::infinity();
    Prefix out;
    out.width = market::kMissing;
    out.sum = lane.rank[0]->at(place[0]);
    out.strike[0] = out.sum.strike;
    out.below[0] = out.sum.below;
    out.sum.leg_liquidity = std::min(kNoLeg, out.sum.leg_liquidity);
    for (std::size_t r = 1; r + 1 < lane.ranks(); ++r) {
        const RankTerms more = lane.rank[r]->at(place[r]);
        out.strike[r] = more.strike;
        out.below[r] = more.below;
        out.sum.price += more.price;
        out.sum.delta += more.delta;
        out.sum.day_theta += more.day_theta;
        out.sum.vega += more.vega;
        out.sum.quoted_spread += more.quoted_spread;
        out.sum.leg_liquidity = std::min(out.sum.leg_liquidity, more.leg_liquidity);
        out.sum.expected += more.expected;
        out.sum.model_value += more.model_value;
        out.sum.abs_vega += more.abs_vega;
        if (!lane.wing(r - 1)) continue;
        const double gap = out.strike[r] - out.strike[r - 1];
        if (!(out.width >= gap)) out.width = gap;
    }
    return out;
}

void gather(const Lane& lane, const Prefix& prefix, const Place& place, std::uint32_t n,
            Figures figures, Block& block) {
    HWY_DYNAMIC_DISPATCH(gather_in_lanes)
    (lane, prefix, place[lane.ranks() - 1], n, figures, block);
    block.runs[block.run_count++] = {.place = place, .slot = block.size};
    block.size += n;
}

}  // namespace scanmq::search

#endif  // HWY_ONCE
