#pragma once
// What the scan's inner loop works on: the legs of one expiry as terms that add up.
//
// Role:     private to scanner/service; tests see it.
// Threads:  one per scan. Buffers are reused from expiry to expiry.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "scanner/market/priced_chain.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result.hpp"
#include "scanner/strategy/payoff.hpp"

namespace scanmq::service {

// The signed sum over the legs that share one strike.
struct RankTerms {
    double strike{};
    double price{};  // paid
    double delta{};
    double day_theta{};
    double vega{};                                               // per 1.00
    double quoted_spread{};                                      // sum of ask - bid
    double leg_liquidity{};                                      // smallest
    double below{};                                              // P(S_T < strike)
    std::array<std::uint32_t, strategy::kMaxLegsPerRank> row{};  // into the chain, by leg
};

struct RankList {
    std::vector<double> strikes;  // rising; parallel to terms
    std::vector<RankTerms> terms;

    void clear() {
        strikes.clear();
        terms.clear();
    }
};

// The usable legs of one expiry, by right and side.
class ExpiryLegs {
  public:
    // Which (right, side) the plan's strategies use. Chain, request and plan must outlive this.
    ExpiryLegs(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan);

    // Fills the lists for one expiry that is priced, counting into counts (its filters included).
    void load(std::uint32_t expiry, const strategy::Distribution& distribution, Counts& counts);
    // Counts the expiry's legs as removed by the days-to-expiry filter, without pricing them.
    void count_removed_by_dte(std::uint32_t expiry, Counts& counts);

    // The strikes at which every leg of this rank is usable. scratch is used where the rank is more
    // than one plain leg. Valid until the next load().
    [[nodiscard]] const RankList& rank(const strategy::Strategy& strategy, std::size_t rank,
                                       RankList& scratch) const;

  private:
    struct Role {
        bool used{};
        RankList list;
    };
    [[nodiscard]] static std::size_t index(market::Right right, strategy::Side side) noexcept;
    [[nodiscard]] bool passes(std::uint32_t row, strategy::Side side, Counts& counts) const;
    [[nodiscard]] bool quoted(std::uint32_t row, strategy::Side side, Counts& counts) const;
    void load_role(std::uint32_t expiry, market::Right right, strategy::Side side,
                   const strategy::Distribution& distribution, Counts& counts);

    // What a contract gives to both its sides, worked out when a side first passes the filters.
    struct Contract {
        bool ready{};
        double day_theta{};
        double leg_liquidity{};
        double quoted_spread{};
        double below{};
    };
    [[nodiscard]] const Contract& contract(std::uint32_t expiry, std::uint32_t row,
                                           const strategy::Distribution& distribution);

    const market::PricedChain& chain_;
    const ScanRequest& request_;
    const ScanPlan& plan_;
    std::array<Role, 4> roles_;        // (call, put) x (long, short)
    std::vector<Contract> contracts_;  // by row of the chain
};

// The rows of a chain an expiry has of one right.
struct RowRange {
    std::uint32_t begin{};
    std::uint32_t end{};
};
[[nodiscard]] RowRange rows_of(const market::Expiry& expiry, market::Right right) noexcept;

// A candidate worth keeping: enough to rank it and to build its Spread.
struct Candidate {
    double score{};
    double risk{};
    std::uint32_t expiry{};
    std::uint16_t strategy{};                             // index into ScanPlan::strategies
    std::array<std::uint32_t, strategy::kMaxLegs> row{};  // by leg
};

// The full figures of a candidate.
[[nodiscard]] Spread build_spread(const market::PricedChain& chain, const ScanRequest& request,
                                  const ScanPlan& plan, const Candidate& candidate);

// Fees of opening one spread, per share.
[[nodiscard]] double opening_fees(const strategy::Strategy& strategy, double fee_per_contract,
                                  std::uint32_t multiplier) noexcept;

}  // namespace scanmq::service
