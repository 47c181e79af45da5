#include "scanner/strategy/generator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/base/rng.hpp"
#include "scanner/market/calendar.hpp"
#include "scanner/market/reader.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::strategy {
namespace {

using Candidates = std::set<std::vector<double>>;

Candidates generate(const std::vector<std::vector<double>>& lists, const GapList& gaps) {
    const std::vector<StrikeList> views(lists.begin(), lists.end());
    Generator generator(views, gaps);
    Generator::Run run;
    Candidates out;
    while (generator.next(run)) {
        EXPECT_LE(run.begin, run.end);
        for (std::uint32_t i = run.begin; i < run.end; ++i) {
            std::vector<double> strikes;
            for (std::size_t r = 0; r + 1 < lists.size(); ++r) {
                strikes.push_back(lists[r][run.prefix[r]]);
            }
            strikes.push_back(lists.back()[i]);
            EXPECT_TRUE(out.insert(strikes).second) << "generated twice";
        }
    }
    return out;
}

bool allowed(const std::vector<double>& strikes, double strike, const GapBounds& gap) {
    const double width = strike - strikes.back();
    if (width <= 0.0 || width < gap.bounds.min || width > gap.bounds.max) return false;
    const double first = strikes.size() > 1 ? strikes[1] - strikes[0] : 0.0;
    if (gap.kind == Gap::equal_wing) return width == first;
    return gap.kind != Gap::unequal_wing || width != first;
}

void brute_force(const std::vector<std::vector<double>>& lists, const GapList& gaps,
                 std::vector<double>& strikes, Candidates& out) {
    if (strikes.size() == lists.size()) {
        out.insert(strikes);
        return;
    }
    for (const double strike : lists[strikes.size()]) {
        if (!strikes.empty() && !allowed(strikes, strike, gaps[strikes.size() - 1])) continue;
        strikes.push_back(strike);
        brute_force(lists, gaps, strikes, out);
        strikes.pop_back();
    }
}

TEST(Generator, WidthBoundsAreInclusive) {
    const std::vector<std::vector<double>> lists(2, {100.0, 102.5, 105.0, 110.0});
    EXPECT_EQ(generate(lists, every_gap({2.5, 5.0})),
              (Candidates{{100.0, 102.5}, {100.0, 105.0}, {102.5, 105.0}, {105.0, 110.0}}));
}

TEST(Generator, CountsWhatTheBoundsLeaveOut) {
    const std::vector<double> strikes = {100.0, 102.5, 105.0, 110.0};
    const std::vector<StrikeList> lists = {strikes, strikes};
    const WingCount wings = count_wings(lists, every_gap({2.5, 5.0}));
    EXPECT_EQ(wings.pairs, 6U);
    EXPECT_EQ(wings.out_of_bounds, 2U);  // 100/110 and 102.5/110
    EXPECT_EQ(count_candidates(lists, every_gap({2.5, 5.0})), 4.0);
    EXPECT_EQ(count_wings(lists, {}).pairs, 0U) << "an inner gap is no wing";
}

TEST(Generator, EmptyListsGiveNothing) {
    EXPECT_TRUE(generate({{}, {1.0}}, GapList{}).empty());
    EXPECT_TRUE(generate({{1.0}, {}}, GapList{}).empty());
    EXPECT_TRUE(generate({{}}, GapList{}).empty());
    EXPECT_EQ(generate({{1.0, 2.0}}, GapList{}).size(), 2U);
}

// Found by reading: bounds that leave nothing kept the caller from its cancel flag for all ranks'
// combinations.
TEST(Generator, LongStretchesOfNothingAreInterrupted) {
    std::vector<double> near;
    for (int i = 0; i < 400; ++i) near.push_back(i);
    const std::vector<double> far{1e6};
    const std::vector<StrikeList> views{near, near, far};
    Generator generator(views, every_gap({0.0, 1'000.0}));
    Generator::Run run;
    int empty = 0;
    while (generator.next(run)) {
        ASSERT_EQ(run.begin, run.end);
        ASSERT_LT(run.prefix[1], near.size());
        ++empty;
    }
    EXPECT_GT(empty, 10);
    EXPECT_LT(empty, 100) << "now and then, not each";
}

TEST(Generator, EqualsBruteForceForAnyNumberOfRanks) {
    Rng rng(11);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::vector<double>> lists(1 + rng.below(4));
        for (auto& list : lists) {
            for (int k = 0; k < 12; ++k) {
                if (rng.below(2) == 0) list.push_back(50.0 + 2.5 * k);
            }
        }
        GapList gaps;
        for (std::size_t g = 0; g < gaps.size(); ++g) {
            WidthBounds& bounds = gaps[g].bounds;
            bounds.min = 2.5 * static_cast<double>(rng.below(3));
            if (rng.below(2) == 0)
                bounds.max = bounds.min + 2.5 * static_cast<double>(rng.below(4));
            gaps[g].kind = static_cast<Gap>(rng.below(g == 0 ? 2 : 4));
        }
        Candidates expected;
        std::vector<double> strikes;
        brute_force(lists, gaps, strikes, expected);
        EXPECT_EQ(generate(lists, gaps), expected) << "round " << round;
        // Counted without going through them: exact but where wings depend on one another.
        const std::vector<StrikeList> views(lists.begin(), lists.end());
        const double counted = count_candidates(views, gaps);
        const bool dependent =
            std::ranges::any_of(std::span(gaps).first(lists.size() - 1), [](const GapBounds& gap) {
                return gap.kind == Gap::equal_wing || gap.kind == Gap::unequal_wing;
            });
        if (dependent) {
            EXPECT_GE(counted, static_cast<double>(expected.size())) << "round " << round;
        } else {
            EXPECT_EQ(counted, static_cast<double>(expected.size())) << "round " << round;
        }
    }
}

// The published sizes of the search on the real file: all bids above zero, wings up to 100 points.
class SpxStrikes : public ::testing::Test {
  protected:
    struct Lists {
        int dte{};
        std::vector<double> calls;
        std::vector<double> puts;
    };
    void SetUp() override {
        SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
        const auto report = market::read_chain_file(path);
        ASSERT_TRUE(report.ok()) << report.error().message;
        const market::Chain& chain = report->chains.at(0);
        for (const market::Expiry& expiry : chain.expiries) {
            if (expiry.moment <= chain.as_of || expiry.last_trade <= chain.as_of) continue;
            Lists& lists = expiries_.emplace_back();
            lists.dte = market::days_between(chain.as_of_date, expiry.date);
            for (std::uint32_t row = expiry.call_begin; row < expiry.end; ++row) {
                if (!(chain.bid[row] > 0.0)) continue;
                (row < expiry.put_begin ? lists.calls : lists.puts).push_back(chain.strike[row]);
            }
        }
    }
    // Goes through them all, and counts them in closed form.
    static std::uint64_t count(const std::vector<StrikeList>& lists, const GapList& gaps) {
        Generator generator(lists, gaps);
        Generator::Run run;
        std::uint64_t candidates = 0;
        while (generator.next(run)) candidates += run.end - run.begin;
        EXPECT_EQ(count_candidates(lists, gaps), static_cast<double>(candidates));
        return candidates;
    }

    std::vector<Lists> expiries_;
};

// Each pair of strikes up to 100 points apart gives a bull and a bear.
TEST_F(SpxStrikes, CountsTheVerticals) {
    const GapList gaps = gap_bounds(*find_strategy("bull_put"), {0.0, 100.0});
    std::uint64_t all = 0;
    std::uint64_t near = 0;
    for (const Lists& expiry : expiries_) {
        const std::uint64_t here = 2 * (count({expiry.calls, expiry.calls}, gaps) +
                                        count({expiry.puts, expiry.puts}, gaps));
        all += here;
        if (expiry.dte <= 60) near += here;
    }
    EXPECT_EQ(all, 383'648U);
    EXPECT_EQ(near, 238'776U);
}

TEST_F(SpxStrikes, CountsTheIronCondors) {
    const GapList gaps = gap_bounds(*find_strategy("iron_condor"), {0.0, 100.0});
    std::uint64_t condors = 0;
    for (const Lists& expiry : expiries_) {
        if (expiry.dte > 60) continue;
        condors += count({expiry.puts, expiry.puts, expiry.calls, expiry.calls}, gaps);
    }
    EXPECT_EQ(condors, 75'051'161U);
}

}  // namespace
}  // namespace scanmq::strategy
