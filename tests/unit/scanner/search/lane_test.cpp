#include "scanner/search/lane.hpp"

#include <cmath>

#include "scanner/search/nodes.hpp"
#include "support.hpp"

namespace scanmq::search {
namespace {

TEST(Columns, GiveBackWhatWasAdded) {
    Columns columns;
    fill(columns, {{.strike = 90.0, .price = 1.0, .delta = 2.0, .abs_vega = 3.0},
                   {.strike = 95.0, .price = 4.0, .below = 0.5, .expected = 6.0}});
    ASSERT_EQ(2U, columns.size());
    EXPECT_EQ(90.0, columns.strikes()[0]);
    EXPECT_EQ(2.0, columns.at(0).delta);
    EXPECT_EQ(3.0, columns.at(0).abs_vega);
    EXPECT_EQ(0.5, columns.at(1).below);
    EXPECT_EQ(6.0, columns[Column::expected][1]);
}

TEST(RangeAbove, IsInclusiveWithinTolerance) {
    const std::vector<double> strikes = {90.0, 95.0, 100.0, 105.0};
    const auto range = [&](double from, double min, double max) {
        const Range r = range_above(strikes, from, {min, max});
        return std::pair(r.begin, r.end);
    };
    EXPECT_EQ(std::pair(1U, 4U), range(90.0, 0.0, 1e9));
    EXPECT_EQ(std::pair(1U, 3U), range(90.0, 5.0, 10.0));
    EXPECT_EQ(std::pair(2U, 2U), range(95.0, 0.0, 4.0));
    EXPECT_EQ(std::pair(4U, 4U), range(105.0, 0.0, 100.0));
}

TEST(CountCandidates, CountsWhatThereIs) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        const std::size_t which = rng.below(std::size(kShapes));
        LaneSet set;
        set.add(chain, kShapes[which].legs, random_options(rng, which < kFourRankShapes));
        std::uint64_t expected = 0;
        for_each_candidate(set.lanes(), [&](std::uint32_t l, const Place&) {
            if (set.lanes()[l].has_free_gaps()) ++expected;
        });
        std::uint64_t counted = 0;
        for (const Lane& lane : set.lanes()) {
            if (lane.has_free_gaps()) counted += count_candidates(lane);
        }
        EXPECT_EQ(expected, counted);
    }
}

TEST(CountCandidates, StaysAtTheLargestNumber) {
    Columns columns;
    std::vector<RankTerms> rows(300'000);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].strike = static_cast<double>(i + 1);
    fill(columns, rows);
    Lane lane;
    lane.shape = strategy::payoff_shape({"c", scanmq::testing::kIronCondorLegs});
    lane.rank = {&columns, &columns, &columns, &columns};
    EXPECT_EQ(~std::uint64_t{0}, count_candidates(lane));  // 300,000^4/24 is over 2^64
}

Lane lane_over(const Columns& columns, double forward, const market::Smile& smile) {
    Lane lane;
    lane.shape = strategy::payoff_shape({"v", scanmq::testing::kBullPutLegs});
    lane.rank = {&columns, &columns};
    lane.distribution = strategy::Distribution(forward, smile);
    return lane;
}

bool rises(const Lane& lane) { return probability_rises(lane.distribution, strike_span(lane)); }

// Where it says so the probability does rise, on a fine grid.
TEST(ProbabilityRises, IsTrueOnlyWhereItDoes) {
    Columns columns;
    fill(columns, {{40.0}, {70.0}, {100.0}, {140.0}, {220.0}});
    int proven = 0;
    int falling = 0;
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        Rng rng(seed);
        const double w = 0.0005 + 0.1 * rng.uniform();
        const double b = 0.6 * rng.uniform() * rng.uniform();
        const double s = 0.01 + 0.3 * rng.uniform();
        const double rho = 1.8 * rng.uniform() - 0.9;
        const market::Smile smile{
            .a = w - b * s * rng.uniform(), .b = b, .rho = rho, .m = 0.1 * rng.normal(), .s = s};
        const Lane lane = lane_over(columns, 100.0, smile);
        bool does = true;
        double before = 0.0;
        for (double level = 40.0; level <= 220.0; level += 0.05) {
            const double here = lane.distribution.below(level);
            does = does && here >= before - 1e-14;
            before = here;
        }
        does = does && before <= 1.0;
        if (rises(lane)) {
            EXPECT_TRUE(does) << seed;
            ++proven;
        }
        falling += does ? 0 : 1;
    }
    EXPECT_GT(proven, 50);
    EXPECT_GT(falling, 30);
}

TEST(ProbabilityRises, RefusesSmilesThatAreNone) {
    Columns columns;
    fill(columns, {{90.0}, {110.0}});
    constexpr double kNone = market::kMissing;
    EXPECT_TRUE(rises(lane_over(columns, 100.0, market::Smile::flat(0.01))));
    EXPECT_FALSE(rises(lane_over(columns, 100.0, market::Smile::flat(0.0))));
    EXPECT_FALSE(rises(lane_over(columns, 100.0, market::Smile::flat(kNone))));
    EXPECT_FALSE(
        rises(lane_over(columns, 100.0, {.a = 0.01, .b = -0.1, .rho = 0.0, .m = 0.0, .s = 0.1})));
    EXPECT_FALSE(
        rises(lane_over(columns, 100.0, {.a = kNone, .b = 0.1, .rho = 0.0, .m = 0.0, .s = 0.1})));
    EXPECT_FALSE(
        rises(lane_over(columns, 100.0, {.a = 0.01, .b = 0.1, .rho = 0.0, .m = 0.0, .s = 0.0})));
}

TEST(Halves, HoldEveryCandidateOnce) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Rng rng(seed);
        const auto chain = random_market(rng);
        LaneSet set;
        set.add(chain, kShapes[seed % kFourRankShapes].legs, random_options(rng, true));
        for (const Lane& lane : set.lanes()) {
            if (!has_halves(lane)) continue;
            const Halves halves = make_halves(lane);
            std::uint64_t held = 0;
            for (const Half::Group& group : halves.low.groups) {
                const Range high =
                    range_above(halves.high.inner_strikes, lane.rank[1]->strikes()[group.inner],
                                lane.gaps[1].bounds);
                for (std::uint32_t h = high.begin; h < high.end; ++h) {
                    held += std::uint64_t{group.outer.size()} * halves.high.groups[h].outer.size();
                }
            }
            EXPECT_EQ(count_candidates(lane), held) << seed;
            EXPECT_LE(halves.low.group_nodes.size() + halves.low.band_nodes.size() +
                          halves.high.group_nodes.size() + halves.high.band_nodes.size(),
                      node_count(lane));
        }
    }
}

TEST(Halves, OnlyPeaksAndValleysHaveThem) {
    Rng rng(4);
    const auto chain = scanmq::testing::random_chain(rng, {});
    for (std::size_t i = 0; i < std::size(kShapes); ++i) {
        LaneSet set;
        set.add(chain, kShapes[i].legs, scanmq::testing::condor_options(10.0));
        ASSERT_FALSE(set.lanes().empty());
        EXPECT_EQ(i < kFourRankShapes, has_halves(set.lanes()[0])) << kShapes[i].name;
    }
}

}  // namespace
}  // namespace scanmq::search
