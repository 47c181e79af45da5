#include "scanner/strategy/two_expiry.hpp"

#include <algorithm>
#include <cmath>

#include "scanner/pricing/normal.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::strategy {
namespace {

constexpr double kReach = 6.0;        // deviations of the grid, either way
constexpr double kPrecision = 1e-9;   // of the forward
constexpr double kStationary = 1e-6;  // the same, where the value does not move in first order
constexpr double kSlopeTolerance = 1e-9;
constexpr int kRefineMax = 60;

// A root between points whose values have different signs: false position, halving what stays
// (Illinois, Dowell and Jarratt 1971).
template <class Function>
double root_between(double low, double f_low, double high, double f_high, double width,
                    const Function& f) {
    int kept = 0;
    for (int i = 0; i < kRefineMax && high - low > width; ++i) {
        double x = (low * f_high - high * f_low) / (f_high - f_low);
        if (!(x > low && x < high)) x = 0.5 * (low + high);
        const double fx = f(x);
        if (fx == 0.0) return x;
        if ((fx > 0.0) == (f_low > 0.0)) {
            if (x - low < 0.25 * width) return x;
            low = x;
            f_low = fx;
            if (kept == 1) f_high *= 0.5;
            kept = 1;
        } else {
            if (high - x < 0.25 * width) return x;
            high = x;
            f_high = fx;
            if (kept == -1) f_low *= 0.5;
            kept = -1;
        }
    }
    return 0.5 * (low + high);
}

}  // namespace

TwoExpiryMarket TwoExpiryMarket::between(const Point& front, const Point& back,
                                         double volatility) noexcept {
    TwoExpiryMarket out;
    out.years = back.years - front.years;
    out.discount = back.discount / front.discount;
    out.paid_out = front.forward - back.forward * out.discount;
    out.deviation = volatility * std::sqrt(back.years);
    return out;
}

TwoExpiryPayoff::TwoExpiryPayoff(const PayoffShape& shape, const double* strikes,
                                 std::span<const BackLeg> back, const TwoExpiryMarket& market,
                                 const Distribution& distribution, double cost) noexcept
    : front_(shape, strikes, cost),
      backs_(back.size()),
      market_(&market),
      distribution_(&distribution),
      top_strike_(strikes[shape.ranks - 1]),
      end_slope_(shape.last_slope) {
    const double root = std::sqrt(market.years);
    for (std::size_t i = 0; i < back.size(); ++i) {
        back_[i] = {back[i], back[i].volatility * root, 0.0};
        if (back[i].american == nullptr) {
            back_[i].log_strike = portable::log(back[i].strike);
            has_european_ = true;
        }
        if (back[i].right == Right::call) end_slope_ += back[i].quantity;
    }
    for (std::size_t r = 0; r < shape.ranks; ++r) point_[points_++] = strikes[r];
    place_points(strikes);
    const Crossings zero = crossings(0.0);
    breakevens_ = zero.count;
    breakeven_ = zero.level;
}

void TwoExpiryPayoff::place_points(const double* strikes) noexcept {
    const double forward = distribution_->forward();
    // Wide enough for strikes far out, too.
    const double reach = std::max({kReach * market_->deviation,
                                   std::fabs(portable::log(top_strike_ / forward)) + 0.05,
                                   std::fabs(portable::log(strikes[0] / forward)) + 0.05});
    for (std::size_t i = 0; i < kGrid; ++i) {
        const double z = -1.0 + 2.0 * static_cast<double>(i) / (kGrid - 1);
        // Closer around the middle, where the later legs bend.
        point_[points_++] = forward * portable::exp(reach * z * (0.3 + 0.7 * z * z));
    }
    point_[points_++] = 0.0;
    std::sort(point_.begin(), point_.begin() + static_cast<std::ptrdiff_t>(points_));
    for (std::size_t i = 0; i < points_; ++i) {
        const BackPoint back = back_at(point_[i]);
        value_[i] = front_.at(point_[i]) + back.value;
        back_slope_[i] = back.slope;
    }
}

// Black (1976); the discount takes the forward's slope of 1/D off again.
TwoExpiryPayoff::BackPoint TwoExpiryPayoff::back_at(double underlying) const noexcept {
    const double carried = underlying - market_->paid_out;
    const bool alive = carried > 0.0;
    const double log_forward =
        alive && has_european_ ? portable::log(carried / market_->discount) : 0.0;
    BackPoint out;
    for (std::size_t i = 0; i < backs_; ++i) {
        const Leg& leg = back_[i];
        if (leg.terms.american != nullptr) {
            const auto [value, slope] = leg.terms.american->at(underlying);
            out.value += leg.terms.quantity * value;
            out.slope += leg.terms.quantity * slope;
            continue;
        }
        const bool put = leg.terms.right == Right::put;
        const double strike = leg.terms.strike * market_->discount;
        if (!alive) {
            out.value += put ? leg.terms.quantity * strike : 0.0;
            continue;
        }
        const double d1 = (log_forward - leg.log_strike) / leg.deviation + 0.5 * leg.deviation;
        const double d2 = d1 - leg.deviation;
        const double side = put ? -1.0 : 1.0;
        const double slope = side * pricing::normal_cdf(side * d1);
        const double value = carried * slope - side * strike * pricing::normal_cdf(side * d2);
        out.value += leg.terms.quantity * value;
        out.slope += leg.terms.quantity * slope;
    }
    return out;
}

