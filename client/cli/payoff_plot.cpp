#include "client/cli/payoff_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "scanner/market/later_market.hpp"
#include "scanner/pricing/american.hpp"
#include "scanner/service/table.hpp"

namespace scanmq::cli {
namespace {

constexpr int kSteps = 240;
constexpr double kDeviations = 1.5;  // to each side of the forward, so that the odds show
constexpr double kRoom = 0.06;       // beyond them, as a share of the picture

std::optional<std::size_t> expiry_of(const market::PricedChain& priced,
                                     const service::SpreadLeg& leg) {
    const auto& expiries = priced.chain->expiries;
    for (std::size_t e = 0; e < expiries.size(); ++e) {
        if (expiries[e].root == leg.root && expiries[e].date == leg.expiry &&
            expiries[e].settlement == leg.settlement) {
            return e;
        }
    }
    return std::nullopt;
}

const market::ExpiryMarket& market_of(const market::PricedChain& priced,
                                      const service::SpreadLeg& leg) {
    return priced.expiries[*expiry_of(priced, leg)];
}

// What the underlying, its forwards and discounts are taken to: now, or the nearer expiry.
struct Anchor {
    double forward{};  // the spot, now
    double discount{1.0};
    double years{};
    std::size_t expiry{};
};

Anchor anchor(const market::PricedChain& priced, const service::Spread& spread, Moment moment) {
    if (moment == Moment::today) return {.forward = priced.spot};
    std::size_t nearest = *expiry_of(priced, spread.legs[0]);
    for (const auto& leg : spread.legs) {
        const std::size_t expiry = *expiry_of(priced, leg);
        if (priced.expiries[expiry].years < priced.expiries[nearest].years) nearest = expiry;
    }
    const market::ExpiryMarket& nearer = priced.expiries[nearest];
    return {nearer.forward, nearer.discount, nearer.years, nearest};
}

double leg_value(const market::PricedChain& priced, const service::SpreadLeg& leg, double spot,
                 const Anchor& from) {
    const market::ExpiryMarket& market = market_of(priced, leg);
    const double left = market.years - from.years;
    const bool is_call = leg.right == market::Right::call;
    if (!(left > 1e-9)) return std::max(is_call ? spot - leg.strike : leg.strike - spot, 0.0);
    const double volatility =
        std::isfinite(leg.iv)
            ? leg.iv
            : market.smile.volatility(std::log(leg.strike / market.forward), market.years);
    const bool american = priced.chain->style == market::ExerciseStyle::american;
    if (american && from.years > 0.0) {
        const pricing::CurveLeg terms{leg.strike, volatility, leg.right};
        pricing::AmericanCurve curve;
        pricing::american_curves(
            market::later_market(priced, static_cast<std::uint32_t>(from.expiry),
                                 static_cast<std::uint32_t>(*expiry_of(priced, leg))),
            {&terms, 1}, {&curve, 1});
        return curve.at(spot).value;
    }
    const double discount = market.discount / from.discount;
    const double paid_out = from.forward - market.forward * discount;
    const double forward = (spot - paid_out) / discount;
    if (!(forward > 0.0)) return is_call ? 0.0 : discount * leg.strike;
    if (american) {
        const double carry = std::log(market.forward / priced.spot) / market.years;
        return pricing::american_price({.spot = spot,
                                        .strike = leg.strike,
                                        .rate = market.rate,
                                        .yield = market.rate - carry,
                                        .years = market.years,
                                        .volatility = volatility},
                                       leg.right);
    }
    return pricing::black_price({.forward = forward,
                                 .strike = leg.strike,
                                 .volatility = volatility,
                                 .years = left,
                                 .discount = discount},
                                leg.right);
}

// What the picture shows of the underlying: strikes, breakevens, spot and the likely outcomes.
std::pair<double, double> reach(const market::PricedChain& priced, const service::Spread& spread) {
    double low = priced.spot;
    double high = priced.spot;
    const auto include = [&](double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    };
    for (const auto& leg : spread.legs) {
        const market::ExpiryMarket& market = market_of(priced, leg);
        include(leg.strike);
        const double v = std::sqrt(market.smile.variance(0.0));
        include(market.forward * std::exp(-kDeviations * v));
        include(market.forward * std::exp(kDeviations * v));
    }
    for (const double level : spread.breakevens) include(level);
    const double room = kRoom * (high - low);
    return {std::max(low - room, 0.0), high + room};
}

// Even steps, and every place where the payoff bends.
std::vector<double> levels(const service::Spread& spread, double low, double high) {
    std::vector<double> out;
    for (int i = 0; i <= kSteps; ++i) out.push_back(low + (high - low) * i / kSteps);
    for (const auto& leg : spread.legs) out.push_back(leg.strike);
    for (const double level : spread.breakevens) out.push_back(level);
    std::sort(out.begin(), out.end());
    return out;
}

std::string money(double value) {
    return std::isfinite(value) ? fmt::format("{:.2f}", value) : "unlimited";
}

std::string subtitle(const service::Spread& spread) {
    std::string out = fmt::format(
        "{}, {}, {} {}, most to gain {}, to lose {}", service::expiry_text(spread),
        spread.dte == 1 ? "in 1 day" : fmt::format("in {} days", spread.dte),
        spread.net_price < 0.0 ? "received" : "paid", money(std::fabs(spread.net_price)),
        money(spread.max_profit), money(spread.max_loss));
    if (std::isfinite(spread.ev)) out += fmt::format(", EV {:.2f}", spread.ev);
    if (std::isfinite(spread.score)) out += fmt::format(", score {:.1f}", spread.score);
    return out;
}

}  // namespace

bool holds(const market::PricedChain& priced, const service::Spread& spread) {
    if (spread.legs.empty() || priced.chain->symbol != spread.symbol) return false;
    int nearest = 0;
    for (std::size_t i = 0; i < spread.legs.size(); ++i) {
        const auto at = expiry_of(priced, spread.legs[i]);
        if (!at || !std::isfinite(priced.expiries[*at].forward)) return false;
        nearest = i == 0 ? priced.expiries[*at].dte : std::min(nearest, priced.expiries[*at].dte);
    }
    return nearest == spread.dte;
}

double profit_at(const market::PricedChain& priced, const service::Spread& spread, double spot,
                 Moment moment) {
    const Anchor from = anchor(priced, spread, moment);
    double out = -spread.net_price - spread.fees + spread.stock * spot;
    for (const auto& leg : spread.legs) {
        out += strategy::sign(leg.side) * leg.ratio * leg_value(priced, leg, spot, from);
    }
    return out;
}

Chart payoff_chart(const market::PricedChain& priced, const service::Spread& spread) {
    const auto [low, high] = reach(priced, spread);
    std::vector<Point> at_expiry;
    std::vector<Point> today;
    std::vector<Point> gain;
    std::vector<Point> loss;
    for (const double level : levels(spread, low, high)) {
        const double profit = profit_at(priced, spread, level, Moment::nearer_expiry);
        at_expiry.push_back({level, profit});
        gain.push_back({level, std::max(profit, 0.0)});
        loss.push_back({level, std::min(profit, 0.0)});
        today.push_back({level, profit_at(priced, spread, level, Moment::today)});
    }
    Chart chart(
        {fmt::format("{} {} {}", spread.symbol, spread.strategy, service::strikes_text(spread)),
         subtitle(spread), "underlying", "profit per share"});
    chart.limit_x(low, high);
    chart.add_line(std::move(at_expiry), Ink::first, "at expiry");
    chart.add_line(std::move(today), Ink::second, "today", true);
    chart.add_area(std::move(gain), Ink::gain,
                   std::isfinite(spread.pop)
                       ? fmt::format("profit, POP {:.1f} %", 100.0 * spread.pop)
                       : std::string("profit"));
    chart.add_area(std::move(loss), Ink::loss, "loss");
    for (const auto& leg : spread.legs) {
        chart.add_mark(leg.strike, Ink::quiet,
                       fmt::format("{}{}{:g}{}", strategy::sign(leg.side) > 0 ? "+" : "-",
                                   leg.ratio > 1 ? fmt::format("{}x", leg.ratio) : "", leg.strike,
                                   leg.right == market::Right::call ? "C" : "P"));
    }
    for (const double level : spread.breakevens) {
        chart.add_mark(level, Ink::gain, fmt::format("breakeven {:.2f}", level));
    }
    chart.add_mark(priced.spot, Ink::second, fmt::format("spot {:.2f}", priced.spot), false);
    return chart;
}

}  // namespace scanmq::cli
