#pragma once
// Lane: one expiry and one strategy of a scan, in the form that is searched: for each rank the strikes
//       that may be used, with what a leg there adds, and what all its candidates have in common.
//
// Words:    rank, gap: as in scanner/strategy; gap r lies between ranks r and r + 1.
// Supports: 2 to kRanksMax ranks, payoffs that are flat below the lowest and above the highest strike.
// Threads:  immutable while it is searched. Lifetime: columns must outlive the search.
// See:      docs/SCANNER.md, "Exact search"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "scanner/score/score.hpp"
#include "scanner/strategy/distribution.hpp"
#include "scanner/strategy/distribution_columns.hpp"
#include "scanner/strategy/fill.hpp"
#include "scanner/strategy/generator.hpp"
#include "scanner/strategy/payoff.hpp"

namespace scanmq::search {

inline constexpr std::size_t kRanksMax = 4;
using strategy::kLanesMax;
using strategy::kStrikeTolerance;
// Prices are decimals: differences below this are rounding. The gates' tolerance.
inline constexpr double kPriceTolerance = 1e-9;
// A score computed in lanes is nearer than this to the scalar path's.
inline constexpr double kScoreSlack = 1e-9;

// What the legs of one rank at one strike add to a candidate: signed by side, times ratio.
struct RankTerms {
    double strike{};
    double price{};  // paid
    double delta{};
    double day_theta{};
    double vega{};           // per 1.00
    double quoted_spread{};  // sum of ask - bid, >= 0; NaN without an ask
    double leg_liquidity{};  // smallest, 0 to 1
    double below{};          // P(S_T < strike)
    double expected{};       // E[payoff at expiry]; NaN: not known
    double model_value{};    // value at the reference smile; NaN: not known
    double abs_vega{};       // sum of |vega| per 1.00
};
enum class Column : std::uint8_t {
    strike,
    price,
    delta,
    day_theta,
    vega,
    quoted_spread,
    leg_liquidity,
    below,
    expected,
    model_value,
    abs_vega,
};
inline constexpr std::size_t kColumns = 11;

// RankTerms by rising strike, in columns that vectors may read past the end of.
class Columns {
  public:
    // That many rows, all columns of them to be set, `values` of that size. Precondition: strikes rise
    // strictly.
    void resize(std::size_t rows);
    void set(Column c, std::span<const double> values);
    // To be called after the last set().
    void seal();

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] RankTerms at(std::size_t i) const noexcept {
        const double* first = columns_.data() + i;
        const auto value = [&](Column c) { return first[static_cast<std::size_t>(c) * stride_]; };
        return {.strike = value(Column::strike),
                .price = value(Column::price),
                .delta = value(Column::delta),
                .day_theta = value(Column::day_theta),
                .vega = value(Column::vega),
                .quoted_spread = value(Column::quoted_spread),
                .leg_liquidity = value(Column::leg_liquidity),
                .below = value(Column::below),
                .expected = value(Column::expected),
                .model_value = value(Column::model_value),
                .abs_vega = value(Column::abs_vega)};
    }
    [[nodiscard]] const double* operator[](Column c) const noexcept {
        return columns_.data() + static_cast<std::size_t>(c) * stride_;
    }
    [[nodiscard]] std::span<const double> strikes() const noexcept {
        return {(*this)[Column::strike], size()};
    }
    // The largest magnitude in a column, what is missing left aside.
    [[nodiscard]] double largest(Column c) const noexcept {
        return largest_[static_cast<std::size_t>(c)];
    }
    // Are the numbers finite and of sensible size, prices known, spreads and liquidity not negative?
    [[nodiscard]] bool is_tame() const noexcept { return tame_; }

  private:
    std::vector<double> columns_;  // one after the other, each with room for a vector at its end
    std::size_t stride_ = 0;
    std::size_t size_ = 0;
    std::array<double, kColumns> largest_{};
    bool tame_ = true;
};

struct LaneMetrics;

struct Lane {
    std::array<const Columns*, kRanksMax> rank{};
    strategy::PayoffShape shape;
    strategy::GapList gaps{};  // candidates outside do not exist; wings make the width
    double fees{};             // of opening, per share
    strategy::TickRule ticks;
    score::Scale scale;
    score::Stance delta{};
    score::Stance vega{};
    score::Weights weights;
    double iv_rank{market::kMissing};  // of the volatility's history
    strategy::Distribution distribution{1.0, market::Smile::flat(1.0)};
    // Not null: every metric of every candidate is wanted, for Sink::figures().
    const LaneMetrics* metrics{};

    [[nodiscard]] std::size_t ranks() const noexcept { return shape.ranks; }
    [[nodiscard]] bool wing(std::size_t gap) const noexcept {
        return strategy::is_wing(gaps[gap].kind);
    }
    // No gap depends on another one.
    [[nodiscard]] bool has_free_gaps() const noexcept;
};

// Places in the columns of each rank.
using Place = std::array<std::uint32_t, kRanksMax>;

// [begin, end) of a list of strikes.
struct Range {
    std::uint32_t begin{};
    std::uint32_t end{};

    [[nodiscard]] std::uint32_t size() const noexcept { return end - begin; }
};
// The strikes that may follow `strike` over a gap, as strategy::Generator has them.
[[nodiscard]] Range range_above(std::span<const double> strikes, double strike,
                                const strategy::WidthBounds& gap) noexcept;

// The same for one strike of the list: is it in the range or above, is it above the range?
[[nodiscard]] inline bool starts_at(double candidate, double strike,
                                    const strategy::WidthBounds& gap) noexcept {
    return candidate > strike + kStrikeTolerance &&
           !(candidate < strike + gap.min - kStrikeTolerance);
}
[[nodiscard]] inline bool ends_before(double candidate, double strike,
                                      const strategy::WidthBounds& gap) noexcept {
    return candidate > strike + gap.max + kStrikeTolerance;
}

// How many candidates the lane has, counted without visiting them; at most 2^64 - 1. Precondition:
// has_free_gaps().
[[nodiscard]] std::uint64_t count_candidates(const Lane& lane);

// Can the lane's numbers be trusted to vectors: finite, of sensible size, no weight negative? Else
// candidates are evaluated one by one.
[[nodiscard]] bool is_tame(const Lane& lane) noexcept;

// Lowest and highest strike of a lane; empty (low > high) where a rank has none.
struct StrikeSpan {
    double low{};
    double high{};
};
[[nodiscard]] StrikeSpan strike_span(const Lane& lane) noexcept;
// Is P(S_T < K) proven to rise, from 0 or more to 1 or less, over these strikes? Bounds of POP need it.
[[nodiscard]] bool probability_rises(const strategy::Distribution& distribution,
                                     const StrikeSpan& strikes) noexcept;

}  // namespace scanmq::search
