#include "scanner/search/lane.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/assert.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::search {
namespace {

constexpr double kHuge = 1e60;  // no market has such a number; sums and ratios stay finite
constexpr double kTiny = 1e-60;
constexpr double kBelowMax =
    1e3;  // of P(S_T < K): what cancels out of sums of more leaves rounding
constexpr double kTickMin = 1e-6;

std::uint64_t add_saturating(std::uint64_t a, std::uint64_t b) noexcept {
    return a > std::numeric_limits<std::uint64_t>::max() - b
               ? std::numeric_limits<std::uint64_t>::max()
               : a + b;
}

// The largest magnitude, NaN left aside. In parts that the compiler can put into vectors.
double largest_of(std::span<const double> values) noexcept {
    constexpr std::size_t kParts = 8;
    std::array<double, kParts> most{};
    std::size_t i = 0;
    for (; i + kParts <= values.size(); i += kParts) {
        for (std::size_t p = 0; p < kParts; ++p) {
            const double size = std::fabs(values[i + p]);
            most[p] = size > most[p] ? size : most[p];
        }
    }
    for (; i < values.size(); ++i) {
        const double size = std::fabs(values[i]);
        most[0] = size > most[0] ? size : most[0];
    }
    return *std::ranges::max_element(most);
}

// Without a spread, liquidity does not count either.
bool quality_is_sane(double spread, double liquidity) noexcept {
    const bool sane = (spread >= 0.0) & (liquidity >= 0.0) & (liquidity < kHuge);
    return static_cast<bool>(static_cast<unsigned>(std::isnan(spread)) |
                             static_cast<unsigned>(sane));
}

// A lower bound of Durrleman's g(k) = (1 - k w'/(2w))^2 - w'^2/4 (1/w + 1/4) + w''/2 over [from, to]; the
// density of S_T has its sign. Convexity of w gives the ranges of w, w' and w''.
double density_sign_bound(const market::Smile& smile, double from, double to) noexcept {
    const double slope_low = smile.variance_slope(from);
    const double slope_high = smile.variance_slope(to);
    const double at_from = smile.variance(from);
    const double at_to = smile.variance(to);
    double w_low = std::min(at_from, at_to);
    if (slope_low < 0.0 && slope_high > 0.0) {
        w_low = std::max(at_from + slope_low * (to - from), at_to - slope_high * (to - from));
    }
    const double w_high = std::max(at_from, at_to);
    if (!(w_low > strategy::kDeviationMin * strategy::kDeviationMin)) return -1.0;

    double product_low = std::numeric_limits<double>::infinity();
    double product_high = -product_low;
    for (const double k : {from, to}) {
        for (const double slope : {slope_low, slope_high}) {
            for (const double w : {w_low, w_high}) {
                const double product = k * slope / (2.0 * w);
                product_low = std::min(product_low, product);
                product_high = std::max(product_high, product);
            }
        }
    }
    const bool may_vanish = product_low <= 1.0 && product_high >= 1.0;
    const double distance =
        may_vanish ? 0.0 : std::min(std::fabs(1.0 - product_low), std::fabs(1.0 - product_high));
    const double steepest = std::max(std::fabs(slope_low), std::fabs(slope_high));
    const double bend = std::min(smile.variance_bend(from), smile.variance_bend(to));
    return distance * distance - 0.25 * steepest * steepest * (1.0 / w_low + 0.25) + 0.5 * bend;
}

bool density_is_positive(const market::Smile& smile, double from, double to, int& cells_left) {
    constexpr double kMargin = 1e-9;  // rounding of the bound
    if (--cells_left < 0) return false;
    if (density_sign_bound(smile, from, to) > kMargin) return true;
    const double middle = 0.5 * (from + to);
    if (!(middle > from && middle < to)) return false;
    return density_is_positive(smile, from, middle, cells_left) &&
           density_is_positive(smile, middle, to, cells_left);
}

}  // namespace

void Columns::resize(std::size_t rows) {
    size_ = rows;
    stride_ = rows + kLanesMax;
    columns_.assign(kColumns * stride_, market::kMissing);
    largest_ = {};
    tame_ = true;
}

void Columns::set(Column c, std::span<const double> values) {
    SCANMQ_ASSERT(values.size() == size_);
    std::ranges::copy(values, columns_.data() + static_cast<std::size_t>(c) * stride_);
}

