#include "scanner/strategy/margin.hpp"

#include <algorithm>
#include <array>

namespace scanmq::strategy {
namespace {

// One right's legs, with what is not paired yet.
struct OneSide {
    std::array<MarginLeg, kMaxLegs> leg{};
    std::size_t count{};
    double naked{};    // requirement of the naked residual, premium inside
    double premium{};  // of that residual
    double pairs{};    // the most that the pairs can lose
};

// What a short option can lose to the long one that covers it, per contract.
double pair_loss(const MarginLeg& sold, const MarginLeg& bought) {
    const double width =
        sold.right == Right::call ? bought.strike - sold.strike : sold.strike - bought.strike;
    return std::max(width, 0.0) + bought.price - sold.price;
}

double naked_requirement(const MarginLeg& sold, double spot, const MarginRate& rate) {
    const bool call = sold.right == Right::call;
    const double out_of_money = std::max(call ? sold.strike - spot : spot - sold.strike, 0.0);
    return std::max(rate.share * spot - out_of_money, rate.floor * (call ? spot : sold.strike)) +
           sold.price;
}

void settle(OneSide& side, double spot, const MarginRate& rate, double shares) {
    for (std::size_t s = 0; s < side.count; ++s) {
        MarginLeg& sold = side.leg[s];
        if (sold.side != Side::short_leg) continue;
        if (sold.right == Right::call) {
            const double covered = std::min(sold.ratio, shares);
            sold.ratio -= covered;
            shares -= covered;
        }
        for (std::size_t l = 0; l < side.count && sold.ratio > 0.0; ++l) {
            MarginLeg& bought = side.leg[l];
            if (bought.side != Side::long_leg || bought.expiry < sold.expiry) continue;
            const double paired = std::min(sold.ratio, bought.ratio);
            sold.ratio -= paired;
            bought.ratio -= paired;
            side.pairs += paired * pair_loss(sold, bought);
        }
        side.naked += sold.ratio * naked_requirement(sold, spot, rate);
        side.premium += sold.ratio * sold.price;
    }
    // A long option left over costs what was paid for it.
    for (std::size_t l = 0; l < side.count; ++l) {
        if (side.leg[l].side == Side::long_leg) side.pairs += side.leg[l].ratio * side.leg[l].price;
    }
}

}  // namespace

MarginRate margin_rate(const market::RootSpec& spec) noexcept {
    return {spec.margin_share * spec.leverage, spec.margin_floor * spec.leverage};
}

MarginRate margin_rate(std::string_view root, const market::ContractTable& table) noexcept {
    return margin_rate(table.find(root));
}

Margin margin(const MarginInput& spread) noexcept {
    OneSide calls;
    OneSide puts;
    double strike_cash = 0.0;
    for (const MarginLeg& leg : spread.legs) {
        OneSide& side = leg.right == Right::call ? calls : puts;
        side.leg[side.count++] = leg;
        if (leg.side == Side::short_leg) strike_cash += leg.ratio * (leg.strike - leg.price);
    }
    strike_cash += spread.fees;
    if (spread.cash_secured) return {strike_cash, strike_cash};
    settle(calls, spread.spot, spread.rate, spread.shares);
    settle(puts, spread.spot, spread.rate, 0.0);
    if (calls.naked == 0.0 && puts.naked == 0.0) return {spread.max_loss, spread.max_loss};

    double requirement = calls.pairs + puts.pairs + spread.fees;
    if (calls.naked > 0.0 && puts.naked > 0.0) {
        requirement +=
            calls.naked > puts.naked ? calls.naked + puts.premium : puts.naked + calls.premium;
    } else {
        requirement += calls.naked + puts.naked;
    }
    return {requirement, requirement - calls.premium - puts.premium};
}

}  // namespace scanmq::strategy
