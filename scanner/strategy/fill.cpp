#include "scanner/strategy/fill.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace scanmq::strategy {
namespace {

constexpr TickRule kSpxFamily{3.0, 20.0, 10.0};
constexpr TickRule kPenny{3.0, 100.0, 100.0};
constexpr TickRule kEquity{3.0, 100.0, 20.0};
constexpr double kOnGrid = 1e-6;

double per_unit(double price, const TickRule& rule) {
    return price < rule.threshold ? rule.per_unit_below : rule.per_unit_above;
}

}  // namespace

TickRule tick_rule(std::string_view root) noexcept {
    constexpr std::array<std::string_view, 4> kSpxRoots = {"SPX", "SPXW", "SPXPM", "SPXQ"};
    constexpr std::array<std::string_view, 3> kPennyRoots = {"SPY", "QQQ", "IWM"};
    if (std::ranges::find(kSpxRoots, root) != kSpxRoots.end()) return kSpxFamily;
    if (std::ranges::find(kPennyRoots, root) != kPennyRoots.end()) return kPenny;
    return kEquity;
}

double round_up(double price, const TickRule& rule) noexcept {
    // Dividing by the whole number of ticks in 1.00 gives the double nearest to the decimal price.
    const double scale = per_unit(price, rule);
    return std::ceil(price * scale - kOnGrid) / scale;
}

double round_down(double price, const TickRule& rule) noexcept {
    const double scale = per_unit(price, rule);
    return std::floor(price * scale + kOnGrid) / scale;
}

double buy_price(double bid, double ask, Fill fill, const TickRule& rule) noexcept {
    if (fill.toward_mid <= 0.0) return ask;
    const double low = bid > 0.0 ? bid : 0.0;
    const double wanted = ask - fill.toward_mid * 0.5 * (ask - low);
    return std::min(round_up(wanted, rule), ask);
}

double sell_price(double bid, double ask, Fill fill, const TickRule& rule) noexcept {
    if (fill.toward_mid <= 0.0 || !(ask > 0.0)) return bid;
    const double wanted = bid + fill.toward_mid * 0.5 * (ask - bid);
    return std::max(round_down(wanted, rule), bid);
}

}  // namespace scanmq::strategy
