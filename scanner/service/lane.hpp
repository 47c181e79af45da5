#pragma once
// Lane: the candidates of one strategy over one expiry, or one pair of expiries: what a searcher gets.
//
// A lane says what every candidate in it has in common: payoff shape, legs in columns by rank, bounds of
// the gaps, scales and stances of the score. search_lane() is the reference: it goes through all of
// them on the scalar path. Another searcher may take a lane in its place if it offers the selection
// what search_lane() would, or more, and gets the figures of what it offers from score_candidate().
// Role:     private to scanner/service and scanner/search.
// Lifetime: book, chain, request and plan must outlive a lane; LaneMaker's scratch is the lane's until
//           the next make().
// Threads:  one.

#include <array>
#include <atomic>
#include <optional>
#include <span>
#include <vector>

#include "scanner/service/leg_book.hpp"
#include "scanner/service/selection.hpp"
#include "scanner/strategy/fill.hpp"
#include "scanner/strategy/generator.hpp"
#include "scanner/strategy/margin.hpp"
#include "scanner/strategy/payoff.hpp"
#include "scanner/strategy/two_expiry.hpp"

namespace scanmq::service {

inline constexpr double kPriceTolerance = 1e-9;  // prices are decimals: closer than this is equal
inline constexpr double kScoreSlack = 1e-9;      // rounding in an upper bound of a score

struct Lane {
    std::uint32_t expiry{};
    std::uint32_t back{kNoExpiry};
    std::uint16_t strategy{};  // index into ScanPlan::strategies
    const strategy::Strategy* definition{};
    strategy::PayoffShape shape;
    std::array<const strategy::LegColumns*, strategy::kMaxRanks> ranks{};
    strategy::GapList gaps{};
    const strategy::Distribution* distribution{};  // of the nearer expiry
    std::optional<strategy::TwoExpiryMarket> between;
    strategy::TickRule ticks;
    strategy::Fill fill;
    strategy::MarginRate margin;
    double fees{};   // of opening, per share
    double stock{};  // paid for it, 0 without
    double shares{};
    double spot{};
    double iv_rank{market::kMissing};
    score::Scale scale;
    strategy::Stance delta{};
    strategy::Stance vega{};
    bool exercise_pays{};  // maybe of a long leg: each candidate is asked

    [[nodiscard]] std::size_t rank_count() const noexcept { return shape.ranks; }
    [[nodiscard]] std::array<strategy::StrikeList, strategy::kMaxRanks> strikes() const noexcept {
        std::array<strategy::StrikeList, strategy::kMaxRanks> out;
        for (std::size_t r = 0; r < shape.ranks; ++r) out[r] = ranks[r]->strike;
        return out;
    }
};

// The rows of a rank's columns that a leg of the strategy is in.
[[nodiscard]] const std::vector<std::uint32_t>& rows_of_leg(const Lane& lane,
                                                            std::size_t leg) noexcept;

// A candidate's place in the lane: an index into each rank's columns.
using LanePlace = std::array<std::uint32_t, strategy::kMaxRanks>;

// What a lane is made of beside its columns. All must outlive it.
struct LaneParts {
    const market::PricedChain& chain;
    const ScanRequest& request;
    const ScanPlan& plan;
    const ScanInputs& inputs;
    const strategy::Distribution& distribution;
};
// A lane without columns.
[[nodiscard]] Lane bare_lane(const LaneParts& parts, std::uint32_t expiry, std::uint32_t back,
                             std::size_t strategy);

class LaneMaker {
  public:
    LaneMaker(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan,
              const ScanInputs& inputs, const LegBook& book)
        : chain_(chain), request_(request), plan_(plan), inputs_(inputs), book_(book) {}

    [[nodiscard]] Lane make(std::uint32_t expiry, std::uint32_t back, std::size_t strategy);

  private:
    const market::PricedChain& chain_;
    const ScanRequest& request_;
    const ScanPlan& plan_;
    const ScanInputs& inputs_;
    const LegBook& book_;
    std::array<strategy::LegColumns, strategy::kMaxRanks> scratch_;
};

// What lanes put what they find into.
struct SearchState {
    const market::PricedChain& chain;
    const ScanRequest& request;
    const ScanPlan& plan;
    Counts& counts;
    Selection& best;
    Selection& arbitrage;
    const std::atomic<bool>* cancel{};
    bool prune{true};  // false: every candidate is scored whole, as brute force

    [[nodiscard]] bool cancelled() const noexcept {
        return cancel != nullptr && cancel->load(std::memory_order_relaxed);
    }
};

// Every candidate, one after the other. False when cancelled.
[[nodiscard]] bool search_lane(const Lane& lane, SearchState& state);

// The candidate at that place as search_lane() scores it; nullopt where a gate or a filter stops it.
// Nothing is counted.
[[nodiscard]] std::optional<Candidate> score_candidate(const Lane& lane, const SearchState& state,
                                                       const LanePlace& place);

}  // namespace scanmq::service
