#pragma once
// Nodes: the pairs of ranks (0, 1) and (2, 3) of a lane with four ranks, grouped by their inner strike
//        (rank 1, rank 2) and cut into bands of neighbouring outer strikes. A node has for everything
//        that is added up an interval that holds all its pairs.
//
// Peak, valley: payoffs that rise by one from rank 0 to rank 1 and fall by one from rank 2 to rank 3, or
//           the other way round; flat elsewhere. Sums of a low and a high pair give all of it: profit
//           below rank 0 is low.outer + high.inner, between ranks 1 and 2 low.inner + high.inner,
//           above rank 3 low.inner + high.outer.
// Rounding: intervals are wider than any rounding of the sums on the scalar path.
// Limits:   kStrikesMax strikes a rank, kBandsMax bands a group.
// Threads:  immutable once built.

#include "scanner/search/lane.hpp"

namespace scanmq::search {

inline constexpr std::size_t kStrikesMax = 4096;
inline constexpr std::size_t kBandsMax = 16;
inline constexpr std::uint32_t kBandSizeMin = 8;  // one vector

enum class Bound : std::uint8_t {
    outer_low,  // profit at the outer strike, fees inside the low pairs'
    outer_high,
    inner_low,  // profit at the inner strike
    inner_high,
    loss_low,  // -(outer + inner)/2: the risk of a peak is at least low.loss + high.loss
    delta_low,
    delta_high,
    theta_low,
    theta_high,
    vega_low,
    vega_high,
    spread_low,
    liquidity_high,
    width_high,
    edge_high,  // model value - price
    abs_vega_low,
    abs_vega_high,
    inner_strike,
    strike_low,  // of the outer strikes
    strike_high,
};
inline constexpr std::size_t kBounds = 20;

// Components that some or all pairs of a node lack, as bits: `some` in the low half, `all` in the high.
enum class Lack : std::uint8_t { quality, delta, theta, vega, volatility };
inline constexpr std::size_t kLacks = 5;
inline constexpr unsigned kAllShift = 32;

class NodeTable {
  public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const double* operator[](Bound b) const noexcept {
        return bound_[static_cast<std::size_t>(b)].data();
    }
    [[nodiscard]] const std::uint64_t* lacks() const noexcept { return lacks_.data(); }

    struct Node {
        std::array<double, kBounds> bound{};
        std::uint64_t lacks{};

        [[nodiscard]] double& operator[](Bound b) noexcept {
            return bound[static_cast<std::size_t>(b)];
        }
        [[nodiscard]] double operator[](Bound b) const noexcept {
            return bound[static_cast<std::size_t>(b)];
        }
        // Widens this so that it holds what `other` does.
        void join(const Node& other) noexcept;
    };
    void reserve(std::size_t nodes);
    void add(const Node& node);
    void seal();  // after the last add()
    [[nodiscard]] Node at(std::size_t i) const noexcept;

  private:
    std::size_t size_ = 0;
    std::array<std::vector<double>, kBounds> bound_;
    std::vector<std::uint64_t> lacks_;
};

// The pairs of one side.
struct Half {
    struct Group {
        std::uint32_t inner{};  // place of the inner strike
        Range outer;            // places of the outer ones
        Range bands;            // into `bands`
    };
    std::vector<Group> groups;  // by rising inner strike; none is empty
    std::vector<double> inner_strikes;
    std::vector<Range> band_outer;          // by band: places of the outer strikes
    std::vector<std::uint32_t> band_inner;  // by band: place of the inner strike
    NodeTable group_nodes;
    NodeTable band_nodes;
};

struct Halves {
    double peak{};             // +1 for a peak, -1 for a valley
    double profit_rounding{};  // at least that of a profit on the scalar path
    Half low;
    Half high;
};

// Has the lane the form to be searched by halves? Four ranks, a peak or a valley, the outer gaps wings
// and the inner one not, at most kStrikesMax strikes a rank.
[[nodiscard]] bool has_halves(const Lane& lane) noexcept;
// At least the nodes that make_halves() makes.
[[nodiscard]] std::size_t node_count(const Lane& lane);
// Preconditions: has_halves(lane), is_tame(lane), and probability_rises() over its strikes.
[[nodiscard]] Halves make_halves(const Lane& lane);

}  // namespace scanmq::search
