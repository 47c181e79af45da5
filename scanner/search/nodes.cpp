#include "scanner/search/nodes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace scanmq::search {
namespace {

using Node = NodeTable::Node;

constexpr std::uint64_t kAllLack = ((std::uint64_t{1} << kLacks) - 1) << kAllShift;
constexpr std::array kRising = {Bound::outer_high, Bound::inner_high, Bound::delta_high,
                                Bound::theta_high, Bound::vega_high,  Bound::liquidity_high,
                                Bound::width_high, Bound::edge_high,  Bound::abs_vega_high,
                                Bound::strike_high};
constexpr std::array kFalling = {Bound::outer_low,  Bound::inner_low,    Bound::loss_low,
                                 Bound::delta_low,  Bound::theta_low,    Bound::vega_low,
                                 Bound::spread_low, Bound::abs_vega_low, Bound::strike_low};

// Twenty roundings of the largest summand, twice over.
constexpr double kRounding = 1e-14;

double largest(const Lane& lane, Column c) {
    double most = 0.0;
    for (std::size_t r = 0; r < lane.ranks(); ++r) most = std::max(most, lane.rank[r]->largest(c));
    return most;
}

// By how much each interval is widened.
struct Rounding {
    double profit{};
    double delta{};
    double theta{};
    double vega{};
    double spread{};
    double edge{};
    double abs_vega{};
    double width{};
};
Rounding rounding_of(const Lane& lane) {
    const double strike = largest(lane, Column::strike);
    const double price = largest(lane, Column::price);
    return {kRounding * 4.0 * (strike + price + lane.fees),
            kRounding * largest(lane, Column::delta),
            kRounding * largest(lane, Column::day_theta),
            kRounding * largest(lane, Column::vega),
            kRounding * largest(lane, Column::quoted_spread),
            kRounding * (largest(lane, Column::model_value) + price),
            kRounding * largest(lane, Column::abs_vega),
            kRounding * strike};
}

// At least the bands of one side.
std::size_t bands_max(const Lane& lane, bool low) {
    const auto from = lane.rank[low ? 0 : 2]->strikes();
    const auto to = lane.rank[low ? 1 : 3]->strikes();
    const std::size_t groups = lane.rank[low ? 1 : 2]->size();
    std::size_t pairs = 0;
    for (const double strike : from)
        pairs += range_above(to, strike, lane.gaps[low ? 0 : 2].bounds).size();
    return std::min(kBandsMax * groups, groups + pairs / kBandSizeMin);
}

// Makes the nodes of one side. Ranks: the outer one is 0 on the low side, 3 on the high one.
class SideBuilder {
  public:
    SideBuilder(const Lane& lane, bool low, double peak, const Rounding& rounding)
        : lane_(lane),
          outer_(*lane.rank[low ? 0 : 3]),
          inner_(*lane.rank[low ? 1 : 2]),
          low_(low),
          peak_(peak),
          rounding_(rounding),
          outer_at_zero_(lane.shape.at_zero[low ? 0 : 3]),
          inner_at_zero_(lane.shape.at_zero[low ? 1 : 2]) {}

    Half build() {
        Half half;
        half.group_nodes.reserve(inner_.size());
        half.band_nodes.reserve(bands_max(lane_, low_));
        for (std::uint32_t i = 0; i < inner_.size(); ++i) {
            const Range outer = low_ ? range_below(i) : range_of(i);
            if (outer.size() > 0) add_group(half, i, outer);
        }
        half.group_nodes.seal();
        half.band_nodes.seal();
        return half;
    }

  private:
    [[nodiscard]] Range range_of(std::uint32_t inner) const {
        return range_above(outer_.strikes(), inner_.strikes()[inner], lane_.gaps[2].bounds);
    }
    // The outer strikes that reach up to this inner one: both ends rise with the inner strike.
    Range range_below(std::uint32_t inner) {
        const auto reach = [this](std::uint32_t outer) {
            return range_above(inner_.strikes(), outer_.strikes()[outer], lane_.gaps[0].bounds);
        };
        const auto count = static_cast<std::uint32_t>(outer_.size());
        while (first_ < count && reach(first_).end <= inner) ++first_;
        end_ = std::max(end_, first_);
        while (end_ < count && reach(end_).begin <= inner) ++end_;
        return {first_, end_};
    }

