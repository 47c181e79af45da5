#pragma once
// MetricsKernel: of the candidates of a scored block every metric that a spread in a result has and that
//                search and score do without, in vectors (highway, chosen at run time).
//
// Role:     only of lanes that ask for it (Lane::metrics); others do not pay.
// Accuracy: as the scalar path within 1e-13 of what it is about (the forward, 1 for a probability);
//           Kelly's fraction within 1e-13 of the second derivative of what it makes largest.
//           Slots marked `coarse` in the block are as near as their POP is.
// Not here: what all candidates of an expiry have in common (moves, skew, term slope, ranks of
//           volatility, days), and the legs' own figures.
// Threads:  pure functions.

#include <array>
#include <span>
#include <vector>

#include "scanner/search/block.hpp"
#include "scanner/strategy/probability.hpp"

namespace scanmq::search {

// What the legs of a rank add to these metrics, signed and times the ratio as in RankTerms.
enum class MetricTerm : std::uint8_t {
    gamma,
    rho,         // per 1.00
    iv_short,    // implied volatility of the short legs, times ratio; 0 without one
    iv_long,     // of the long ones
    touch,       // P(touch) of the strike, negative where no leg is short
    mean_below,  // E[S_T; S_T < strike]
};
inline constexpr std::size_t kMetricTerms = 6;

// A row for each strike of the rank's Columns; vectors may read past the end.
class MetricColumns {
  public:
    explicit MetricColumns(std::size_t rows) : size_(rows), stride_(rows + kLanesMax) {
        values_.resize(kMetricTerms * stride_);
    }
    [[nodiscard]] std::span<double> operator[](MetricTerm term) noexcept {
        return {values_.data() + static_cast<std::size_t>(term) * stride_, size_};
    }
    [[nodiscard]] const double* operator[](MetricTerm term) const noexcept {
        return values_.data() + static_cast<std::size_t>(term) * stride_;
    }

  private:
    std::size_t size_;
    std::size_t stride_;
    std::vector<double> values_;
};

// The distribution at the levels that Kelly's masses end at beside strikes.
struct KellyGrid {
    std::array<double, strategy::kKellyLevels> level{};
    std::array<double, strategy::kKellyLevels> below{};
    std::array<double, strategy::kKellyLevels> mean{};
};
[[nodiscard]] KellyGrid kelly_grid(const strategy::Distribution& distribution) noexcept;

// What a lane has beside a Lane for these metrics.
struct LaneMetrics {
    std::array<const MetricColumns*, kRanksMax> rank{};
    const KellyGrid* grid{};
    double spot{};
    double days{1.0};  // at least 1
    double short_contracts{};
    double long_contracts{};
};

enum class MoreMetric : std::uint8_t {
    gamma,
    vega_point,
    rho_point,
    iv_edge,
    p_touch,  // of the short strike likeliest to be touched
    p_half_at_expiry,
    p_max_loss,
    return_on_risk,
    return_per_day,
    annual_return,
    kelly,
    margin,        // flat payoffs have no naked leg: what they can lose
    buying_power,  // the same
    breakeven_distance,
};
inline constexpr std::size_t kMoreMetrics = 14;

struct alignas(64) MoreFigures {
    std::array<Block::PerSlot, kMoreMetrics> metric{};

    [[nodiscard]] const double* operator[](MoreMetric m) const noexcept {
        return metric[static_cast<std::size_t>(m)].data();
    }
    [[nodiscard]] double* operator[](MoreMetric m) noexcept {
        return metric[static_cast<std::size_t>(m)].data();
    }
};

// Preconditions: the block was scored for all figures, lane.metrics is set.
void more_metrics(const Lane& lane, const Block& block, MoreFigures& out);

}  // namespace scanmq::search
