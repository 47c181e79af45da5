// Kelly's fraction over lanes of doubles.
//
// Role: included by metrics_kernel.cpp (foreach_target.h), once for each target.

#if defined(SCANMQ_SCANNER_SEARCH_KELLY_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SCANMQ_SCANNER_SEARCH_KELLY_INL
#undef SCANMQ_SCANNER_SEARCH_KELLY_INL
#else
#define SCANMQ_SCANNER_SEARCH_KELLY_INL
#endif

#include <algorithm>

#include "scanner/search/metrics_kernel.hpp"
#include "scanner/search/vector_score-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::search::HWY_NAMESPACE {

// Kelly's fraction of as many candidates as a vector has, by masses as strategy::kelly_fraction has them.
class Kelly {
  public:
    explicit Kelly(const Lane& lane) : lane_(lane), grid_(*lane.metrics->grid) {}

    struct Candidate {
        std::array<double, kRanksMax> strike;
        std::array<double, kRanksMax> below;
        std::array<double, kRanksMax> mean;
        double cost;
        double risk;
    };

    // n >= 1 of them; the rest of the vector repeats the first.
    HWY_INLINE void run(const Candidate* candidates, std::size_t n, double* out) {
        for (std::size_t j = 0; j < hn::Lanes(D{}); ++j) take(candidates[j < n ? j : 0], j);
        add_masses();
        hn::Store(fraction(), D{}, out);
    }

  private:
    static constexpr std::size_t kMasses = strategy::kKellyLevels + 2 * kRanksMax;
    struct alignas(64) Lanes {
        double at[kLanesMax];
    };
    struct End {
        V level;
        V below;
        V mean;
    };
    struct Slope {
        V value;   // of E ln(1 + f x), by f
        V square;  // less its own slope
    };

    static HWY_INLINE V load(const Lanes& lanes) { return hn::Load(D{}, lanes.at); }

    HWY_INLINE void take(const Candidate& from, std::size_t j) {
        for (std::size_t r = 0; r < lane_.ranks(); ++r) {
            strike_[r].at[j] = from.strike[r];
            below_[r].at[j] = from.below[r];
            mean_[r].at[j] = from.mean[r];
        }
        cost_.at[j] = from.cost;
        risk_.at[j] = from.risk;
    }

    HWY_INLINE void add_masses() {
        const auto zero = hn::Zero(D{});
        const auto over_risk = hn::Div(set(1.0), load(risk_));
        auto start = zero;
        for (std::size_t r = 0; r < lane_.ranks(); ++r) {
            start = hn::Add(start, hn::Mul(set(lane_.shape.at_zero[r]), load(strike_[r])));
        }
        auto value = start;  // at the piece's left end, before the cost
        double slope = lane_.shape.first_slope;
        End from{zero, zero, zero};
        count_ = 0;
        for (std::size_t r = 0; r <= lane_.ranks(); ++r) {
            const bool last = r == lane_.ranks();
            const End to = last ? End{set(1e300), set(1.0), set(grid_forward())}
                                : End{load(strike_[r]), load(below_[r]), load(mean_[r])};
            const auto profit = hn::Mul(hn::Sub(value, load(cost_)), over_risk);
            if (slope == 0.0) {
                add(hn::Sub(to.below, from.below), profit);
            } else {
                sloped(from, to, profit, hn::Mul(set(slope), over_risk), r);
            }
            if (last) break;
            value = hn::Add(value, hn::Mul(set(slope), hn::Sub(to.level, from.level)));
            slope += lane_.shape.kink[r];
            from = to;
        }
    }
    [[nodiscard]] double grid_forward() const { return lane_.distribution.forward(); }

    HWY_INLINE void add(V mass, V result) {
        const auto counts = hn::Gt(mass, set(1e-300));
        hn::Store(hn::IfThenElseZero(counts, mass), D{}, mass_[count_].at);
        hn::Store(hn::IfThenElseZero(counts, result), D{}, result_[count_].at);
        ++count_;
    }

