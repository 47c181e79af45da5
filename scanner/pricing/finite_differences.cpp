#include "scanner/pricing/finite_differences.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

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

// A node in shares of the grid's half width, the way to its neighbours, and the weights of both in the
// second and first derivative.
struct Place {
    double at;
    double below;
    double above;
    double spread_up;
    double spread_down;
    double tilt_up;
    double tilt_down;
};

// Closer around the spot: sinh(stretch z)/sinh(stretch) at even steps of z.
std::vector<Place> places(const DifferenceGrid& grid) {
    const int half = grid.half_nodes;
    const double whole = portable::sinh(grid.stretch);
    const auto share = [&](int j) {
        const double z = static_cast<double>(j) / half;
        return grid.stretch > 0.0 ? portable::sinh(grid.stretch * z) / whole : z;
    };
    std::vector<Place> out;
    out.reserve(2 * static_cast<std::size_t>(half) + 1);
    double before = share(-half - 1);
    double here = share(-half);
    for (int j = -half; j <= half; ++j) {
        const double after = share(j + 1);
        const double below = here - before;
        const double above = after - here;
        const double sum = below + above;
        out.push_back({here, below, above, 1.0 / (above * sum), 1.0 / (below * sum),
                       below / (above * sum), above / (below * sum)});
        before = here;
        here = after;
    }
    return out;
}

