#pragma once
// Payoff: profit of a spread at its expiry as a function of the underlying, exactly: linear between
//         strikes. Everything that depends only on it (extremes, breakevens, POP, EV) is here.
//
// Units:    prices per share; cost is what was paid (negative: received), fees included.
// Speed:    on the path of every candidate: no allocation, short loops over at most kMaxRanks
//           strikes. Formulas: docs/SCAN_REQUEST.md#metrics.
// Threads:  values and pure functions.

#include <array>
#include <cstddef>
#include <limits>
#include <span>

#include "scanner/strategy/definition.hpp"
#include "scanner/strategy/distribution.hpp"

namespace scanmq::strategy {

// What the payoff of every candidate of a strategy has in common: its stock and the legs of the
// nearer expiry.
struct PayoffShape {
    std::size_t ranks{};
    std::array<double, kMaxRanks> kink{};     // change of slope at each strike
    std::array<double, kMaxRanks> at_zero{};  // value at S = 0 per unit of each strike
    double first_slope{};                     // slope below the lowest strike
    double last_slope{};                      // slope above the highest
};
[[nodiscard]] PayoffShape payoff_shape(const Strategy& strategy) noexcept;

// What counts as the maximum loss, relative: a loss that differs by rounding.
inline constexpr double kMaxLossRoom = 1e-9;

struct Breakevens {
    std::size_t count{};
    std::array<double, kMaxRanks + 1> level{};

    [[nodiscard]] std::span<const double> view() const noexcept { return {level.data(), count}; }
};

class Payoff {
  public:
    // strikes: shape.ranks rising values. The shape must outlive this.
    Payoff(const PayoffShape& shape, const double* strikes, double cost) noexcept : shape_(&shape) {
        // The cost comes off last: strikes add up exactly, so equal spreads get equal figures.
        double value = 0.0;
        for (std::size_t r = 0; r < shape.ranks; ++r) value += shape.at_zero[r] * strikes[r];
        level_[0] = 0.0;
        value_[0] = value - cost;
        double slope = shape.first_slope;
        for (std::size_t r = 0; r < shape.ranks; ++r) {
            value += slope * (strikes[r] - level_[r]);
            level_[r + 1] = strikes[r];
            value_[r + 1] = value - cost;
            slope += shape.kink[r];
        }
    }

    // Infinity where the payoff is unbounded. A loss is positive.
    [[nodiscard]] double max_profit() const noexcept {
        double best = value_[0];
        for (std::size_t i = 1; i <= shape_->ranks; ++i) best = value_[i] > best ? value_[i] : best;
        return shape_->last_slope > 0.0 ? std::numeric_limits<double>::infinity() : best;
    }
    [[nodiscard]] double max_loss() const noexcept {
        double worst = value_[0];
        for (std::size_t i = 1; i <= shape_->ranks; ++i) {
            worst = value_[i] < worst ? value_[i] : worst;
        }
        return shape_->last_slope < 0.0 ? std::numeric_limits<double>::infinity() : -worst;
    }

    [[nodiscard]] double at(double underlying) const noexcept;
    // Of the piece that it is in; at a strike, of the one below.
    [[nodiscard]] double slope_at(double underlying) const noexcept {
        double slope = shape_->first_slope;
        for (std::size_t i = 0; i < shape_->ranks && underlying > level_[i + 1]; ++i) {
            slope += shape_->kink[i];
        }
        return slope;
    }
    // Where the set of profitable outcomes begins and ends, rising.
    [[nodiscard]] Breakevens breakevens() const noexcept;

    // POP = P(payoff > 0). below: P(S_T < K) at each strike, as distribution.below gives it.
    [[nodiscard]] double profit_probability(const Distribution& distribution,
                                            const double* below) const noexcept {
        double total = 0.0;
        double slope = shape_->first_slope;
        for (std::size_t i = 0; i <= shape_->ranks; ++i) {
            const double from = i == 0 ? 0.0 : below[i - 1];
            const double to = i == shape_->ranks ? 1.0 : below[i];
            const bool left = value_[i] > 0.0;
            const bool right = profitable_at_end(i, slope);
            if (left && right) {
                total += to - from;
            } else if (left != right) {
                const double cut = distribution.below(level_[i] - value_[i] / slope);
                total += left ? cut - from : to - cut;
            }
            if (i < shape_->ranks) slope += shape_->kink[i];
        }
        return total;
    }
    // At least profit_probability, without its logarithms: pieces that pay anywhere count whole.
    [[nodiscard]] double profit_probability_bound(const double* below) const noexcept {
        double total = 0.0;
        double slope = shape_->first_slope;
        for (std::size_t i = 0; i <= shape_->ranks; ++i) {
            const double from = i == 0 ? 0.0 : below[i - 1];
            const double to = i == shape_->ranks ? 1.0 : below[i];
            if (value_[i] > 0.0 || profitable_at_end(i, slope)) total += to - from;
            if (i < shape_->ranks) slope += shape_->kink[i];
        }
        return total;
    }
    // P(the payoff is its minimum), a bounded one: of pieces that are flat there. below: as above.
    [[nodiscard]] double loss_probability(const double* below) const noexcept {
        const double loss = max_loss();
        const double lost = -loss + kMaxLossRoom * (1.0 + loss);
        double total = 0.0;
        for (std::size_t i = 0; i <= shape_->ranks; ++i) {
            const double from = i == 0 ? 0.0 : below[i - 1];
            const double to = i == shape_->ranks ? 1.0 : below[i];
            const bool at_end =
                i == shape_->ranks ? shape_->last_slope == 0.0 : value_[i + 1] <= lost;
            if (value_[i] <= lost && at_end) total += to - from;
        }
        return total;
    }
    // E[payoff]: per linear piece m S + c, m (E[S; S<b] - E[S; S<a]) + c P(a, b). The premium is
    // not accrued, so it is zero at the model's fair premium grown by e^(rT).
    [[nodiscard]] double expected_value(const Distribution& distribution) const noexcept;

  private:
    // Is the payoff positive just before the right end of piece i (at infinity for the last)?
    [[nodiscard]] bool profitable_at_end(std::size_t i, double slope) const noexcept {
        if (i < shape_->ranks) return value_[i + 1] > 0.0;
        return slope > 0.0 || (slope == 0.0 && value_[i] > 0.0);
    }

    const PayoffShape* shape_;
    std::array<double, kMaxRanks + 1> level_;  // 0 and the strikes
    std::array<double, kMaxRanks + 1> value_;  // profit there
};

}  // namespace scanmq::strategy
