#include "scanner/search/metrics_kernel.hpp"

#include <algorithm>
#include <bit>

#include "scanner/search/gather_kernel.hpp"
#include "scanner/strategy/distribution_columns.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/search/metrics_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/search/kelly-inl.hpp"
#include "scanner/search/vector_score-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {
namespace {

template <std::size_t Ranks>
class More {
  public:
    More(const Lane& lane, const Block& block, MoreFigures& out)
        : lane_(lane),
          more_(*lane.metrics),
          block_(block),
          out_(out),
          distribution_(lane.distribution) {
        double slope = lane.shape.first_slope;
        for (std::size_t i = 0; i < kLast; ++i) {
            slope += lane.shape.kink[i];
            slope_[i] = slope;
            over_slope_[i] = 1.0 / slope;
        }
    }

    HWY_INLINE void run() {
        for (std::uint32_t r = 0; r < block_.run_count; ++r) {
            const std::uint32_t end =
                r + 1 < block_.run_count ? block_.runs[r + 1].slot : block_.size;
            take_run(block_.runs[r], end);
        }
        const auto step = static_cast<std::uint32_t>(hn::Lanes(D{}));
        for (std::uint32_t slot = 0; slot < block_.size; slot += kBatch * step) take_halves(slot);
        std::uint64_t stakes = 0;
        for (std::uint32_t slot = 0; slot < block_.size; slot += step) {
            take_ratios(slot);
            stakes |= take_stakes(slot);
        }
        take_kelly(stakes & block_.valid());
    }

  private:
    static constexpr std::size_t kLast = Ranks - 1;
    static constexpr std::uint32_t kBatch = VectorDistribution::kAtOnce;

    HWY_INLINE V metric(Metric m, std::uint32_t slot) const {
        return hn::LoadU(D{}, block_[m] + slot);
    }
    HWY_INLINE void put(MoreMetric m, V value, std::uint32_t slot) {
        hn::StoreU(value, D{}, out_[m] + slot);
    }
    [[nodiscard]] const double* term(std::size_t r, MetricTerm t) const {
        return (*more_.rank[r])[t];
    }

    // Sums over ranks and what pieces of the payoff say, a run at a time.
    HWY_INLINE void take_run(const Block::Run& run, std::uint32_t end) {
        double gamma = 0.0;
        double rho = 0.0;
        double iv_short = 0.0;
        double iv_long = 0.0;
        double touch = -1.0;
        double strike[kRanksMax];
        double below[kRanksMax];
        double at_zero = 0.0;
        for (std::size_t r = 0; r < kLast; ++r) {
            const std::uint32_t at = run.place[r];
            gamma += term(r, MetricTerm::gamma)[at];
            rho += term(r, MetricTerm::rho)[at];
            iv_short += term(r, MetricTerm::iv_short)[at];
            iv_long += term(r, MetricTerm::iv_long)[at];
            touch = std::max(touch, term(r, MetricTerm::touch)[at]);
            strike[r] = (*lane_.rank[r])[Column::strike][at];
            below[r] = (*lane_.rank[r])[Column::below][at];
            at_zero += lane_.shape.at_zero[r] * strike[r];
        }
        // No number where a side has no leg.
        const auto over_short = set(1.0 / more_.short_contracts);
        const auto over_long = set(1.0 / more_.long_contracts);
        const auto step = static_cast<std::uint32_t>(hn::Lanes(D{}));
        const D d;
        for (std::uint32_t slot = run.slot; slot < end; slot += step) {
            const std::uint32_t at = run.place[kLast] + (slot - run.slot);
            const auto sum = [&](MetricTerm t, double prefix) {
                return hn::Add(set(prefix), hn::LoadU(d, term(kLast, t) + at));
            };
            put(MoreMetric::gamma, sum(MetricTerm::gamma, gamma), slot);
            put(MoreMetric::rho_point, hn::Mul(set(0.01), sum(MetricTerm::rho, rho)), slot);
            put(MoreMetric::iv_edge,
                hn::Sub(hn::Mul(sum(MetricTerm::iv_short, iv_short), over_short),
                        hn::Mul(sum(MetricTerm::iv_long, iv_long), over_long)),
                slot);
            const auto last_touch = hn::LoadU(d, term(kLast, MetricTerm::touch) + at);
            const auto most =
                hn::IfThenElse(hn::Gt(last_touch, set(touch)), last_touch, set(touch));
            put(MoreMetric::p_touch, hn::IfThenElse(hn::Lt(most, hn::Zero(d)), hn::NaN(d), most),
                slot);
            pieces(strike, below, at_zero, at, slot);
        }
    }

