#include "scanner/service/metric_columns.hpp"

#include <algorithm>

#include "scanner/strategy/distribution_columns.hpp"

namespace scanmq::service {

using search::MetricTerm;

// Adds one leg's Greeks and volatility, times its ratio.
void MetricBook::add_leg(const Lane& lane, std::size_t leg, search::MetricColumns& out) const {
    const strategy::LegSpec& spec = lane.definition->legs[leg];
    const bool sold = spec.side == strategy::Side::short_leg;
    const auto gamma = out[MetricTerm::gamma];
    const auto rho = out[MetricTerm::rho];
    const auto iv = out[sold ? MetricTerm::iv_short : MetricTerm::iv_long];
    const double ratio = spec.ratio;
    const double quantity = strategy::sign(spec.side) * ratio;
    const auto& rows = rows_of_leg(lane, leg);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const pricing::Greeks& greeks = chain_.greeks[rows[i]];
        gamma[i] += quantity * greeks.gamma;
        rho[i] += quantity * greeks.rho;
        iv[i] += ratio * chain_.iv[rows[i]];
    }
}

void MetricBook::add_distribution(const Lane& lane, std::size_t rank, bool sold,
                                  search::MetricColumns& out) const {
    const auto& strikes = lane.ranks[rank]->strike;
    std::ranges::copy(lane.ranks[rank]->mean_below, out[MetricTerm::mean_below].begin());
    const auto touch = out[MetricTerm::touch];
    if (!sold) {
        std::ranges::fill(touch, -1.0);
        return;
    }
    strategy::touch_probabilities(*lane.distribution,
                                  {.spot = lane.spot, .years = chain_.expiries[lane.expiry].years},
                                  strikes, touch);
}

const search::MetricColumns& MetricBook::columns_of(const Lane& lane, std::size_t rank) {
    const auto& legs = lane.definition->legs;
    double bought = 0.0;
    double sold = 0.0;
    for (const strategy::LegSpec& leg : legs) {
        if (leg.rank != rank) continue;
        (leg.side == strategy::Side::short_leg ? sold : bought) += leg.ratio;
    }
    const Key key{lane.ranks[rank], bought, sold};
    const auto known = columns_.find(key);
    if (known != columns_.end()) return known->second;
    search::MetricColumns& out =
        columns_.emplace(key, search::MetricColumns(lane.ranks[rank]->size())).first->second;
    for (std::size_t i = 0; i < legs.size(); ++i) {
        if (legs[i].rank == rank) add_leg(lane, i, out);
    }
    add_distribution(lane, rank, sold > 0.0, out);
    return out;
}

const search::LaneMetrics& MetricBook::of(const Lane& lane) {
    search::LaneMetrics& out = lanes_.emplace_back();
    for (std::size_t r = 0; r < lane.rank_count(); ++r) out.rank[r] = &columns_of(lane, r);
    auto grid = grids_.find(lane.expiry);
    if (grid == grids_.end()) {
        grid = grids_.emplace(lane.expiry, search::kelly_grid(*lane.distribution)).first;
    }
    out.grid = &grid->second;
    out.spot = lane.spot;
    out.days = std::max(chain_.expiries[lane.expiry].dte, 1);
    for (const strategy::LegSpec& leg : lane.definition->legs) {
        const bool sold = leg.side == strategy::Side::short_leg;
        (sold ? out.short_contracts : out.long_contracts) += leg.ratio;
    }
    return out;
}

}  // namespace scanmq::service
