#include "scanner/pricing/finite_differences.hpp"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/pricing/finite_differences.cpp"
#include <hwy/aligned_allocator.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/pricing/vector_math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE {

using detail::DifferenceBlock;
using detail::DifferenceGrid;
using detail::DifferenceValues;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

HWY_INLINE V set(double value) { return hn::Set(D(), value); }
HWY_INLINE V exp_wide(V x) {
    return exp_bounded(D(), hn::Min(hn::Max(x, set(-700.0)), set(700.0)));
}

// The options of one vector and their columns of the grid, node by node.
class Columns {
  public:
    Columns(const DifferenceGrid& grid, const DifferenceBlock& block, std::size_t at)
        : half_(grid.half_nodes),
          nodes_(2 * grid.half_nodes + 1),
          lanes_(hn::Lanes(D())),
          european_control_(block.european_control),
          memory_(hwy::AllocateAligned<double>(5 * static_cast<std::size_t>(nodes_) * lanes_)) {
        const D d;
        strike_ = hn::Load(d, block.strike.data() + at);
        rate_ = hn::Load(d, block.rate.data() + at);
        yield_ = hn::Load(d, block.yield.data() + at);
        sign_ = hn::Load(d, block.sign.data() + at);
        const V spot = hn::Load(d, block.spot.data() + at);
        const V volatility = hn::Load(d, block.volatility.data() + at);
        const V variance = hn::Mul(volatility, volatility);
        const V drift = hn::NegMulAdd(set(0.5), variance, hn::Sub(rate_, yield_));
        const V width =
            hn::MulAdd(hn::Mul(volatility, set(grid.deviations)), set(std::sqrt(block.years)),
                       hn::Mul(hn::Abs(drift), set(block.years)));
        step_ = hn::Mul(width, set(1.0 / half_));
        const V over_step = hn::Div(set(1.0), step_);
        const V spread = hn::Mul(hn::Mul(set(0.5), variance), hn::Mul(over_step, over_step));
        const V tilt = hn::Mul(hn::Mul(set(0.5), hn::Mul(sign_, drift)), over_step);
        up_ = hn::Add(spread, tilt);
        down_ = hn::Sub(spread, tilt);
        stay_ = hn::Neg(hn::MulAdd(set(2.0), spread, rate_));
        for (int j = 0; j < nodes_; ++j) {
            put(kSpot, j, hn::Mul(spot, exp_wide(hn::Mul(hn::Mul(sign_, step_), set(j - half_)))));
        }
        expire();
        low_ = high_ = {strike_, set(1.0)};
    }

    [[nodiscard]] V step() const { return step_; }
    // At ln X + offset step.
    [[nodiscard]] V american(int offset) const { return at(kAmerican, offset); }
    [[nodiscard]] V control(int offset) const { return at(kControl, offset); }
    [[nodiscard]] V premium(int offset) const { return hn::Sub(american(offset), control(offset)); }

    // One step back in time, dt long, of which `implicit` is taken at its end.
    void back(double dt, double implicit) {
        const double explicit_dt = (1.0 - implicit) * dt;
        factor(implicit * dt);
        time_left_ += dt;
        unpaid_ = hn::Mul(unpaid_, exp_wide(hn::Mul(rate_, set(-dt))));
        low_ = back_at_end(low_, dt);
        high_ = back_at_end(high_, dt);
        const int last = nodes_ - 1;
        solve<true>(kAmerican, unpaid_, explicit_dt, take_best(low_, 0), take_best(high_, last));
        const V end_low = european_limit(0);
        const V end_high = european_limit(last);
        if (european_control_) {
            solve<false>(kControl, unpaid_, explicit_dt, end_low, end_high);
        } else {
            const V zero = hn::Zero(D());
            solve<true>(kControl, zero, explicit_dt, hn::Max(end_low, exercise(0, zero)),
                        hn::Max(end_high, exercise(last, zero)));
        }
    }

    // Back over an ex-moment: just before it, exercise includes the dividend. Where that begins to
    // be worth more than going on, the larger of the two is averaged over the node's cell.
    void pay(double amount) {
        unpaid_ = hn::Add(unpaid_, set(amount));
        const V zero = hn::Zero(D());
        const V half = set(0.5);
        V before = hn::Sub(exercise(0, unpaid_), get(kAmerican, 0));
        V gain = before;
        for (int j = 0; j < nodes_; ++j) {
            const V after =
                j + 1 < nodes_ ? hn::Sub(exercise(j + 1, unpaid_), get(kAmerican, j + 1)) : gain;
            const V low = hn::Mul(half, hn::Add(before, gain));
            const V high = hn::Mul(half, hn::Add(gain, after));
            const auto crossed =
                hn::Or(hn::Lt(hn::Mul(before, gain), zero), hn::Lt(hn::Mul(gain, after), zero));
            const V mean =
                hn::Mul(half, hn::Add(mean_above_zero(low, gain), mean_above_zero(gain, high)));
            const V more = hn::IfThenElse(crossed, mean, hn::Max(gain, zero));
            put(kAmerican, j, hn::Add(get(kAmerican, j), more));
            before = gain;
            gain = after;
        }
        take_best(low_, 0);
        take_best(high_, nodes_ - 1);
    }

