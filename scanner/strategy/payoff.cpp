#include "scanner/strategy/payoff.hpp"

namespace scanmq::strategy {

PayoffShape payoff_shape(const Strategy& strategy) noexcept {
    PayoffShape shape;
    shape.ranks = strategy.ranks();
    shape.first_slope = strategy.stock;
    for (const LegSpec& leg : strategy.legs) {
        if (leg.expiry > 0) continue;
        const double quantity = sign(leg.side) * leg.ratio;
        // A put is a call less the underlying plus the strike: both bend by the same at the strike.
        shape.kink[leg.rank] += quantity;
        shape.last_slope += quantity;
        if (leg.right == Right::put) {
            shape.at_zero[leg.rank] += quantity;
            shape.first_slope -= quantity;
        }
    }
    shape.last_slope += shape.first_slope;
    return shape;
}

double Payoff::at(double underlying) const noexcept {
    double slope = shape_->first_slope;
    std::size_t i = 0;
    while (i < shape_->ranks && underlying > level_[i + 1]) slope += shape_->kink[i++];
    return value_[i] + slope * (underlying - level_[i]);
}

Breakevens Payoff::breakevens() const noexcept {
    Breakevens out;
    double slope = shape_->first_slope;
    bool inside = value_[0] > 0.0 || (value_[0] == 0.0 && slope > 0.0);
    for (std::size_t i = 0; i <= shape_->ranks; ++i) {
        const bool last = i == shape_->ranks;
        // Just right of the piece's start, and just left of its end.
        const bool start = value_[i] > 0.0 || (value_[i] == 0.0 && slope > 0.0);
        const bool end = last ? profitable_at_end(i, slope)
                              : value_[i + 1] > 0.0 || (value_[i + 1] == 0.0 && slope < 0.0);
        if (start != inside) out.level[out.count++] = level_[i];
        if (start != end) out.level[out.count++] = level_[i] - value_[i] / slope;
        inside = end;
        if (!last) slope += shape_->kink[i];
    }
    return out;
}

double Payoff::expected_value(const Distribution& distribution) const noexcept {
    double total = 0.0;
    double slope = shape_->first_slope;
    double below = 0.0;
    double mean = 0.0;
    for (std::size_t i = 0; i <= shape_->ranks; ++i) {
        const bool last = i == shape_->ranks;
        const double next_below = last ? 1.0 : distribution.below(level_[i + 1]);
        const double next_mean =
            last ? distribution.forward() : distribution.mean_below(level_[i + 1]);
        total +=
            slope * (next_mean - mean) + (value_[i] - slope * level_[i]) * (next_below - below);
        below = next_below;
        mean = next_mean;
        if (!last) slope += shape_->kink[i];
    }
    return total;
}

}  // namespace scanmq::strategy