    HWY_INLINE void pieces(const double* strike, const double* below, double at_zero,
                           std::uint32_t at, std::uint32_t slot) {
        const D d;
        const auto zero = hn::Zero(d);
        const auto last_strike = hn::LoadU(d, (*lane_.rank[kLast])[Column::strike] + at);
        const auto last_below = hn::LoadU(d, (*lane_.rank[kLast])[Column::below] + at);
        const auto cost = hn::Add(metric(Metric::net_price, slot), set(lane_.fees));
        const auto risk = metric(Metric::risk, slot);
        // The payoff less half of its best, in the order of strategy::Payoff's operations.
        const auto wanted = hn::Add(cost, hn::Mul(set(0.5), metric(Metric::gain, slot)));
        const auto lost =
            hn::Add(hn::Neg(risk), hn::Mul(set(strategy::kMaxLossRoom), hn::Add(set(1.0), risk)));
        auto value = hn::Add(set(at_zero), hn::Mul(set(lane_.shape.at_zero[kLast]), last_strike));
        auto from = zero;
        auto from_below = zero;
        auto left = hn::Sub(value, wanted);
        auto left_lost = hn::Le(hn::Sub(value, cost), lost);
        auto all_lost = zero;
        double slope = lane_.shape.first_slope;
        for (std::size_t r = 0; r <= kLast; ++r) {
            const auto level = r == kLast ? last_strike : set(strike[r]);
            const auto to_below = r == kLast ? last_below : set(below[r]);
            value = hn::Add(value, hn::Mul(set(slope), hn::Sub(level, from)));
            const auto right = hn::Sub(value, wanted);
            const auto right_lost = hn::Le(hn::Sub(value, cost), lost);
            all_lost = hn::Add(all_lost, hn::IfThenElseZero(hn::And(left_lost, right_lost),
                                                            hn::Sub(to_below, from_below)));
            if (r > 0 && slope != 0.0) {
                const auto pays = hn::Gt(left, zero);
                const auto mixed = hn::Xor(pays, hn::Gt(right, zero));
                const auto cut = hn::Sub(from, hn::Mul(left, set(over_slope_[r - 1])));
                hn::StoreU(hn::IfThenElseZero(mixed, hn::IfThenElse(pays, cut, hn::Neg(cut))), d,
                           cut_[r - 1].data() + slot);
            }
            slope += lane_.shape.kink[r];
            from = level;
            from_below = to_below;
            left = right;
            left_lost = right_lost;
        }
        all_lost = hn::Add(all_lost, hn::IfThenElseZero(left_lost, hn::Sub(set(1.0), from_below)));
        put(MoreMetric::p_max_loss, hn::Min(hn::Max(all_lost, zero), set(1.0)), slot);
        put(MoreMetric::p_half_at_expiry, hn::IfThenElseZero(hn::Gt(left, zero), set(1.0)), slot);
    }

    // Of kBatch vectors, the first at `slot`.
    HWY_INLINE void take_halves(std::uint32_t slot) {
        const D d;
        const auto step = static_cast<std::uint32_t>(hn::Lanes(d));
        const auto at = [&](std::size_t j) { return slot + static_cast<std::uint32_t>(j) * step; };
        V p[kBatch];
        for (std::size_t j = 0; j < kBatch; ++j) {
            p[j] = hn::Load(d, out_[MoreMetric::p_half_at_expiry] + at(j));
        }
        for (std::size_t i = 0; i < kLast; ++i) {
            if (slope_[i] == 0.0) continue;
            V cut[kBatch];
            for (std::size_t j = 0; j < kBatch; ++j) cut[j] = hn::Load(d, cut_[i].data() + at(j));
            Crossing there[kBatch];
            cross(distribution_, cut, there);
            for (std::size_t j = 0; j < kBatch; ++j) p[j] = hn::Add(p[j], there[j].value);
        }
        for (std::size_t j = 0; j < kBatch; ++j) {
            put(MoreMetric::p_half_at_expiry, hn::Min(hn::Max(p[j], hn::Zero(d)), set(1.0)), at(j));
        }
    }

    HWY_INLINE void take_ratios(std::uint32_t slot) {
        const D d;
        const auto zero = hn::Zero(d);
        const auto risk = metric(Metric::risk, slot);
        const auto exists = hn::Gt(risk, zero);
        const auto reward =
            hn::IfThenElse(exists, hn::Div(metric(Metric::gain, slot), risk), hn::NaN(d));
        const auto per_day = hn::Mul(reward, set(1.0 / more_.days));
        put(MoreMetric::return_on_risk, reward, slot);
        put(MoreMetric::return_per_day, per_day, slot);
        put(MoreMetric::annual_return, hn::Mul(per_day, set(365.0)), slot);
        put(MoreMetric::margin, risk, slot);
        put(MoreMetric::buying_power, risk, slot);
        put(MoreMetric::vega_point, hn::Mul(set(0.01), metric(Metric::vega, slot)), slot);
        auto nearest = hn::NaN(d);
        for (std::size_t i = 0; i < kLast; ++i) {
            if (slope_[i] == 0.0) continue;
            const auto cut = hn::Abs(hn::Load(d, block_.cut[i].data() + slot));
            const auto distance = hn::Abs(hn::Sub(cut, set(more_.spot)));
            const auto nearer = hn::And(hn::Gt(cut, zero), hn::Not(hn::Ge(distance, nearest)));
            nearest = hn::IfThenElse(nearer, distance, nearest);
        }
        put(MoreMetric::breakeven_distance, hn::Mul(nearest, set(1.0 / more_.spot)), slot);
    }