double TwoExpiryPayoff::at(double underlying) const noexcept {
    return front_.at(underlying) + back_at(underlying).value;
}

double TwoExpiryPayoff::limit_above() const noexcept {
    const double beyond = 2.0 * top_strike_;
    double limit = front_.at(beyond);
    double slope = front_.at(beyond + 1.0) - limit;
    limit -= slope * beyond;
    for (std::size_t i = 0; i < backs_; ++i) {
        const BackLeg& leg = back_[i].terms;
        if (leg.right == Right::put) continue;
        if (leg.american != nullptr) {
            limit += leg.quantity * leg.american->far_above();
        } else {
            limit -= leg.quantity * (market_->paid_out + leg.strike * market_->discount);
        }
    }
    return limit;
}

double TwoExpiryPayoff::extreme(double sign) const noexcept {
    if (sign * end_slope_ > kSlopeTolerance) return std::numeric_limits<double>::infinity();
    double best = -std::numeric_limits<double>::infinity();
    if (std::fabs(end_slope_) <= kSlopeTolerance) best = sign * limit_above();
    for (std::size_t i = 0; i < points_; ++i) best = std::max(best, sign * value_[i]);
    const double width = kStationary * distribution_->forward();
    for (std::size_t i = 0; i + 1 < points_; ++i) {
        const double low = point_[i];
        const double high = point_[i + 1];
        if (!(high > low)) continue;
        // The near legs are straight between points: every strike is one.
        const double straight = (front_.at(high) - front_.at(low)) / (high - low);
        const auto slope = [&](double s) { return sign * (straight + back_at(s).slope); };
        const double rise = sign * (straight + back_slope_[i]);
        const double fall = sign * (straight + back_slope_[i + 1]);
        if (!(rise > 0.0 && fall < 0.0)) continue;
        const double top = root_between(low, rise, high, fall, width, slope);
        best = std::max(best, sign * at(top));
    }
    return best;
}

double TwoExpiryPayoff::max_profit() const noexcept { return extreme(1.0); }

double TwoExpiryPayoff::max_loss() const noexcept { return extreme(-1.0); }

TwoExpiryPayoff::Crossings TwoExpiryPayoff::crossings(double level) const noexcept {
    Crossings out;
    const double width = kPrecision * distribution_->forward();
    const auto above = [this, level](double s) { return at(s) - level; };
    const auto add = [&out](double s) {
        if (out.count < kCrossingsMax) out.level[out.count++] = s;
    };
    for (std::size_t i = 0; i + 1 < points_; ++i) {
        const double here = value_[i] - level;
        const double next = value_[i + 1] - level;
        if ((here > 0.0) != (next > 0.0)) {
            add(root_between(point_[i], here, point_[i + 1], next, width, above));
        }
    }
    // The tail beyond the grid.
    const double last = value_[points_ - 1] - level;
    double end = limit_above() - level;
    if (std::fabs(end_slope_) > kSlopeTolerance) end = end_slope_;
    if ((last > 0.0) != (end > 0.0)) {
        double high = 2.0 * point_[points_ - 1];
        for (int i = 0; i < kRefineMax && (above(high) > 0.0) == (last > 0.0); ++i) high *= 2.0;
        if ((above(high) > 0.0) != (last > 0.0)) {
            add(root_between(point_[points_ - 1], last, high, above(high), width, above));
        }
    }
    return out;
}

double TwoExpiryPayoff::probability_above(double level) const noexcept {
    const Crossings cuts = level == 0.0 ? Crossings{breakevens_, breakeven_} : crossings(level);
    double total = 0.0;
    double from = 0.0;
    bool inside = value_[0] > level;
    for (std::size_t i = 0; i < cuts.count; ++i) {
        const double to = distribution_->below(cuts.level[i]);
        if (inside) total += to - from;
        from = to;
        inside = !inside;
    }
    return inside ? total + 1.0 - from : total;
}

double TwoExpiryPayoff::profit_probability() const noexcept { return probability_above(0.0); }

// Front legs in closed form; E[g] = g(low) + integral of g'(S) P(S_T > S) dS for the later ones, by
// Simpson's rule in ln S.
double TwoExpiryPayoff::expected_value() const noexcept {
    constexpr int kSteps = 400;
    constexpr double kWide = 9.0;
    const double forward = distribution_->forward();
    const double v = distribution_->total_deviation();
    const double low = portable::log(forward) - kWide * v - 0.5 * v * v;
    const double step = 2.0 * kWide * v / kSteps;
    double sum = 0.0;
    for (int i = 0; i <= kSteps; ++i) {
        const double s = portable::exp(low + step * i);
        const double weight = i == 0 || i == kSteps ? 1.0 : (i % 2 == 1 ? 4.0 : 2.0);
        sum += weight * back_at(s).slope * s * (1.0 - distribution_->below(s));
    }
    return front_.expected_value(*distribution_) + back_at(portable::exp(low)).value +
           sum * step / 3.0;
}

}  // namespace scanmq::strategy
