#include "client/cli/valuation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace scanmq::cli {
namespace {

constexpr double kDay = 1.0 / 365.0;
constexpr double kPoint = 0.01;

// The cash dividends to come, as seen from now.
struct Escrow {
    double value{};       // sum of PV
    double time_value{};  // sum of PV times its years: minus its derivative by the rate
};

Escrow escrow(const OptionInput& option) {
    Escrow out;
    for (const CashDividend& dividend : option.dividends) {
        const double value = dividend.amount * std::exp(-option.rate * dividend.years);
        out.value += value;
        out.time_value += value * dividend.years;
    }
    return out;
}

pricing::BsmInputs inputs_of(const OptionInput& option, double escrowed) {
    return {.spot = option.underlying - escrowed,
            .strike = option.strike,
            .rate = option.rate,
            .yield = option.on_forward ? option.rate : option.yield,
            .years = option.years,
            .volatility = option.volatility};
}

double european_price(const OptionInput& option) {
    return pricing::bsm_price(inputs_of(option, escrow(option).value), option.right);
}

pricing::Greeks european_greeks(const OptionInput& option) {
    const Escrow dividends = escrow(option);
    pricing::Greeks out = pricing::bsm_greeks(inputs_of(option, dividends.value), option.right);
    if (option.on_forward) out.rho = -option.years * out.price;
    // What diffuses falls as the dividends come nearer, and rises with the rate.
    out.theta -= out.delta * option.rate * dividends.value;
    out.rho += out.delta * dividends.time_value;
    return out;
}

// The same option a day (or the time left) later.
OptionInput a_day_later(const OptionInput& option) {
    OptionInput out = option;
    const double passed = std::min(kDay, option.years);
    out.years = option.years - passed;
    out.dividends.clear();
    for (const CashDividend& dividend : option.dividends) {
        if (dividend.years > passed) {
            out.dividends.push_back({dividend.years - passed, dividend.amount});
        } else {
            out.underlying -= dividend.amount;
        }
    }
    return out;
}

}  // namespace

std::string valuation_problem(const OptionInput& option) {
    double amounts = 0.0;
    for (const CashDividend& dividend : option.dividends) amounts += dividend.amount;
    const double value = std::max(escrow(option).value, amounts);
    if (value < option.underlying) return {};
    return fmt::format("the dividends before the expiry add up to {:g}, the spot is {:g}", value,
                       option.underlying);
}

Valuation value_option(const OptionInput& option) {
    Valuation out;
    out.raw = european_greeks(option);
    out.theta_day = european_price(a_day_later(option)) - out.raw.price;
    out.vega_point = kPoint * out.raw.vega;
    out.rho_point = kPoint * out.raw.rho;
    return out;
}

pricing::IvResult imply_volatility(const OptionInput& option) {
    if (!(option.years > 0.0)) return {market::kMissing, pricing::IvStatus::expired};
    const double carry = option.on_forward ? 0.0 : option.rate - option.yield;
    const double spot = option.underlying - escrow(option).value;
    return pricing::implied_volatility(option.price, spot * std::exp(carry * option.years),
                                       option.strike, option.years,
                                       std::exp(-option.rate * option.years), option.right);
}

}  // namespace scanmq::cli
