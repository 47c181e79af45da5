// The search against brute force over the scalar path: the same lists, bit for bit.

#include "scanner/search/search.hpp"

#include <thread>

#include "scanner/search/nodes.hpp"
#include "support.hpp"

namespace scanmq::search {
namespace {

std::string named(std::uint64_t seed, const Shape& shape) {
    return "seed " + std::to_string(seed) + ", " + shape.name;
}

TEST(Search, FindsWhatBruteForceFinds) {
    std::uint64_t pruned = 0;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        const std::size_t which = rng.below(std::size(kShapes));
        const Shape& shape = kShapes[which];
        LaneSet set;
        set.add(chain, shape.legs, random_options(rng, which < kFourRankShapes));
        const std::size_t k = std::array<std::size_t, 4>{1, 7, 50, 100'000}[rng.below(4)];
        const Answer expected = brute_force(set.lanes(), k);
        const Answer pruning = searched(set.lanes(), k);
        expect_same_lists(expected, pruning, named(seed, shape));
        pruned += pruning.totals.pruned();
        const Answer complete = searched(set.lanes(), k, false);
        expect_same_lists(expected, complete, named(seed, shape));
        expect_same_counts(expected.totals, complete.totals, named(seed, shape));
        if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(pruned, 100'000U);  // or nothing was tested
}

TEST(Search, SearchesSeveralStrategiesAtOnce) {
    Rng rng(5);
    const auto chain = random_market(rng);
    LaneSet set;
    for (const Shape& shape : kShapes) {
        LaneOptions options = scanmq::testing::condor_options(10.0);
        if (shape.legs.size() != 4) options.gaps[1].kind = strategy::Gap::wing;
        set.add(chain, shape.legs, options);
    }
    expect_same_lists(brute_force(set.lanes(), 30), searched(set.lanes(), 30), "all shapes");
}

TEST(Search, HonoursTestsOfCandidates) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        const std::size_t which = rng.below(std::size(kShapes));
        LaneSet set;
        set.add(chain, kShapes[which].legs, random_options(rng, which < kFourRankShapes));
        const MetricTest tests[] = {
            {.metric = Metric::day_theta, .bounds = {-0.05, 1.0}},
            {.metric = Metric::vega, .factor = 0.01, .absolute = true, .bounds = {0.0, 0.05}},
            {.metric = Metric::gain, .per = Metric::risk, .divisor = 7.0, .bounds = {0.01, 5.0}},
            {.metric = Metric::pop, .bounds = {0.3, 0.9}},
            {.metric = Metric::ev, .bounds = {-0.5, 10.0}}};
        const Answer expected = brute_force(set.lanes(), 20, tests);
        expect_same_lists(expected, searched(set.lanes(), 20, true, tests),
                          named(seed, kShapes[which]));
        const Answer complete = searched(set.lanes(), 20, false, tests);
        expect_same_lists(expected, complete, named(seed, kShapes[which]));
        expect_same_counts(expected.totals, complete.totals, named(seed, kShapes[which]));
    }
}

TEST(Search, BoundAtACandidatesOwnProbabilityIsInclusive) {
    Rng rng(11);
    const auto chain = random_market(rng);
    LaneSet set;
    set.add(chain, scanmq::testing::kBullPutLegs, {});
    for_each_candidate(set.lanes(), [&](std::uint32_t l, const Place& place) {
        const Evaluated e = evaluate(set.lanes()[l], place);
        if (e.gate != Gate::ranked) return;
        const MetricTest tests[] = {{.metric = Metric::pop, .bounds = {e.inputs.pop, e.inputs.pop}},
                                    {.metric = Metric::ev, .bounds = {e.ev, e.ev}}};
        const Answer found = searched(set.lanes(), 10, true, tests);
        EXPECT_GE(found.totals.ranked, 1U);
    });
}

TEST(Search, IsTheSameOnAnyNumberOfThreads) {
    const Executor threads = [](std::size_t n, const std::function<void(std::size_t)>& work) {
        std::vector<std::thread> all;
        for (std::size_t i = 0; i < n; ++i) all.emplace_back([&work, i] { work(i); });
        for (auto& thread : all) thread.join();
    };
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        LaneSet set;
        for (const Shape& shape : kShapes)
            set.add(chain, shape.legs, scanmq::testing::condor_options(10.0));
        const Answer expected = searched(set.lanes(), 25);
        std::vector<BestSink> sinks;
        for (int i = 0; i < 4; ++i) sinks.emplace_back(set.lanes(), 25);
        std::vector<Sink*> workers;
        for (BestSink& sink : sinks) workers.push_back(&sink);
        Totals totals;
        ASSERT_TRUE(run(set.lanes(), {}, workers, threads, totals));
        BestSink::Top merged(25, BestSink::Order{});
        for (BestSink& sink : sinks) {
            for (const Found& found : sink.best()) merged.offer(found);
        }
        EXPECT_EQ(expected.best, merged.take()) << seed;
        EXPECT_EQ(expected.totals.candidates, totals.candidates);
    }
}

TEST(Search, ArbitrageQuotesAreNeverPruned) {
    Rng rng(3);
    scanmq::testing::RandomChainOptions options;
    options.noise = 0.3;  // prices that contradict each other
    options.strikes = 40;
    options.strike_step = 1.0;
    const auto chain = scanmq::testing::random_chain(rng, options);
    LaneSet set;
    set.add(chain, scanmq::testing::kIronCondorLegs, scanmq::testing::condor_options(20.0));
    const Answer expected = brute_force(set.lanes(), 5);
    const Answer found = searched(set.lanes(), 5);
    EXPECT_GT(expected.totals.arbitrage_quote, 50U);
    EXPECT_GT(found.totals.pruned(), 0U);
    expect_same_lists(expected, found, "contradictory prices");
}

TEST(Search, NumbersThatVectorsCannotBeTrustedWith) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    Rng rng(17);
    const auto chain = random_market(rng);
    const auto with = [&](const auto& change) {
        LaneSet set;
        set.add(chain, scanmq::testing::kIronCondorLegs, scanmq::testing::condor_options(10.0));
        for (Lane& lane : set.lanes()) change(set, lane);
        const Answer expected = brute_force(set.lanes(), 20);
        expect_same_lists(expected, searched(set.lanes(), 20), "pruned");
        expect_same_counts(expected.totals, searched(set.lanes(), 20, false).totals, "complete");
    };
    with([](LaneSet&, Lane& lane) { lane.scale.move = 0.0; });
    with([](LaneSet&, Lane& lane) { lane.scale.move = market::kMissing; });
    with([](LaneSet&, Lane& lane) { lane.weights.value[3] = -0.5; });
    with([](LaneSet&, Lane& lane) { lane.weights = {}; });
    with([](LaneSet&, Lane& lane) {
        lane.distribution = strategy::Distribution(100.0, market::Smile::flat(0.0));
    });
    with([](LaneSet&, Lane& lane) {
        lane.distribution = strategy::Distribution(100.0, market::Smile::flat(1e-14));
    });
    with([](LaneSet&, Lane& lane) {  // its probabilities fall in places
        lane.distribution =
            strategy::Distribution(100.0, {.a = 1e-4, .b = 0.5, .rho = -0.9, .m = 0.0, .s = 0.01});
    });
    for (const double bad : {kInfinity, 1e300, -1.0}) {
        with([bad](LaneSet& set, Lane& lane) {
            Columns& columns = set.new_columns();
            std::vector<RankTerms> rows;
            for (std::size_t i = 0; i < lane.rank[1]->size(); ++i) {
                RankTerms terms = lane.rank[1]->at(i);
                if (i % 3 == 0) terms.day_theta = terms.quoted_spread = bad;
                rows.push_back(terms);
            }
            fill(columns, rows);
            lane.rank[1] = &columns;
        });
    }
}

