#include "client/cli/payoff_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "scanner/market/later_market.hpp"
#include "scanner/pricing/cash_dividends.hpp"
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

// A leg's value at one moment: what does not depend on the underlying is worked out once.
class LegProfile {
  public:
    LegProfile(const market::PricedChain& priced, const service::SpreadLeg& leg, const Anchor& from)
        : priced_(priced), leg_(leg), market_(market_of(priced, leg)), from_(from) {
        left_ = market_.years - from.years;
        discount_ = market_.discount / from.discount;
        paid_out_ = from.forward - market_.forward * discount_;
        volatility_ =
            std::isfinite(leg.iv)
                ? leg.iv
                : market_.smile.volatility(std::log(leg.strike / market_.forward), market_.years);
        american_ = priced.chain->style == market::ExerciseStyle::american;
        if (!american_ || !later() || !(left_ > kNothingLeft)) return;
        const pricing::CurveLeg terms{leg.strike, volatility_, leg.right};
        pricing::american_curves(
            market::later_market(priced, static_cast<std::uint32_t>(from.expiry),
                                 static_cast<std::uint32_t>(*expiry_of(priced, leg))),
            {&terms, 1}, {&curve_, 1});
    }

    [[nodiscard]] double at(double spot) const {
        if (!(left_ > kNothingLeft)) return exercised(spot);
        if (!american_) return black(spot);
        return later() ? curve_.at(spot).value : american_today(spot);
    }

  private:
    static constexpr double kNothingLeft = 1e-9;  // years

    [[nodiscard]] bool later() const noexcept { return from_.years > 0.0; }
    [[nodiscard]] bool is_call() const noexcept { return leg_.right == market::Right::call; }
    [[nodiscard]] double exercised(double spot) const noexcept {
        return std::max(is_call() ? spot - leg_.strike : leg_.strike - spot, 0.0);
    }
    [[nodiscard]] double black(double spot) const {
        const double forward = (spot - paid_out_) / discount_;
        if (!(forward > 0.0)) return worthless(spot);
        return pricing::black_price({.forward = forward,
                                     .strike = leg_.strike,
                                     .volatility = volatility_,
                                     .years = left_,
                                     .discount = discount_},
                                    leg_.right);
    }
    [[nodiscard]] double american_today(double spot) const {
        const pricing::BsmExpiry terms{spot, market_.rate, market_.yield, left_};
        if (!(pricing::escrowed_spot(terms, priced_.dividends) > 0.0)) return worthless(spot);
        return pricing::american_price(
            pricing::contract_of(terms, leg_.strike, volatility_, leg_.right).in, priced_.dividends,
            leg_.right);
    }
    // Of an underlying from which nothing is left at expiry.
    [[nodiscard]] double worthless(double spot) const noexcept {
        return is_call() ? 0.0
                         : std::max(discount_ * leg_.strike, american_ ? exercised(spot) : 0.0);
    }

    const market::PricedChain& priced_;
    const service::SpreadLeg& leg_;
    const market::ExpiryMarket& market_;
    Anchor from_;
    double left_{};  // years
    double discount_{};
    double paid_out_{};
    double volatility_{};
    bool american_{};
    pricing::AmericanCurve curve_;  // of an American leg when the nearer expiry settles
};

// Profit of the spread at each of these.
std::vector<double> profits(const market::PricedChain& priced, const service::Spread& spread,
                            std::span<const double> spots, Moment moment) {
    const Anchor from = anchor(priced, spread, moment);
    std::vector<double> out;
    out.reserve(spots.size());
    for (const double spot : spots) {
        out.push_back(-spread.net_price - spread.fees + spread.stock * spot);
    }
    for (const auto& leg : spread.legs) {
        const LegProfile profile(priced, leg, from);
        const double quantity = strategy::sign(leg.side) * leg.ratio;
        for (std::size_t i = 0; i < spots.size(); ++i) out[i] += quantity * profile.at(spots[i]);
    }
    return out;
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
    return profits(priced, spread, {&spot, 1}, moment).front();
}

Chart payoff_chart(const market::PricedChain& priced, const service::Spread& spread) {
    const auto [low, high] = reach(priced, spread);
    std::vector<Point> at_expiry;
    std::vector<Point> today;
    std::vector<Point> gain;
    std::vector<Point> loss;
    const auto spots = levels(spread, low, high);
    const auto then = profits(priced, spread, spots, Moment::nearer_expiry);
    const auto now = profits(priced, spread, spots, Moment::today);
    for (std::size_t i = 0; i < spots.size(); ++i) {
        at_expiry.push_back({spots[i], then[i]});
        gain.push_back({spots[i], std::max(then[i], 0.0)});
        loss.push_back({spots[i], std::min(then[i], 0.0)});
        today.push_back({spots[i], now[i]});
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
