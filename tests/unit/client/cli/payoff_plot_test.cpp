#include "client/cli/payoff_plot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>

#include "scanner/market/sample_market.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::cli {
namespace {

// The best verticals of a made-up chain.
struct Scanned {
    market::PricedChain priced;
    service::ScanResult result;
};

Scanned scanned(market::ExerciseStyle style = market::ExerciseStyle::european,
                std::optional<double> dividend = std::nullopt) {
    Scanned out;
    auto chain = std::make_shared<market::Chain>(market::sample_chain({.symbols = 1}, 0));
    chain->style = style;
    market::PricingOptions pricing;
    constexpr WallMillis kDay = 86'400'000;
    if (dividend) pricing.dividends = {{chain->as_of + 3 * kDay, *dividend}};
    out.priced = market::price_chain(std::move(chain), pricing);
    service::ScanRequest request;
    request.filters = {{"width", {{"max", 50.0}}}, {"dte", {{"min", 5.0}}}};
    auto result = service::scan(out.priced, request);
    EXPECT_TRUE(result);
    out.result = *std::move(result);
    EXPECT_GT(out.result.spreads.size(), 10U);
    return out;
}

TEST(PayoffPlot, AtExpiryAreTheResultsExtremesAndBreakevens) {
    const Scanned at = scanned();
    for (const service::Spread& spread : at.result.spreads) {
        ASSERT_TRUE(holds(at.priced, spread));
        const double low = profit_at(at.priced, spread, 0.01, Moment::nearer_expiry);
        const double high = profit_at(at.priced, spread, 1e5, Moment::nearer_expiry);
        EXPECT_NEAR(std::max(low, high), spread.max_profit, 1e-9);
        EXPECT_NEAR(std::min(low, high), -spread.max_loss, 1e-9);
        for (const double level : spread.breakevens) {
            EXPECT_NEAR(profit_at(at.priced, spread, level, Moment::nearer_expiry), 0.0, 1e-8);
        }
    }
}

TEST(PayoffPlot, EveryStrategyIsWorthNothingAtItsBreakevens) {
    const Scanned verticals = scanned();
    service::ScanRequest request;
    for (const auto name : strategy::strategy_names()) {
        request.strategies = {std::string(name)};
        request.filters = {{"width", {{"max", 20.0}}},
                           {"dte", {{"min", 5.0}, {"max", 20.0}}},
                           {"delta", {{"min", 0.25}, {"max", 0.6}, {"legs", std::string("all")}}}};
        request.limit = 5;
        const auto result = service::scan(verticals.priced, request);
        ASSERT_TRUE(result) << result.error().message;
        for (const service::Spread& spread : result->spreads) {
            ASSERT_TRUE(holds(verticals.priced, spread));
            for (const double level : spread.breakevens) {
                EXPECT_NEAR(profit_at(verticals.priced, spread, level, Moment::nearer_expiry), 0.0,
                            1e-5)
                    << name;
            }
        }
    }
}

TEST(PayoffPlot, TodayAtTheSpotIsWhatTheMidsAreWorth) {
    using market::ExerciseStyle;
    for (const auto& [style, dividend] :
         {std::pair<ExerciseStyle, std::optional<double>>{ExerciseStyle::european, std::nullopt},
          {ExerciseStyle::american, std::nullopt},
          {ExerciseStyle::american, 4.0}}) {
        const Scanned at = scanned(style, dividend);
        for (const service::Spread& spread : at.result.spreads) {
            double value = -spread.net_price - spread.fees;
            bool quoted = true;
            for (const auto& leg : spread.legs) {
                value += strategy::sign(leg.side) * leg.ratio * 0.5 * (leg.bid + leg.ask);
                quoted = quoted && std::isfinite(leg.iv);
            }
            if (!quoted) continue;
            EXPECT_NEAR(profit_at(at.priced, spread, at.priced.spot, Moment::today), value, 1e-5);
        }
    }
}

// A share that pays half of its price in three days: an American call is best exercised before, so it
// is worth what that gives, and below what is paid nothing is left of the share.
TEST(PayoffPlot, KnownDividendsArePaidOnTheirDayToday) {
    Scanned at = scanned(market::ExerciseStyle::american, 1.0);
    const service::Spread* call = nullptr;
    for (const service::Spread& spread : at.result.spreads) {
        if (spread.strategy == "bull_call") call = &spread;
    }
    service::Spread alone = call != nullptr ? *call : at.result.spreads[0];
    alone.legs.resize(1);
    service::SpreadLeg& leg = alone.legs[0];
    leg.right = market::Right::call;
    leg.side = strategy::Side::long_leg;
    alone.net_price = alone.fees = 0.0;
    const double spot = 1.6 * leg.strike;
    const double small = profit_at(at.priced, alone, spot, Moment::today);
    at.priced.dividends[0].amount = 0.5 * spot;
    const double large = profit_at(at.priced, alone, spot, Moment::today);
    EXPECT_GE(large, spot - leg.strike - 1e-9);
    EXPECT_LT(large, small + 0.1);
    EXPECT_NEAR(large, spot - leg.strike, 0.002 * spot);
    EXPECT_EQ(profit_at(at.priced, alone, 0.4 * spot, Moment::today), 0.0);
    leg.right = market::Right::put;
    EXPECT_GE(profit_at(at.priced, alone, 0.4 * spot, Moment::today), leg.strike - 0.4 * spot);
    EXPECT_TRUE(std::isfinite(profit_at(at.priced, alone, 0.0, Moment::today)));
}

TEST(PayoffPlot, OtherChainsDoNotHoldTheSpread) {
    const Scanned at = scanned();
    const service::Spread& best = at.result.spreads[0];
    service::Spread other = best;
    other.symbol = "OTHER";
    EXPECT_FALSE(holds(at.priced, other));
    other = best;
    other.legs[0].expiry = 20500101;
    EXPECT_FALSE(holds(at.priced, other));
    other = best;
    other.dte += 1;
    EXPECT_FALSE(holds(at.priced, other));
    other.legs.clear();
    EXPECT_FALSE(holds(at.priced, other));
}

TEST(PayoffPlot, PictureNamesStrikesBreakevensAndProbability) {
    const Scanned at = scanned();
    const service::Spread& best = at.result.spreads[0];
    const Chart chart = payoff_chart(at.priced, best);
    const std::string text = svg_document(std::span(&chart, 1), 1);
    for (const std::string& part :
         {best.symbol, best.strategy, std::string("breakeven "), std::string("spot "),
          std::string("POP "), std::string("at expiry"), std::string("today")}) {
        EXPECT_NE(text.find(part), std::string::npos) << part;
    }
    EXPECT_EQ(text.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace scanmq::cli
