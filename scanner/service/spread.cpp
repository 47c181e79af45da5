// From candidate to finished spread: every figure a user sees, for the few that are kept.

#include <algorithm>
#include <cmath>

#include "scanner/score/explain.hpp"
#include "scanner/service/assignment.hpp"
#include "scanner/service/considered.hpp"

namespace scanmq::service {
namespace {

using filter::SpreadMetric;

double finite_or_missing(double value) { return std::isfinite(value) ? value : kMissing; }

std::uint32_t expiry_of(const Candidate& candidate, const strategy::LegSpec& spec) {
    return spec.expiry > 0 ? candidate.back : candidate.expiry;
}

SpreadLeg build_leg(const market::PricedChain& priced, const ScanRequest& request,
                    std::uint32_t expiry, std::uint32_t row, const strategy::LegSpec& spec,
                    double day_theta) {
    const market::Chain& chain = *priced.chain;
    const market::Expiry& contract = chain.expiries[expiry];
    const pricing::Greeks& greeks = priced.greeks[row];
    const strategy::TickRule ticks = ticks_of(request, contract.root);
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
                  .theta_day = day_theta,
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

// At-the-money volatility of the root's next expiry less this one's, per year.
double term_slope(const market::PricedChain& priced, std::uint32_t expiry) {
    const auto& expiries = priced.chain->expiries;
    const market::ExpiryMarket& here = priced.expiries[expiry];
    for (std::uint32_t next = expiry + 1; next < expiries.size(); ++next) {
        const market::ExpiryMarket& later = priced.expiries[next];
        if (expiries[next].root != expiries[expiry].root || !(later.years > here.years)) continue;
        if (!(later.atm_volatility > 0.0)) continue;
        return (later.atm_volatility - here.atm_volatility) / (later.years - here.years);
    }
    return kMissing;
}

// The candidate's lane with the columns of it alone.
class OneCandidate {
  public:
    OneCandidate(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan,
                 const ScanInputs& inputs, const LegBook& book, const Candidate& candidate)
        : lane_(bare_lane({chain, request, plan, inputs, *book[candidate.expiry].distribution},
                          candidate.expiry, candidate.back, candidate.strategy)) {
        const auto& legs = lane_.definition->legs;
        for (std::size_t i = 0; i < legs.size(); ++i) {
            const std::size_t rank = legs[i].rank;
            strategy::LegColumns& one = leg_[i];
            one.append(book.leg(expiry_of(candidate, legs[i]), candidate.row[i], legs[i].side));
            const bool second = i > 0 && legs[i - 1].rank == rank;
            if (second) {
                strategy::combine(leg_[i - 1], legs[i - 1].ratio, &one, legs[i].ratio, rank_[rank]);
            } else {
                strategy::combine(one, legs[i].ratio, nullptr, 0.0, rank_[rank]);
            }
        }
        for (std::size_t r = 0; r < lane_.rank_count(); ++r) {
            lane_.ranks[r] = &rank_[r];
            levels_.strike[r] = rank_[r].strike[0];
            levels_.below[r] = rank_[r].below[0];
            sum_ = sum_.with(rank_[r], 0);
        }
    }
    OneCandidate(const OneCandidate&) = delete;
    OneCandidate& operator=(const OneCandidate&) = delete;

    [[nodiscard]] const Lane& lane() const noexcept { return lane_; }
    [[nodiscard]] const Levels& levels() const noexcept { return levels_; }
    [[nodiscard]] const Sums& sum() const noexcept { return sum_; }
    [[nodiscard]] const LanePlace& place() const noexcept { return place_; }
    // Of the contract, whichever side the leg has.
    [[nodiscard]] double day_theta(std::size_t leg) const noexcept {
        return strategy::sign(lane_.definition->legs[leg].side) * leg_[leg].day_theta[0];
    }

  private:
    Lane lane_;
    std::array<strategy::LegColumns, strategy::kMaxLegs> leg_;
    std::array<strategy::LegColumns, strategy::kMaxRanks> rank_;
    Levels levels_;
    Sums sum_;
    LanePlace place_{};
};

template <class Pay>
double kelly_of(const Considered& c, const Pay& payoff) {
    return strategy::kelly_fraction(payoff, c.risk, c.levels.strike.data(), c.lane.rank_count(),
                                    *c.lane.distribution);
}

std::span<const double> breakevens_of(const strategy::Breakevens& all) { return all.view(); }
std::span<const double> breakevens_of(std::span<const double> all) { return all; }

template <class Pay>
void take_payoff(Spread& spread, Considered& c, const Pay& payoff) {
    take_extremes(c, payoff);
    spread.max_profit = payoff.max_profit();
    spread.max_loss = c.max_loss;
    spread.gain = c.gain;
    spread.risk = c.risk;
    const auto levels = payoff.breakevens();
    const auto view = breakevens_of(levels);
    spread.breakevens.assign(view.begin(), view.end());
    const auto metric = [&](SpreadMetric which) {
        return finite_or_missing(payoff_metric(which, c, payoff));
    };
    spread.pop = metric(SpreadMetric::pop);
    spread.ev = metric(SpreadMetric::ev);
    spread.p_half_at_expiry = metric(SpreadMetric::p_half_at_expiry);
    spread.p_max_loss = metric(SpreadMetric::p_max_loss);
    spread.breakeven_distance = metric(SpreadMetric::breakeven_distance);
    spread.iv_edge = metric(SpreadMetric::iv_edge);
    const strategy::Margin margin = c.margin();
    spread.margin = finite_or_missing(margin.requirement);
    spread.buying_power = finite_or_missing(margin.buying_power);
    if (!(c.risk > 0.0)) return;
    spread.return_on_risk = c.gain / c.risk;
    spread.return_per_day = metric(SpreadMetric::return_per_day);
    spread.annual_return = metric(SpreadMetric::annual_return);
    spread.kelly = kelly_of(c, payoff);
}

void take_market(Spread& spread, const market::PricedChain& chain, const ScanInputs& inputs,
                 const Candidate& candidate) {
    const market::ExpiryMarket& expiry = chain.expiries[candidate.expiry];
    spread.dte = expiry.dte;
    if (candidate.back != kNoExpiry) spread.back_dte = chain.expiries[candidate.back].dte;
    spread.move_1sd = expiry.move_1sd;
    spread.move_straddle = expiry.move_straddle;
    spread.skew = expiry.skew;
    spread.term_slope = term_slope(chain, candidate.expiry);
    spread.iv_hv = expiry.atm_volatility - inputs.realised;
    spread.iv_rank = inputs.iv_rank;
    spread.iv_percentile = inputs.iv_percentile;
}

}  // namespace

Spread build_spread(const market::PricedChain& chain, const ScanRequest& request,
                    const ScanPlan& plan, const ScanInputs& inputs, const LegBook& book,
                    const Candidate& candidate) {
    const OneCandidate one(chain, request, plan, inputs, book, candidate);
    const Lane& lane = one.lane();
    const strategy::Strategy& definition = *lane.definition;
    Spread spread;
    spread.symbol = chain.chain->symbol;
    spread.as_of = request.as_of.value_or(chain.chain->as_of);
    spread.strategy = definition.name;
    spread.greeks = {lane.shares, 0.0, 0.0, 0.0, 0.0};
    for (std::size_t i = 0; i < definition.legs.size(); ++i) {
        const strategy::LegSpec& spec = definition.legs[i];
        const std::uint32_t expiry = expiry_of(candidate, spec);
        spread.legs.push_back(
            build_leg(chain, request, expiry, candidate.row[i], spec, one.day_theta(i)));
        SpreadLeg& leg = spread.legs.back();
        add_leg(spread.greeks, leg.greeks, strategy::sign(leg.side) * leg.ratio);
        if (spec.side == strategy::Side::long_leg) continue;
        leg.p_touch = touch_probability_of(chain, lane, leg.strike);
        leg.assignment = assignment_of(chain, inputs, expiry, candidate.row[i]);
    }
    take_market(spread, chain, inputs, candidate);
    spread.stock = definition.stock;
    if (lane.shares > 0.0) spread.stock_price = lane.spot;
    spread.net_price = one.sum().price + lane.stock;
    spread.fees = lane.fees;
    spread.width = wing_width(definition, one.levels().strike.data());
    spread.components.fill(kMissing);

    Considered c{chain, lane, one.levels(), one.sum(), one.place()};
    const double cost = spread.net_price + lane.fees;
    if (lane.between) {
        std::array<strategy::BackLeg, strategy::kMaxLegs> back{};
        std::size_t count = 0;
        LaterLegs later(chain, lane);
        if (!back_legs(c, later, back, count)) return spread;
        take_payoff(
            spread, c,
            strategy::TwoExpiryPayoff(lane.shape, c.levels.strike.data(), {back.data(), count},
                                      *lane.between, *lane.distribution, cost));
    } else {
        take_payoff(spread, c, strategy::Payoff(lane.shape, c.levels.strike.data(), cost));
    }
    if (!(candidate.risk > 0.0)) return spread;  // an arbitrage quote: nothing to score against
    score::Inputs in = score_inputs(c);
    in.pop = spread.pop;
    spread.components = score::components(in, lane.scale, lane.delta, lane.vega);
    spread.score = candidate.score;
    spread.reason = score::explain(spread.components, plan.weights);
    return spread;
}

}  // namespace scanmq::service
