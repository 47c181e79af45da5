#include "scanner/service/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/priced_chains.hpp"

namespace scanmq::service {
namespace {

using market::Right;
using scanmq::testing::PricedChainBuilder;
using ::testing::HasSubstr;

constexpr double kNone = market::kMissing;

// Two puts of one expiry: the one bull put and the one bear put there are.
market::PricedChain two_puts() {
    return PricedChainBuilder("TST")
        .expiry({.root = "TST", .dte = 30, .forward = 100.0, .rate = 0.04, .atm_volatility = 0.20})
        .quote({Right::put, 90.0, 0.45, 0.50, 0.26, 200, 500})
        .quote({Right::put, 95.0, 1.15, 1.25, 0.23, 50, 100})
        .build();
}

ScanRequest request_for(std::vector<std::string> strategies) {
    ScanRequest request;
    request.strategies = std::move(strategies);
    return request;
}

ScanResult scanned(const market::PricedChain& chain, const ScanRequest& request) {
    auto result = scan(chain, request);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *std::move(result) : ScanResult{};
}

// Every figure against values computed apart, from the formulas of docs/SCAN_REQUEST.md.
TEST(Engine, BullPutByHand) {
    const ScanResult result = scanned(two_puts(), request_for({"bull_put"}));
    ASSERT_EQ(result.spreads.size(), 1U);
    const Spread& spread = result.spreads[0];
    EXPECT_EQ(spread.symbol, "TST");
    EXPECT_EQ(spread.strategy, "bull_put");
    EXPECT_EQ(spread.dte, 30);
    EXPECT_NEAR(spread.net_price, -0.65, 1e-12);  // sells at 1.15, buys at 0.50
    EXPECT_NEAR(spread.fees, 0.013, 1e-15);       // two contracts at 0.65, 100 shares each
    EXPECT_NEAR(spread.max_profit, 0.637, 1e-12);
    EXPECT_NEAR(spread.max_loss, 4.363, 1e-12);
    EXPECT_DOUBLE_EQ(spread.width, 5.0);
    ASSERT_EQ(spread.breakevens.size(), 1U);
    EXPECT_NEAR(spread.breakevens[0], 94.363, 1e-12);
    EXPECT_NEAR(spread.pop, 0.8372556506076252, 1e-12);
    EXPECT_NEAR(spread.ev, 0.14085827672040807, 1e-11);
    EXPECT_NEAR(spread.greeks.delta, 0.13529853638241351, 1e-12);
    EXPECT_NEAR(spread.greeks.gamma, -0.02494741240406759, 1e-12);
    EXPECT_NEAR(spread.greeks.theta_day, 0.012926698478526844, 1e-11);
    EXPECT_NEAR(spread.greeks.vega_point, -0.04225960376652191, 1e-12);
    EXPECT_NEAR(spread.greeks.rho_point, 0.011535563974848475, 1e-12);
    EXPECT_NEAR(spread.score, 61.119128115930735, 1e-8);
    const double components[] = {83.72556506076252,
                                 36.868759947909126,
                                 41.31275858213126,
                                 64.04674796309968,
                                 61.42808794208062,
                                 67.37204057333201,
                                 kNone,
                                 77.71873203513977,
                                 75.1818489420085};
    for (std::size_t i = 0; i < score::kComponents; ++i) {
        if (std::isnan(components[i])) {
            EXPECT_TRUE(std::isnan(spread.components[i])) << i;
        } else {
            EXPECT_NEAR(spread.components[i], components[i], 1e-8) << i;
        }
    }
}

TEST(Engine, LegsOfTheBullPut) {
    const ScanResult result = scanned(two_puts(), request_for({"bull_put"}));
    ASSERT_EQ(result.spreads.size(), 1U);
    ASSERT_EQ(result.spreads[0].legs.size(), 2U);
    const SpreadLeg& low = result.spreads[0].legs[0];
    const SpreadLeg& high = result.spreads[0].legs[1];
    EXPECT_EQ(low.root, "TST");
    EXPECT_EQ(low.expiry, 20260116);
    EXPECT_EQ(low.settlement, market::Settlement::pm);
    EXPECT_EQ(low.strike, 90.0);
    EXPECT_EQ(low.right, Right::put);
    EXPECT_EQ(low.side, strategy::Side::long_leg);
    EXPECT_EQ(low.ratio, 1U);
    EXPECT_EQ(low.bid, 0.45);
    EXPECT_EQ(low.ask, 0.50);
    EXPECT_EQ(low.fill, 0.50);
    EXPECT_EQ(low.iv, 0.26);
    EXPECT_EQ(low.volume, 200U);
    EXPECT_EQ(low.open_interest, 500U);
    EXPECT_NEAR(low.greeks.delta, -0.07342445890340943, 1e-12);
    EXPECT_EQ(high.side, strategy::Side::short_leg);
    EXPECT_EQ(high.fill, 1.15);
    EXPECT_NEAR(high.greeks.theta_day, -0.029232024136082613, 1e-11);
}

TEST(Engine, BearPutIsTheOtherSide) {
    const ScanResult result = scanned(two_puts(), request_for({"bear_put"}));
    ASSERT_EQ(result.spreads.size(), 1U);
    const Spread& spread = result.spreads[0];
    EXPECT_NEAR(spread.net_price, 0.80, 1e-12);  // buys at 1.25, sells at 0.45
    EXPECT_NEAR(spread.max_profit, 4.187, 1e-12);
    EXPECT_NEAR(spread.max_loss, 0.813, 1e-12);
    EXPECT_NEAR(spread.breakevens.at(0), 94.187, 1e-12);
}

TEST(Engine, FillAndFeesAreTheRequests) {
    ScanRequest request = request_for({"bull_put"});
    request.fill = strategy::kMidFill;
    request.fee_per_contract = 0.0;
    const ScanResult result = scanned(two_puts(), request);
    ASSERT_EQ(result.spreads.size(), 1U);
    EXPECT_NEAR(result.spreads[0].net_price, 0.48 - 1.20, 1e-12);  // .475 is bought a cent up
    EXPECT_NEAR(result.spreads[0].max_profit, 0.72, 1e-12);
    EXPECT_EQ(result.spreads[0].fees, 0.0);
    EXPECT_EQ(result.assumptions.fill, 1.0);
    EXPECT_EQ(result.assumptions.volatility, "smile");
}

// Net figures of the spread, as they are shown: one day, one point.
TEST(Engine, ThetaAndVegaFiltersAreOfTheSpread) {
    const Spread spread = scanned(two_puts(), request_for({"bull_put"})).spreads.at(0);
    const struct {
        const char* type;
        double value;
    } nets[] = {{"theta", spread.greeks.theta_day}, {"vega", spread.greeks.vega_point}};
    for (const auto& net : nets) {
        ScanRequest request = request_for({"bull_put"});
        request.filters = {{net.type, {{"min", net.value - 1e-9}, {"max", net.value + 1e-9}}}};
        EXPECT_EQ(scanned(two_puts(), request).spreads.size(), 1U) << net.type;
        request.filters = {{net.type, {{"min", net.value + 1e-6}}}};
        const ScanResult none = scanned(two_puts(), request);
        EXPECT_TRUE(none.spreads.empty()) << net.type;
        EXPECT_EQ(none.counts.filters.at(0).evaluated, 1U);
        EXPECT_EQ(none.counts.filters.at(0).removed, 1U);
        EXPECT_EQ(none.counts.ranked, 0U);
    }
}

// An American call at 70 on a spot of 99.67 cannot be worth the 25 it is asked for: whoever buys it may
// exercise it at once. No spread with it is ranked.
TEST(Engine, ALongLegThatPaysToExerciseIsAnArbitrageQuote) {
    const auto chain_of = [](market::ExerciseStyle style) {
        auto chain = PricedChainBuilder("TST")
                         .expiry({.root = "TST", .dte = 30, .forward = 100.0})
                         .quote({Right::call, 70.0, 24.50, 25.00, kNone})
                         .quote({Right::call, 75.0, 24.60, 25.20, 0.26})
                         .quote({Right::call, 100.0, 2.20, 2.30, 0.20})
                         .quote({Right::call, 105.0, 0.70, 0.80, 0.20})
                         .quote({Right::call, 110.0, 0.20, 0.25, 0.20})
                         .build();
        auto priced = chain;
        auto quotes = std::make_shared<market::Chain>(*chain.chain);
        quotes->style = style;
        priced.chain = std::move(quotes);
        return priced;
    };
    const auto american = chain_of(market::ExerciseStyle::american);
    const auto with_70 = [](const Spread& spread) {
        return std::ranges::any_of(spread.legs, [](const SpreadLeg& leg) {
            return leg.strike == 70.0 && leg.side == strategy::Side::long_leg;
        });
    };
    for (const char* name : {"bull_call", "call_condor", "long_call"}) {
        const ScanResult result = scanned(american, request_for({name}));
        EXPECT_TRUE(std::ranges::none_of(result.spreads, with_70)) << name;
        EXPECT_TRUE(std::ranges::any_of(result.arbitrage, with_70)) << name;
        EXPECT_GT(result.counts.ranked, 0U) << name << ": the others stay";
        const ScanResult european =
            scanned(chain_of(market::ExerciseStyle::european), request_for({name}));
        EXPECT_TRUE(std::ranges::any_of(european.spreads, with_70)) << name;
    }
    const ScanResult vertical = scanned(american, request_for({"bull_call"}));
    EXPECT_TRUE(std::ranges::all_of(vertical.arbitrage,
                                    [](const Spread& spread) { return std::isnan(spread.score); }));
    EXPECT_EQ(vertical.counts.arbitrage_quote, 4U) << "70 against each of the others";
}

TEST(Engine, SaysWhatItAssumed) {
    market::PricedChain chain = two_puts();
    chain.rate = 0.04;
    chain.spot_is_implied = true;
    ScanRequest request;
    request.symbol = "TST";
    request.as_of = 1'700'000'000'000;
    const ScanResult result = scanned(chain, request);
    EXPECT_EQ(result.symbol, "TST");
    EXPECT_EQ(result.as_of, 1'700'000'000'000);
    EXPECT_EQ(result.engine, kEngineVersion);
    EXPECT_TRUE(result.assumptions.spot_is_implied);
    EXPECT_EQ(result.assumptions.rate, 0.04);
    EXPECT_EQ(result.assumptions.fee_per_contract, 0.65);
    EXPECT_EQ(result.assumptions.weights, *score::preset("balanced"));
}

TEST(Engine, StanceOfTheRequestOverrides) {
    ScanRequest request = request_for({"bull_put"});
    const double bullish = scanned(two_puts(), request).spreads.at(0).components[3];
    request.delta_stance = strategy::Stance::short_stance;
    EXPECT_NEAR(scanned(two_puts(), request).spreads.at(0).components[3], 100.0 - bullish, 1e-9);
}

TEST(Engine, WeightsOfTheRequestDecideTheScore) {
    ScanRequest request = request_for({"bull_put"});
    request.weights = score::Weights{};
    (*request.weights)[score::Component::probability] = 3.0;
    const Spread spread = scanned(two_puts(), request).spreads.at(0);
    EXPECT_NEAR(spread.score, 100.0 * spread.pop, 1e-12);
}

TEST(Gates, CreditOfTheWidthOrMoreIsListedApart) {
    market::PricedChain chain = PricedChainBuilder("TST")
                                    .expiry({.root = "TST"})
                                    .quote({Right::put, 90.0, 0.10, 0.20, 0.26})
                                    .quote({Right::put, 95.0, 5.20, 5.30, 0.23})  // credit 5.00
                                    .build();
    const ScanResult result = scanned(chain, request_for({"bull_put"}));
    EXPECT_EQ(result.counts.candidates, 1U);
    EXPECT_EQ(result.counts.arbitrage_quote, 1U);
    EXPECT_EQ(result.counts.ranked, 0U);
    EXPECT_TRUE(result.spreads.empty());
    ASSERT_EQ(result.arbitrage.size(), 1U);
    EXPECT_NEAR(result.arbitrage[0].net_price, -5.0, 1e-12);
    EXPECT_TRUE(std::isnan(result.arbitrage[0].score));
    EXPECT_TRUE(std::isnan(result.arbitrage[0].components[0]));
}

TEST(Gates, FreeDebitIsListedApart) {
    market::PricedChain chain = PricedChainBuilder("TST")
                                    .expiry({.root = "TST"})
                                    .quote({Right::put, 90.0, 1.00, 1.10, 0.26})
                                    .quote({Right::put, 95.0, 0.90, 1.00, 0.23})  // debit 0
                                    .build();
    const ScanResult result = scanned(chain, request_for({"bear_put"}));
    EXPECT_EQ(result.counts.arbitrage_quote, 1U);
    ASSERT_EQ(result.arbitrage.size(), 1U);
    EXPECT_NEAR(result.arbitrage[0].net_price, 0.0, 1e-12);
}

TEST(Gates, GainUnderOneTickIsRemoved) {
    const auto chain = [](double short_bid) {
        return PricedChainBuilder("TST")
            .expiry({.root = "TST"})
            .quote({Right::put, 90.0, 0.10, 0.20, 0.26})
            .quote({Right::put, 95.0, short_bid, 0.60, 0.23})
            .build();
    };
    ScanRequest request = request_for({"bull_put"});
    request.fee_per_contract = 0.0;
    const ScanResult one_tick = scanned(chain(0.21), request);
    EXPECT_EQ(one_tick.counts.ranked, 1U);
    EXPECT_EQ(one_tick.counts.no_profit, 0U);
    request.fee_per_contract = 0.65;  // 0.013 a share: a tick is left of a credit of 0.023 only
    EXPECT_EQ(scanned(chain(0.21), request).counts.no_profit, 1U);
    EXPECT_EQ(scanned(chain(0.22), request).counts.no_profit, 1U);
    EXPECT_EQ(scanned(chain(0.23), request).counts.ranked, 1U);
}

// A chain on which every count differs: filters are charged in order, on the legs that reach them.
TEST(Filters, CountsByFilterAndStage) {
    market::PricedChain chain =
        PricedChainBuilder("TST")
            .expiry({.root = "TST", .date = 20260116, .dte = 30})
            .quote({Right::put, 80.0, 0.00, 0.05, 0.30, 10, 10})  // no bid: long only
            .quote({Right::put, 85.0, 0.15, 0.20, 0.28, 10, 10})
            .quote({Right::put, 90.0, 0.45, 0.50, kNone, 10, 10})  // no volatility
            .quote({Right::put, 95.0, 1.15, 1.25, 0.23, 10, 10})
            .quote({Right::put, 97.0, 1.90, 1.80, 0.23, 10, 10})  // crossed
            .expiry({.root = "TST", .date = 20260320, .dte = 93})
            .quote({Right::put, 90.0, 1.45, 1.50, 0.26})
            .quote({Right::put, 95.0, 2.15, 2.25, 0.23})
            .expiry({.root = "TST", .date = 20260101, .dte = 0, .tradable = false})
            .quote({Right::put, 90.0, 0.45, 0.50, 0.26})
            .build();
    ScanRequest request = request_for({"bull_put"});
    request.filters = {{"width", {{"max", 10.0}}},
                       {"delta", {{"max", 0.15}}},
                       {"dte", {{"max", 60.0}}},
                       {"pop", {{"min", 0.9999}}}};
    const Counts counts = scanned(chain, request).counts;
    EXPECT_EQ(counts.contracts, 8U);
    EXPECT_EQ(counts.contracts_not_tradable, 1U);
    EXPECT_EQ(counts.legs, 4U + 3U + 2U + 2U);  // long and short of each tradable expiry
    EXPECT_EQ(counts.legs_unquoted, 1U);
    EXPECT_EQ(counts.legs_crossed, 2U);
    ASSERT_EQ(counts.filters.size(), 4U);
    // Short 85 passes; 90 has no delta; 95 has -0.21.
    EXPECT_EQ(counts.filters[1].type, "delta");
    EXPECT_EQ(counts.filters[1].evaluated, 3U);
    EXPECT_EQ(counts.filters[1].removed, 2U);
    EXPECT_EQ(counts.filters[1].missing, 1U);
    EXPECT_EQ(counts.filters[2].type, "dte");
    EXPECT_EQ(counts.filters[2].evaluated, 11U);
    EXPECT_EQ(counts.filters[2].removed, 4U);
    // Short 85 over long 80 is all that is left.
    EXPECT_EQ(counts.filters[0].evaluated, 1U);
    EXPECT_EQ(counts.filters[0].removed, 0U);
    EXPECT_EQ(counts.candidates, 1U);
    EXPECT_EQ(counts.filters[3].evaluated, 1U);
    EXPECT_EQ(counts.filters[3].removed, 1U);
    EXPECT_EQ(counts.ranked, 0U);
}

TEST(Filters, WidthCountsThePairsItLeavesOut) {
    PricedChainBuilder builder("TST");
    builder.expiry({.root = "TST"});
    for (const double strike : {80.0, 85.0, 90.0, 95.0}) {
        builder.quote(
            {Right::put, strike, 0.3 + (strike - 80.0) * 0.1, 0.35 + (strike - 80.0) * 0.1, 0.25});
    }
    const market::PricedChain chain = builder.build();
    ScanRequest request = request_for({"bull_put"});
    request.filters = {{"width", {{"min", 5.0}, {"max", 10.0}}}};
    const Counts counts = scanned(chain, request).counts;
    EXPECT_EQ(counts.candidates, 5U);
    EXPECT_EQ(counts.filters.at(0).evaluated, 6U);
    EXPECT_EQ(counts.filters.at(0).removed, 1U);
}

TEST(Engine, ExpiriesWithoutAForwardOrVolatilityAreCounted) {
    market::PricedChain chain = two_puts();
    chain.expiries[0].atm_volatility = kNone;
    const ScanResult result = scanned(chain, {});
    EXPECT_EQ(result.counts.contracts_unpriced, 2U);
    EXPECT_EQ(result.counts.candidates, 0U);
}

TEST(Engine, EmptyChainGivesAnEmptyResult) {
    const ScanResult result = scanned(PricedChainBuilder("NIL").build(), {});
    EXPECT_EQ(result.symbol, "NIL");
    EXPECT_TRUE(result.spreads.empty());
    EXPECT_EQ(result.counts.contracts, 0U);
}

TEST(Engine, CancelledScanSaysSo) {
    const std::atomic<bool> cancel{true};
    const auto result = scan(two_puts(), {}, &cancel);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::cancelled);
}

TEST(Engine, CountsItsStepsThroughEveryExpiry) {
    const market::PricedChain chain = two_puts();
    std::atomic<std::uint64_t> steps{0};
    ASSERT_TRUE(scan(chain, {}, nullptr, &steps).ok());
    EXPECT_EQ(steps, scan_steps(*chain.chain, {}));
    EXPECT_EQ(steps, chain.expiries.size() * strategy::default_strategy_names().size());

    market::PricedChain unpriced = two_puts();
    unpriced.expiries[0].atm_volatility = kNone;
    steps = 0;
    ASSERT_TRUE(scan(unpriced, request_for({"bull_put"}), nullptr, &steps).ok());
    EXPECT_EQ(steps, unpriced.expiries.size()) << "those it leaves out count, too";
    EXPECT_EQ(scan_steps(*chain.chain, request_for({"no_such"})), 0U);
}

TEST(Engine, CancelledScanCountsNoMoreSteps) {
    const std::atomic<bool> cancel{true};
    std::atomic<std::uint64_t> steps{0};
    EXPECT_FALSE(scan(two_puts(), {}, &cancel, &steps).ok());
    EXPECT_EQ(steps, 0U);
}

TEST(Engine, RefusesAnotherSymbol) {
    ScanRequest request;
    request.symbol = "SPX";
    const auto result = scan(two_puts(), request);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::symbol_mismatch);
}

