// The search over a real chain of 19,920 contracts; skipped without the file.

#include "scanner/market/reader.hpp"
#include "support.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::search {
namespace {

class SpxSearch : public ::testing::Test {
  protected:
    void SetUp() override {
        SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
        const auto report = market::read_chain_file(path);
        ASSERT_TRUE(report.ok());
        chain_ = market::price_chain(std::make_shared<const market::Chain>(report->chains.at(0)));
    }
    // Every leg has a bid, wings up to 100 points.
    [[nodiscard]] LaneSet condors(int dte_max) const {
        LaneSet set;
        LaneOptions options = scanmq::testing::condor_options(100.0);
        options.dte_max = dte_max;
        options.all_bids = true;
        set.add(chain_, scanmq::testing::kIronCondorLegs, options);
        return set;
    }
    [[nodiscard]] LaneSet verticals(int dte_max) const {
        LaneSet set;
        LaneOptions options;
        options.gaps[0].bounds.max = 100.0;
        options.dte_max = dte_max;
        options.all_bids = true;
        for (const auto legs :
             {std::span(scanmq::testing::kBearCallLegs), std::span(scanmq::testing::kBearPutLegs),
              std::span(scanmq::testing::kBullCallLegs),
              std::span(scanmq::testing::kBullPutLegs)}) {
            set.add(chain_, legs, options);
        }
        return set;
    }

    market::PricedChain chain_;
};

TEST_F(SpxSearch, VerticalsAreThoseOfBruteForce) {
    const LaneSet set = verticals(100'000);
    const Answer expected = brute_force(set.lanes(), 50);
    EXPECT_EQ(383'648U, expected.totals.candidates);
    const Answer complete = searched(set.lanes(), 50, false);
    expect_same_lists(expected, complete, "complete");
    expect_same_counts(expected.totals, complete.totals, "complete");
    expect_same_lists(expected, searched(set.lanes(), 50), "hits only");
    std::uint64_t near = 0;
    const LaneSet near_set = verticals(60);
    for (const Lane& lane : near_set.lanes()) near += count_candidates(lane);
    EXPECT_EQ(238'776U, near);
}

TEST_F(SpxSearch, CondorsAreThoseOfBruteForce) {
    const LaneSet set = condors(60);
    const Answer found = searched(set.lanes(), 100);
    EXPECT_EQ(75'051'161U, found.totals.candidates);
    EXPECT_LT(found.totals.evaluated, found.totals.candidates / 5);
    // All 75 million in vectors; the shards below hold them against the scalar path.
    const Answer complete = searched(set.lanes(), 100, false);
    EXPECT_EQ(75'051'161U, complete.totals.evaluated);
    expect_same_lists(complete, found, "75 million");
}

// All 75 million on the scalar path, an expiry or a few at a time, so that no test takes long.
class SpxCondorsByShard : public SpxSearch, public ::testing::WithParamInterface<std::size_t> {};
constexpr std::size_t kShards = 16;

TEST_P(SpxCondorsByShard, AreThoseOfTheScalarPath) {
    const LaneSet all = condors(60);
    std::vector<Lane> lanes;
    for (std::size_t i = GetParam(); i < all.lanes().size(); i += kShards) {
        lanes.push_back(all.lanes()[i]);
    }
    ASSERT_FALSE(lanes.empty());
    const Answer found = searched(lanes, 100);
    const Answer expected = brute_force(lanes, 100);
    EXPECT_EQ(expected.totals.candidates, found.totals.candidates);
    expect_same_lists(expected, found, "shard");
}

INSTANTIATE_TEST_SUITE_P(All, SpxCondorsByShard, ::testing::Range(std::size_t{0}, kShards));

}  // namespace
}  // namespace scanmq::search