void Columns::seal() {
    for (std::size_t c = 0; c < kColumns; ++c) {
        largest_[c] = largest_of({(*this)[static_cast<Column>(c)], size_});
        const double most = static_cast<Column>(c) == Column::below ? kBelowMax : kHuge;
        const bool counts = static_cast<Column>(c) != Column::leg_liquidity;
        tame_ = tame_ && (!counts || largest_[c] < most);
    }
    const double* strike = (*this)[Column::strike];
    const double* price = (*this)[Column::price];
    const double* below = (*this)[Column::below];
    const double* spread = (*this)[Column::quoted_spread];
    const double* liquidity = (*this)[Column::leg_liquidity];
    bool sane = true;
    for (std::size_t i = 0; i < size_; ++i) {
        const bool known = (strike[i] > kTiny) & (price[i] == price[i]) & (below[i] == below[i]);
        sane = sane & known & quality_is_sane(spread[i], liquidity[i]);
    }
    tame_ = tame_ && sane;
}

bool Lane::has_free_gaps() const noexcept {
    for (std::size_t r = 0; r + 1 < ranks(); ++r) {
        const strategy::Gap kind = gaps[r].kind;
        if (kind != strategy::Gap::inner && kind != strategy::Gap::wing) return false;
    }
    return true;
}

Range range_above(std::span<const double> strikes, double strike,
                  const strategy::WidthBounds& gap) noexcept {
    const auto above = std::upper_bound(strikes.begin(), strikes.end(), strike + kStrikeTolerance);
    const auto first =
        gap.min > 0.0 ? std::lower_bound(above, strikes.end(), strike + gap.min - kStrikeTolerance)
                      : above;
    const auto last = std::upper_bound(first, strikes.end(), strike + gap.max + kStrikeTolerance);
    return {static_cast<std::uint32_t>(first - strikes.begin()),
            static_cast<std::uint32_t>(last - strikes.begin())};
}

std::uint64_t count_candidates(const Lane& lane) {
    const std::size_t last = lane.ranks() - 1;
    // ways[i]: candidates of the ranks from r on that begin at strike i, as a sum over all below i.
    std::vector<std::uint64_t> sum(lane.rank[last]->size() + 1);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = i;
    for (std::size_t r = last; r-- > 0;) {
        const auto strikes = lane.rank[r]->strikes();
        std::vector<std::uint64_t> next(strikes.size() + 1, 0);
        for (std::size_t i = 0; i < strikes.size(); ++i) {
            const Range range =
                range_above(lane.rank[r + 1]->strikes(), strikes[i], lane.gaps[r].bounds);
            next[i + 1] = add_saturating(next[i], sum[range.end] - sum[range.begin]);
        }
        sum = std::move(next);
    }
    return sum.back();
}

bool is_tame(const Lane& lane) noexcept {
    for (std::size_t r = 0; r < lane.ranks(); ++r) {
        if (!lane.rank[r]->is_tame()) return false;
    }
    for (const double weight : lane.weights.value) {
        if (!(weight >= 0.0 && weight < kHuge)) return false;
    }
    const auto sensible = [](double x) { return x > kTiny && x < kHuge; };
    return sensible(lane.scale.move) && sensible(lane.scale.daily_move) && lane.fees >= 0.0 &&
           lane.fees < kHuge && !(std::fabs(lane.iv_rank) > kHuge) &&
           lane.ticks.tick(0.0) > kTickMin && lane.ticks.tick(kHuge) > kTickMin &&
           sensible(lane.distribution.forward());
}

StrikeSpan strike_span(const Lane& lane) noexcept {
    StrikeSpan out{std::numeric_limits<double>::infinity(), 0.0};
    for (std::size_t r = 0; r < lane.ranks(); ++r) {
        const auto strikes = lane.rank[r]->strikes();
        if (strikes.empty()) return {1.0, 0.0};
        out.low = std::min(out.low, strikes.front());
        out.high = std::max(out.high, strikes.back());
    }
    return out;
}

bool probability_rises(const strategy::Distribution& distribution,
                       const StrikeSpan& strikes) noexcept {
    const market::Smile& smile = distribution.smile();
    if (strikes.low > strikes.high) return true;
    if (!(strikes.low > 0.0 && distribution.forward() > 0.0)) return false;
    if (smile.b == 0.0)
        return smile.a > strategy::kDeviationMin * strategy::kDeviationMin && smile.a < kHuge;
    if (!(smile.b > 0.0 && std::fabs(smile.rho) <= 1.0 && smile.s > 0.0)) return false;
    if (!(distribution.below(strikes.low) >= 0.0 && distribution.below(strikes.high) <= 1.0)) {
        return false;
    }
    constexpr int kCellsMax = 4096;
    int cells_left = kCellsMax;
    constexpr double kBeyond = 1e-12;  // breakevens lie between strikes but for rounding
    return density_is_positive(smile, portable::log(strikes.low / distribution.forward()) - kBeyond,
                               portable::log(strikes.high / distribution.forward()) + kBeyond,
                               cells_left);
}

}  // namespace scanmq::search
