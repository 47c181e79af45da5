#pragma once
// Random lanes, and brute force over them on the scalar path.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/rng.hpp"
#include "tests/support/priced_chains.hpp"
#include "tests/support/search_lanes.hpp"

namespace scanmq::search {

using scanmq::testing::BestSink;
using scanmq::testing::fill;
using scanmq::testing::LaneOptions;
using scanmq::testing::LaneSet;
using Found = BestSink::Found;

struct Shape {
    const char* name;
    std::span<const strategy::LegSpec> legs;
};
inline constexpr Shape kShapes[] = {
    {"iron condor", scanmq::testing::kIronCondorLegs},
    {"reverse iron condor", scanmq::testing::kReverseIronCondorLegs},
    {"call condor", scanmq::testing::kCallCondorLegs},
    {"put condor", scanmq::testing::kPutCondorLegs},
    {"iron butterfly", scanmq::testing::kIronButterflyLegs},
    {"call butterfly", scanmq::testing::kCallButterflyLegs},
    {"bull put", scanmq::testing::kBullPutLegs},
    {"bear call", scanmq::testing::kBearCallLegs},
};
inline constexpr std::size_t kFourRankShapes = 4;  // the first ones

// Calls act(lane index, place) for every candidate.
template <class Act>
void for_each_candidate(std::span<const Lane> lanes, const Act& act) {
    for (std::uint32_t l = 0; l < lanes.size(); ++l) {
        const Lane& lane = lanes[l];
        std::array<strategy::StrikeList, kRanksMax> lists;
        for (std::size_t r = 0; r < lane.ranks(); ++r) lists[r] = lane.rank[r]->strikes();
        strategy::Generator generator({lists.data(), lane.ranks()}, lane.gaps);
        strategy::Generator::Run run;
        while (generator.next(run)) {
            Place place = run.prefix;
            for (std::uint32_t i = run.begin; i < run.end; ++i) {
                place[lane.ranks() - 1] = i;
                act(l, place);
            }
        }
    }
}

struct Answer {
    std::vector<Found> best;
    std::vector<Found> arbitrage;
    Totals totals;
};

// What the search must say: the scalar path, candidate by candidate.
inline Answer brute_force(std::span<const Lane> lanes, std::size_t k,
                          std::span<const MetricTest> tests = {}) {
    Answer out;
    BestSink sink(lanes, k);
    out.totals.tests.resize(tests.size());
    const auto passes = [&](const Evaluated& e) {
        for (std::size_t t = 0; t < tests.size(); ++t) {
            double value = tests[t].metric == Metric::pop         ? e.inputs.pop
                           : tests[t].metric == Metric::day_theta ? e.inputs.day_theta
                           : tests[t].metric == Metric::gain      ? e.inputs.gain
                           : tests[t].metric == Metric::vega      ? e.inputs.vega
                                                                  : e.ev;
            if (tests[t].per) value /= e.inputs.risk;
            value = value / tests[t].divisor * tests[t].factor;
            if (tests[t].absolute) value = std::fabs(value);
            TestCount& count = out.totals.tests[t];
            ++count.evaluated;
            const auto verdict = filter::check(tests[t].bounds, value);
            if (verdict == filter::Verdict::pass) continue;
            ++count.removed;
            if (verdict == filter::Verdict::missing) ++count.missing;
            return false;
        }
        return true;
    };
    for_each_candidate(lanes, [&](std::uint32_t l, const Place& place) {
        ++out.totals.candidates;
        const Evaluated e = evaluate(lanes[l], place);
        switch (e.gate) {
            case Gate::arbitrage_quote:
                ++out.totals.arbitrage_quote;
                sink.arbitrage(l, place);
                return;
            case Gate::no_risk:
                ++out.totals.no_risk;
                return;
            case Gate::no_profit:
                ++out.totals.no_profit;
                return;
            case Gate::unscored:
                if (passes(e)) ++out.totals.unscored;
                return;
            case Gate::ranked:
                if (!passes(e)) return;
                ++out.totals.ranked;
                sink.offer(l, place);
                return;
        }
    });
    out.totals.evaluated = out.totals.candidates;
    out.best = sink.best();
    out.arbitrage = sink.arbitrages();
    return out;
}

inline Answer searched(std::span<const Lane> lanes, std::size_t k, bool prune = true,
                       std::span<const MetricTest> tests = {}) {
    Answer out;
    BestSink sink(lanes, k);
    EXPECT_TRUE(run(lanes, {.prune = prune, .tests = tests}, sink, out.totals));
    out.best = sink.best();
    out.arbitrage = sink.arbitrages();
    return out;
}

inline void expect_same_lists(const Answer& expected, const Answer& actual,
                              const std::string& what) {
    ASSERT_EQ(expected.best.size(), actual.best.size()) << what;
    for (std::size_t i = 0; i < expected.best.size(); ++i) {
        ASSERT_EQ(expected.best[i], actual.best[i])
            << what << ", place " << i << ": score " << expected.best[i].score << " against "
            << actual.best[i].score;
    }
    EXPECT_EQ(expected.arbitrage, actual.arbitrage) << what;
    EXPECT_EQ(expected.totals.candidates, actual.totals.candidates) << what;
    EXPECT_EQ(expected.totals.arbitrage_quote, actual.totals.arbitrage_quote) << what;
}

inline void expect_same_counts(const Totals& expected, const Totals& actual,
                               const std::string& what) {
    EXPECT_EQ(expected.evaluated, actual.evaluated) << what;
    EXPECT_EQ(expected.no_risk, actual.no_risk) << what;
    EXPECT_EQ(expected.no_profit, actual.no_profit) << what;
    EXPECT_EQ(expected.unscored, actual.unscored) << what;
    EXPECT_EQ(expected.ranked, actual.ranked) << what;
    ASSERT_EQ(expected.tests.size(), actual.tests.size()) << what;
    for (std::size_t t = 0; t < expected.tests.size(); ++t) {
        EXPECT_EQ(expected.tests[t].evaluated, actual.tests[t].evaluated) << what << t;
        EXPECT_EQ(expected.tests[t].removed, actual.tests[t].removed) << what << t;
        EXPECT_EQ(expected.tests[t].missing, actual.tests[t].missing) << what << t;
    }
}

// Options as a user might have them.
inline LaneOptions random_options(Rng& rng, bool four_ranks) {
    constexpr double kWidths[] = {2.5, 5.0, 10.0, 20.0, 1e9};
    constexpr score::Stance kStances[] = {score::Stance::neutral, score::Stance::long_stance,
                                          score::Stance::short_stance};
    LaneOptions out;
    const auto kinds =
        four_ranks ? std::array{strategy::Gap::wing, strategy::Gap::inner, strategy::Gap::wing}
                   : std::array{strategy::Gap::wing, strategy::Gap::wing, strategy::Gap::wing};
    for (std::size_t g = 0; g < out.gaps.size(); ++g) {
        out.gaps[g] = {{0.0, kWidths[rng.below(std::size(kWidths))]}, kinds[g]};
    }
    if (rng.below(4) == 0) out.gaps[0].bounds.min = 2.5;
    if (four_ranks) {
        out.gaps[1].bounds =
            rng.below(3) == 0 ? strategy::WidthBounds{5.0, 15.0} : strategy::WidthBounds{};
    } else if (rng.below(3) == 0) {
        out.gaps[1].kind =
            rng.below(2) == 0 ? strategy::Gap::equal_wing : strategy::Gap::unequal_wing;
    }
    if (rng.below(8) == 0) out.gaps[0].kind = strategy::Gap::inner;
    out.fill.toward_mid = rng.below(3) == 0 ? 1.0 : rng.below(2) == 0 ? 0.0 : rng.uniform();
    out.fee_per_contract = rng.below(3) == 0 ? 0.0 : 0.65;
    out.delta = kStances[rng.below(3)];
    out.vega = kStances[rng.below(3)];
    if (rng.below(4) == 0) out.iv_rank = rng.uniform();
    const std::uint64_t preset = rng.below(6);
    if (preset < 3) {
        out.weights = *score::preset(score::preset_names()[preset]);
    } else if (preset == 3) {  // one component alone
        out.weights = {};
        out.weights.value[rng.below(score::kComponents)] = 1.0;
    } else {
        for (double& w : out.weights.value) w = rng.below(3) == 0 ? 0.0 : rng.uniform();
    }
    return out;
}

// A chain with zero bids, crossed and unquoted contracts, missing volatilities; sometimes skewed smiles.
inline market::PricedChain random_market(Rng& rng, std::uint64_t strikes_max = 24) {
    constexpr double kNoises[] = {0.3, 0.02, 0.002};
    scanmq::testing::RandomChainOptions options;
    options.expiries = 1 + static_cast<int>(rng.below(4));
    options.strikes = 4 + static_cast<int>(rng.below(strikes_max));
    options.strike_step = rng.below(2) == 0 ? 1.0 : 2.5;
    options.noise = kNoises[rng.below(3)];
    auto chain = scanmq::testing::random_chain(rng, options);
    for (auto& expiry : chain.expiries) {
        const double w = expiry.atm_volatility * expiry.atm_volatility * expiry.years;
        expiry.smile = market::Smile::flat(w);
        if (rng.below(2) == 0) {  // about what SVI fits give
            const double s = 0.5 * std::sqrt(w) + 0.02;
            const double b = 0.25 * std::sqrt(w) * rng.uniform();
            expiry.smile = {.a = w - 0.8 * b * s, .b = b, .rho = -0.6, .m = 0.01, .s = s};
        }
    }
    return chain;
}

}  // namespace scanmq::search
