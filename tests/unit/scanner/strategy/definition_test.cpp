#include "scanner/strategy/definition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "scanner/strategy/payoff.hpp"

namespace scanmq::strategy {
namespace {

TEST(Definition, NamesRiseAndAreFound) {
    EXPECT_TRUE(std::ranges::is_sorted(strategy_names()));
    ASSERT_EQ(strategies().size(), strategy_names().size());
    for (std::size_t i = 0; i < strategies().size(); ++i) {
        EXPECT_EQ(strategies()[i].name, strategy_names()[i]);
        EXPECT_EQ(find_strategy(strategy_names()[i]), &strategies()[i]);
    }
    EXPECT_EQ(find_strategy("bull_cal"), nullptr);
}

// The engine's extremes come from the strikes alone: no strategy may run off at either end.
TEST(Definition, PayoffsAreBoundedAndFitTheirLimits) {
    for (const Strategy& strategy : strategies()) {
        const PayoffShape shape = payoff_shape(strategy);
        EXPECT_EQ(shape.last_slope, 0.0) << strategy.name;
        EXPECT_LE(strategy.legs.size(), kMaxLegs) << strategy.name;
        EXPECT_LE(shape.ranks, kMaxRanks) << strategy.name;
        EXPECT_TRUE(std::ranges::is_sorted(strategy.legs, {}, &LegSpec::rank)) << strategy.name;
        for (std::size_t rank = 0; rank < shape.ranks; ++rank) {
            const auto legs = std::ranges::count(strategy.legs, rank, &LegSpec::rank);
            EXPECT_GE(legs, 1) << strategy.name;
            EXPECT_LE(legs, static_cast<std::ptrdiff_t>(kMaxLegsPerRank)) << strategy.name;
        }
    }
}

// Bulls gain from a rise, bears from a fall, whatever they are made of.
TEST(Definition, VerticalsPayAsTheirNamesSay) {
    const double strikes[] = {90.0, 100.0};
    for (const Strategy& strategy : strategies()) {
        const PayoffShape shape = payoff_shape(strategy);
        const Payoff payoff(shape, strikes, 0.0);
        const double rise = payoff.at(120.0) - payoff.at(80.0);
        const bool bull = strategy.name.starts_with("bull");
        EXPECT_DOUBLE_EQ(rise, bull ? 10.0 : -10.0) << strategy.name;
        EXPECT_EQ(strategy.delta, bull ? Stance::long_stance : Stance::short_stance);
    }
}

}  // namespace
}  // namespace scanmq::strategy
