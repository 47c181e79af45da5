// The k best of a scan and of merged scans, against straightforward references on random chains.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "scanner/market/contract_values.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/priced_chains.hpp"

namespace scanmq::service {
namespace {

using market::Right;

using Identity = std::tuple<std::string, std::string, int, std::string, double, double>;

Identity identity(const Spread& spread) {
    return {spread.symbol,   spread.legs[0].root,   spread.legs[0].expiry,
            spread.strategy, spread.legs[0].strike, spread.legs[1].strike};
}

std::vector<Identity> identities(const std::vector<Spread>& spreads) {
    std::vector<Identity> out;
    for (const Spread& spread : spreads) out.push_back(identity(spread));
    return out;
}

ScanResult scanned(const market::PricedChain& chain, const ScanRequest& request) {
    auto result = scan(chain, request);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *std::move(result) : ScanResult{};
}

struct Reference {
    Identity id;
    double score;
    double risk;
};

double plain_normal(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// One vertical by the textbook: closed forms for two strikes, no shared code with the engine but
// the Greeks of the chain and day_theta.
void reference_vertical(const market::PricedChain& priced, std::size_t e, std::uint32_t low,
                        std::uint32_t high, bool bull, std::vector<Reference>& out) {
    const market::Chain& chain = *priced.chain;
    const market::ExpiryMarket& expiry = priced.expiries[e];
    const bool put = chain.right[low] == Right::put;
    const std::uint32_t bought = bull ? low : high;
    const std::uint32_t sold = bull ? high : low;
    const auto crossed = [&chain](std::uint32_t row) { return chain.bid[row] > chain.ask[row]; };
    const bool both_sides_quoted = chain.ask[bought] > 0.0 && chain.bid[sold] > 0.0;
    if (!both_sides_quoted || crossed(bought) || (chain.ask[sold] > 0.0 && crossed(sold))) {
        return;
    }
    const double width = chain.strike[high] - chain.strike[low];
    const double fees = 2 * 0.65 / 100;
    const double net = chain.ask[bought] - chain.bid[sold];
    const bool credit = bull == put;
    if (credit ? -net >= width - 1e-9 : net <= 1e-9) return;
    const double gain = credit ? -net - fees : width - net - fees;
    const double risk = width - gain;
    if (gain < (gain < 3.0 ? 0.01 : 0.05) - 1e-9) return;
    const double breakeven = bull ? chain.strike[high] - gain : chain.strike[low] + gain;
    const double v = expiry.atm_volatility * std::sqrt(expiry.years);
    const double below = plain_normal(std::log(breakeven / expiry.forward) / v + v / 2);

    const auto net_of = [&](auto value) { return value(bought) - value(sold); };
    const double delta = net_of([&](std::uint32_t r) { return priced.greeks[r].delta; });
    const double vega = net_of([&](std::uint32_t r) { return priced.greeks[r].vega; });
    const double theta = net_of([&](std::uint32_t r) {
        return market::contract_values(priced, chain.expiry[r], r).day_theta;
    });
    const auto spread_of = [&](std::uint32_t r) {
        return chain.ask[r] > 0.0 ? chain.ask[r] - std::max(chain.bid[r], 0.0) : market::kMissing;
    };
    const auto liquid = [&](std::uint32_t r) {
        return score::leg_liquidity(chain.bid[r], chain.ask[r], chain.volume[r],
                                    chain.open_interest[r]);
    };
    const double moved = delta * expiry.forward * expiry.atm_volatility / std::sqrt(252.0) / risk;
    const double directed = bull ? moved : -moved;
    const double parts[][2] = {
        {0.25, 100.0 * (bull ? 1.0 - below : below)},
        {0.20, 100.0 * (gain / risk) / (gain / risk + 0.25)},
        {0.15, 100.0 * std::min(liquid(low), liquid(high)) * gain /
                   (gain + spread_of(low) + spread_of(high) + 2 * fees)},
        {0.10, 50.0 * (1.0 + directed / (std::fabs(directed) + 0.1))},
        {0.10, 50.0 * (1.0 + theta / risk / (std::fabs(theta / risk) + 0.01))},
        {0.05, 100.0 / (1.0 + std::fabs(vega / 100) / (0.02 * risk))},
        {0.05, 100.0 * width / (width + 0.25 * expiry.forward * v)},
        {0.05, 50.0 * (1.0 + theta / gain / (std::fabs(theta / gain) + 0.02))},
    };
    double sum = 0.0;
    double weight = 0.0;
    for (const auto& [w, value] : parts) {
        if (std::isnan(value)) continue;
        sum += w * value;
        weight += w;
    }
    const char* name = put ? (bull ? "bull_put" : "bear_put") : (bull ? "bull_call" : "bear_call");
    const market::Expiry& contract = chain.expiries[e];
    out.push_back(
        {{chain.symbol, contract.root, contract.date, name, chain.strike[low], chain.strike[high]},
         sum / weight,
         risk});
}

std::vector<Reference> brute_force(const market::PricedChain& priced) {
    std::vector<Reference> out;
    for (std::size_t e = 0; e < priced.expiries.size(); ++e) {
        const market::Expiry& expiry = priced.chain->expiries[e];
        if (!priced.expiries[e].tradable) continue;
        for (std::uint32_t i = expiry.call_begin; i < expiry.end; ++i) {
            const std::uint32_t end = i < expiry.put_begin ? expiry.put_begin : expiry.end;
            for (std::uint32_t j = i + 1; j < end; ++j) {
                reference_vertical(priced, e, i, j, true, out);
                reference_vertical(priced, e, i, j, false, out);
            }
        }
    }
    std::ranges::sort(out,
                      [](const Reference& a, const Reference& b) { return a.score > b.score; });
    return out;
}

TEST(TopSpreads, EqualABruteForceSortOfEveryVertical) {
    Rng rng(101);
    for (int round = 0; round < 25; ++round) {
        const market::PricedChain chain = testing::random_chain(rng, {});
        const std::vector<Reference> expected = brute_force(chain);
        ScanRequest request;
        request.limit = 1 + static_cast<std::uint32_t>(rng.below(60));
        const ScanResult result = scanned(chain, request);
        EXPECT_EQ(result.counts.ranked, expected.size()) << "round " << round;
        ASSERT_EQ(result.spreads.size(), std::min<std::size_t>(request.limit, expected.size()));
        for (std::size_t i = 0; i < result.spreads.size(); ++i) {
            const Spread& spread = result.spreads[i];
            EXPECT_NEAR(spread.score, expected[i].score, 1e-9) << "round " << round << " #" << i;
            // Equal scores may stand in another order in the reference, which has no tie rule.
            const auto same = std::ranges::find(expected, identity(spread), &Reference::id);
            ASSERT_NE(same, expected.end());
            EXPECT_NEAR(same->score, spread.score, 1e-9);
            EXPECT_NEAR(same->risk, spread.max_loss, 1e-9);
        }
    }
}

// A short list is the head of the long one: pruning and the heap change nothing.
TEST(TopSpreads, ShortListsAreTheHeadOfLongOnes) {
    Rng rng(7);
    for (int round = 0; round < 25; ++round) {
        const market::PricedChain chain = testing::random_chain(rng, {});
        ScanRequest request;
        request.limit = kLimitMax;
        if (round % 2 == 1) request.filters = {{"pop", {{"min", 0.4}, {"max", 0.9}}}};
        const std::vector<Spread> all = scanned(chain, request).spreads;
        EXPECT_TRUE(std::ranges::is_sorted(all, ranks_before));
        for (const std::uint32_t k : {1U, 7U, 40U}) {
            request.limit = k;
            const std::vector<Spread> head = scanned(chain, request).spreads;
            ASSERT_EQ(head.size(), std::min<std::size_t>(k, all.size()));
            const std::vector<Spread> wanted(
                all.begin(), all.begin() + static_cast<std::ptrdiff_t>(head.size()));
            EXPECT_EQ(identities(head), identities(wanted)) << "round " << round << " k " << k;
            EXPECT_EQ(encode_spreads(head), encode_spreads(wanted));
        }
    }
}

TEST(TopSpreads, PopFilterKeepsExactlyWhatIsInBounds) {
    Rng rng(8);
    const market::PricedChain chain = testing::random_chain(rng, {});
    ScanRequest request;
    request.limit = kLimitMax;
    const std::vector<Spread> all = scanned(chain, request).spreads;
    request.filters = {{"pop", {{"min", 0.5}, {"max", 0.8}}}};
    const ScanResult bounded = scanned(chain, request);
    const auto inside =
        std::ranges::count_if(all, [](const Spread& s) { return s.pop >= 0.5 && s.pop <= 0.8; });
    EXPECT_GT(inside, 0);
    EXPECT_EQ(bounded.spreads.size(), static_cast<std::size_t>(inside));
    EXPECT_EQ(bounded.counts.filters.at(0).evaluated, all.size());
    EXPECT_EQ(bounded.counts.filters.at(0).removed, all.size() - bounded.spreads.size());
}

// Two roots, two expiries and four strategies with the same scores: the order is by the tie rule
// alone.
TEST(TopSpreads, TiesAreInOrderOfContract) {
    testing::PricedChainBuilder builder("TIE");
    for (const auto& [root, date] :
         {std::pair{"TIE", 20260116}, std::pair{"ATIE", 20260116}, std::pair{"TIE", 20260109}}) {
        builder.expiry({.root = root, .date = date, .dte = 30});
        for (const double strike : {90.0, 95.0, 100.0}) {
            for (const Right right : {Right::call, Right::put}) {
                builder.quote({right, strike, 1.0, 1.5, market::kMissing, 10, 10});
            }
        }
    }
    const market::PricedChain chain = builder.build();
    ScanRequest request;
    request.weights = score::Weights{};
    (*request.weights)[score::Component::risk_reward] = 1.0;
    request.filters = {{"width", {{"max", 5.0}}}};
    const std::vector<Spread> spreads = scanned(chain, request).spreads;
    ASSERT_EQ(spreads.size(), 12U);  // the debits of 0.50; each credit is negative
    EXPECT_TRUE(
        std::ranges::all_of(spreads, [&](const Spread& s) { return s.score == spreads[0].score; }));
    const std::vector<Identity> order = identities(spreads);
    EXPECT_TRUE(std::ranges::is_sorted(order));
    EXPECT_EQ(order.front(), (Identity{"TIE", "ATIE", 20260116, "bear_put", 90.0, 95.0}));
    EXPECT_EQ(order.back(), (Identity{"TIE", "TIE", 20260116, "bull_call", 95.0, 100.0}));
    EXPECT_TRUE(std::ranges::is_sorted(spreads, ranks_before));
}

struct Universe {
    std::vector<ScanResult> parts;  // each with its own k best
    std::vector<Spread> all;        // every spread of all, best first
};

Universe universe(Rng& rng, std::uint32_t limit) {
    Universe out;
    for (const char* symbol : {"CCC", "AAA", "BBB", "DDD"}) {
        const market::PricedChain chain = testing::random_chain(rng, {.symbol = symbol});
        ScanRequest request;
        request.filters = {{"width", {{"max", 10.0}}}};
        request.limit = kLimitMax;
        for (Spread& spread : scanned(chain, request).spreads) out.all.push_back(std::move(spread));
        request.limit = limit;
        out.parts.push_back(scanned(chain, request));
        out.parts.back().snapshot = symbol;
    }
    std::ranges::sort(out.all, ranks_before);
    return out;
}

TEST(Merge, EqualsTheGlobalTopWhateverTheOrder) {
    Rng rng(55);
    for (const std::uint32_t limit : {1U, 10U, 100U}) {
        Universe u = universe(rng, limit);
        u.all.resize(std::min<std::size_t>(limit, u.all.size()));
        const ScanResult merged = merge_results(u.parts, limit);
        EXPECT_EQ(identities(merged.spreads), identities(u.all));

        // Pairwise, in another order, and through documents, as subscribers do it.
        const auto copy = [](const ScanResult& result) {
            auto decoded = decode_result(encode(result, Encoding::msgpack));
            EXPECT_TRUE(decoded.ok());
            return *std::move(decoded);
        };
        ScanResult left = merge_results({copy(u.parts[3]), copy(u.parts[1])}, limit);
        ScanResult right = merge_results({copy(u.parts[0]), copy(u.parts[2])}, limit);
        ScanResult tree = merge_results({copy(right), copy(left)}, limit);
        EXPECT_EQ(encode(tree, Encoding::json), encode(merged, Encoding::json));
    }
}

// Arbitrage quotes, which have neither score nor risk: calls that cost less than exercising them gives.
// Of one strike, and of two where the later leg has the lower.
TEST(Merge, CalendarsOfOneStrikeAreInOrderOfTheirLaterExpiryToo) {
    testing::PricedChainBuilder builder("TST");
    for (const auto& [date, dte] : {std::pair{20260116, 30}, std::pair{20260213, 58},
                                    std::pair{20260313, 86}, std::pair{20260417, 121}}) {
        builder.expiry({.root = "TST", .date = date, .dte = dte})
            .quote({Right::call, 70.0, 24.50, 25.00, 0.2})
            .quote({Right::call, 80.0, 15.50, 16.00, 0.2});
    }
    market::PricedChain chain = builder.build();
    auto quotes = std::make_shared<market::Chain>(*chain.chain);
    quotes->style = market::ExerciseStyle::american;
    chain.chain = std::move(quotes);
    ScanRequest request;
    request.strategies = {"call_calendar", "call_diagonal"};
    const ScanResult whole = scanned(chain, request);
    const auto contracts = [](const std::vector<Spread>& spreads) {
        std::vector<std::string> out;
        for (const Spread& spread : spreads) {
            out.push_back(spread.strategy);
            for (const SpreadLeg& leg : spread.legs) {
                out.back() += " " + std::to_string(leg.expiry) + "/" +
                              std::to_string(static_cast<int>(leg.strike));
            }
        }
        return out;
    };
    ASSERT_GT(whole.arbitrage.size(), 12U);
    std::vector<ScanResult> parts;
    for (const Spread& spread : whole.arbitrage) {
        parts.emplace_back();
        parts.back().symbol = "TST";
        parts.back().arbitrage = {spread};
    }
    for (int turn = 0; turn < 2; ++turn) {
        EXPECT_EQ(contracts(merge_results(parts, 100).arbitrage), contracts(whole.arbitrage));
        EXPECT_EQ(contracts(merge_results(parts, 3).arbitrage),
                  contracts({whole.arbitrage.begin(), whole.arbitrage.begin() + 3}));
        std::ranges::reverse(parts);
    }
    EXPECT_TRUE(std::ranges::is_sorted(whole.arbitrage, [](const Spread& a, const Spread& b) {
        Spread left = a;
        Spread right = b;
        left.score = right.score = left.risk = right.risk = 0.0;
        return ranks_before(left, right);
    }));
}

TEST(Merge, AddsCountsAndListsSources) {
    Rng rng(56);
    const Universe u = universe(rng, 5);
    const ScanResult merged = merge_results(u.parts, 5);
    std::uint64_t ranked = 0;
    std::uint64_t removed = 0;
    for (const ScanResult& part : u.parts) {
        ranked += part.counts.ranked;
        removed += part.counts.filters.at(0).removed;
    }
    EXPECT_EQ(merged.counts.ranked, ranked);
    EXPECT_EQ(merged.counts.filters.at(0).removed, removed);
    EXPECT_TRUE(merged.symbol.empty());
    ASSERT_EQ(merged.sources.size(), 4U);
    EXPECT_EQ(merged.sources[0].symbol, "AAA");
    EXPECT_EQ(merged.sources[3].snapshot, "DDD");
    EXPECT_TRUE(merge_results({}, 5).spreads.empty());
}

}  // namespace
}  // namespace scanmq::service
