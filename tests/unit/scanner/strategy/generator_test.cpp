#include "scanner/strategy/generator.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "common/base/rng.hpp"
#include "scanner/market/reader.hpp"

namespace scanmq::strategy {
namespace {

using Candidates = std::set<std::vector<double>>;

Candidates generate(const std::vector<std::vector<double>>& lists, WidthBounds bounds) {
    const std::vector<StrikeList> views(lists.begin(), lists.end());
    Generator generator(views, bounds);
    Generator::Run run;
    Candidates out;
    while (generator.next(run)) {
        EXPECT_LT(run.begin, run.end);
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

void brute_force(const std::vector<std::vector<double>>& lists, WidthBounds bounds,
                 std::vector<double>& strikes, Candidates& out) {
    if (strikes.size() == lists.size()) {
        out.insert(strikes);
        return;
    }
    for (const double strike : lists[strikes.size()]) {
        if (!strikes.empty()) {
            const double width = strike - strikes.back();
            if (width <= 0.0 || width < bounds.min || width > bounds.max) continue;
        }
        strikes.push_back(strike);
        brute_force(lists, bounds, strikes, out);
        strikes.pop_back();
    }
}

TEST(Generator, WidthBoundsAreInclusive) {
    const std::vector<std::vector<double>> lists(2, {100.0, 102.5, 105.0, 110.0});
    EXPECT_EQ(generate(lists, {2.5, 5.0}),
              (Candidates{{100.0, 102.5}, {100.0, 105.0}, {102.5, 105.0}, {105.0, 110.0}}));
}

TEST(Generator, CountsWhatTheBoundsLeaveOut) {
    const std::vector<double> strikes = {100.0, 102.5, 105.0, 110.0};
    const std::vector<StrikeList> lists = {strikes, strikes};
    Generator generator(lists, {2.5, 5.0});
    Generator::Run run;
    std::uint64_t candidates = 0;
    while (generator.next(run)) candidates += run.end - run.begin;
    EXPECT_EQ(candidates, 4U);
    EXPECT_EQ(generator.out_of_bounds(), 2U);  // of the six pairs 100/110 and 102.5/110
}

TEST(Generator, EmptyListsGiveNothing) {
    EXPECT_TRUE(generate({{}, {1.0}}, {}).empty());
    EXPECT_TRUE(generate({{1.0}, {}}, {}).empty());
    EXPECT_TRUE(generate({{}}, {}).empty());
    EXPECT_EQ(generate({{1.0, 2.0}}, {}).size(), 2U);
}

// Found by reading: bounds that leave nothing kept the caller from its cancel flag for all ranks'
// combinations.
TEST(Generator, LongStretchesOfNothingAreInterrupted) {
    std::vector<double> near;
    for (int i = 0; i < 400; ++i) near.push_back(i);
    const std::vector<double> far{1e6};
    const std::vector<StrikeList> views{near, near, far};
    Generator generator(views, {0.0, 1'000.0});
    Generator::Run run;
    int empty = 0;
    while (generator.next(run)) {
        ASSERT_EQ(run.begin, run.end);
        ASSERT_LT(run.prefix[1], near.size());
        ++empty;
    }
    EXPECT_GT(empty, 10);
    EXPECT_LT(empty, 100) << "now and then, not each";
    EXPECT_EQ(generator.out_of_bounds(), 400U * 399U / 2U);
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
        WidthBounds bounds;
        bounds.min = 2.5 * static_cast<double>(rng.below(3));
        if (rng.below(2) == 0) bounds.max = bounds.min + 2.5 * static_cast<double>(rng.below(4));
        Candidates expected;
        std::vector<double> strikes;
        brute_force(lists, bounds, strikes, expected);
        EXPECT_EQ(generate(lists, bounds), expected) << "round " << round;
    }
}

// The published size of the search: each pair of strikes up to 100 points apart gives a bull and a
// bear.
TEST(Generator, CountsTheVerticalsOfTheSpxFile) {
    constexpr const char* kFile = "cboe_spx_2023-09-14_quotedata.csv";
    const char* folder = std::getenv("SCANMQ_TEST_DATA");
    const std::filesystem::path path =
        std::filesystem::path(folder != nullptr ? folder
                                                : SCANMQ_SOURCE_DIR "/../shared/data/chains") /
        kFile;
    if (!std::filesystem::exists(path)) {
        GTEST_SKIP() << "real quotes are not here: put " << kFile
                     << " into a folder and name it in SCANMQ_TEST_DATA";
    }
    const auto report = market::read_chain_file(path.string());
    ASSERT_TRUE(report.ok()) << report.error().message;
    const market::Chain& chain = report->chains.at(0);
    std::uint64_t verticals = 0;
    for (const market::Expiry& expiry : chain.expiries) {
        if (expiry.moment <= chain.as_of || expiry.last_trade <= chain.as_of) continue;
        for (const auto& [begin, end] : {std::pair{expiry.call_begin, expiry.put_begin},
                                         std::pair{expiry.put_begin, expiry.end}}) {
            std::vector<double> strikes;
            for (std::uint32_t row = begin; row < end; ++row) {
                if (chain.bid[row] > 0.0) strikes.push_back(chain.strike[row]);
            }
            const std::vector<StrikeList> lists = {strikes, strikes};
            Generator generator(lists, {0.0, 100.0});
            Generator::Run run;
            while (generator.next(run)) verticals += 2 * (run.end - run.begin);
        }
    }
    EXPECT_EQ(verticals, 383'648U);
}

}  // namespace
}  // namespace scanmq::strategy