  private:
    enum Column : int { kSpot, kAmerican, kControl, kRatio, kPivot };

    [[nodiscard]] V get(Column column, int j) const {
        return hn::Load(D(),
                        memory_.get() + static_cast<std::size_t>(column * nodes_ + j) * lanes_);
    }
    [[nodiscard]] V at(Column column, int offset) const {
        const auto is_put = hn::Gt(sign_, hn::Zero(D()));
        return hn::IfThenElse(is_put, get(column, half_ + offset), get(column, half_ - offset));
    }
    void put(Column column, int j, V value) {
        hn::Store(value, D(),
                  memory_.get() + static_cast<std::size_t>(column * nodes_ + j) * lanes_);
    }

    // What exercise gives: X and the dividends not yet paid against the strike.
    [[nodiscard]] V exercise(int j, V unpaid) const {
        return hn::Mul(sign_, hn::Sub(hn::Sub(strike_, unpaid), get(kSpot, j)));
    }
    // The mean of max(f, 0) where f goes straight from a to b.
    [[nodiscard]] static V mean_above_zero(V a, V b) {
        const V zero = hn::Zero(D());
        const V high = hn::Max(hn::Max(a, b), zero);
        const V low = hn::Min(hn::Min(a, b), zero);
        const V length = hn::Max(hn::Max(hn::Sub(high, low), hn::Abs(hn::Sub(a, b))), set(1e-300));
        const auto both = hn::Ge(hn::Min(a, b), zero);
        return hn::IfThenElse(both, hn::Mul(set(0.5), hn::Add(a, b)),
                              hn::Div(hn::Mul(set(0.5), hn::Mul(high, high)), length));
    }
    // At the ends of the grid nothing is left to chance: exercise at the best time to come gives
    // sign (cash - share X).
    struct End {
        V cash;
        V share;
    };
    [[nodiscard]] End back_at_end(const End& end, double dt) const {
        return {hn::Mul(end.cash, exp_wide(hn::Mul(rate_, set(-dt)))),
                hn::Mul(end.share, exp_wide(hn::Mul(yield_, set(-dt))))};
    }
    V take_best(End& end, int j) const {
        const V later = hn::Mul(sign_, hn::NegMulAdd(end.share, get(kSpot, j), end.cash));
        const V now = exercise(j, unpaid_);
        const auto due = hn::Gt(now, later);
        end.cash = hn::IfThenElse(due, hn::Sub(strike_, unpaid_), end.cash);
        end.share = hn::IfThenElse(due, set(1.0), end.share);
        return hn::Max(hn::Max(now, later), hn::Zero(D()));
    }
    [[nodiscard]] V european_limit(int j) const {
        const V paid = hn::Mul(strike_, exp_wide(hn::Mul(rate_, set(-time_left_))));
        const V given = hn::Mul(get(kSpot, j), exp_wide(hn::Mul(yield_, set(-time_left_))));
        return hn::Max(hn::Mul(sign_, hn::Sub(paid, given)), hn::Zero(D()));
    }

    // The payoff, averaged over each cell, so that the kink's place among the nodes does not matter.
    void expire() {
        const V zero = hn::Zero(D());
        const V half = hn::Mul(set(0.5), step_);
        const V grow = exp_wide(half);
        const V shrink = hn::Div(set(1.0), grow);
        for (int j = 0; j < nodes_; ++j) {
            const V x = get(kSpot, j);
            const V low = hn::Mul(x, shrink);
            const V high = hn::Mul(x, grow);
            const V kink = hn::Min(hn::Max(strike_, low), high);
            // A put pays below the kink, a call above.
            const auto is_put = hn::Gt(sign_, zero);
            const V from = hn::IfThenElse(is_put, low, kink);
            const V to = hn::IfThenElse(is_put, kink, high);
            const V length = log_bounded(D(), hn::Div(to, from));
            const V mean = hn::Div(hn::NegMulAdd(strike_, length, hn::Sub(to, from)), step_);
            const V value = hn::Max(hn::Neg(hn::Mul(sign_, mean)), zero);
            put(kAmerican, j, value);
            put(kControl, j, value);
        }
    }

    // Elimination of (1 - dt L) from the far end, kept while dt stays.
    void factor(double dt) {
        if (dt == factored_) return;
        factored_ = dt;
        const V one = set(1.0);
        const V diagonal = hn::NegMulAdd(set(dt), stay_, one);
        const V upper = hn::Mul(set(-dt), up_);
        const V lower = hn::Mul(set(-dt), down_);
        V ratio = hn::Zero(D());
        for (int j = nodes_ - 2; j > 0; --j) {
            const V pivot = hn::Div(one, hn::NegMulAdd(upper, ratio, diagonal));
            ratio = hn::Mul(lower, pivot);
            put(kPivot, j, pivot);
            put(kRatio, j, ratio);
        }
        upper_ = upper;
    }

