#pragma once
// Considered: one candidate while it is looked at: its sums over ranks, its payoff, and the figures that
//             filters may ask for, each worked out only then.
//
// Role:     private to scanner/service.
// Threads:  a value.

#include <algorithm>
#include <cmath>
#include <limits>

#include "scanner/service/lane.hpp"
#include "scanner/service/later_legs.hpp"
#include "scanner/strategy/probability.hpp"

namespace scanmq::service {

inline constexpr double kPoint = 0.01;  // volatility and rate moves are shown per point

// What a candidate's ranks add up to.
struct Sums {
    double price{};
    double delta{};
    double day_theta{};
    double vega{};
    double abs_vega{};
    double model{};
    double quoted_spread{};
    double liquidity{std::numeric_limits<double>::infinity()};

    [[nodiscard]] Sums with(const strategy::LegColumns& columns, std::size_t i) const noexcept {
        return {price + columns.price[i],
                delta + columns.delta[i],
                day_theta + columns.day_theta[i],
                vega + columns.vega[i],
                abs_vega + columns.abs_vega[i],
                model + columns.model[i],
                quoted_spread + columns.quoted_spread[i],
                std::min(liquidity, columns.liquidity[i])};
    }
};

// Strikes and P(S_T < strike), by rank.
struct Levels {
    std::array<double, strategy::kMaxRanks> strike{};
    std::array<double, strategy::kMaxRanks> below{};
};

// What a lane's legs at this place add up to.
struct Chosen {
    Chosen(const Lane& lane, const LanePlace& place) noexcept {
        for (std::size_t r = 0; r < lane.rank_count(); ++r) add(*lane.ranks[r], r, place[r]);
    }
    Chosen() = default;
    void add(const strategy::LegColumns& columns, std::size_t rank, std::size_t i) noexcept {
        levels.strike[rank] = columns.strike[i];
        levels.below[rank] = columns.below[i];
        sum = sum.with(columns, i);
    }

    Levels levels;
    Sums sum;
};

// The larger wing; NaN where the strategy has none.
[[nodiscard]] double wing_width(const strategy::Strategy& strategy, const double* strikes) noexcept;

// Both payoffs, with the names that Payoff has.
[[nodiscard]] inline double pop_of(const strategy::Payoff& payoff, const Lane& lane,
                                   const Levels& levels) noexcept {
    return std::clamp(payoff.profit_probability(*lane.distribution, levels.below.data()), 0.0, 1.0);
}
[[nodiscard]] inline double pop_of(const strategy::TwoExpiryPayoff& payoff, const Lane&,
                                   const Levels&) noexcept {
    return std::clamp(payoff.profit_probability(), 0.0, 1.0);
}
[[nodiscard]] inline double pop_bound(const strategy::Payoff& payoff,
                                      const Levels& levels) noexcept {
    return payoff.profit_probability_bound(levels.below.data());
}
[[nodiscard]] inline double pop_bound(const strategy::TwoExpiryPayoff&, const Levels&) noexcept {
    return 1.0;
}

// A candidate's place, sums and extremes, whatever its payoff is.
struct Considered {
    const market::PricedChain& chain;
    const Lane& lane;
    const Levels& levels;
    const Sums& sum;
    const LanePlace& place;
    double max_loss{};  // may be infinite
    double gain{};      // G
    double risk{};      // R

    [[nodiscard]] std::array<std::uint32_t, strategy::kMaxLegs> rows() const noexcept;
    [[nodiscard]] strategy::Margin margin() const noexcept;
};

// G and R: of the payoff where it is bounded, else read at F e^(+-2v) and the margin.
template <class Pay>
void take_extremes(Considered& c, const Pay& payoff) noexcept {
    c.max_loss = payoff.max_loss();
    c.gain = payoff.max_profit();
    if (std::isinf(c.gain)) {
        c.gain = std::max(payoff.at(c.lane.scale.low), payoff.at(c.lane.scale.high));
    }
    c.risk = std::isinf(c.max_loss) ? c.margin().requirement : c.max_loss;
}

// Does a long leg cost less than exercising it at once gives?
[[nodiscard]] bool exercise_pays(const Considered& c) noexcept;

[[nodiscard]] score::Inputs score_inputs(const Considered& c) noexcept;

// One figure of a candidate. The first kind needs no payoff.
[[nodiscard]] double plain_metric(filter::SpreadMetric metric, const Considered& c) noexcept;
[[nodiscard]] double payoff_metric(filter::SpreadMetric metric, const Considered& c,
                                   const strategy::Payoff& payoff) noexcept;
[[nodiscard]] double payoff_metric(filter::SpreadMetric metric, const Considered& c,
                                   const strategy::TwoExpiryPayoff& payoff) noexcept;

// P(touch) of a short leg's strike before the nearer expiry, at the distribution's volatility there.
[[nodiscard]] double touch_probability_of(const market::PricedChain& chain, const Lane& lane,
                                          double strike) noexcept;

[[nodiscard]] Candidate candidate_at(const Considered& c, double score) noexcept;

// The legs of the later expiry. False where one has no volatility to be repriced at.
[[nodiscard]] bool back_legs(const Considered& c, LaterLegs& later,
                             std::array<strategy::BackLeg, strategy::kMaxLegs>& out,
                             std::size_t& count);

}  // namespace scanmq::service
