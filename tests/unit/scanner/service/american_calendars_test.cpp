// Two-expiry spreads of American chains, where the real files are at hand: every figure against the
// legs priced one by one, and none of them absurd.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "scanner/market/calendar.hpp"
#include "scanner/market/early_exercise.hpp"
#include "scanner/market/reader.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::service {
namespace {

using market::Right;

std::size_t expiry_of(const market::PricedChain& chain, const SpreadLeg& leg) {
    const auto& expiries = chain.chain->expiries;
    for (std::size_t e = 0; e < expiries.size(); ++e) {
        if (expiries[e].root == leg.root && expiries[e].date == leg.expiry) return e;
    }
    std::abort();
}

// The spread at the nearer expiry less its cost, each later leg by american_price().
double value_at(const Spread& spread, const market::PricedChain& chain, double s) {
    std::size_t nearest = expiry_of(chain, spread.legs[0]);
    for (const SpreadLeg& leg : spread.legs) nearest = std::min(nearest, expiry_of(chain, leg));
    const market::ExpiryMarket& front = chain.expiries[nearest];
    double total = -spread.net_price - spread.fees;
    for (const SpreadLeg& leg : spread.legs) {
        const double quantity = strategy::sign(leg.side) * leg.ratio;
        const std::size_t expiry = expiry_of(chain, leg);
        const double inside = leg.right == Right::call ? s - leg.strike : leg.strike - s;
        if (expiry == nearest) {
            total += quantity * std::max(inside, 0.0);
            continue;
        }
        const market::ExpiryMarket& back = chain.expiries[expiry];
        const double years = back.years - front.years;
        const double rate = -std::log(back.discount / front.discount) / years;
        std::vector<pricing::CashDividend> dividends;
        for (const auto& one : chain.dividends) {
            if (one.years > front.years) {
                dividends.push_back({one.years - front.years, one.amount});
            }
        }
        const double yield =
            market::implied_yield(back.forward, {{front.forward, rate, 0.0, years}, dividends});
        // Calls that are never exercised: an amount, which is that yield at the front's forward.
        double local = yield;
        if (dividends.empty() && leg.right == Right::call && yield <= 0.0) {
            const double paid = front.forward * -std::expm1(-yield * years);
            local = -std::log1p(-paid / s) / years;
        }
        total += quantity * pricing::american_price({s, leg.strike, rate, local, years, leg.iv},
                                                    dividends, leg.right);
    }
    return total;
}

void expect_sense(const Spread& spread, const market::PricedChain& chain, double tolerance) {
    const double spot = chain.spot;
    std::string what = spread.strategy;
    for (const SpreadLeg& leg : spread.legs) {
        what += " " + std::to_string(leg.strike) + "@" + std::to_string(leg.expiry);
    }
    EXPECT_TRUE(std::isfinite(spread.max_profit)) << what;
    EXPECT_TRUE(std::isfinite(spread.max_loss)) << what;
    EXPECT_GE(spread.pop, 0.0) << what;
    EXPECT_LE(spread.pop, 1.0) << what;
    EXPECT_LE(std::fabs(spread.ev), std::max(spread.max_profit, spread.max_loss)) << what;
    // A calendar cannot lose more than it cost, nor win more than its later leg at the money.
    const bool calendar = spread.strategy.ends_with("calendar");
    if (calendar) {
        EXPECT_LE(spread.max_loss, spread.net_price + spread.fees + 1e-6) << what;
        EXPECT_LT(spread.max_profit, 0.5 * spot) << what;
    }
    for (const double level : spread.breakevens) {
        EXPECT_NEAR(value_at(spread, chain, level), 0.0, tolerance) << what;
    }
    double best = -1e300;
    double worst = 1e300;
    for (int i = 1; i <= 40; ++i) {
        const double value = value_at(spread, chain, 0.05 * i * spot);
        best = std::max(best, value);
        worst = std::min(worst, value);
    }
    for (const SpreadLeg& leg : spread.legs) {
        best = std::max(best, value_at(spread, chain, leg.strike));
    }
    EXPECT_GE(spread.max_profit, best - tolerance) << what;
    EXPECT_LE(spread.max_profit, best + 0.02 * spot) << what;
    EXPECT_GE(spread.max_loss, -worst - tolerance) << what;
}

void scan_file(const char* file, const market::PricingOptions& options, double tolerance) {
    SCANMQ_NEEDS_VENDOR_FILE(path, file);
    auto report = market::read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const market::PricedChain chain = market::price_chain(
        std::make_shared<const market::Chain>(std::move(report->chains.at(0))), options);
    for (const char* strategy :
         {"call_calendar", "put_calendar", "call_diagonal", "put_diagonal", "double_calendar"}) {
        ScanRequest request;
        request.strategies = {strategy};
        request.limit = 5;
        request.filters = {{"width", {{"max", 10.0}}},
                           {"dte", {{"min", 5.0}, {"max", 60.0}}},
                           {"delta", {{"min", 0.3}, {"max", 0.7}}}};
        request.candidates_max = 1'000'000'000'000;
        const auto result = scan(chain, request);
        ASSERT_TRUE(result.ok()) << result.error().message;
        EXPECT_GT(result->counts.ranked, 0U) << strategy;
        for (const Spread& spread : result->spreads) expect_sense(spread, chain, tolerance);
    }
}

TEST(AmericanCalendars, OfTheGoogFile) {
    scan_file("lean_goog_2015-12-24_1300et_snapshot.csv", {}, 5e-4);
}

TEST(AmericanCalendars, OfTheTslaFile) {
    scan_file("cboe_tsla_2023-11-10_quotedata_fr.csv", {}, 5e-4);
}

// As if GOOG paid one between most pairs of expiries.
TEST(AmericanCalendars, WithADividendBetweenTheExpiries) {
    market::PricingOptions options;
    options.dividends.push_back(
        {.ex_moment = market::new_york_moment(20160120, 9 * 60 + 30), .amount = 2.0});
    scan_file("lean_goog_2015-12-24_1300et_snapshot.csv", options, 5e-3);
}

}  // namespace
}  // namespace scanmq::service
