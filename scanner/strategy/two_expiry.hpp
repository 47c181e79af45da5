#pragma once
// TwoExpiryPayoff: profit of a calendar or diagonal when its nearer expiry settles, as a function of the
//                  underlying then: the near legs at intrinsic value, the later ones repriced.
//
// Model:    a later leg keeps its implied volatility (sticky strike); its forward at S is (S - d)/D with
//           D the discount between the expiries and d what the two forwards say is paid out between
//           them, an amount and not a share of S. So both tails are analytic: as S grows, a long call
//           gains what a short one loses. An American leg's value is its curve's.
// Search:   extremes (roots of the slope) and breakevens between the points of a grid of 6 deviations
//           either way and the strikes, refined to 1e-9 of the forward; the tails in closed form.
// Speed:    some microseconds each: two-expiry strategies count more against the limit of candidates.
// Threads:  values and pure functions.
// See:      docs/SCAN_REQUEST.md#two-expiries

#include <array>
#include <cstddef>
#include <span>

#include "scanner/pricing/american_curve.hpp"
#include "scanner/strategy/payoff.hpp"

namespace scanmq::strategy {

// What lies between the two expiries of a lane.
struct TwoExpiryMarket {
    double years{};      // from the nearer to the later expiry
    double discount{1};  // D, between them
    double paid_out{};   // d
    double deviation{};  // width of the grid's step: of S over the whole time, relative

    // front, back: forward, discount and years of the expiries; volatility: at the money, later expiry.
    struct Point {
        double forward{};
        double discount{};
        double years{};
    };
    [[nodiscard]] static TwoExpiryMarket between(const Point& front, const Point& back,
                                                 double volatility) noexcept;
};

struct BackLeg {
    Right right{};
    double quantity{};  // long +, short -
    double strike{};
    double volatility{};
    const pricing::AmericanCurve* american{};  // at the nearer expiry; null: a European option
};

class TwoExpiryPayoff {
  public:
    static constexpr std::size_t kGrid = 33;
    static constexpr std::size_t kPoints = kGrid + kMaxRanks + 1;

    // strikes: of all ranks, rising. Shape, market, curves and distribution (of the nearer expiry)
    // must outlive this. Precondition: every back leg has a positive volatility.
    TwoExpiryPayoff(const PayoffShape& shape, const double* strikes, std::span<const BackLeg> back,
                    const TwoExpiryMarket& market, const Distribution& distribution,
                    double cost) noexcept;

    [[nodiscard]] double at(double underlying) const noexcept;
    // Infinity where unbounded. A loss is positive.
    [[nodiscard]] double max_profit() const noexcept;
    [[nodiscard]] double max_loss() const noexcept;
    [[nodiscard]] std::span<const double> breakevens() const noexcept {
        return {breakeven_.data(), breakevens_};
    }
    // P(payoff > 0) and E[payoff] under the nearer expiry's distribution.
    [[nodiscard]] double profit_probability() const noexcept;
    [[nodiscard]] double expected_value() const noexcept;
    // P(payoff > level).
    [[nodiscard]] double probability_above(double level) const noexcept;

  private:
    static constexpr std::size_t kCrossingsMax = 8;
    struct Crossings {
        std::size_t count{};
        std::array<double, kCrossingsMax> level{};
    };
    // The later legs' value and what it gains with the underlying.
    struct BackPoint {
        double value{};
        double slope{};
    };
    struct Leg {
        BackLeg terms;
        double deviation{};
        double log_strike{};  // European legs only
    };
    void place_points(const double* strikes) noexcept;
    [[nodiscard]] BackPoint back_at(double underlying) const noexcept;
    [[nodiscard]] double limit_above() const noexcept;  // as S grows, where the slope dies out
    [[nodiscard]] double extreme(double sign) const noexcept;
    [[nodiscard]] Crossings crossings(double level) const noexcept;

    Payoff front_;
    std::array<Leg, kMaxLegs> back_{};
    std::size_t backs_{};
    bool has_european_{};
    const TwoExpiryMarket* market_;
    const Distribution* distribution_;
    double top_strike_{};
    double end_slope_{};
    std::size_t points_{};
    std::array<double, kPoints> point_{};
    std::array<double, kPoints> value_{};
    std::array<double, kPoints> back_slope_{};
    std::size_t breakevens_{};
    std::array<double, kCrossingsMax> breakeven_{};
};

}  // namespace scanmq::strategy
