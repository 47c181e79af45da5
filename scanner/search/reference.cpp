#include "scanner/search/reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace scanmq::search {

Evaluated evaluate(const Lane& lane, const Place& place) {
    std::array<double, kRanksMax> strike{};
    std::array<double, kRanksMax> below{};
    Evaluated out;
    score::Inputs& in = out.inputs;
    in.leg_liquidity = std::numeric_limits<double>::infinity();
    in.width = market::kMissing;
    double model = 0.0;
    double abs_vega = 0.0;
    for (std::size_t r = 0; r < lane.ranks(); ++r) {
        const RankTerms t = lane.rank[r]->at(place[r]);
        strike[r] = t.strike;
        below[r] = t.below;
        out.net_price += t.price;
        in.delta += t.delta;
        in.day_theta += t.day_theta;
        in.vega += t.vega;
        in.quoted_spread += t.quoted_spread;
        in.leg_liquidity = std::min(in.leg_liquidity, t.leg_liquidity);
        model += t.model_value;
        abs_vega += t.abs_vega;
        if (r == 0 || !lane.wing(r - 1)) continue;
        const double gap = strike[r] - strike[r - 1];
        if (!(in.width >= gap)) in.width = gap;
    }
    in.fees = lane.fees;
    const double cost = out.net_price + lane.fees;
    const strategy::Payoff payoff(lane.shape, strike.data(), cost);
    in.gain = payoff.max_profit();
    in.risk = payoff.max_loss();
    in.pop = std::clamp(payoff.profit_probability(lane.distribution, below.data()), 0.0, 1.0);
    in.edge = score::volatility_edge(model, out.net_price, abs_vega, in.vega, lane.iv_rank);
    out.ev = payoff.expected_value(lane.distribution);
    out.breakevens = payoff.breakevens();
    out.score = market::kMissing;
    out.gate = gate_of(lane, in.gain, in.risk);
    if (out.gate != Gate::ranked) return out;
    out.components = score::components(in, lane.scale, lane.delta, lane.vega);
    out.score = score::weighted(out.components, lane.weights);
    if (std::isnan(out.score)) out.gate = Gate::unscored;
    return out;
}

}  // namespace scanmq::search
