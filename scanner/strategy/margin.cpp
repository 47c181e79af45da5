#include "scanner/strategy/margin.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace scanmq::strategy {
namespace {

struct Rated {
    std::string_view root;
    double leverage;
    bool broad;
};
constexpr std::array kRated = {
    Rated{"SPX", 1, true},   Rated{"SPXW", 1, true},  Rated{"SPXPM", 1, true},
    Rated{"XSP", 1, true},   Rated{"NDX", 1, true},   Rated{"NDXP", 1, true},
    Rated{"XND", 1, true},   Rated{"RUT", 1, true},   Rated{"RUTW", 1, true},
    Rated{"MRUT", 1, true},  Rated{"DJX", 1, true},   Rated{"OEX", 1, true},
    Rated{"XEO", 1, true},   Rated{"SPY", 1, true},   Rated{"VOO", 1, true},
    Rated{"IVV", 1, true},   Rated{"QQQ", 1, true},   Rated{"IWM", 1, true},
    Rated{"DIA", 1, true},   Rated{"VTI", 1, true},   Rated{"SSO", 2, true},
    Rated{"SDS", 2, true},   Rated{"QLD", 2, true},   Rated{"QID", 2, true},
    Rated{"UPRO", 3, true},  Rated{"SPXU", 3, true},  Rated{"SPXL", 3, true},
    Rated{"SPXS", 3, true},  Rated{"TQQQ", 3, true},  Rated{"SQQQ", 3, true},
    Rated{"TNA", 3, true},   Rated{"TZA", 3, true},   Rated{"UDOW", 3, true},
    Rated{"SDOW", 3, true},  Rated{"SOXL", 3, false}, Rated{"SOXS", 3, false},
    Rated{"TECL", 3, false}, Rated{"TECS", 3, false}, Rated{"FAS", 3, false},
    Rated{"FAZ", 3, false},  Rated{"LABU", 3, false}, Rated{"LABD", 3, false},
    Rated{"NUGT", 2, false}, Rated{"BOIL", 2, false}, Rated{"UCO", 2, false},
    Rated{"AGQ", 2, false},  Rated{"TMF", 3, false},  Rated{"TMV", 3, false},
};

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

MarginRate margin_rate(std::string_view root) noexcept {
    for (const Rated& each : kRated) {
        if (each.root == root) {
            return {(each.broad ? 0.15 : 0.20) * each.leverage, 0.10 * each.leverage};
        }
    }
    return {};
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