    // Elimination from the far end, then substitution from where exercise is due, each value at
    // least that of exercise (Brennan and Schwartz).
    template <bool kExercised>
    void solve(Column column, V unpaid, double explicit_dt, V end_low, V end_high) {
        const int last = nodes_ - 1;
        const V e_up = hn::Mul(set(explicit_dt), up_);
        const V e_down = hn::Mul(set(explicit_dt), down_);
        const V e_stay = hn::MulAdd(set(explicit_dt), stay_, set(1.0));
        V above = get(column, last);
        V here = get(column, last - 1);
        V done = end_high;
        for (int j = last - 1; j > 0; --j) {
            const V below = get(column, j - 1);
            const V right =
                hn::MulAdd(e_up, above, hn::MulAdd(e_stay, here, hn::Mul(e_down, below)));
            done = hn::Mul(hn::NegMulAdd(upper_, done, right), get(kPivot, j));
            put(column, j, done);
            above = here;
            here = below;
        }
        put(column, 0, end_low);
        put(column, last, end_high);
        V value = end_low;
        for (int j = 1; j < last; ++j) {
            value = hn::NegMulAdd(get(kRatio, j), value, get(column, j));
            if constexpr (kExercised) value = hn::Max(value, exercise(j, unpaid));
            put(column, j, value);
        }
    }

    int half_;
    int nodes_;
    std::size_t lanes_;
    bool european_control_;
    hwy::AlignedFreeUniquePtr<double[]> memory_;
    V strike_;
    V rate_;
    V yield_;
    V sign_;
    V step_;
    V up_;
    V down_;
    V stay_;
    V upper_ = hn::Zero(D());
    V unpaid_ = hn::Zero(D());
    End low_;
    End high_;
    double time_left_ = 0.0;
    double factored_ = -1.0;
};

// From one kink back to the next: steps grow from it, the first ones are implicit.
void march(Columns& columns, double length, int steps) {
    double done = 0.0;
    for (int k = 1; k <= steps; ++k) {
        const double share = static_cast<double>(k) / steps;
        const double next = length * share * share;
        columns.back(next - done, k <= 2 ? 1.0 : 0.5);
        done = next;
    }
}

// Lanes without a row repeat the last.
void fill_lanes(DifferenceBlock& block) {
    for (std::size_t i = block.size; i % hn::Lanes(D()) != 0; ++i) {
        for (auto* column : {&block.spot, &block.strike, &block.rate, &block.yield,
                             &block.volatility, &block.sign}) {
            (*column)[i] = (*column)[block.size - 1];
        }
    }
}

// From expiry to now.
void march(Columns& columns, const DifferenceGrid& grid, const DifferenceBlock& block) {
    double now = block.years;
    const auto back_to = [&](double moment) {
        const double length = now - moment;
        if (!(length > 0.0)) return;
        const double share = std::sqrt(length / block.years);
        march(columns, length, std::max(12, static_cast<int>(grid.steps * share)));
        now = moment;
    };
    for (const CashDividend& dividend : block.dividends) {
        back_to(dividend.years);
        columns.pay(dividend.amount);
    }
    back_to(0.0);
}

void difference_nodes(const DifferenceGrid& grid, DifferenceBlock& block, std::span<double> out,
                      std::span<double> step) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    fill_lanes(block);
    for (std::size_t at = 0; at < block.size; at += lanes) {
        Columns columns(grid, block, at);
        march(columns, grid, block);
        for (int j = -grid.half_nodes; j <= grid.half_nodes; ++j) {
            const auto node = static_cast<std::size_t>(j + grid.half_nodes);
            hn::StoreU(columns.premium(j), d, out.data() + node * detail::kDifferenceBlock + at);
        }
        hn::StoreU(columns.step(), d, step.data() + at);
    }
}

void difference_block(const DifferenceGrid& grid, DifferenceBlock& block, DifferenceValues& out) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    fill_lanes(block);
    for (std::size_t at = 0; at < block.size; at += lanes) {
        Columns columns(grid, block, at);
        march(columns, grid, block);
        for (int i = 0; i < 3; ++i) {
            hn::Store(columns.american(i - 1), d, out.american[i].data() + at);
            hn::Store(columns.control(i - 1), d, out.control[i].data() + at);
        }
        hn::Store(columns.step(), d, out.step.data() + at);
    }
}

}  // namespace scanmq::pricing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::pricing {
HWY_EXPORT(difference_block);
HWY_EXPORT(difference_nodes);

void detail::difference_premiums(const DifferenceGrid& grid, DifferenceBlock& block,
                                 std::span<double> out, std::span<double> step) {
    HWY_DYNAMIC_DISPATCH(difference_nodes)(grid, block, out, step);
}

void detail::difference_values(const DifferenceGrid& grid, DifferenceBlock& block,
                               DifferenceValues& out) {
    HWY_DYNAMIC_DISPATCH(difference_block)(grid, block, out);
}
}  // namespace scanmq::pricing
#endif