TEST(Search, LegsThatLackFigures) {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        LaneSet set;
        set.add(chain, kShapes[rng.below(kFourRankShapes)].legs, random_options(rng, true));
        for (Lane& lane : set.lanes()) {
            const std::size_t rank = rng.below(4);
            Columns& columns = set.new_columns();
            std::vector<RankTerms> rows;
            for (std::size_t i = 0; i < lane.rank[rank]->size(); ++i) {
                RankTerms terms = lane.rank[rank]->at(i);
                constexpr double kNone = market::kMissing;
                if (rng.below(3) == 0) terms.model_value = kNone;
                if (rng.below(3) == 0) terms.delta = kNone;
                if (rng.below(4) == 0) terms.day_theta = kNone;
                if (rng.below(3) == 0) terms.vega = terms.abs_vega = kNone;
                if (rng.below(3) == 0) terms.vega = terms.abs_vega = 0.0;
                if (rng.below(3) == 0) terms.quoted_spread = terms.leg_liquidity = kNone;
                rows.push_back(terms);
            }
            fill(columns, rows);
            lane.rank[rank] = &columns;
        }
        expect_same_lists(brute_force(set.lanes(), 10), searched(set.lanes(), 10),
                          "seed " + std::to_string(seed));
    }
}

TEST(Search, LargeLanesAreCutIntoManyBands) {
    Rng rng(23);
    const auto chain = scanmq::testing::random_chain(rng, {.symbol = "BIG",
                                                           .expiries = 3,
                                                           .strikes = 60,
                                                           .forward = 300.0,
                                                           .strike_step = 1.0,
                                                           .noise = 0.0});
    LaneSet set;
    set.add(chain, scanmq::testing::kIronCondorLegs, scanmq::testing::condor_options(1e9));
    const Answer expected =
        searched(set.lanes(), 100, false);  // held against the scalar path above
    const Answer found = searched(set.lanes(), 100);
    expect_same_lists(expected, found, "60 strikes");
    EXPECT_LT(found.totals.evaluated, found.totals.candidates / 4);
}

