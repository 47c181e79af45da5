// Runs packed into blocks, and filters that judge them on each target.

#include <bit>
#include <cmath>

#include "scanner/search/run_kernel.hpp"
#include "scanner/search/test_kernel.hpp"
#include "support.hpp"
#include "tests/support/each_target.hpp"

namespace scanmq::search {
namespace {

class Packed : public tests::EachTarget {};
class TestKernel : public tests::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, Packed, ::testing::ValuesIn(tests::supported_targets()),
                         tests::target_name);
INSTANTIATE_TEST_SUITE_P(Targets, TestKernel, ::testing::ValuesIn(tests::supported_targets()),
                         tests::target_name);

// Many short runs in one block are what each of them is alone.
TEST_P(Packed, RunsDoNotDependOnTheirNeighbours) {
    std::uint64_t runs = 0;
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        const std::size_t which = seed % std::size(kShapes);
        LaneSet set;
        set.add(chain, kShapes[which].legs, random_options(rng, which < kFourRankShapes));
        for (const Figures figures : {Figures::all, Figures::hits}) {
            for (std::uint32_t l = 0; l < set.lanes().size(); ++l) {
                const Lane& lane = set.lanes()[l];
                const std::size_t last = lane.ranks() - 1;
                std::vector<Place> places;
                for_each_candidate(set.lanes().subspan(l, 1), [&](std::uint32_t, const Place& p) {
                    if (rng.below(50) == 0) places.push_back(p);
                });
                Block together;
                std::size_t next = 0;
                while (next < places.size() && together.room() > 0) {
                    const Place& place = places[next++];
                    const auto rest =
                        static_cast<std::uint32_t>(lane.rank[last]->size()) - place[last];
                    const auto n = static_cast<std::uint32_t>(1 + rng.below(12));
                    gather(lane, make_prefix(lane, place), place,
                           std::min({n, rest, together.room()}), figures, together);
                }
                if (together.size == 0) continue;
                const double floor = figures == Figures::all ? kNoFloor : 55.0;
                score_block(lane, floor, figures, together);
                for (std::uint32_t slot = 0; slot < together.size; ++slot) {
                    const Place place = together.place(slot, last);
                    Block alone;
                    gather(lane, make_prefix(lane, place), place, 1, figures, alone);
                    score_block(lane, floor, figures, alone);
                    const auto bit = [slot](std::uint64_t mask) { return mask >> slot & 1; };
                    EXPECT_EQ(alone.arbitrage, bit(together.arbitrage));
                    EXPECT_EQ(alone.no_risk, bit(together.no_risk));
                    EXPECT_EQ(alone.no_profit, bit(together.no_profit));
                    EXPECT_EQ(alone.hits, bit(together.hits));
                    EXPECT_EQ(alone[Metric::gain][0], together[Metric::gain][slot]);
                    EXPECT_EQ(alone[Metric::risk][0], together[Metric::risk][slot]);
                    if (figures == Figures::hits || alone.hits == 0) continue;
                    EXPECT_EQ(alone[Metric::pop][0], together[Metric::pop][slot]);
                    EXPECT_NEAR(alone.score[0], together.score[slot], 1e-12);
                }
                runs += together.run_count;
            }
        }
        if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(runs, 200U);
}

TEST_P(TestKernel, JudgesAsTheScalarPathDoes) {
    constexpr double kNone = market::kMissing;
    Rng rng(5);
    for (int round = 0; round < 200; ++round) {
        Block block;
        block.size = 1 + static_cast<std::uint32_t>(rng.below(Block::kSize));
        for (std::uint32_t i = 0; i < block.size; ++i) {
            block[Metric::ev][i] = rng.below(5) == 0 ? kNone : 0.25 * (rng.uniform() - 0.5);
            block[Metric::gain][i] = std::round(40.0 * rng.uniform()) / 8.0;
            block[Metric::risk][i] = 0.125 + std::round(40.0 * rng.uniform()) / 8.0;
        }
        MetricTest test{.metric = rng.below(2) == 0 ? Metric::ev : Metric::gain,
                        .per = std::nullopt,
                        .divisor = rng.below(2) == 0 ? 1.0 : 7.0,
                        .factor = rng.below(2) == 0 ? 1.0 : -365.0,
                        .absolute = rng.below(2) == 0,
                        .bounds = {}};
        if (rng.below(2) == 0) test.per = Metric::risk;
        if (rng.below(3) > 0) test.bounds.min = rng.uniform() - 0.5;
        if (rng.below(3) > 0) test.bounds.max = rng.uniform();
        const TestResult result = judge_block(test, block);
        for (std::uint32_t i = 0; i < block.size; ++i) {
            double value = block[test.metric][i];
            if (test.per) value /= block[*test.per][i];
            value = value / test.divisor * test.factor;
            if (test.absolute) value = std::fabs(value);
            const auto verdict = filter::check(test.bounds, value);
            const auto bit = [i](std::uint64_t mask) { return (mask >> i & 1) != 0; };
            EXPECT_EQ(verdict == filter::Verdict::pass, bit(result.passed));
            EXPECT_EQ(verdict == filter::Verdict::missing, bit(result.missing));
        }
    }
}

TEST_P(TestKernel, TellsWhereRoundingMayDecide) {
    Block block;
    block.size = 4;
    const double values[] = {0.5, 0.5 + 1e-10, 0.5 + 1e-7, market::kMissing};
    for (std::uint32_t i = 0; i < 4; ++i) {
        block[Metric::pop][i] = block[Metric::gain][i] = values[i];
    }
    EXPECT_EQ(judge_block({.metric = Metric::pop, .bounds = {.min = 0.5}}, block).near, 0b0011U);
    EXPECT_EQ(judge_block({.metric = Metric::pop, .bounds = {.max = 0.5}}, block).near, 0b0011U);
    EXPECT_EQ(judge_block({.metric = Metric::pop, .bounds = {}}, block).near, 0U) << "no bound";
    EXPECT_EQ(judge_block({.metric = Metric::gain, .bounds = {.min = 0.5}}, block).near, 0U)
        << "it is exact";
}

}  // namespace
}  // namespace scanmq::search