    // Zero where nothing is to be staked; returns where something is.
    HWY_INLINE std::uint64_t take_stakes(std::uint32_t slot) {
        const D d;
        const auto zero = hn::Zero(d);
        const auto exists = hn::Gt(metric(Metric::risk, slot), zero);
        put(MoreMetric::kelly, hn::IfThenElse(exists, zero, hn::NaN(d)), slot);
        const auto stakes = hn::And(exists, hn::Gt(metric(Metric::ev, slot), zero));
        if (hn::AllFalse(d, stakes)) return 0;
        std::uint8_t raw[8] = {};
        hn::StoreMaskBits(d, stakes, raw);
        return static_cast<std::uint64_t>(raw[0]) << slot;
    }

    // Few gain on average at the prices asked: those are packed.
    HWY_INLINE void take_kelly(std::uint64_t stakes) {
        if (stakes == 0) return;
        Kelly kelly(lane_);
        const std::size_t width = hn::Lanes(D{});
        Kelly::Candidate waiting[kLanesMax];
        std::uint32_t slots[kLanesMax];
        std::size_t count = 0;
        std::uint32_t r = 0;
        const auto flush = [&] {
            alignas(64) double f[kLanesMax];
            kelly.run(waiting, count, f);
            for (std::size_t j = 0; j < count; ++j) out_[MoreMetric::kelly][slots[j]] = f[j];
            count = 0;
        };
        for (; stakes != 0; stakes &= stakes - 1) {
            const auto slot = static_cast<std::uint32_t>(std::countr_zero(stakes));
            while (r + 1 < block_.run_count && block_.runs[r + 1].slot <= slot) ++r;
            slots[count] = slot;
            fill(waiting[count], block_.runs[r], slot);
            if (++count == width) flush();
        }
        if (count > 0) flush();
    }
    HWY_INLINE void fill(Kelly::Candidate& out, const Block::Run& run, std::uint32_t slot) const {
        for (std::size_t r = 0; r <= kLast; ++r) {
            const std::uint32_t at = run.place[r] + (r == kLast ? slot - run.slot : 0);
            out.strike[r] = (*lane_.rank[r])[Column::strike][at];
            out.below[r] = (*lane_.rank[r])[Column::below][at];
            out.mean[r] = term(r, MetricTerm::mean_below)[at];
        }
        out.cost = block_[Metric::net_price][slot] + lane_.fees;
        out.risk = block_[Metric::risk][slot];
    }

    const Lane& lane_;
    const LaneMetrics& more_;
    const Block& block_;
    MoreFigures& out_;
    const VectorDistribution distribution_;
    double slope_[kRanksMax - 1] = {};  // of the pieces between strikes
    double over_slope_[kRanksMax - 1] = {};
    alignas(64) Block::PerSlot cut_[kRanksMax - 1];  // as Block::cut, of half the gain
};

}  // namespace

void more_in_lanes(const Lane& lane, const Block& block, MoreFigures& out) {
    switch (lane.ranks()) {
        case 2:
            More<2>(lane, block, out).run();
            break;
        case 3:
            More<3>(lane, block, out).run();
            break;
        default:
            More<4>(lane, block, out).run();
            break;
    }
}

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace scanmq::search {

HWY_EXPORT(more_in_lanes);

void more_metrics(const Lane& lane, const Block& block, MoreFigures& out) {
    HWY_DYNAMIC_DISPATCH(more_in_lanes)(lane, block, out);
}

KellyGrid kelly_grid(const strategy::Distribution& distribution) noexcept {
    KellyGrid out;
    out.level = strategy::kelly_levels(distribution);
    std::array<strategy::StrikeMoments, strategy::kKellyLevels> moments;
    strategy::strike_moments(distribution, out.level, moments);
    for (std::size_t i = 0; i < moments.size(); ++i) {
        out.below[i] = moments[i].below;
        out.mean[i] = moments[i].mean_below;
    }
    return out;
}

}  // namespace scanmq::search

#endif  // HWY_ONCE
