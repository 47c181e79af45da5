#include "scanner/service/considered.hpp"

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::service {
namespace {

using filter::SpreadMetric;

double mean_iv_edge(const Considered& c) {
    double sum[2] = {};
    double count[2] = {};
    const auto rows = c.rows();
    const auto& legs = c.lane.definition->legs;
    for (std::size_t i = 0; i < legs.size(); ++i) {
        const auto side = static_cast<std::size_t>(legs[i].side);
        sum[side] += legs[i].ratio * c.chain.iv[rows[i]];
        count[side] += legs[i].ratio;
    }
    return sum[1] / count[1] - sum[0] / count[0];  // NaN without both sides
}

double quote_skew(const Considered& c) {
    const market::Chain& chain = *c.chain.chain;
    if (chain.quoted.empty()) return kMissing;
    WallMillis oldest = std::numeric_limits<WallMillis>::max();
    WallMillis newest = 0;
    const auto rows = c.rows();
    for (std::size_t i = 0; i < c.lane.definition->legs.size(); ++i) {
        const WallMillis quoted = chain.quoted[rows[i]];
        if (quoted <= 0) return kMissing;
        oldest = std::min(oldest, quoted);
        newest = std::max(newest, quoted);
    }
    return static_cast<double>(newest - oldest) / 1'000.0;
}

double net_greek(const Considered& c, double pricing::Greeks::*greek) {
    double sum = 0.0;
    const auto rows = c.rows();
    const auto& legs = c.lane.definition->legs;
    for (std::size_t i = 0; i < legs.size(); ++i) {
        sum += strategy::sign(legs[i].side) * legs[i].ratio * (c.chain.greeks[rows[i]].*greek);
    }
    return sum;
}

double largest_touch(const Considered& c) {
    double largest = kMissing;
    for (const strategy::LegSpec& leg : c.lane.definition->legs) {
        if (leg.side != strategy::Side::short_leg) continue;
        const double each = touch_probability_of(c.chain, c.lane, c.levels.strike[leg.rank]);
        if (!(largest >= each)) largest = each;
    }
    return largest;
}

double breakeven_distance(std::span<const double> breakevens, double spot) {
    double nearest = kMissing;
    for (const double level : breakevens) {
        const double distance = std::fabs(level - spot) / spot;
        if (!(nearest <= distance)) nearest = distance;
    }
    return nearest;
}

}  // namespace

double wing_width(const strategy::Strategy& strategy, const double* strikes) noexcept {
    double width = kMissing;
    for (std::size_t i = 0; i + 1 < strategy.ranks(); ++i) {
        if (!strategy::is_wing(strategy.gaps[i])) continue;
        const double each = strikes[i + 1] - strikes[i];
        if (!(width >= each)) width = each;
    }
    return width;
}

std::array<std::uint32_t, strategy::kMaxLegs> Considered::rows() const noexcept {
    std::array<std::uint32_t, strategy::kMaxLegs> out{};
    const auto& legs = lane.definition->legs;
    for (std::size_t i = 0; i < legs.size(); ++i) {
        out[i] = rows_of_leg(lane, i)[place[legs[i].rank]];
    }
    return out;
}

strategy::Margin Considered::margin() const noexcept {
    std::array<strategy::MarginLeg, strategy::kMaxLegs> legs{};
    const auto& specs = lane.definition->legs;
    const auto row = rows();
    const market::Chain& quotes = *chain.chain;
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const double bid = quotes.bid[row[i]];
        const double ask = quotes.ask[row[i]];
        legs[i] = {.right = specs[i].right,
                   .side = specs[i].side,
                   .ratio = static_cast<double>(specs[i].ratio),
                   .strike = levels.strike[specs[i].rank],
                   .price = specs[i].side == strategy::Side::long_leg
                                ? strategy::buy_price(bid, ask, lane.fill, lane.ticks)
                                : strategy::sell_price(bid, ask, lane.fill, lane.ticks),
                   .expiry = specs[i].expiry};
    }
    return strategy::margin({.legs = {legs.data(), specs.size()},
                             .max_loss = max_loss,
                             .fees = lane.fees,
                             .spot = lane.spot,
                             .rate = lane.margin,
                             .shares = lane.shares,
                             .cash_secured = lane.definition->cash_secured});
}

bool exercise_pays(const Considered& c) noexcept {
    const auto& specs = c.lane.definition->legs;
    const auto row = c.rows();
    for (std::size_t i = 0; i < specs.size(); ++i) {
        if (specs[i].side != strategy::Side::long_leg) continue;
        const double price = strategy::buy_price(
            c.chain.chain->bid[row[i]], c.chain.chain->ask[row[i]], c.lane.fill, c.lane.ticks);
        if (exercise_gain(c.chain, row[i], price) > 0.0) return true;
    }
    return false;
}

score::Inputs score_inputs(const Considered& c) noexcept {
    const Sums& sum = c.sum;
    return {.pop = 0.0,
            .gain = c.gain,
            .risk = c.risk,
            .leg_liquidity = sum.liquidity,
            .quoted_spread = sum.quoted_spread,
            .fees = c.lane.fees,
            .delta = sum.delta + c.lane.shares,
            .day_theta = sum.day_theta,
            .vega = sum.vega,
            .width = wing_width(*c.lane.definition, c.levels.strike.data()),
            .edge = score::volatility_edge(sum.model, sum.price, sum.abs_vega, sum.vega,
                                           c.lane.iv_rank)};
}