// The options of one vector and their columns of the grid, node by node. Borrows the places.
class Columns {
  public:
    Columns(const DifferenceGrid& grid, const std::vector<Place>& place,
            const DifferenceBlock& block, std::size_t at)
        : half_(grid.half_nodes),
          nodes_(2 * grid.half_nodes + 1),
          lanes_(hn::Lanes(D())),
          european_control_(block.european_control),
          place_(place),
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
        const V over_width = hn::Div(set(1.0), width);
        spread_ = hn::Mul(variance, hn::Mul(over_width, over_width));
        tilt_ = hn::Mul(hn::Mul(sign_, drift), over_width);
        width_ = width;
        step_ = hn::Mul(width, set(place_[half_ + 1].at));
        for (int j = 0; j < nodes_; ++j) {
            put(kSpot, j,
                hn::Mul(spot, exp_wide(hn::Mul(hn::Mul(sign_, width), set(place_[j].at)))));
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
        time_left_ += dt;
        unpaid_ = hn::Mul(unpaid_, exp_wide(hn::Mul(rate_, set(-dt))));
        low_ = back_at_end(low_, dt);
        high_ = back_at_end(high_, dt);
        const int last = nodes_ - 1;
        const V zero = hn::Zero(D());
        Solved to;
        to.american_low = take_best(low_, 0);
        to.american_high = take_best(high_, last);
        to.control_low = european_limit(0);
        to.control_high = european_limit(last);
        if (!european_control_) {
            to.control_low = hn::Max(to.control_low, exercise(0, zero));
            to.control_high = hn::Max(to.control_high, exercise(last, zero));
        }
        const double implicit_dt = implicit * dt;
        const double explicit_dt = dt - implicit_dt;
        if (implicit_dt == factored_) {
            eliminate<false>(implicit_dt, explicit_dt, to);
        } else {
            eliminate<true>(implicit_dt, explicit_dt, to);
            factored_ = implicit_dt;
        }
        if (european_control_) {
            substitute<false>(to);
        } else {
            substitute<true>(to);
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
        for (int j = 0; j < nodes_; ++j) {
            const V x = get(kSpot, j);
            const V below = exp_wide(hn::Mul(hn::Mul(sign_, width_), set(-0.5 * place_[j].below)));
            const V above = exp_wide(hn::Mul(hn::Mul(sign_, width_), set(0.5 * place_[j].above)));
            const V low = hn::Mul(x, hn::Min(below, above));
            const V high = hn::Mul(x, hn::Max(below, above));
            const V cell = hn::Mul(width_, set(0.5 * (place_[j].below + place_[j].above)));
            const V kink = hn::Min(hn::Max(strike_, low), high);
            // A put pays below the kink, a call above.
            const auto is_put = hn::Gt(sign_, zero);
            const V from = hn::IfThenElse(is_put, low, kink);
            const V to = hn::IfThenElse(is_put, kink, high);
            const V length = log_bounded(D(), hn::Div(to, from));
            const V mean = hn::Div(hn::NegMulAdd(strike_, length, hn::Sub(to, from)), cell);
            const V value = hn::Max(hn::Neg(hn::Mul(sign_, mean)), zero);
            put(kAmerican, j, value);
            put(kControl, j, value);
        }
    }

    struct Solved {
        V american_low;
        V american_high;
        V control_low;
        V control_high;
    };

    // Elimination of (1 - dt L) from the far end, of both columns at once: each waits for its own last
    // node, so that two take no longer than one. What does not depend on values is kept while dt stays.
    template <bool kFactor>
    void eliminate(double implicit_dt, double explicit_dt, const Solved& to) {
        const V one = set(1.0);
        const int last = nodes_ - 1;
        const V implicit = set(implicit_dt);
        const V taken = set(explicit_dt);
        const V kept = hn::NegMulAdd(taken, rate_, one);
        V american_above = get(kAmerican, last);
        V american_here = get(kAmerican, last - 1);
        V control_above = get(kControl, last);
        V control_here = get(kControl, last - 1);
        V american = to.american_high;
        V control = to.control_high;
        V ratio = hn::Zero(D());
        for (int j = last - 1; j > 0; --j) {
            const Place& place = place_[j];
            const V up =
                hn::MulAdd(spread_, set(place.spread_up), hn::Mul(tilt_, set(place.tilt_up)));
            const V down = hn::NegMulAdd(tilt_, set(place.tilt_down),
                                         hn::Mul(spread_, set(place.spread_down)));
            const V both = hn::Add(up, down);
            const V upper = hn::Mul(implicit, up);
            V pivot;
            if constexpr (kFactor) {
                const V diagonal = hn::MulAdd(implicit, hn::Add(both, rate_), one);
                pivot = hn::Div(one, hn::NegMulAdd(upper, ratio, diagonal));
                ratio = hn::Mul(hn::Mul(implicit, down), pivot);
                put(kPivot, j, pivot);
                put(kRatio, j, ratio);
            } else {
                pivot = get(kPivot, j);
            }
            const V e_up = hn::Mul(taken, up);
            const V e_down = hn::Mul(taken, down);
            const V e_stay = hn::NegMulAdd(taken, both, kept);
            const V carried = hn::Mul(upper, pivot);
            const auto step = [&](Column column, V& above, V& here, V& done) {
                const V below = get(column, j - 1);
                const V right =
                    hn::MulAdd(e_up, above, hn::MulAdd(e_stay, here, hn::Mul(e_down, below)));
                done = hn::MulAdd(carried, done, hn::Mul(right, pivot));
                put(column, j, done);
                above = here;
                here = below;
            };
            step(kAmerican, american_above, american_here, american);
            step(kControl, control_above, control_here, control);
        }
    }

    // Substitution from where exercise is due, each value at least that of exercise (Brennan and
    // Schwartz).
    template <bool kExercised>
    void substitute(const Solved& to) {
        const int last = nodes_ - 1;
        const V zero = hn::Zero(D());
        put(kAmerican, 0, to.american_low);
        put(kAmerican, last, to.american_high);
        put(kControl, 0, to.control_low);
        put(kControl, last, to.control_high);
        V american = to.american_low;
        V control = to.control_low;
        for (int j = 1; j < last; ++j) {
            const V ratio = get(kRatio, j);
            american =
                hn::Max(hn::MulAdd(ratio, american, get(kAmerican, j)), exercise(j, unpaid_));
            put(kAmerican, j, american);
            control = hn::MulAdd(ratio, control, get(kControl, j));
            if constexpr (kExercised) control = hn::Max(control, exercise(j, zero));
            put(kControl, j, control);
        }
    }

    int half_;
    int nodes_;
    std::size_t lanes_;
    bool european_control_;
    const std::vector<Place>& place_;
    hwy::AlignedFreeUniquePtr<double[]> memory_;
    V strike_;
    V rate_;
    V yield_;
    V sign_;
    V width_;
    V step_;
    V spread_;
    V tilt_;
    V unpaid_ = hn::Zero(D());
    End low_;
    End high_;
    double time_left_ = 0.0;
    double factored_ = -1.0;
};

// From one kink back to the next: steps grow from it, three of a length, which share what elimination
// divides by; the first two are implicit.
void march(Columns& columns, double length, int steps) {
    double done = 0.0;
    for (int k = 0; k < steps;) {
        const int last = k == 0 ? 2 : std::min(k + 3, steps);
        const double share = static_cast<double>(last) / steps;
        const double next = length * share * share;
        const double dt = (next - done) / (last - k);
        for (; k < last; ++k) columns.back(dt, k < 2 ? 1.0 : 0.5);
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

// take(columns now, the first row of them).
template <class Take>
void each_vector(const DifferenceGrid& grid, DifferenceBlock& block, const Take& take) {
    const std::vector<Place> place = places(grid);
    fill_lanes(block);
    for (std::size_t at = 0; at < block.size; at += hn::Lanes(D())) {
        Columns columns(grid, place, block, at);
        march(columns, grid, block);
        take(columns, at);
    }
}

void difference_nodes(const DifferenceGrid& grid, DifferenceBlock& block, std::span<double> out,
                      std::span<double> step) {
    const D d;
    each_vector(grid, block, [&](const Columns& columns, std::size_t at) {
        double* to = out.data() + at;
        for (int j = -grid.half_nodes; j <= grid.half_nodes; ++j) {
            hn::StoreU(columns.premium(j), d, to);
            to += detail::kDifferenceBlock;
        }
        hn::StoreU(columns.step(), d, step.data() + at);
    });
}

void difference_block(const DifferenceGrid& grid, DifferenceBlock& block, DifferenceValues& out) {
    const D d;
    each_vector(grid, block, [&](const Columns& columns, std::size_t at) {
        for (int i = 0; i < 3; ++i) {
            hn::Store(columns.american(i - 1), d, out.american[i].data() + at);
            hn::Store(columns.control(i - 1), d, out.control[i].data() + at);
        }
        hn::Store(columns.step(), d, out.step.data() + at);
    });
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
