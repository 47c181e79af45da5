#include "scanner/service/lane.hpp"

#include <algorithm>

#include "scanner/market/contract.hpp"

namespace scanmq::service {

double opening_fees(const strategy::Strategy& strategy, double fee_per_contract,
                    std::uint32_t multiplier) noexcept {
    double contracts = 0.0;
    for (const strategy::LegSpec& leg : strategy.legs) contracts += leg.ratio;
    return contracts * fee_per_contract / multiplier;
}

bool has_stock(const market::PricedChain& chain, std::uint32_t expiry) noexcept {
    // Every European root that is listed is an index; whatever is not listed is a stock or a fund.
    const market::RootTerms terms = market::root_terms(chain.chain->expiries[expiry].root);
    return terms.style == market::ExerciseStyle::american && chain.spot > 0.0;
}

const std::vector<std::uint32_t>& rows_of_leg(const Lane& lane, std::size_t leg) noexcept {
    const auto& legs = lane.definition->legs;
    const std::size_t rank = legs[leg].rank;
    const bool second = leg > 0 && legs[leg - 1].rank == rank;
    return second ? lane.ranks[rank]->second_row : lane.ranks[rank]->row;
}

Lane bare_lane(const LaneParts& parts, std::uint32_t expiry, std::uint32_t back,
               std::size_t strategy) {
    const market::ExpiryMarket& market = parts.chain.expiries[expiry];
    const std::string& root = parts.chain.chain->expiries[expiry].root;
    const auto& width = parts.plan.filters.width;
    strategy::WidthBounds wings;
    if (width) wings = {std::max(width->bounds.min, 0.0), width->bounds.max};

    Lane lane;
    lane.expiry = expiry;
    lane.strategy = static_cast<std::uint16_t>(strategy);
    lane.definition = parts.plan.strategies[strategy];
    lane.shape = strategy::payoff_shape(*lane.definition);
    lane.gaps = strategy::gap_bounds(*lane.definition, wings);
    lane.distribution = &parts.distribution;
    if (lane.definition->expiries() > 1) {
        const market::ExpiryMarket& later = parts.chain.expiries[back];
        lane.back = back;
        lane.between = strategy::TwoExpiryMarket::between(
            {market.forward, market.discount, market.years},
            {later.forward, later.discount, later.years}, later.atm_volatility);
    }
    lane.ticks = ticks_of(parts.request, root);
    lane.fill = parts.request.fill;
    lane.margin = margin_of(parts.request, root);
    lane.fees = opening_fees(*lane.definition, parts.request.fee_per_contract,
                             parts.chain.chain->multiplier);
    lane.spot = parts.chain.spot > 0.0 ? parts.chain.spot : market.spot;
    lane.shares = lane.definition->stock;
    lane.stock = lane.shares > 0.0 ? lane.shares * lane.spot : 0.0;
    lane.iv_rank = parts.inputs.iv_rank;
    lane.scale = score::scale_of(market.forward, market.atm_volatility, market.years);
    lane.delta = parts.request.delta_stance.value_or(lane.definition->delta);
    lane.vega = parts.request.vega_stance.value_or(lane.definition->vega);
    return lane;
}

Lane LaneMaker::make(std::uint32_t expiry, std::uint32_t back, std::size_t strategy) {
    Lane lane = bare_lane({chain_, request_, plan_, inputs_, *book_[expiry].distribution}, expiry,
                          back, strategy);
    for (const strategy::LegSpec& leg : lane.definition->legs) {
        const ExpiryLegs& legs = book_[leg.expiry > 0 ? back : expiry];
        lane.exercise_pays =
            lane.exercise_pays || (leg.side == strategy::Side::long_leg &&
                                   legs.exercise_pays[ExpiryLegs::index(leg.right, leg.side)]);
    }
    for (std::size_t r = 0; r < lane.shape.ranks; ++r) {
        lane.ranks[r] = &book_.rank(*lane.definition, r, expiry, back, scratch_[r]);
    }
    return lane;
}

}  // namespace scanmq::service
