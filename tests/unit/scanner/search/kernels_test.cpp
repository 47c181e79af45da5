// Each target of the kernels against the scalar path.

#include <cmath>

#include "scanner/search/bound_kernel.hpp"
#include "scanner/search/run_kernel.hpp"
#include "support.hpp"
#include "tests/support/each_target.hpp"

namespace scanmq::search {
namespace {

using tests::EachTarget;

class RunKernel : public EachTarget {};
class BoundKernel : public EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, RunKernel, ::testing::ValuesIn(tests::supported_targets()),
                         tests::target_name);
INSTANTIATE_TEST_SUITE_P(Targets, BoundKernel, ::testing::ValuesIn(tests::supported_targets()),
                         tests::target_name);

// Both missing, or near each other.
void expect_near(double expected, double actual, double tolerance, const char* what) {
    if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(actual)) << what << ": " << actual;
    } else {
        EXPECT_NEAR(expected, actual, tolerance) << what;
    }
}

void compare(const Lane& lane, const Place& first, std::uint32_t n, const Block& block) {
    for (std::uint32_t i = 0; i < n; ++i) {
        Place place = first;
        place[lane.ranks() - 1] += i;
        const Evaluated e = evaluate(lane, place);
        const auto bit = [i](std::uint64_t mask) { return (mask >> i & 1) != 0; };
        EXPECT_EQ(e.gate == Gate::arbitrage_quote, bit(block.arbitrage));
        EXPECT_EQ(e.gate == Gate::no_risk, bit(block.no_risk));
        EXPECT_EQ(e.gate == Gate::no_profit, bit(block.no_profit));
        EXPECT_EQ(e.gate == Gate::unscored, bit(block.unscored));
        EXPECT_FALSE(bit(block.coarse));
        EXPECT_EQ(e.inputs.gain, block[Metric::gain][i]);
        EXPECT_EQ(e.inputs.risk, block[Metric::risk][i]);
        EXPECT_EQ(e.net_price, block[Metric::net_price][i]);
        EXPECT_EQ(e.inputs.width, block[Metric::width][i]);
        expect_near(e.inputs.pop, block[Metric::pop][i], 1e-13, "pop");
        expect_near(e.ev, block[Metric::ev][i], 1e-12, "ev");
        expect_near(e.inputs.delta, block[Metric::delta][i], 0.0, "delta");
        expect_near(e.inputs.day_theta, block[Metric::day_theta][i], 0.0, "theta");
        expect_near(e.inputs.vega, block[Metric::vega][i], 0.0, "vega");
        expect_near(e.inputs.quoted_spread, block[Metric::quoted_spread][i], 0.0, "spread");
        expect_near(e.inputs.leg_liquidity, block[Metric::leg_liquidity][i], 0.0, "liquidity");
        if (e.gate != Gate::ranked) continue;
        EXPECT_TRUE(bit(block.hits));
        expect_near(e.score, block.score[i], 1e-11, "score");
        std::vector<double> cuts;
        for (std::size_t r = 0; r + 1 < lane.ranks(); ++r) {
            if (block.cut[r][i] != 0.0) cuts.push_back(std::fabs(block.cut[r][i]));
        }
        const auto breakevens = e.breakevens.view();
        ASSERT_EQ(breakevens.size(), cuts.size());
        for (std::size_t b = 0; b < cuts.size(); ++b) {
            expect_near(breakevens[b], cuts[b], 1e-11, "breakeven");
        }
    }
}

TEST_P(RunKernel, GivesWhatTheScalarPathGives) {
    for (std::uint64_t seed = 1; seed <= 16; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        const std::size_t which = seed % std::size(kShapes);
        LaneSet set;
        set.add(chain, kShapes[which].legs, random_options(rng, which < kFourRankShapes));
        for_each_candidate(set.lanes(), [&](std::uint32_t l, const Place& place) {
            const Lane& lane = set.lanes()[l];
            const std::size_t last = lane.ranks() - 1;
            const auto rest = static_cast<std::uint32_t>(lane.rank[last]->size()) - place[last];
            if (place[last] % 3 != 0) return;  // a few starts for every prefix
            Block block;
            const Prefix prefix = make_prefix(lane, place);
            const std::uint32_t n = std::min(rest, Block::kSize);
            gather(lane, prefix, place, n, Figures::all, block);
            score_block(lane, kNoFloor, Figures::all, block);
            compare(lane, place, n, block);
        });
        if (::testing::Test::HasFailure()) return;
    }
}

TEST_P(RunKernel, HitsAreWhatReachesTheFloor) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        LaneSet set;
        set.add(chain, kShapes[seed % std::size(kShapes)].legs, {});
        const double floor = 30.0 + 40.0 * rng.uniform();
        for_each_candidate(set.lanes(), [&](std::uint32_t l, const Place& place) {
            const Lane& lane = set.lanes()[l];
            const Evaluated e = evaluate(lane, place);
            Block block;
            gather(lane, make_prefix(lane, place), place, 1, Figures::hits, block);
            score_block(lane, floor, Figures::hits, block);
            EXPECT_EQ(e.gate == Gate::ranked && e.score >= floor, block.hits == 1)
                << e.score << " " << floor;
        });
    }
}

// For every pair of nodes: with the best score of its candidates as the floor, it survives.
TEST_P(BoundKernel, NoBoundIsBelowACandidate) {
    std::uint64_t pruned = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        LaneSet set;
        set.add(chain, kShapes[seed % kFourRankShapes].legs, random_options(rng, true));
        for (const Lane& lane : set.lanes()) {
            if (!has_halves(lane) || !is_tame(lane) ||
                !probability_rises(lane.distribution, strike_span(lane))) {
                continue;
            }
            const Halves halves = make_halves(lane);
            for (std::uint32_t l = 0; l < halves.low.band_outer.size(); ++l) {
                for (std::uint32_t h = 0; h < halves.high.band_outer.size(); ++h) {
                    double best = kNoFloor;
                    bool arbitrage = false;
                    Place p{0, halves.low.band_inner[l], halves.high.band_inner[h], 0};
                    if (!(lane.rank[2]->strikes()[p[2]] > lane.rank[1]->strikes()[p[1]])) {
                        continue;
                    }
                    const Range low = halves.low.band_outer[l];
                    const Range high = halves.high.band_outer[h];
                    for (p[0] = low.begin; p[0] < low.end; ++p[0]) {
                        for (p[3] = high.begin; p[3] < high.end; ++p[3]) {
                            const Evaluated e = evaluate(lane, p);
                            arbitrage = arbitrage || e.gate == Gate::arbitrage_quote;
                            if (e.gate == Gate::ranked) best = std::max(best, e.score);
                        }
                    }
                    std::uint64_t survives = 0;
                    const auto node = halves.low.band_nodes.at(l);
                    bound_pairs(lane, halves, node, halves.high.band_nodes, h, 1,
                                arbitrage ? 1000.0 : best, &survives);
                    if (best > kNoFloor || arbitrage) {
                        EXPECT_EQ(1U, survives);
                    }
                    bound_pairs(lane, halves, node, halves.high.band_nodes, h, 1, 99.0, &survives);
                    pruned += survives == 0 ? 1 : 0;
                }
            }
        }
        if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(pruned, 1000U);
}

}  // namespace
}  // namespace scanmq::search