    // A piece between strikes r - 1 and r, cut at the levels of the grid.
    HWY_INLINE void sloped(const End& left, const End& right, V profit, V slope, std::size_t r) {
        const auto& low = strike_[r - 1].at;
        const auto& high = strike_[r].at;
        const double lowest = *std::min_element(low, low + hn::Lanes(D{}));
        const double highest = *std::max_element(high, high + hn::Lanes(D{}));
        const auto& levels = grid_.level;
        std::size_t i = static_cast<std::size_t>(
            std::upper_bound(levels.begin(), levels.end(), lowest) - levels.begin());
        End from = left;
        const auto cell = [&](const End& to) {
            const auto mass = hn::Sub(to.below, from.below);
            const auto counts = hn::Gt(mass, set(1e-300));
            const auto share =
                hn::Div(hn::Sub(to.mean, from.mean), hn::IfThenElse(counts, mass, set(1.0)));
            const auto at = hn::Min(hn::Max(share, from.level), to.level);
            add(mass, hn::Add(profit, hn::Mul(slope, hn::Sub(at, left.level))));
            from = to;
        };
        for (; i < levels.size() && levels[i] < highest; ++i) {
            const auto level = set(levels[i]);
            const auto inside = hn::And(hn::Gt(level, left.level), hn::Lt(level, right.level));
            cell({hn::IfThenElse(inside, level, from.level),
                  hn::IfThenElse(inside, set(grid_.below[i]), from.below),
                  hn::IfThenElse(inside, set(grid_.mean[i]), from.mean)});
        }
        cell(right);
    }

    HWY_INLINE Slope slope(V f) const {
        Slope out{hn::Zero(D{}), hn::Zero(D{})};
        for (std::size_t c = 0; c < count_; ++c) {
            const auto x = load(result_[c]);
            const auto y = hn::Div(x, hn::Add(set(1.0), hn::Mul(f, x)));
            const auto part = hn::Mul(load(mass_[c]), y);
            out.value = hn::Add(out.value, part);
            out.square = hn::Add(out.square, hn::Mul(part, y));
        }
        return out;
    }

    // As strategy::kelly_fraction finds it; a lane that is done waits for the others.
    HWY_INLINE V fraction() const {
        const D d;
        const auto zero = hn::Zero(d);
        const auto most = set(strategy::kKellyMax);
        const Slope at_zero = slope(zero);
        const auto none = hn::Not(hn::Gt(at_zero.value, zero));
        const auto all = hn::Ge(slope(most).value, zero);
        auto low = zero;
        auto high = most;
        auto f = hn::Min(hn::Div(at_zero.value, at_zero.square), most);
        auto open = hn::Not(hn::Or(none, all));
        for (int i = 0; i < strategy::kKellySteps && !hn::AllFalse(d, open); ++i) {
            const Slope here = slope(f);
            const auto rises = hn::Gt(here.value, zero);
            low = hn::IfThenElse(rises, f, low);
            high = hn::IfThenElse(rises, high, f);
            auto next = hn::Add(f, hn::Div(here.value, here.square));
            const auto inside = hn::And(hn::Ge(next, low), hn::Le(next, high));
            next = hn::IfThenElse(inside, next, hn::Mul(set(0.5), hn::Add(low, high)));
            const auto step = hn::Abs(hn::Sub(next, f));
            f = hn::IfThenElse(open, next, f);
            open = hn::And(open, hn::Gt(step, set(strategy::kKellyStep)));
        }
        return hn::IfThenElse(none, zero, hn::IfThenElse(all, most, f));
    }

    const Lane& lane_;
    const KellyGrid& grid_;
    std::size_t count_{};
    Lanes strike_[kRanksMax];
    Lanes below_[kRanksMax];
    Lanes mean_[kRanksMax];
    Lanes cost_;
    Lanes risk_;
    Lanes mass_[kMasses];
    Lanes result_[kMasses];
};

}  // namespace scanmq::search::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
