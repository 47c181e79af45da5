// CostTable: what attempts of a flow cost, by size class; the newest class is with the flow.

#include "broker/core/cost_table.hpp"

#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

constexpr std::uint32_t kFlow = 7;

TEST(CostTable, KnowsNothingAtFirst) {
    const CostTable costs;
    EXPECT_EQ(costs.find(kFlow, {}, CostTable::size_class(200)), 0);
}

TEST(CostTable, MovesTowardsWhatIsMeasured) {
    CostTable costs;
    FlowCost newest;
    const std::uint8_t small = CostTable::size_class(200);
    costs.add(kFlow, newest, small, 100);
    EXPECT_EQ(costs.find(kFlow, newest, small), 100);
    costs.add(kFlow, newest, small, 180);
    EXPECT_EQ(costs.find(kFlow, newest, small), 110);  // an eighth of the way
}

TEST(CostTable, KeepsSizeClassesApartWhenTheyTakeTurns) {
    CostTable costs;
    FlowCost newest;
    const std::uint8_t small = CostTable::size_class(200);
    const std::uint8_t large = CostTable::size_class(200'000);
    for (int i = 0; i < 4; ++i) {
        costs.add(kFlow, newest, small, 100);
        costs.add(kFlow, newest, large, 5'000);
    }
    EXPECT_EQ(costs.find(kFlow, newest, small), 100);
    EXPECT_EQ(costs.find(kFlow, newest, large), 5'000);
}

TEST(CostTable, RemembersAFlowThatWasForgotten) {
    CostTable costs;
    FlowCost newest;
    const std::uint8_t small = CostTable::size_class(200);
    costs.add(kFlow, newest, small, 100);
    costs.keep(kFlow, newest);
    FlowCost again;
    EXPECT_EQ(costs.find(kFlow, again, small), 100);
    costs.add(kFlow, again, small, 180);
    EXPECT_EQ(again.mean, 110);
    EXPECT_EQ(costs.find(kFlow + 1, {}, small), 0);
}

TEST(CostTable, NoTimeAtAllStillCountsAsKnown) {
    CostTable costs;
    FlowCost newest;
    costs.add(kFlow, newest, 1, 0);
    EXPECT_GT(costs.find(kFlow, newest, 1), 0);
}

}  // namespace
}  // namespace scanmq::broker