    void add_group(Half& half, std::uint32_t inner, Range outer) {
        const std::uint32_t bands =
            std::min<std::uint32_t>(kBandsMax, (outer.size() + kBandSizeMin - 1) / kBandSizeMin);
        const std::uint32_t size = (outer.size() + bands - 1) / bands;
        Half::Group group{.inner = inner,
                          .outer = outer,
                          .bands = {static_cast<std::uint32_t>(half.band_outer.size()), 0}};
        Node all;
        bool first_band = true;
        for (std::uint32_t begin = outer.begin; begin < outer.end; begin += size) {
            const Range band{begin, std::min(begin + size, outer.end)};
            const Node node = band_node(inner, band);
            half.band_nodes.add(node);
            half.band_outer.push_back(band);
            half.band_inner.push_back(inner);
            if (first_band) {
                all = node;
            } else {
                all.join(node);
            }
            first_band = false;
        }
        group.bands.end = static_cast<std::uint32_t>(half.band_outer.size());
        half.group_nodes.add(all);
        half.groups.push_back(group);
        half.inner_strikes.push_back(inner_.strikes()[inner]);
    }

    [[nodiscard]] Node band_node(std::uint32_t inner, Range band) const {
        Node node = pair_node(inner, band.begin);
        for (std::uint32_t o = band.begin + 1; o < band.end; ++o) node.join(pair_node(inner, o));
        return node;
    }

    static void interval(Node& node, Bound low, Bound high, double value, double rounding) {
        node[low] = value - rounding;
        node[high] = value + rounding;
    }
    // Values that are not known leave the interval empty, and mark the component.
    static void known_interval(Node& node, Bound low, Bound high, double value, double rounding,
                               Lack lack) {
        if (std::isnan(value)) {
            node[low] = std::numeric_limits<double>::infinity();
            node[high] = -std::numeric_limits<double>::infinity();
            mark(node, lack);
        } else {
            interval(node, low, high, value, rounding);
        }
    }
    static void mark(Node& node, Lack lack) {
        const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(lack);
        node.lacks |= bit | bit << kAllShift;
    }

    [[nodiscard]] Node pair_node(std::uint32_t inner, std::uint32_t outer) const {
        const auto sum = [&](Column c) { return outer_[c][outer] + inner_[c][inner]; };
        Node node;
        const double outer_strike = outer_[Column::strike][outer];
        const double inner_strike = inner_[Column::strike][inner];
        const double width = std::fabs(inner_strike - outer_strike);
        // What the pair is worth where the underlying is 0, less what was paid; that is its profit at the
        // outer strike on the low side, and at the inner one on the high side.
        const double at_zero = outer_at_zero_ * outer_strike + inner_at_zero_ * inner_strike -
                               sum(Column::price) - (low_ ? lane_.fees : 0.0);
        const double outer_profit = low_ ? at_zero : at_zero - peak_ * width;
        const double inner_profit = low_ ? at_zero + peak_ * width : at_zero;
        const double slack = rounding_.profit;
        interval(node, Bound::outer_low, Bound::outer_high, outer_profit, slack);
        interval(node, Bound::inner_low, Bound::inner_high, inner_profit, slack);
        node[Bound::loss_low] = -0.5 * (outer_profit + inner_profit) - slack;
        known_interval(node, Bound::delta_low, Bound::delta_high, sum(Column::delta),
                       rounding_.delta, Lack::delta);
        known_interval(node, Bound::theta_low, Bound::theta_high, sum(Column::day_theta),
                       rounding_.theta, Lack::theta);
        known_interval(node, Bound::vega_low, Bound::vega_high, sum(Column::vega), rounding_.vega,
                       Lack::vega);
        known_interval(node, Bound::abs_vega_low, Bound::abs_vega_high, sum(Column::abs_vega),
                       rounding_.abs_vega, Lack::volatility);
        const double edge = sum(Column::model_value) - sum(Column::price);
        node[Bound::edge_high] = edge + rounding_.edge;
        if (std::isnan(edge) || std::isnan(sum(Column::abs_vega))) {
            node[Bound::edge_high] = -std::numeric_limits<double>::infinity();
            mark(node, Lack::volatility);
        }
        // Without vega at all the component does not exist either.
        if (!(sum(Column::abs_vega) > rounding_.abs_vega)) {
            node.lacks |= std::uint64_t{1} << static_cast<unsigned>(Lack::volatility);
        }
        set_quality(node, inner, outer, sum(Column::quoted_spread));
        node[Bound::width_high] = width + rounding_.width;
        node[Bound::inner_strike] = inner_strike;
        node[Bound::strike_low] = node[Bound::strike_high] = outer_strike;
        return node;
    }
    void set_quality(Node& node, std::uint32_t inner, std::uint32_t outer, double spread) const {
        if (std::isnan(spread)) {
            node[Bound::spread_low] = std::numeric_limits<double>::infinity();
            node[Bound::liquidity_high] = 0.0;
            mark(node, Lack::quality);
        } else {
            node[Bound::spread_low] = std::max(spread - rounding_.spread, 0.0);
            node[Bound::liquidity_high] = std::min(outer_[Column::leg_liquidity][outer],
                                                   inner_[Column::leg_liquidity][inner]);
        }
    }

