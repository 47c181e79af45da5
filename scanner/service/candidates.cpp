#include "scanner/service/candidates.hpp"

#include <algorithm>

#include "scanner/strategy/legs.hpp"

namespace scanmq::service {
namespace {

using market::Right;
using strategy::LegSpec;
using strategy::Side;

constexpr std::array kRights = {Right::call, Right::put};
constexpr std::array kSides = {Side::long_leg, Side::short_leg};

void add_leg(RankTerms& sum, const RankTerms& leg, double ratio) {
    sum.price += ratio * leg.price;
    sum.delta += ratio * leg.delta;
    sum.day_theta += ratio * leg.day_theta;
    sum.vega += ratio * leg.vega;
    sum.quoted_spread += ratio * leg.quoted_spread;
    sum.leg_liquidity = std::min(sum.leg_liquidity, leg.leg_liquidity);
}

}  // namespace

RowRange rows_of(const market::Expiry& expiry, Right right) noexcept {
    return right == Right::call ? RowRange{expiry.call_begin, expiry.put_begin}
                                : RowRange{expiry.put_begin, expiry.end};
}

double opening_fees(const strategy::Strategy& strategy, double fee_per_contract,
                    std::uint32_t multiplier) noexcept {
    double contracts = 0.0;
    for (const LegSpec& leg : strategy.legs) contracts += leg.ratio;
    return contracts * fee_per_contract / multiplier;
}

ExpiryLegs::ExpiryLegs(const market::PricedChain& chain, const ScanRequest& request,
                       const ScanPlan& plan)
    : chain_(chain), request_(request), plan_(plan), contracts_(chain.chain->size()) {
    for (const strategy::Strategy* each : plan.strategies) {
        for (const LegSpec& leg : each->legs) roles_[index(leg.right, leg.side)].used = true;
    }
}

std::size_t ExpiryLegs::index(Right right, Side side) noexcept {
    return 2 * static_cast<std::size_t>(right) + static_cast<std::size_t>(side);
}

bool ExpiryLegs::quoted(std::uint32_t row, Side side, Counts& counts) const {
    const auto tradable = strategy::tradable_sides(chain_.chain->bid[row], chain_.chain->ask[row]);
    if (tradable.on(side)) {
        ++counts.legs;
        return true;
    }
    ++(tradable.crossed ? counts.legs_crossed : counts.legs_unquoted);
    return false;
}

bool ExpiryLegs::passes(std::uint32_t row, Side side, Counts& counts) const {
    if (plan_.filters.legs.empty()) return true;
    const market::Chain& chain = *chain_.chain;
    const filter::LegQuote quote{chain.bid[row], chain.ask[row],    chain_.greeks[row].delta,
                                 chain_.iv[row], chain.volume[row], chain.open_interest[row]};
    for (const filter::LegFilter& each : plan_.filters.legs) {
        if (!each.applies_to(side)) continue;
        FilterCount& count = counts.filters[each.spec];
        ++count.evaluated;
        const filter::Verdict verdict = each.check(quote);
        if (verdict == filter::Verdict::pass) continue;
        ++count.removed;
        if (verdict == filter::Verdict::missing) ++count.missing;
        return false;
    }
    return true;
}

const ExpiryLegs::Contract& ExpiryLegs::contract(std::uint32_t expiry, std::uint32_t row,
                                                 const strategy::Distribution& distribution) {
    Contract& out = contracts_[row];
    if (out.ready) return out;
    const market::Chain& chain = *chain_.chain;
    out.ready = true;
    out.day_theta = strategy::day_theta(chain_.expiries[expiry], chain.strike[row],
                                        chain.right[row], chain_.iv[row], chain_.greeks[row].price);
    out.leg_liquidity = score::leg_liquidity(chain.bid[row], chain.ask[row], chain.volume[row],
                                             chain.open_interest[row]);
    out.quoted_spread = strategy::quoted_spread(chain.bid[row], chain.ask[row]);
    out.below = distribution.below(chain.strike[row]);
    return out;
}

void ExpiryLegs::load_role(std::uint32_t expiry, Right right, Side side,
                           const strategy::Distribution& distribution, Counts& counts) {
    const market::Chain& chain = *chain_.chain;
    const strategy::TickRule ticks = strategy::tick_rule(chain.expiries[expiry].root);
    RankList& list = roles_[index(right, side)].list;
    list.clear();
    const double sign = strategy::sign(side);
    const RowRange rows = rows_of(chain.expiries[expiry], right);
    for (std::uint32_t row = rows.begin; row < rows.end; ++row) {
        if (!quoted(row, side, counts) || !passes(row, side, counts)) continue;
        const Contract& shared = contract(expiry, row, distribution);
        const double bid = chain.bid[row];
        const double ask = chain.ask[row];
        RankTerms terms;
        terms.strike = chain.strike[row];
        terms.price = side == Side::long_leg
                          ? strategy::buy_price(bid, ask, request_.fill, ticks)
                          : -strategy::sell_price(bid, ask, request_.fill, ticks);
        terms.delta = sign * chain_.greeks[row].delta;
        terms.day_theta = sign * shared.day_theta;
        terms.vega = sign * chain_.greeks[row].vega;
        terms.quoted_spread = shared.quoted_spread;
        terms.leg_liquidity = shared.leg_liquidity;
        terms.below = shared.below;
        terms.row[0] = row;
        list.strikes.push_back(terms.strike);
        list.terms.push_back(terms);
    }
}

void ExpiryLegs::load(std::uint32_t expiry, const strategy::Distribution& distribution,
                      Counts& counts) {
    for (const Right right : kRights) {
        for (const Side side : kSides) {
            if (roles_[index(right, side)].used) {
                load_role(expiry, right, side, distribution, counts);
            }
        }
    }
}

void ExpiryLegs::count_removed_by_dte(std::uint32_t expiry, Counts& counts) {
    FilterCount& count = counts.filters[plan_.filters.dte->spec];
    for (const Right right : kRights) {
        const RowRange rows = rows_of(chain_.chain->expiries[expiry], right);
        for (const Side side : kSides) {
            if (!roles_[index(right, side)].used) continue;
            for (std::uint32_t row = rows.begin; row < rows.end; ++row) {
                if (!quoted(row, side, counts)) continue;
                ++count.evaluated;
                ++count.removed;
            }
        }
    }
}

const RankList& ExpiryLegs::rank(const strategy::Strategy& strategy, std::size_t rank,
                                 RankList& scratch) const {
    std::array<const LegSpec*, strategy::kMaxLegsPerRank> legs{};
    std::size_t count = 0;
    for (const LegSpec& leg : strategy.legs) {
        if (leg.rank == rank) legs[count++] = &leg;
    }
    const RankList& first = roles_[index(legs[0]->right, legs[0]->side)].list;
    if (count == 1 && legs[0]->ratio == 1) return first;

    scratch.clear();
    for (std::size_t i = 0; i < first.terms.size(); ++i) {
        const double strike = first.strikes[i];
        RankTerms sum;
        sum.strike = strike;
        sum.below = first.terms[i].below;
        sum.leg_liquidity = first.terms[i].leg_liquidity;
        sum.row = first.terms[i].row;
        add_leg(sum, first.terms[i], legs[0]->ratio);
        if (count == 2) {
            const RankList& second = roles_[index(legs[1]->right, legs[1]->side)].list;
            const auto at = std::ranges::lower_bound(second.strikes, strike);
            if (at == second.strikes.end() || *at != strike) continue;
            const auto position = static_cast<std::size_t>(at - second.strikes.begin());
            add_leg(sum, second.terms[position], legs[1]->ratio);
            sum.row[1] = second.terms[position].row[0];
        }
        scratch.strikes.push_back(strike);
        scratch.terms.push_back(sum);
    }
    return scratch;
}

}  // namespace scanmq::service
