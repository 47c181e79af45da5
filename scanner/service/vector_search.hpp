#pragma once
// VectorSearch: the lanes of a scan that scanner/search can go through, gathered, then searched at once
//               so that the best of all of them are found first.
//
// Takes:    lanes of one expiry without stock, whose payoff is flat on both sides, under filters that
//           vectors can judge. The rest is search_lane()'s.
// Exact:    what is kept was scored by score_candidate().
// Role:     private to scanner/service. Lifetime: plan and the book's columns must outlive it.
// Memory:   a copy of the columns that lanes use, under 200 bytes a leg.
// Threads:  one.

#include <deque>
#include <map>
#include <vector>

#include "scanner/search/search.hpp"
#include "scanner/service/engine.hpp"
#include "scanner/service/lane.hpp"
#include "scanner/service/metric_columns.hpp"

namespace scanmq::service {

class VectorSearch {
  public:
    // metrics: sees every metric of every candidate; may be null. All must outlive this.
    VectorSearch(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan,
                 const MetricsObserver* metrics = nullptr);

    [[nodiscard]] bool takes(const Lane& lane) const noexcept;
    // Precondition: takes(lane).
    void add(const Lane& lane);
    // Adds to the state's counts, and one to steps (may be null) for each lane. False when cancelled.
    [[nodiscard]] bool run(SearchState& state, std::atomic<std::uint64_t>* steps);

  private:
    const search::Columns& columns_of(const strategy::LegColumns& legs);
    void count(const search::Totals& totals, Counts& counts) const;

    const ScanPlan& plan_;
    const MetricsObserver* metrics_;
    bool prune_;
    bool filters_in_vectors_{true};
    std::deque<strategy::LegColumns> own_legs_;  // of ranks with more than one plain leg
    std::deque<search::Columns> columns_;
    std::map<const strategy::LegColumns*, const search::Columns*> known_;
    MetricBook metric_book_;
    std::vector<Lane> lanes_;
    std::vector<search::Lane> searched_;
};

}  // namespace scanmq::service
