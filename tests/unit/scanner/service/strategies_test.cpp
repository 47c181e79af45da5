// Every strategy on random chains: figures against direct evaluation of the legs, pruning against brute
// force, one selection against another.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "scanner/pricing/black.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "scanner/strategy/distribution.hpp"
#include "tests/support/priced_chains.hpp"

namespace scanmq::service {
namespace {

using market::Right;
using strategy::Side;

ScanResult scanned(const market::PricedChain& chain, const ScanRequest& request,
                   const ScanControl& control = {}) {
    auto result = scan(chain, request, control);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *std::move(result) : ScanResult{};
}

// With a smile, so that every component applies.
market::PricedChain smiling_chain(Rng& rng, const testing::RandomChainOptions& options = {}) {
    market::PricedChain chain = testing::random_chain(rng, options);
    for (market::ExpiryMarket& each : chain.expiries) {
        const double w = each.atm_volatility * each.atm_volatility * each.years;
        each.smile = {.a = 0.8 * w, .b = 0.4 * w, .rho = -0.3, .m = 0.0, .s = 0.5};
    }
    return chain;
}

ScanRequest all_strategies() {
    ScanRequest request;
    for (const std::string_view name : strategy::strategy_names()) {
        request.strategies.emplace_back(name);
    }
    request.filters = {{"width", {{"max", 10.0}}}};
    return request;
}

// Value at the nearer expiry of everything but the cost, leg by leg.
double value_at(const Spread& spread, const market::PricedChain& chain, double s) {
    const market::Chain& quotes = *chain.chain;
    int nearest = spread.legs[0].expiry;
    for (const SpreadLeg& leg : spread.legs) nearest = std::min(nearest, leg.expiry);
    const auto market_of = [&](const SpreadLeg& leg) -> const market::ExpiryMarket& {
        for (std::size_t e = 0; e < quotes.expiries.size(); ++e) {
            if (quotes.expiries[e].root == leg.root && quotes.expiries[e].date == leg.expiry) {
                return chain.expiries[e];
            }
        }
        std::abort();
    };
    const market::ExpiryMarket* front = nullptr;
    for (const SpreadLeg& leg : spread.legs) {
        if (leg.expiry == nearest) front = &market_of(leg);
    }
    double total = spread.stock * s;
    for (const SpreadLeg& leg : spread.legs) {
        const double quantity = strategy::sign(leg.side) * leg.ratio;
        if (leg.expiry == nearest) {
            const double intrinsic = leg.right == Right::call ? s - leg.strike : leg.strike - s;
            total += quantity * std::max(intrinsic, 0.0);
            continue;
        }
        const market::ExpiryMarket& back = market_of(leg);
        const double discount = back.discount / front->discount;
        const double paid_out = front->forward - back.forward * discount;
        total +=
            quantity * pricing::black_price({.forward = std::max((s - paid_out) / discount, 1e-9),
                                             .strike = leg.strike,
                                             .volatility = leg.iv,
                                             .years = back.years - front->years,
                                             .discount = discount},
                                            leg.right);
    }
    return total;
}

void expect_figures(const Spread& spread, const market::PricedChain& chain) {
    const std::string what = spread.strategy + " of rank with " + encode_spreads({spread});
    double net = spread.stock != 0 ? spread.stock * spread.stock_price : 0.0;
    double delta = spread.stock;
    for (const SpreadLeg& leg : spread.legs) {
        const double quantity = strategy::sign(leg.side) * leg.ratio;
        net += quantity * leg.fill;
        delta += quantity * leg.greeks.delta;
        EXPECT_EQ(leg.side == Side::short_leg, !std::isnan(leg.p_touch)) << what;
    }
    EXPECT_NEAR(spread.net_price, net, 1e-9) << what;
    if (!std::isnan(delta)) {
        EXPECT_NEAR(spread.greeks.delta, delta, 1e-9) << what;
    }
    const double cost = net + spread.fees;
    double best = -1e300;
    double worst = 1e300;
    for (double s = 0.0; s <= 400.0; s += 0.25) {
        const double value = value_at(spread, chain, s) - cost;
        best = std::max(best, value);
        worst = std::min(worst, value);
    }
    const double slope = value_at(spread, chain, 1e6 + 1.0) - value_at(spread, chain, 1e6);
    EXPECT_EQ(std::isinf(spread.max_profit), slope > 0.5) << what;
    EXPECT_EQ(std::isinf(spread.max_loss), slope < -0.5) << what;
    if (!std::isinf(spread.max_profit)) {
        EXPECT_GE(spread.max_profit, best - 1e-6) << what;
        EXPECT_NEAR(spread.max_profit, best, 0.5) << what;
        EXPECT_EQ(spread.gain, spread.max_profit) << what;
    }
    if (!std::isinf(spread.max_loss)) {
        EXPECT_GE(spread.max_loss, -worst - 1e-6) << what;
        EXPECT_NEAR(spread.max_loss, -worst, 0.5) << what;
        EXPECT_EQ(spread.risk, spread.max_loss) << what;
    } else {
        EXPECT_EQ(spread.risk, spread.margin) << what;
    }
    for (const double level : spread.breakevens) {
        EXPECT_NEAR(value_at(spread, chain, level), cost, 1e-5) << what;
    }
    EXPECT_GE(spread.pop, 0.0) << what;
    EXPECT_LE(spread.pop, 1.0) << what;
    EXPECT_LE(spread.p_half_at_expiry, spread.pop + 1e-9) << what;
    EXPECT_GE(spread.score, 0.0) << what;
    EXPECT_LE(spread.score, 100.0 + 1e-9) << what;
    EXPECT_GT(spread.margin, 0.0) << what;
    EXPECT_NEAR(spread.return_per_day, spread.return_on_risk / std::max(spread.dte, 1), 1e-12);
    EXPECT_FALSE(spread.reason.empty());
}

TEST(Strategies, FiguresHoldAgainstTheLegs) {
    Rng rng(404);
    std::map<std::string, int> seen;
    for (int round = 0; round < 4; ++round) {
        const market::PricedChain chain =
            smiling_chain(rng, {.expiries = 3, .strikes = 8, .strike_step = 2.5});
        for (const std::string_view name : strategy::strategy_names()) {
            ScanRequest request;
            request.strategies = {std::string(name)};
            request.limit = 40;
            for (const Spread& spread : scanned(chain, request).spreads) {
                ++seen[spread.strategy];
                expect_figures(spread, chain);
                if (::testing::Test::HasFailure()) return;
            }
        }
    }
    for (const std::string_view name : strategy::strategy_names()) {
        EXPECT_GT(seen[std::string(name)], 0) << name << " gave nothing to look at";
    }
}

TEST(Strategies, PruningEqualsBruteForce) {
    Rng rng(405);
    for (int round = 0; round < 3; ++round) {
        const market::PricedChain chain = smiling_chain(rng, {.expiries = 3, .strikes = 9});
        ScanRequest request = all_strategies();
        request.limit = 1 + static_cast<std::uint32_t>(rng.below(80));
        const ScanResult pruned = scanned(chain, request);
        const ScanResult brute = scanned(chain, request, {.brute_force = true});
        EXPECT_EQ(encode_spreads(pruned.spreads), encode_spreads(brute.spreads)) << round;
        EXPECT_EQ(encode_spreads(pruned.arbitrage), encode_spreads(brute.arbitrage)) << round;
        request.exact_count = true;
        EXPECT_EQ(encode(scanned(chain, request), Encoding::json), encode(brute, Encoding::json));
        EXPECT_TRUE(std::ranges::is_sorted(pruned.spreads, ranks_before));
        const Counts& counts = pruned.counts;
        EXPECT_EQ(counts.candidates, counts.arbitrage_quote + counts.no_risk + counts.no_profit +
                                         counts.no_value + counts.unscored + counts.ranked +
                                         counts.pruned);
        EXPECT_EQ(counts.candidates, brute.counts.candidates);
        EXPECT_EQ(counts.arbitrage_quote, brute.counts.arbitrage_quote);
    }
}

// Whatever strategies are asked for together, each list is a part of the same whole.
TEST(Strategies, TogetherEqualsMergedOneByOne) {
    Rng rng(406);
    const market::PricedChain chain = smiling_chain(rng, {.expiries = 2, .strikes = 8});
    ScanRequest request = all_strategies();
    request.limit = 60;
    const ScanResult together = scanned(chain, request);
    std::vector<ScanResult> parts;
    for (const std::string& name : request.strategies) {
        ScanRequest one = request;
        one.strategies = {name};
        parts.push_back(scanned(chain, one));
    }
    std::ranges::reverse(parts);
    const ScanResult merged = merge_results(std::move(parts), 60);
    EXPECT_EQ(encode_spreads(merged.spreads), encode_spreads(together.spreads));
}

TEST(Strategies, EqualWingsAreEqualAndBrokenOnesAreNot) {
    Rng rng(407);
    const market::PricedChain chain = smiling_chain(rng, {.strikes = 14, .strike_step = 1.0});
    ScanRequest request;
    request.limit = 500;
    request.strategies = {"call_butterfly", "iron_butterfly", "put_broken_wing_butterfly"};
    int equal = 0;
    int unequal = 0;
    for (const Spread& spread : scanned(chain, request).spreads) {
        const double low = spread.legs.front().strike;
        const double middle = spread.legs[1].strike;
        const double high = spread.legs.back().strike;
        const bool same = std::fabs((high - middle) - (middle - low)) < 1e-9;
        EXPECT_EQ(same, spread.strategy != "put_broken_wing_butterfly");
        ++(same ? equal : unequal);
        EXPECT_NEAR(spread.width, std::max(high - middle, middle - low), 1e-9);
    }
    EXPECT_GT(equal, 10);
    EXPECT_GT(unequal, 10);
}

TEST(Strategies, StockIsNotHeldOnAnIndex) {
    Rng rng(408);
    market::PricedChain chain = smiling_chain(rng, {.expiries = 2});
    ScanRequest request;
    request.strategies = {"covered_call", "collar"};
    const ScanResult held = scanned(chain, request);
    ASSERT_FALSE(held.spreads.empty());
    EXPECT_EQ(held.spreads[0].stock, 1);
    EXPECT_EQ(held.counts.lanes_without_stock, 0U);
    auto index = std::make_shared<market::Chain>(*chain.chain);
    for (market::Expiry& expiry : index->expiries) expiry.root = "SPXW";
    chain.chain = index;
    const ScanResult none = scanned(chain, request);
    EXPECT_TRUE(none.spreads.empty());
    EXPECT_GT(none.counts.lanes_without_stock, 0U);
}

TEST(Strategies, CalendarsStayWithinARoot) {
    Rng rng(409);
    const market::PricedChain chain = smiling_chain(rng, {.expiries = 6, .strikes = 6});
    ScanRequest request;
    request.limit = 1'000;
    request.strategies = {"call_calendar", "double_diagonal"};
    const std::vector<Spread> spreads = scanned(chain, request).spreads;
    ASSERT_FALSE(spreads.empty());
    for (const Spread& spread : spreads) {
        EXPECT_GT(spread.back_dte, spread.dte);
        for (const SpreadLeg& leg : spread.legs) {
            EXPECT_EQ(leg.root, spread.legs[0].root);
            EXPECT_EQ(leg.side == Side::long_leg,
                      leg.expiry > spread.legs[spread.strategy == "call_calendar" ? 0 : 1].expiry);
        }
    }
}

TEST(Candidates, AnUnboundedRequestIsRefusedBeforeItRuns) {
    Rng rng(410);
    const market::PricedChain chain = smiling_chain(rng, {.strikes = 60});
    ScanRequest request;
    request.strategies = {"iron_condor"};
    request.candidates_max = 1'000;
    const auto refused = scan(chain, request);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::too_many_candidates);
    EXPECT_NE(refused.error().message.find("iron_condor"), std::string::npos);
    EXPECT_NE(refused.error().message.find("candidates_max"), std::string::npos);
    request.filters = {{"strikes", {{"max", 1.0}}}};
    EXPECT_TRUE(scan(chain, request).ok());
    // Two expiries weigh more.
    request = {};
    request.strategies = {"call_calendar"};
    request.candidates_max = 1'000;
    EXPECT_FALSE(scan(chain, request).ok());
    request.candidates_max = 500 * 1'000;
    EXPECT_TRUE(scan(chain, request).ok());
}

// One of each key, and each the best of its key.
TEST(BestPer, EqualsSortingTheWholeList) {
    Rng rng(411);
    const market::PricedChain chain = smiling_chain(rng, {.expiries = 4, .strikes = 10});
    ScanRequest request;
    request.strategies = {"bull_put", "bear_call", "iron_condor"};
    request.filters = {{"width", {{"max", 10.0}}}};
    request.limit = kLimitMax;
    const std::vector<Spread> all = scanned(chain, request).spreads;
    ASSERT_LT(all.size(), kLimitMax);
    const auto key = [](const Spread& spread, BestPer per) {
        std::string out;
        if (per == BestPer::symbol) return out;
        out = spread.legs[0].root + std::to_string(spread.legs[0].expiry);
        if (per == BestPer::expiry) return out;
        for (const SpreadLeg& leg : spread.legs) {
            if (leg.side != Side::short_leg) continue;
            out += "/" + std::to_string(leg.strike) + strategy::to_string(leg.right);
        }
        return out;
    };
    for (const BestPer per : {BestPer::symbol, BestPer::expiry, BestPer::short_strikes}) {
        for (const std::uint32_t limit : {1U, 3U, 25U, kLimitMax}) {
            std::vector<Spread> wanted;
            std::map<std::string, int> seen;
            for (const Spread& spread : all) {
                if (wanted.size() < limit && seen[key(spread, per)]++ == 0)
                    wanted.push_back(spread);
            }
            request.best_per = per;
            request.limit = limit;
            const ScanResult result = scanned(chain, request);
            EXPECT_EQ(encode_spreads(result.spreads), encode_spreads(wanted))
                << to_string(per) << " " << limit;
            EXPECT_EQ(result.assumptions.best_per, to_string(per));
            // Merged with itself, each key still comes once.
            const ScanResult twice = merge_results({result, result}, limit);
            EXPECT_EQ(encode_spreads(twice.spreads), encode_spreads(wanted));
        }
    }
}

TEST(VolatilityModes, EachSaysItsOwnProbability) {
    Rng rng(412);
    const market::PricedChain chain = smiling_chain(rng);
    ScanRequest request;
    request.strategies = {"short_put"};
    request.limit = 1;
    std::map<std::string, double> pops;
    const auto run = [&](const char* name, const VolatilityChoice& choice) {
        request.volatility = choice;
        const ScanResult result = scanned(chain, request);
        EXPECT_EQ(result.assumptions.volatility, to_string(choice.mode));
        const Spread& spread = result.spreads.at(0);
        const auto& quotes = *chain.chain;
        for (std::size_t e = 0; e < quotes.expiries.size(); ++e) {
            const market::ExpiryMarket& expiry = chain.expiries[e];
            if (quotes.expiries[e].date != spread.legs[0].expiry) continue;
            double sigma = choice.value.value_or(expiry.atm_volatility);
            if (choice.mode == VolatilityMode::realised && !choice.value) {
                sigma = result.assumptions.realised_volatility;
            }
            if (choice.mode == VolatilityMode::smile) continue;
            const strategy::Distribution flat(expiry.forward,
                                              market::Smile::flat(sigma * sigma * expiry.years));
            EXPECT_NEAR(spread.pop, 1.0 - flat.below(spread.breakevens.at(0)), 1e-12) << name;
        }
    };
    run("smile", {VolatilityMode::smile, {}});
    run("flat", {VolatilityMode::flat, {}});
    run("user", {VolatilityMode::user, 0.35});
    run("realised", {VolatilityMode::realised, 0.30});
    request.histories = {{.symbol = "RND", .closes = {}, .implied_30d = {}}};
    for (int i = 0; i < 40; ++i) {
        request.histories[0].closes.push_back(i % 2 == 0 ? 100.0 : 102.0);
    }
    run("history", {VolatilityMode::realised, {}});
    request.histories.clear();
    EXPECT_EQ(scan(chain, request).error().code, ErrorCode::invalid_request);
}

// The history's term moves the volatility component, and its sign is against the net vega's.
TEST(History, RankMovesTheVolatilityComponent) {
    Rng rng(413);
    const market::PricedChain chain = smiling_chain(rng);
    ScanRequest request;
    request.strategies = {"short_put"};
    request.limit = 1;
    const Spread without = scanned(chain, request).spreads.at(0);
    EXPECT_TRUE(std::isnan(without.iv_rank));
    History& history = request.histories.emplace_back();
    history.symbol = "RND";
    for (int i = 0; i < 60; ++i) history.implied_30d.push_back(0.01 + 0.0001 * i);  // all below
    request.filters = {{"iv_rank", {{"min", 1.0}}}, {"iv_percentile", {{"min", 1.0}}}};
    const ScanResult rich = scanned(chain, request);
    EXPECT_EQ(rich.spreads.at(0).iv_rank, 1.0);
    EXPECT_EQ(rich.spreads.at(0).iv_percentile, 1.0);
    constexpr auto kAt = static_cast<std::size_t>(score::Component::volatility);
    const auto same = [&](const Spread& s) {
        return s.legs[0].strike == without.legs[0].strike &&
               s.legs[0].expiry == without.legs[0].expiry;
    };
    request.limit = 1'000;
    const std::vector<Spread> all = scanned(chain, request).spreads;
    const auto found = std::ranges::find_if(all, same);
    ASSERT_NE(found, all.end());
    EXPECT_GT(found->components[kAt], without.components[kAt]) << "short vega, rich volatility";
    request.filters = {{"iv_rank", {{"max", 0.5}}}};
    const ScanResult none = scanned(chain, request);
    EXPECT_TRUE(none.spreads.empty());
    EXPECT_EQ(none.counts.filters.at(0).removed, none.counts.filters.at(0).evaluated);
    request.histories.clear();
    const ScanResult missing = scanned(chain, request);
    EXPECT_EQ(missing.counts.filters.at(0).missing, missing.counts.filters.at(0).evaluated);
    EXPECT_GT(missing.counts.filters.at(0).missing, 0U);
}

}  // namespace
}  // namespace scanmq::service
