#include "scanner/strategy/definition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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

TEST(Definition, EveryStrategyFitsItsLimits) {
    EXPECT_EQ(strategies().size(), 38U);
    for (const Strategy& strategy : strategies()) {
        EXPECT_LE(strategy.legs.size(), kMaxLegs) << strategy.name;
        EXPECT_LE(strategy.ranks(), kMaxRanks) << strategy.name;
        EXPECT_LE(strategy.expiries(), 2U) << strategy.name;
        EXPECT_TRUE(std::ranges::is_sorted(strategy.legs, {}, &LegSpec::rank)) << strategy.name;
        for (std::size_t rank = 0; rank < strategy.ranks(); ++rank) {
            const auto legs = std::ranges::count(strategy.legs, rank, &LegSpec::rank);
            EXPECT_GE(legs, 1) << strategy.name;
            EXPECT_LE(legs, static_cast<std::ptrdiff_t>(kMaxLegsPerRank)) << strategy.name;
        }
        // A wing lies between a sold and a bought leg.
        for (std::size_t gap = 0; gap + 1 < strategy.ranks(); ++gap) {
            if (!is_wing(strategy.gaps[gap])) continue;
            const auto has = [&](std::size_t rank, Side side) {
                return std::ranges::any_of(strategy.legs, [&](const LegSpec& leg) {
                    return leg.rank == rank && leg.side == side;
                });
            };
            EXPECT_TRUE((has(gap, Side::long_leg) && has(gap + 1, Side::short_leg)) ||
                        (has(gap, Side::short_leg) && has(gap + 1, Side::long_leg)))
                << strategy.name << " gap " << gap;
        }
    }
}

TEST(Definition, DefaultsAreTheVerticals) {
    for (const std::string_view name : default_strategy_names()) {
        const Strategy* strategy = find_strategy(name);
        ASSERT_NE(strategy, nullptr) << name;
        EXPECT_EQ(strategy->legs.size(), 2U);
        EXPECT_TRUE(strategy->has_wings());
    }
    EXPECT_EQ(default_strategy_names().size(), 4U);
}

// Bulls gain from a rise, bears from a fall, whatever they are made of.
TEST(Definition, VerticalsPayAsTheirNamesSay) {
    const double strikes[] = {90.0, 100.0};
    for (const std::string_view name : default_strategy_names()) {
        const Strategy& strategy = *find_strategy(name);
        const PayoffShape shape = payoff_shape(strategy);
        const Payoff payoff(shape, strikes, 0.0);
        const double rise = payoff.at(120.0) - payoff.at(80.0);
        const bool bull = strategy.name.starts_with("bull");
        EXPECT_DOUBLE_EQ(rise, bull ? 10.0 : -10.0) << strategy.name;
        EXPECT_EQ(strategy.delta, bull ? Stance::long_stance : Stance::short_stance);
    }
}

// The intrinsic value at expiry of one-expiry strategies at 80, 90, ... 140, by hand; strikes 90, 100,
// 110, 120, stock bought at 100.
TEST(Definition, PayoffsByHand) {
    struct Case {
        const char* name;
        std::array<double, 7> value;
    };
    const double strikes[] = {90.0, 100.0, 110.0, 120.0};
    for (const Case& each : {
             Case{"call_backspread", {0, 0, -10, 0, 10, 20, 30}},
             Case{"call_broken_wing_butterfly", {0, 0, 10, 0, 0, 0, 0}},
             Case{"call_butterfly", {0, 0, 10, 0, 0, 0, 0}},
             Case{"call_condor", {0, 0, 10, 10, 0, 0, 0}},
             Case{"call_ratio_spread", {0, 0, 10, 0, -10, -20, -30}},
             Case{"cash_secured_put", {-10, 0, 0, 0, 0, 0, 0}},
             Case{"collar", {-10, -10, 0, 0, 0, 0, 0}},
             Case{"covered_call", {-20, -10, -10, -10, -10, -10, -10}},
             Case{"iron_butterfly", {-10, -10, 0, -10, -10, -10, -10}},
             Case{"iron_condor", {-10, -10, 0, 0, -10, -10, -10}},
             Case{"jade_lizard", {-10, 0, 0, -10, -10, -10, -10}},
             Case{"long_call", {0, 0, 10, 20, 30, 40, 50}},
             Case{"long_put", {10, 0, 0, 0, 0, 0, 0}},
             Case{"long_straddle", {10, 0, 10, 20, 30, 40, 50}},
             Case{"long_strangle", {10, 0, 0, 10, 20, 30, 40}},
             Case{"put_backspread", {0, -10, 0, 0, 0, 0, 0}},
             Case{"put_condor", {0, 0, 10, 10, 0, 0, 0}},
             Case{"put_ratio_spread", {0, 10, 0, 0, 0, 0, 0}},
             Case{"reverse_iron_condor", {10, 10, 0, 0, 10, 10, 10}},
             Case{"reverse_risk_reversal", {10, 0, 0, -10, -20, -30, -40}},
             Case{"risk_reversal", {-10, 0, 0, 10, 20, 30, 40}},
             Case{"short_call", {0, 0, -10, -20, -30, -40, -50}},
             Case{"short_put", {-10, 0, 0, 0, 0, 0, 0}},
             Case{"short_straddle", {-10, 0, -10, -20, -30, -40, -50}},
             Case{"short_strangle", {-10, 0, 0, -10, -20, -30, -40}},
         }) {
        const Strategy* strategy = find_strategy(each.name);
        ASSERT_NE(strategy, nullptr) << each.name;
        const PayoffShape shape = payoff_shape(*strategy);
        const Payoff payoff(shape, strikes, 100.0 * strategy->stock);
        for (std::size_t i = 0; i < each.value.size(); ++i) {
            const double underlying = 80.0 + 10.0 * static_cast<double>(i);
            EXPECT_DOUBLE_EQ(payoff.at(underlying), each.value[i])
                << each.name << " at " << underlying;
        }
    }
}

}  // namespace
}  // namespace scanmq::strategy
