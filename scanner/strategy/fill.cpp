#include "scanner/strategy/fill.hpp"

#include <algorithm>
#include <cmath>

namespace scanmq::strategy {
namespace {

constexpr double kOnGrid = 1e-6;

double per_unit(double price, const TickRule& rule) {
    return price < rule.threshold ? rule.per_unit_below : rule.per_unit_above;
}

}  // namespace

TickRule tick_rule(const market::RootSpec& spec) noexcept {
    return {spec.tick_threshold, std::round(1.0 / spec.tick_below),
            std::round(1.0 / spec.tick_above)};
}

TickRule tick_rule(std::string_view root, const market::ContractTable& table) noexcept {
    return tick_rule(table.find(root));
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
