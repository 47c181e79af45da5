#include "scanner/service/leg_book.hpp"

#include <algorithm>
#include <cmath>

#include "scanner/strategy/fill.hpp"
#include "scanner/strategy/legs.hpp"

namespace scanmq::service {
namespace {

using market::Right;
using strategy::LegColumns;
using strategy::LegSpec;
using strategy::Side;

constexpr std::array kRights = {Right::call, Right::put};
constexpr std::array kSides = {Side::long_leg, Side::short_leg};

bool usable(const market::ExpiryMarket& expiry) {
    return expiry.forward > 0.0 && expiry.atm_volatility > 0.0 && expiry.years > 0.0;
}

// Listed strikes between this one and the forward: 0 for those next to it.
double strikes_from_money(const market::Chain& chain, RowRange rows, double strike,
                          double forward) {
    const auto begin = chain.strike.begin() + rows.begin;
    const auto end = chain.strike.begin() + rows.end;
    const auto money = std::lower_bound(begin, end, forward);
    const auto here = std::lower_bound(begin, end, strike);
    return static_cast<double>(here < money ? money - here - 1 : here - money);
}

}  // namespace

RowRange rows_of(const market::Expiry& expiry, Right right) noexcept {
    return right == Right::call ? RowRange{expiry.call_begin, expiry.put_begin}
                                : RowRange{expiry.put_begin, expiry.end};
}

ContractTerms contract_terms(const market::PricedChain& priced, std::uint32_t row,
                             const market::ContractValues& values,
                             const strategy::Distribution& distribution) {
    const market::Chain& chain = *priced.chain;
    return {.day_theta = values.day_theta,
            .liquidity = score::leg_liquidity(chain.bid[row], chain.ask[row], chain.volume[row],
                                              chain.open_interest[row]),
            .quoted_spread = strategy::quoted_spread(chain.bid[row], chain.ask[row]),
            .below = distribution.below(chain.strike[row]),
            .model = values.model};
}

LegColumns::Row leg_row(const market::PricedChain& priced, strategy::Fill fill,
                        const strategy::TickRule& ticks, std::uint32_t row, Side side,
                        const ContractTerms& terms) {
    const market::Chain& chain = *priced.chain;
    const pricing::Greeks& greeks = priced.greeks[row];
    const double sign = strategy::sign(side);
    const double bid = chain.bid[row];
    const double ask = chain.ask[row];
    return {.strike = chain.strike[row],
            .price = side == Side::long_leg ? strategy::buy_price(bid, ask, fill, ticks)
                                            : -strategy::sell_price(bid, ask, fill, ticks),
            .delta = sign * greeks.delta,
            .day_theta = sign * terms.day_theta,
            .vega = sign * greeks.vega,
            .abs_vega = std::fabs(greeks.vega),
            .model = sign * terms.model,
            .quoted_spread = terms.quoted_spread,
            .liquidity = terms.liquidity,
            .below = terms.below,
            .row = row};
}

LegBook::LegBook(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan,
                 const ScanInputs& inputs)
    : chain_(chain),
      request_(request),
      plan_(plan),
      inputs_(inputs),
      now_(request.as_of.value_or(chain.chain->as_of)),
      expiries_(chain.expiries.size()) {
    counts_strikes_ = std::ranges::any_of(plan.filters.legs, [](const filter::LegFilter& each) {
        const auto* figure = std::get_if<filter::FigureTest>(&each.test);
        return figure != nullptr && figure->figure == &filter::LegQuote::from_money;
    });
    for (const strategy::Strategy* each : plan.strategies) {
        two_expiries_ = two_expiries_ || each->expiries() > 1;
        for (const LegSpec& leg : each->legs) {
            auto& roles = leg.expiry > 0 ? later_roles_ : near_roles_;
            roles[ExpiryLegs::index(leg.right, leg.side)] = true;
        }
    }
}

bool LegBook::used(std::size_t role, bool near, bool later) const noexcept {
    return (near && near_roles_[role]) || (later && later_roles_[role]);
}

filter::ExpiryFacts LegBook::facts_of(std::uint32_t expiry) const {
    const market::Expiry& contracts = chain_.chain->expiries[expiry];
    return {.dte = static_cast<double>(chain_.expiries[expiry].dte),
            .iv_rank = inputs_.iv_rank,
            .iv_percentile = inputs_.iv_percentile,
            .morning = contracts.settlement == market::Settlement::am,
            .earnings = event_before(inputs_, EventKind::earnings, contracts.moment),
            .ex_dividend = event_before(inputs_, EventKind::ex_dividend, contracts.moment)};
}

bool LegBook::quoted(std::uint32_t row, Side side, Counts& counts) const {
    const auto tradable = strategy::tradable_sides(chain_.chain->bid[row], chain_.chain->ask[row]);
    if (tradable.on(side)) {
        ++counts.legs;
        return true;
    }
    ++(tradable.crossed ? counts.legs_crossed : counts.legs_unquoted);
    return false;
}

filter::LegQuote LegBook::quote_of(std::uint32_t expiry, std::uint32_t row) const {
    const market::Chain& chain = *chain_.chain;
    const market::ExpiryMarket& market = chain_.expiries[expiry];
    const pricing::IvStatus status = chain_.iv_status[row];
    filter::LegQuote quote{chain.bid[row], chain.ask[row],    chain_.greeks[row].delta,
                           chain_.iv[row], chain.volume[row], chain.open_interest[row]};
    quote.moneyness = chain.strike[row] / market.forward;
    quote.over_hv = chain_.iv[row] - inputs_.realised;
    if (!chain.quoted.empty() && chain.quoted[row] > 0) {
        quote.age = static_cast<double>(now_ - chain.quoted[row]) / 1'000.0;
    }
    if (counts_strikes_) {
        quote.from_money =
            strikes_from_money(chain, rows_of(chain.expiries[expiry], chain.right[row]),
                               chain.strike[row], market.forward);
    }
    quote.outside_bounds =
        status == pricing::IvStatus::below_intrinsic || status == pricing::IvStatus::above_max;
    return quote;
}

bool LegBook::passes(std::uint32_t expiry, std::uint32_t row, Side side, Counts& counts) const {
    if (plan_.filters.legs.empty()) return true;
    const filter::LegQuote quote = quote_of(expiry, row);
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

const ContractTerms& LegBook::contract(std::uint32_t expiry, std::uint32_t row) {
    const std::uint32_t place = row - chain_.chain->expiries[expiry].call_begin;
    Contract& out = contracts_[place];
    if (out.ready) return out.terms;
    out.ready = true;
    out.terms = contract_terms(chain_, row, values_[place], *expiries_[expiry].distribution);
    return out.terms;
}

void LegBook::load_columns(std::uint32_t expiry, Right right, Side side, Counts& counts) {
    const market::Chain& chain = *chain_.chain;
    LegColumns& columns = expiries_[expiry].columns[ExpiryLegs::index(right, side)];
    const RowRange rows = rows_of(chain.expiries[expiry], right);
    columns.reserve(rows.end - rows.begin);
    const strategy::TickRule ticks = ticks_of(request_, chain.expiries[expiry].root);
    for (std::uint32_t row = rows.begin; row < rows.end; ++row) {
        if (!quoted(row, side, counts) || !passes(expiry, row, side, counts)) continue;
        columns.append(leg_row(chain_, request_.fill, ticks, row, side, contract(expiry, row)));
    }
}

// Which parts the expiry may play; charges the expiry filters with the legs of what they remove.
void LegBook::judge_expiry(std::uint32_t expiry, Counts& counts) {
    ExpiryLegs& out = expiries_[expiry];
    const filter::ExpiryFacts facts = facts_of(expiry);
    const bool back_ok =
        !plan_.filters.back || plan_.filters.back->check(facts) == filter::Verdict::pass;
    out.later = two_expiries_ && back_ok;
    out.near = true;
    std::uint64_t legs = 0;
    const auto count_legs = [&] {
        if (legs > 0) return legs;
        Counts ignored;
        for (const Right right : kRights) {
            const RowRange rows = rows_of(chain_.chain->expiries[expiry], right);
            for (const Side side : kSides) {
                if (!used(ExpiryLegs::index(right, side), true, two_expiries_)) continue;
                for (std::uint32_t row = rows.begin; row < rows.end; ++row) {
                    (void)quoted(row, side, ignored);
                }
            }
        }
        return legs = ignored.legs;
    };
    for (const filter::ExpiryFilter& each : plan_.filters.expiries) {
        FilterCount& count = counts.filters[each.spec];
        count.evaluated += count_legs();
        const filter::Verdict verdict = each.check(facts);
        if (verdict == filter::Verdict::pass) continue;
        count.removed += count_legs();
        if (verdict == filter::Verdict::missing) count.missing += count_legs();
        out.near = false;
        break;
    }
    if (plan_.filters.back && two_expiries_) {
        FilterCount& count = counts.filters[plan_.filters.back->spec];
        count.evaluated += count_legs();
        if (!back_ok) count.removed += count_legs();
    }
}

void LegBook::load(std::uint32_t expiry, Counts& counts) {
    ExpiryLegs& out = expiries_[expiry];
    const market::ExpiryMarket& market = chain_.expiries[expiry];
    const market::Expiry& contracts = chain_.chain->expiries[expiry];
    const std::uint64_t size = contracts.end - contracts.call_begin;
    counts.contracts += size;
    if (!market.tradable) {
        counts.contracts_not_tradable += size;
        return;
    }
    judge_expiry(expiry, counts);
    if ((out.near || out.later) && !usable(market)) {
        counts.contracts_unpriced += size;
        out.near = false;
        out.later = false;
        return;
    }
    if (out.near || out.later) {
        out.distribution = distribution_of(market, request_.volatility, inputs_);
        contracts_.assign(size, {});
        values_.resize(size);
        market::contract_values(chain_, expiry, contracts.call_begin, values_);
    }
    for (const Right right : kRights) {
        for (const Side side : kSides) {
            const std::size_t role = ExpiryLegs::index(right, side);
            if (used(role, out.near, out.later)) {
                load_columns(expiry, right, side, counts);
            } else if (used(role, true, two_expiries_)) {
                const RowRange rows = rows_of(contracts, right);
                for (std::uint32_t row = rows.begin; row < rows.end; ++row) {
                    (void)quoted(row, side, counts);
                }
            }
        }
    }
}

const LegColumns& LegBook::rank(const strategy::Strategy& strategy, std::size_t rank,
                                std::uint32_t expiry, std::uint32_t back,
                                LegColumns& scratch) const {
    std::array<const LegSpec*, strategy::kMaxLegsPerRank> legs{};
    std::size_t count = 0;
    for (const LegSpec& leg : strategy.legs) {
        if (leg.rank == rank) legs[count++] = &leg;
    }
    const auto columns = [&](const LegSpec& leg) -> const LegColumns& {
        return expiries_[leg.expiry > 0 ? back : expiry].of(leg.right, leg.side);
    };
    const LegColumns& first = columns(*legs[0]);
    if (count == 1 && legs[0]->ratio == 1) return first;
    const LegColumns* second = count == 2 ? &columns(*legs[1]) : nullptr;
    strategy::combine(first, legs[0]->ratio, second, count == 2 ? legs[1]->ratio : 0.0, scratch);
    return scratch;
}

}  // namespace scanmq::service