TEST(Request, RefusesWhatItCannotMean) {
    const auto message_of = [](const ScanRequest& request) {
        const auto plan = make_plan(request);
        EXPECT_FALSE(plan.ok());
        return plan.ok() ? std::string{} : plan.error().message;
    };
    EXPECT_THAT(message_of(request_for({"bull_pt"})), HasSubstr("\"bull_put\""));
    ScanRequest request;
    request.preset = "agressive";
    EXPECT_THAT(message_of(request), HasSubstr("\"aggressive\""));
    request = {};
    request.limit = 0;
    EXPECT_THAT(message_of(request), HasSubstr("limit"));
    request.limit = kLimitMax + 1;
    EXPECT_THAT(message_of(request), HasSubstr("10000"));
    request = {};
    request.fill.toward_mid = 1.5;
    EXPECT_THAT(message_of(request), HasSubstr("fill"));
    request = {};
    request.fee_per_contract = -1.0;
    EXPECT_THAT(message_of(request), HasSubstr("fee_per_contract"));
    request = {};
    request.rate = 5.3;
    EXPECT_THAT(message_of(request), HasSubstr("decimal"));
    request = {};
    request.weights = score::Weights{};
    EXPECT_THAT(message_of(request), HasSubstr("positive weight"));
    (*request.weights)[score::Component::delta] = -1.0;
    EXPECT_THAT(message_of(request), HasSubstr("\"delta\""));
}

TEST(Request, StrategiesAreSortedAndOnce) {
    const auto plan = make_plan(request_for({"bull_put", "bear_call", "bull_put"}));
    ASSERT_TRUE(plan.ok());
    ASSERT_EQ(plan->strategies.size(), 2U);
    EXPECT_EQ(plan->strategies[0]->name, "bear_call");
    EXPECT_EQ(plan->strategies[1]->name, "bull_put");
    EXPECT_EQ(make_plan({})->strategies.size(), strategy::default_strategy_names().size());
}

TEST(Request, PricingOptionsCarryRateAndClock) {
    ScanRequest request;
    EXPECT_TRUE(std::isnan(pricing_options(request).rate));
    EXPECT_EQ(pricing_options(request).as_of, 0);
    request.rate = 0.03;
    request.as_of = 7;
    EXPECT_EQ(pricing_options(request).rate, 0.03);
    EXPECT_EQ(pricing_options(request).as_of, 7);
}

}  // namespace
}  // namespace scanmq::service
