// From candidate to finished spread: every figure a user sees, for the few that are kept.

#include <algorithm>

#include "scanner/service/candidates.hpp"
#include "scanner/strategy/legs.hpp"

namespace scanmq::service {
namespace {

constexpr double kPoint = 0.01;  // volatility and rate moves are shown per point

SpreadLeg build_leg(const market::PricedChain& priced, const ScanRequest& request,
                    std::uint32_t expiry, std::uint32_t row, const strategy::LegSpec& spec) {
    const market::Chain& chain = *priced.chain;
    const market::Expiry& contract = chain.expiries[expiry];
    const pricing::Greeks& greeks = priced.greeks[row];
    const strategy::TickRule ticks = strategy::tick_rule(contract.root);
    SpreadLeg leg;
    leg.root = contract.root;
    leg.expiry = contract.date;
    leg.settlement = contract.settlement;
    leg.strike = chain.strike[row];
    leg.right = spec.right;
    leg.side = spec.side;
    leg.ratio = spec.ratio;
    leg.bid = chain.bid[row];
    leg.ask = chain.ask[row];
    leg.last = chain.last[row];
    leg.fill = spec.side == strategy::Side::long_leg
                   ? strategy::buy_price(leg.bid, leg.ask, request.fill, ticks)
                   : strategy::sell_price(leg.bid, leg.ask, request.fill, ticks);
    leg.iv = priced.iv[row];
    leg.greeks = {.delta = greeks.delta,
                  .gamma = greeks.gamma,
                  .theta_day = strategy::day_theta(priced.expiries[expiry], leg.strike, leg.right,
                                                   leg.iv, greeks.price),
                  .vega_point = kPoint * greeks.vega,
                  .rho_point = kPoint * greeks.rho};
    leg.volume = chain.volume[row];
    leg.open_interest = chain.open_interest[row];
    return leg;
}

void add_leg(ShownGreeks& sum, const ShownGreeks& leg, double quantity) {
    sum.delta += quantity * leg.delta;
    sum.gamma += quantity * leg.gamma;
    sum.theta_day += quantity * leg.theta_day;
    sum.vega_point += quantity * leg.vega_point;
    sum.rho_point += quantity * leg.rho_point;
}

// The figures of the legs together, in the order the scan adds them up.
struct Totals {
    std::array<double, strategy::kMaxRanks> strike{};
    std::array<double, strategy::kMaxRanks> below{};
    double quoted_spread{};
    double leg_liquidity{};
};

Totals total(Spread& spread, const strategy::Strategy& definition,
             const strategy::Distribution& distribution) {
    Totals out;
    out.leg_liquidity = std::numeric_limits<double>::infinity();
    spread.net_price = 0.0;
    spread.width = 0.0;
    spread.greeks = {0.0, 0.0, 0.0, 0.0, 0.0};
    for (std::size_t i = 0; i < spread.legs.size(); ++i) {
        const SpreadLeg& leg = spread.legs[i];
        const std::size_t rank = definition.legs[i].rank;
        const double quantity = strategy::sign(leg.side) * leg.ratio;
        spread.net_price += quantity * leg.fill;
        add_leg(spread.greeks, leg.greeks, quantity);
        out.strike[rank] = leg.strike;
        out.below[rank] = distribution.below(leg.strike);
        out.quoted_spread += leg.ratio * strategy::quoted_spread(leg.bid, leg.ask);
        out.leg_liquidity =
            std::min(out.leg_liquidity,
                     score::leg_liquidity(leg.bid, leg.ask, leg.volume, leg.open_interest));
        if (rank > 0) spread.width = std::max(spread.width, leg.strike - out.strike[rank - 1]);
    }
    return out;
}

}  // namespace

Spread build_spread(const market::PricedChain& chain, const ScanRequest& request,
                    const ScanPlan& plan, const Candidate& candidate) {
    const strategy::Strategy& definition = *plan.strategies[candidate.strategy];
    const market::ExpiryMarket& expiry = chain.expiries[candidate.expiry];
    const strategy::Distribution distribution(
        expiry.forward,
        market::Smile::flat(expiry.atm_volatility * expiry.atm_volatility * expiry.years));
    Spread spread;
    spread.symbol = chain.chain->symbol;
    spread.strategy = definition.name;
    spread.dte = expiry.dte;
    for (std::size_t i = 0; i < definition.legs.size(); ++i) {
        spread.legs.push_back(
            build_leg(chain, request, candidate.expiry, candidate.row[i], definition.legs[i]));
    }
    const Totals totals = total(spread, definition, distribution);
    spread.fees = opening_fees(definition, request.fee_per_contract, chain.chain->multiplier);

    const strategy::PayoffShape shape = strategy::payoff_shape(definition);
    const strategy::Payoff payoff(shape, totals.strike.data(), spread.net_price + spread.fees);
    spread.max_profit = payoff.max_profit();
    spread.max_loss = payoff.max_loss();
    const strategy::Breakevens breakevens = payoff.breakevens();
    spread.breakevens.assign(breakevens.view().begin(), breakevens.view().end());
    spread.pop = payoff.profit_probability(distribution, totals.below.data());
    spread.ev = payoff.expected_value(distribution);
    spread.components.fill(kMissing);
    if (!(candidate.risk > 0.0)) return spread;  // an arbitrage quote: nothing to score against

    const score::Inputs in{.pop = spread.pop,
                           .gain = spread.max_profit,
                           .risk = spread.max_loss,
                           .leg_liquidity = totals.leg_liquidity,
                           .quoted_spread = totals.quoted_spread,
                           .fees = spread.fees,
                           .delta = spread.greeks.delta,
                           .day_theta = spread.greeks.theta_day,
                           .vega = spread.greeks.vega_point / kPoint,
                           .width = spread.width};
    spread.components =
        score::components(in, score::scale_of(expiry.forward, expiry.atm_volatility, expiry.years),
                          request.delta_stance.value_or(definition.delta),
                          request.vega_stance.value_or(definition.vega));
    spread.score = candidate.score;
    return spread;
}

}  // namespace scanmq::service
