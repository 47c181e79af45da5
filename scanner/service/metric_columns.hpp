#pragma once
// MetricBook: the columns that every metric of a lane's candidates needs beside those that are searched,
//             worked out once for each rank's legs and each expiry; only where somebody observes them.
//
// Role:     private to scanner/service.
// Memory:   48 bytes a leg, 1.6 KB an expiry.
// Lifetime: the chain, and the legs' columns of lanes, must outlive it.
// Threads:  one.

#include <cstdint>
#include <deque>
#include <map>
#include <tuple>

#include "scanner/search/metrics_kernel.hpp"
#include "scanner/service/lane.hpp"

namespace scanmq::service {

class MetricBook {
  public:
    explicit MetricBook(const market::PricedChain& chain) : chain_(chain) {}

    // Valid as long as this is.
    [[nodiscard]] const search::LaneMetrics& of(const Lane& lane);

  private:
    // Ratios by side: what a rank's legs have beside their columns.
    using Key = std::tuple<const strategy::LegColumns*, double, double>;

    [[nodiscard]] const search::MetricColumns& columns_of(const Lane& lane, std::size_t rank);
    void add_leg(const Lane& lane, std::size_t leg, search::MetricColumns& out) const;
    void add_distribution(const Lane& lane, std::size_t rank, bool sold,
                          search::MetricColumns& out) const;

    const market::PricedChain& chain_;
    std::map<Key, search::MetricColumns> columns_;
    std::map<std::uint32_t, search::KellyGrid> grids_;  // by expiry
    std::deque<search::LaneMetrics> lanes_;
};

}  // namespace scanmq::service