TEST(Search, NothingToSearch) {
    Rng rng(1);
    LaneSet set;
    const Answer none = searched(set.lanes(), 5);
    EXPECT_TRUE(none.best.empty());
    const auto chain = scanmq::testing::random_chain(rng, {.symbol = "ONE", .strikes = 1});
    for (const Shape& shape : kShapes) set.add(chain, shape.legs, {});
    const Answer single = searched(set.lanes(), 5);
    EXPECT_TRUE(single.best.empty());
    EXPECT_EQ(0U, single.totals.candidates);
}

TEST(Search, StopsWhenCancelled) {
    Rng rng(2);
    const auto chain = scanmq::testing::random_chain(rng, {.strikes = 40});
    LaneSet set;
    set.add(chain, scanmq::testing::kIronCondorLegs, scanmq::testing::condor_options(1e9));
    std::atomic<bool> cancel{true};
    for (const bool prune : {true, false}) {
        BestSink sink(set.lanes(), 5);
        Totals totals;
        EXPECT_FALSE(run(set.lanes(), {.prune = prune, .cancel = &cancel}, sink, totals));
        EXPECT_EQ(0U, totals.evaluated);
    }
}

TEST(Search, CountsFinishedLanes) {
    Rng rng(2);
    const auto chain = random_market(rng);
    LaneSet set;
    for (const Shape& shape : kShapes) set.add(chain, shape.legs, {});
    for (const bool prune : {true, false}) {
        std::atomic<std::uint64_t> done{0};
        BestSink sink(set.lanes(), 5);
        Totals totals;
        ASSERT_TRUE(run(set.lanes(), {.prune = prune, .lanes_done = &done}, sink, totals));
        EXPECT_EQ(set.lanes().size(), done.load());
    }
}

}  // namespace
}  // namespace scanmq::search