double plain_metric(SpreadMetric metric, const Considered& c) noexcept {
    const double days = std::max(c.chain.expiries[c.lane.expiry].dte, 1);
    switch (metric) {
        case SpreadMetric::theta:
            return c.sum.day_theta;
        case SpreadMetric::vega:
            return kPoint * c.sum.vega;
        case SpreadMetric::net_delta:
            return c.sum.delta + c.lane.shares;
        case SpreadMetric::net_price:
            return c.sum.price + c.lane.stock;
        case SpreadMetric::max_risk:
            return c.risk;
        case SpreadMetric::risk_reward:
            return c.gain / c.risk;
        case SpreadMetric::credit_width:
            return -c.sum.price / wing_width(*c.lane.definition, c.levels.strike.data());
        case SpreadMetric::net_gamma:
            return net_greek(c, &pricing::Greeks::gamma);
        case SpreadMetric::rho:
            return kPoint * net_greek(c, &pricing::Greeks::rho);
        case SpreadMetric::iv_edge:
            return mean_iv_edge(c);
        case SpreadMetric::quote_skew:
            return quote_skew(c);
        case SpreadMetric::margin:
            return c.margin().buying_power;
        case SpreadMetric::margin_efficiency:
            return c.gain / c.margin().requirement;
        case SpreadMetric::return_per_day:
            return c.gain / c.risk / days;
        case SpreadMetric::annual_return:
            return c.gain / c.risk / days * 365.0;
        case SpreadMetric::p_touch:
            return largest_touch(c);
        case SpreadMetric::breakeven_distance:
        case SpreadMetric::pop:
        case SpreadMetric::p_half_at_expiry:
        case SpreadMetric::p_max_loss:
        case SpreadMetric::ev:
        case SpreadMetric::ev_risk:
            break;
    }
    return kMissing;
}

double payoff_metric(SpreadMetric metric, const Considered& c,
                     const strategy::Payoff& payoff) noexcept {
    const auto above = [&c](double level) {
        const strategy::Payoff moved(c.lane.shape, c.levels.strike.data(),
                                     c.sum.price + c.lane.stock + c.lane.fees + level);
        return pop_of(moved, c.lane, c.levels);
    };
    switch (metric) {
        case SpreadMetric::breakeven_distance:
            return breakeven_distance(payoff.breakevens().view(), c.lane.spot);
        case SpreadMetric::pop:
            return pop_of(payoff, c.lane, c.levels);
        case SpreadMetric::p_half_at_expiry:
            return above(0.5 * c.gain);
        case SpreadMetric::p_max_loss:
            if (std::isinf(c.max_loss)) return kMissing;
            return std::clamp(payoff.loss_probability(c.levels.below.data()), 0.0, 1.0);
        case SpreadMetric::ev:
            return payoff.expected_value(*c.lane.distribution);
        case SpreadMetric::ev_risk:
            return payoff.expected_value(*c.lane.distribution) / c.risk;
        default:
            return plain_metric(metric, c);
    }
}

double payoff_metric(SpreadMetric metric, const Considered& c,
                     const strategy::TwoExpiryPayoff& payoff) noexcept {
    switch (metric) {
        case SpreadMetric::breakeven_distance:
            return breakeven_distance(payoff.breakevens(), c.lane.spot);
        case SpreadMetric::pop:
            return pop_of(payoff, c.lane, c.levels);
        case SpreadMetric::p_half_at_expiry:
            return payoff.probability_above(0.5 * c.gain);
        case SpreadMetric::p_max_loss:
            if (std::isinf(c.max_loss)) return kMissing;
            return 1.0 - payoff.probability_above(-c.max_loss +
                                                  strategy::kMaxLossRoom * (1.0 + c.max_loss));
        case SpreadMetric::ev:
            return payoff.expected_value();
        case SpreadMetric::ev_risk:
            return payoff.expected_value() / c.risk;
        default:
            return plain_metric(metric, c);
    }
}

double touch_probability_of(const market::PricedChain& chain, const Lane& lane,
                            double strike) noexcept {
    const market::ExpiryMarket& expiry = chain.expiries[lane.expiry];
    const double k = portable::log(strike / lane.distribution->forward());
    return strategy::touch_probability(
        {.barrier = strike,
         .spot = lane.spot,
         .carry = portable::log(expiry.forward / lane.spot) / expiry.years,
         .volatility = lane.distribution->smile().volatility(k, expiry.years),
         .years = expiry.years});
}

Candidate candidate_at(const Considered& c, double score) noexcept {
    return {.score = score,
            .risk = c.risk,
            .expiry = c.lane.expiry,
            .back = c.lane.back,
            .strategy = c.lane.strategy,
            .row = c.rows()};
}

bool back_legs(const Considered& c, LaterLegs& later,
               std::array<strategy::BackLeg, strategy::kMaxLegs>& out, std::size_t& count) {
    count = 0;
    const auto rows = c.rows();
    const auto& legs = c.lane.definition->legs;
    for (std::size_t i = 0; i < legs.size(); ++i) {
        if (legs[i].expiry == 0) continue;
        const double volatility = c.chain.iv[rows[i]];
        if (!(volatility > 0.0)) return false;
        out[count++] = {.right = legs[i].right,
                        .quantity = strategy::sign(legs[i].side) * legs[i].ratio,
                        .strike = c.levels.strike[legs[i].rank],
                        .volatility = volatility,
                        .american = later.curve(i, c.place[legs[i].rank])};
    }
    return true;
}

}  // namespace scanmq::service
