#include "client/cli/valuation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "scanner/pricing/american_implied_volatility.hpp"

namespace scanmq::cli {
namespace {

constexpr double kDay = 1.0 / 365.0;
constexpr double kPoint = 0.01;
constexpr auto kScheme = pricing::AmericanScheme::accurate;

bool is_american(const OptionInput& option) {
    return option.style == market::ExerciseStyle::american;
}

// What one expiry's options share. A forward is a spot whose yield is the rate.
pricing::BsmExpiry expiry_of(const OptionInput& option) {
    return {.spot = option.underlying,
            .rate = option.rate,
            .yield = option.on_forward ? option.rate : option.yield,
            .years = option.years};
}

pricing::BsmInputs inputs_of(const OptionInput& option, double spot) {
    const pricing::BsmExpiry shared = expiry_of(option);
    return {.spot = spot,
            .strike = option.strike,
            .rate = shared.rate,
            .yield = shared.yield,
            .years = shared.years,
            .volatility = option.volatility};
}

// What a European option's spot is less its dividends.
double diffusing_spot(const OptionInput& option) {
    return pricing::escrowed_spot(expiry_of(option), option.dividends);
}

double price_of(const OptionInput& option) {
    if (!is_american(option)) {
        return pricing::bsm_price(inputs_of(option, diffusing_spot(option)), option.right);
    }
    const auto in = inputs_of(option, option.underlying);
    if (option.dividends.empty()) return pricing::american_price(in, option.right, kScheme);
    return pricing::american_price(in, option.dividends, option.right, kScheme);
}

pricing::Greeks greeks_of(const OptionInput& option) {
    const auto in = inputs_of(option, option.underlying);
    if (!is_american(option)) {
        return pricing::european_greeks(in, option.dividends, option.right);
    }
    if (option.dividends.empty()) return pricing::american_greeks(in, option.right, kScheme);
    return pricing::american_greeks(in, option.dividends, option.right, kScheme);
}

// With the forward where it is: the yield moves with the rate.
double rho_on_forward(const OptionInput& option, double price) {
    if (!is_american(option)) return -option.years * price;
    constexpr double kStep = 1e-4;
    OptionInput up = option;
    OptionInput down = option;
    up.rate += kStep;
    down.rate -= kStep;
    return (price_of(up) - price_of(down)) / (2.0 * kStep);
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
    const double value = std::max(option.underlying - diffusing_spot(option), amounts);
    if (value < option.underlying) return {};
    return fmt::format("the dividends before the expiry add up to {:g}, the spot is {:g}",
                       std::isfinite(value) ? value : amounts, option.underlying);
}

Valuation value_option(const OptionInput& option) {
    Valuation out;
    out.raw = greeks_of(option);
    if (option.on_forward) out.raw.rho = rho_on_forward(option, out.raw.price);
    out.theta_day = price_of(a_day_later(option)) - out.raw.price;
    out.vega_point = kPoint * out.raw.vega;
    out.rho_point = kPoint * out.raw.rho;
    return out;
}

pricing::IvResult imply_volatility(const OptionInput& option) {
    if (!(option.years > 0.0)) return {market::kMissing, pricing::IvStatus::expired};
    if (is_american(option)) {
        pricing::IvResult out;
        pricing::american_implied_volatility(
            expiry_of(option), option.dividends, std::span(&option.price, 1),
            std::span(&option.strike, 1), std::span(&option.right, 1), std::span(&out, 1), kScheme);
        return out;
    }
    const double carry = option.on_forward ? 0.0 : option.rate - option.yield;
    return pricing::implied_volatility(
        option.price, diffusing_spot(option) * std::exp(carry * option.years), option.strike,
        option.years, std::exp(-option.rate * option.years), option.right);
}

}  // namespace scanmq::cli
