#include "client/cli/valuation.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace scanmq::cli {
namespace {

OptionInput option(double spot, double strike, double years, double volatility, double rate,
                   market::Right right) {
    OptionInput out;
    out.underlying = spot;
    out.strike = strike;
    out.years = years;
    out.volatility = volatility;
    out.rate = rate;
    out.right = right;
    return out;
}

// The derivative of the value by one input, by central differences.
template <class Change>
double slope(const OptionInput& at, double step, Change change) {
    OptionInput up = at;
    OptionInput down = at;
    change(up, step);
    change(down, -step);
    return (value_option(up).raw.price - value_option(down).raw.price) / (2.0 * step);
}

void expect_greeks_are_derivatives(const OptionInput& at) {
    const Valuation valued = value_option(at);
    EXPECT_NEAR(valued.raw.delta, slope(at, 1e-3, [](auto& o, double h) { o.underlying += h; }),
                1e-6);
    EXPECT_NEAR(valued.raw.vega, slope(at, 1e-4, [](auto& o, double h) { o.volatility += h; }),
                1e-4);
    EXPECT_NEAR(valued.raw.rho, slope(at, 1e-5, [](auto& o, double h) { o.rate += h; }), 1e-4);
    const double theta = -slope(at, 1e-5, [](auto& o, double h) {
        o.years += h;
        for (CashDividend& dividend : o.dividends) dividend.years += h;
    });
    EXPECT_NEAR(valued.raw.theta, theta, 1e-4);
    EXPECT_NEAR(valued.vega_point, 0.01 * valued.raw.vega, 1e-14);
    EXPECT_NEAR(valued.rho_point, 0.01 * valued.raw.rho, 1e-14);
    EXPECT_NEAR(valued.theta_day, valued.raw.theta / 365.0, 0.01 * std::fabs(valued.theta_day));
}

TEST(Valuation, EuropeanAgreesWithHaug) {
    EXPECT_NEAR(value_option(option(60, 65, 0.25, 0.30, 0.08, market::Right::call)).raw.price,
                2.1334, 5e-5);
    OptionInput put = option(100, 95, 0.5, 0.20, 0.10, market::Right::put);
    put.yield = 0.05;
    EXPECT_NEAR(value_option(put).raw.price, 2.4648, 5e-5);
    OptionInput future = option(19, 19, 0.75, 0.28, 0.10, market::Right::put);
    future.on_forward = true;
    EXPECT_NEAR(value_option(future).raw.price, 1.7011, 5e-5);
}

TEST(Valuation, CashDividendsComeOffTheSpot) {
    OptionInput call = option(40, 40, 0.5, 0.30, 0.09, market::Right::call);
    call.dividends = {{2.0 / 12.0, 0.5}, {5.0 / 12.0, 0.5}};
    EXPECT_NEAR(value_option(call).raw.price, 3.67, 5e-3);
    expect_greeks_are_derivatives(call);
    call.dividends = {{0.1, 30.0}, {0.2, 10.5}};
    EXPECT_NE(valuation_problem(call), "");
}

TEST(Valuation, GreeksAreTheDerivatives) {
    for (const auto right : {market::Right::call, market::Right::put}) {
        OptionInput spot = option(100, 105, 0.75, 0.25, 0.04, right);
        spot.yield = 0.015;
        expect_greeks_are_derivatives(spot);
        OptionInput forward = option(100, 95, 0.75, 0.25, 0.04, right);
        forward.on_forward = true;
        expect_greeks_are_derivatives(forward);
    }
}

TEST(Valuation, AmericanAgreesWithTheReferences) {
    OptionInput put = option(100, 120, 10.0, 0.25, 0.10, market::Right::put);
    put.yield = 0.03;
    put.style = market::ExerciseStyle::american;
    EXPECT_NEAR(value_option(put).raw.price, 23.00029, 1e-4);
    OptionInput call = option(100, 100, 90.0 / 365.0, 0.25, 0.04, market::Right::call);
    call.dividends = {{30.0 / 365.0, 2.0}};
    call.strike = 90.0;
    EXPECT_NEAR(value_option(call).raw.price, 10.3684, 1e-3);
    call.style = market::ExerciseStyle::american;
    EXPECT_NEAR(value_option(call).raw.price, 10.9068, 1e-3);
}

TEST(Valuation, AmericanGreeksAreTheDerivatives) {
    OptionInput put = option(100, 105, 0.75, 0.25, 0.04, market::Right::put);
    put.style = market::ExerciseStyle::american;
    const Valuation valued = value_option(put);
    EXPECT_NEAR(valued.raw.delta, slope(put, 1e-2, [](auto& o, double h) { o.underlying += h; }),
                1e-4);
    EXPECT_NEAR(valued.raw.vega, slope(put, 1e-3, [](auto& o, double h) { o.volatility += h; }),
                1e-2);
    EXPECT_NEAR(valued.theta_day, valued.raw.theta / 365.0, 0.02 * std::fabs(valued.theta_day));
    OptionInput on_forward = put;
    on_forward.on_forward = true;
    EXPECT_NEAR(value_option(on_forward).raw.rho,
                slope(on_forward, 1e-3, [](auto& o, double h) { o.rate += h; }), 1e-2);
}

TEST(Valuation, AmericanImpliedVolatilityComesBack) {
    OptionInput put = option(100, 105, 0.75, 0.25, 0.04, market::Right::put);
    put.style = market::ExerciseStyle::american;
    for (const std::vector<CashDividend>& dividends :
         {std::vector<CashDividend>{}, {{0.25, 1.0}, {0.5, 1.0}}}) {
        put.dividends = dividends;
        put.price = value_option(put).raw.price;
        const auto implied = imply_volatility(put);
        EXPECT_EQ(implied.status, pricing::IvStatus::ok);
        EXPECT_NEAR(implied.volatility, 0.25, 1e-6);
    }
    put.dividends.clear();
    put.price = 4.0;
    EXPECT_EQ(imply_volatility(put).status, pricing::IvStatus::below_intrinsic);
}

TEST(Valuation, TheLastDayLosesWhatIsLeft) {
    const OptionInput call = option(100, 100, 0.5 / 365.0, 0.2, 0.0, market::Right::call);
    const Valuation valued = value_option(call);
    EXPECT_NEAR(valued.theta_day, -valued.raw.price, 1e-12);
}

TEST(Valuation, ImpliedVolatilityComesBack) {
    for (const bool on_forward : {false, true}) {
        for (const auto right : {market::Right::call, market::Right::put}) {
            OptionInput at = option(100, 110, 0.5, 0.35, 0.03, right);
            at.on_forward = on_forward;
            if (!on_forward) at.dividends = {{0.25, 1.0}};
            at.price = value_option(at).raw.price;
            const auto implied = imply_volatility(at);
            EXPECT_EQ(implied.status, pricing::IvStatus::ok);
            EXPECT_NEAR(implied.volatility, 0.35, 1e-10);
        }
    }
}

TEST(Valuation, WhereThereIsNoVolatilityTheStatusSaysWhy) {
    OptionInput at = option(100, 80, 0.5, 0.2, 0.0, market::Right::call);
    at.price = 19.0;
    EXPECT_EQ(imply_volatility(at).status, pricing::IvStatus::below_intrinsic);
    at.price = 101.0;
    EXPECT_EQ(imply_volatility(at).status, pricing::IvStatus::above_max);
    at.years = 0.0;
    EXPECT_EQ(imply_volatility(at).status, pricing::IvStatus::expired);
}

}  // namespace
}  // namespace scanmq::cli
