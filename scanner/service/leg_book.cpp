#include "scanner/service/leg_book.hpp"

#include <algorithm>
#include <cmath>

#include "common/base/assert.hpp"
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

// Counts the quote of one side. Can the side be traded?
bool count_quote(const strategy::Tradable& tradable, Side side, Counts& counts) {
    if (tradable.on(side)) {
        ++counts.legs;
        return true;
    }
    ++(tradable.crossed ? counts.legs_crossed : counts.legs_unquoted);
    return false;
}

// What one contract on one side adds to a spread; `both`: what it gives to both its sides, as a long leg.
LegColumns::Row leg_row(const market::PricedChain& priced, strategy::Fill fill,
                        const strategy::TickRule& ticks, const LegColumns::Row& both, Side side) {
    const market::Chain& chain = *priced.chain;
    const double sign = strategy::sign(side);
    const double bid = chain.bid[both.row];
    const double ask = chain.ask[both.row];
    LegColumns::Row out = both;
    out.price = side == Side::long_leg ? strategy::buy_price(bid, ask, fill, ticks)
                                       : -strategy::sell_price(bid, ask, fill, ticks);
    out.delta *= sign;
    out.day_theta *= sign;
    out.vega *= sign;
    out.model *= sign;
    out.expected *= sign;
    return out;
}

// All of a long leg but its price.
LegColumns::Row long_row(const market::PricedChain& priced, std::uint32_t row,
                         const market::ContractValues& values,
                         const strategy::StrikeMoments& moments, double forward) {
    const market::Chain& chain = *priced.chain;
    const pricing::Greeks& greeks = priced.greeks[row];
    const double bid = chain.bid[row];
    const double ask = chain.ask[row];
    const double strike = chain.strike[row];
    const double put = strike * moments.below - moments.mean_below;
    return {
        .strike = strike,
        .price = market::kMissing,
        .delta = greeks.delta,
        .day_theta = values.day_theta,
        .vega = greeks.vega,
        .abs_vega = std::fabs(greeks.vega),
        .model = values.model,
        .quoted_spread = strategy::quoted_spread(bid, ask),
        .liquidity = score::leg_liquidity(bid, ask, chain.volume[row], chain.open_interest[row]),
        .below = moments.below,
        .mean_below = moments.mean_below,
        .expected = chain.right[row] == Right::put ? put : put + forward - strike,
        .row = row};
}

}  // namespace

RowRange rows_of(const market::Expiry& expiry, Right right) noexcept {
    return right == Right::call ? RowRange{expiry.call_begin, expiry.put_begin}
                                : RowRange{expiry.put_begin, expiry.end};
}

double exercise_gain(const market::PricedChain& priced, std::uint32_t row, double price) noexcept {
    const market::Chain& chain = *priced.chain;
    if (chain.style != market::ExerciseStyle::american || !(priced.spot > 0.0)) return 0.0;
    const double inside = chain.right[row] == Right::call ? priced.spot - chain.strike[row]
                                                          : chain.strike[row] - priced.spot;
    return inside - price - market::kSpotTolerance * priced.spot;
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

bool LegBook::passes(const filter::LegQuote& quote, Side side, Counts& counts) const {
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

// Which contracts of one right pass, and on which sides.
void LegBook::choose(std::uint32_t expiry, Right right, const Sides& sides, Counts& counts) {
    const market::Chain& chain = *chain_.chain;
    const RowRange rows = rows_of(chain.expiries[expiry], right);
    const bool filtered = !plan_.filters.legs.empty();
    for (std::uint32_t row = rows.begin; row < rows.end; ++row) {
        const auto tradable = strategy::tradable_sides(chain.bid[row], chain.ask[row]);
        Passed passed{.row = row, .on = {}};
        std::optional<filter::LegQuote> quote;  // the same for both sides
        for (const Side side : kSides) {
            const auto s = static_cast<std::size_t>(side);
            if (!sides.counted[s] || !count_quote(tradable, side, counts)) continue;
            if (!sides.used[s]) continue;
            if (filtered && !quote) quote = quote_of(expiry, row);
            passed.on[s] = !filtered || passes(*quote, side, counts);
        }
        if (passed.on[0] || passed.on[1]) passed_.push_back(passed);
    }
}

// Only what passed is priced, all of an expiry at once.
void LegBook::load_columns(std::uint32_t expiry) {
    const market::Chain& chain = *chain_.chain;
    ExpiryLegs& out = expiries_[expiry];
    rows_.clear();
    strikes_.clear();
    std::array<std::size_t, 4> sizes{};
    for (const Passed& passed : passed_) {
        rows_.push_back(passed.row);
        strikes_.push_back(chain.strike[passed.row]);
        for (const Side side : kSides) {
            if (!passed.on[static_cast<std::size_t>(side)]) continue;
            ++sizes[ExpiryLegs::index(chain.right[passed.row], side)];
        }
    }
    for (std::size_t role = 0; role < sizes.size(); ++role) out.columns[role].resize(sizes[role]);
    values_.resize(rows_.size());
    moments_.resize(rows_.size());
    market::contract_values(chain_, expiry, rows_, values_);
    strategy::strike_moments(*out.distribution, strikes_, moments_);
    const strategy::TickRule ticks = ticks_of(request_, chain.expiries[expiry].root);
    std::array<std::size_t, 4> next{};
    for (std::size_t i = 0; i < passed_.size(); ++i) {
        const std::uint32_t row = passed_[i].row;
        const LegColumns::Row both =
            long_row(chain_, row, values_[i], moments_[i], out.distribution->forward());
        for (const Side side : kSides) {
            if (!passed_[i].on[static_cast<std::size_t>(side)]) continue;
            const std::size_t role = ExpiryLegs::index(chain.right[row], side);
            const LegColumns::Row leg = leg_row(chain_, request_.fill, ticks, both, side);
            out.columns[role].set(next[role]++, leg);
            if (side == Side::long_leg && exercise_gain(chain_, row, leg.price) > 0.0) {
                out.exercise_pays[role] = true;
            }
        }
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
                    (void)count_quote(
                        strategy::tradable_sides(chain_.chain->bid[row], chain_.chain->ask[row]),
                        side, ignored);
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
    passed_.clear();
    for (const Right right : kRights) {
        Sides sides;
        for (const Side side : kSides) {
            const std::size_t role = ExpiryLegs::index(right, side);
            const auto s = static_cast<std::size_t>(side);
            sides.used[s] = used(role, out.near, out.later);
            sides.counted[s] = sides.used[s] || used(role, true, two_expiries_);
        }
        if (sides.counted[0] || sides.counted[1]) choose(expiry, right, sides, counts);
    }
    if (!out.near && !out.later) return;
    out.distribution = distribution_of(market, request_.volatility, inputs_);
    load_columns(expiry);
}

LegColumns::Row LegBook::leg(std::uint32_t expiry, std::uint32_t row, Side side) const noexcept {
    const LegColumns& columns = expiries_[expiry].of(chain_.chain->right[row], side);
    const auto at = std::ranges::lower_bound(columns.row, row);
    SCANMQ_ASSERT(at != columns.row.end() && *at == row);
    return columns.at(static_cast<std::size_t>(at - columns.row.begin()));
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