    const Lane& lane_;
    const Columns& outer_;
    const Columns& inner_;
    bool low_;
    double peak_;
    const Rounding& rounding_;
    double outer_at_zero_;
    double inner_at_zero_;
    std::uint32_t first_ = 0;  // of range_below
    std::uint32_t end_ = 0;
};

double peak_of(const strategy::PayoffShape& shape) noexcept {
    if (shape.ranks != 4 || shape.first_slope != 0.0 || shape.last_slope != 0.0) return 0.0;
    const auto& kink = shape.kink;
    const double peak = kink[0];
    const bool fits = kink[1] == -peak && kink[2] == -peak && kink[3] == peak;
    return fits && std::fabs(peak) == 1.0 ? peak : 0.0;
}

}  // namespace

void NodeTable::Node::join(const Node& other) noexcept {
    for (const Bound b : kRising) (*this)[b] = std::max((*this)[b], other[b]);
    for (const Bound b : kFalling) (*this)[b] = std::min((*this)[b], other[b]);
    const std::uint64_t some = (lacks | other.lacks) & ~kAllLack;
    lacks = some | (lacks & other.lacks & kAllLack);
}

void NodeTable::reserve(std::size_t nodes) {
    for (auto& column : bound_) column.reserve(nodes + kLanesMax);
    lacks_.reserve(nodes + kLanesMax);
}

void NodeTable::add(const Node& node) {
    for (std::size_t b = 0; b < kBounds; ++b) bound_[b].push_back(node.bound[b]);
    lacks_.push_back(node.lacks);
    ++size_;
}

void NodeTable::seal() {
    for (auto& column : bound_) column.resize(size_ + kLanesMax, 1.0);
    lacks_.resize(size_ + kLanesMax, kAllLack);
}

NodeTable::Node NodeTable::at(std::size_t i) const noexcept {
    Node out;
    for (std::size_t b = 0; b < kBounds; ++b) out.bound[b] = bound_[b][i];
    out.lacks = lacks_[i];
    return out;
}

bool has_halves(const Lane& lane) noexcept {
    if (peak_of(lane.shape) == 0.0 || !lane.has_free_gaps()) return false;
    if (!lane.wing(0) || lane.wing(1) || !lane.wing(2)) return false;
    for (std::size_t r = 0; r < lane.ranks(); ++r) {
        if (lane.rank[r]->size() > kStrikesMax) return false;
    }
    return true;
}

std::size_t node_count(const Lane& lane) {
    return lane.rank[1]->size() + lane.rank[2]->size() + bands_max(lane, true) +
           bands_max(lane, false);
}

Halves make_halves(const Lane& lane) {
    const double peak = peak_of(lane.shape);
    const Rounding rounding = rounding_of(lane);
    return {peak, rounding.profit, SideBuilder(lane, true, peak, rounding).build(),
            SideBuilder(lane, false, peak, rounding).build()};
}

}  // namespace scanmq::search
