#include "scanner/score/score.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "scanner/score/explain.hpp"

namespace scanmq::score {
namespace {

using strategy::Stance;

constexpr double kNone = market::kMissing;

double at(const Components& components, Component c) {
    return components[static_cast<std::size_t>(c)];
}

// Round numbers, so that each component can be checked in one's head.
Inputs inputs() {
    return {.pop = 0.7,
            .gain = 1.0,
            .risk = 4.0,
            .leg_liquidity = 0.8,
            .quoted_spread = 0.2,
            .fees = 0.15,
            .delta = 0.1,
            .day_theta = 0.04,
            .vega = -8.0,
            .width = 5.0};
}
constexpr Scale kScale{.move = 20.0, .daily_move = 4.0};

TEST(Score, ComponentsByHand) {
    const Components out = components(inputs(), kScale, Stance::long_stance, Stance::neutral);
    EXPECT_DOUBLE_EQ(at(out, Component::probability), 70.0);
    EXPECT_DOUBLE_EQ(at(out, Component::risk_reward), 50.0);      // .25/(.25 + .25)
    EXPECT_DOUBLE_EQ(at(out, Component::liquidity), 80.0 / 1.5);  // G/(G + .2 + 2*.15)
    EXPECT_DOUBLE_EQ(at(out, Component::delta), 75.0);            // x = .1*4/4 = .1
    EXPECT_DOUBLE_EQ(at(out, Component::theta), 75.0);            // .04/4 = .01
    EXPECT_DOUBLE_EQ(at(out, Component::vega), 50.0);             // .08/(.02*4) = 1
    EXPECT_TRUE(std::isnan(at(out, Component::volatility)));
    EXPECT_DOUBLE_EQ(at(out, Component::width), 50.0);                           // 5/20 = .25
    EXPECT_NEAR(at(out, Component::time_decay), 50.0 * (1 + 2.0 / 3.0), 1e-12);  // .04/(.04+.02)
}

TEST(Score, StancesTurnTheGreeks) {
    const auto delta_of = [](Stance stance) {
        return at(components(inputs(), kScale, stance, Stance::neutral), Component::delta);
    };
    EXPECT_DOUBLE_EQ(delta_of(Stance::short_stance), 25.0);
    EXPECT_DOUBLE_EQ(delta_of(Stance::neutral), 50.0);  // 100/(1 + 1)
    const auto vega_of = [](Stance stance) {
        return at(components(inputs(), kScale, Stance::neutral, stance), Component::vega);
    };
    EXPECT_DOUBLE_EQ(vega_of(Stance::long_stance), 25.0);
    EXPECT_DOUBLE_EQ(vega_of(Stance::short_stance), 75.0);
}

TEST(Score, NullsDropOutAndWeightsAreRenormalised) {
    Components parts;
    parts.fill(kNone);
    parts[static_cast<std::size_t>(Component::probability)] = 80.0;
    parts[static_cast<std::size_t>(Component::risk_reward)] = 20.0;
    const Weights balanced = *preset("balanced");
    EXPECT_NEAR(weighted(parts, balanced), (0.25 * 80.0 + 0.20 * 20.0) / 0.45, 1e-12);
    parts.fill(kNone);
    EXPECT_TRUE(std::isnan(weighted(parts, balanced)));
}

TEST(Score, MissingGreeksMakeNullComponents) {
    Inputs in = inputs();
    in.delta = in.day_theta = in.vega = kNone;
    for (const Stance stance : {Stance::neutral, Stance::long_stance, Stance::short_stance}) {
        const Components out = components(in, kScale, stance, stance);
        EXPECT_TRUE(std::isnan(at(out, Component::delta)));
        EXPECT_TRUE(std::isnan(at(out, Component::theta)));
        EXPECT_TRUE(std::isnan(at(out, Component::vega)));
        EXPECT_TRUE(std::isnan(at(out, Component::time_decay)));
        EXPECT_FALSE(std::isnan(at(out, Component::width)));
    }
    in = inputs();
    in.quoted_spread = kNone;
    EXPECT_TRUE(std::isnan(
        at(components(in, kScale, Stance::neutral, Stance::neutral), Component::liquidity)));
}

TEST(Score, LegLiquidityByHand) {
    // spread = .1 mid: .6/2; open interest 100: .25/2; volume 50: .15/2.
    EXPECT_NEAR(leg_liquidity(0.95, 1.05, 50, 100), 0.5, 1e-12);
    EXPECT_NEAR(leg_liquidity(0.95, 1.05, 0, 0), 0.3, 1e-12);
    EXPECT_NEAR(leg_liquidity(0.95, 1.05, market::kNoCount, 100), (0.3 + 0.125) / 0.85, 1e-12);
    EXPECT_NEAR(leg_liquidity(0.95, 1.05, market::kNoCount, market::kNoCount), 0.5, 1e-12);
    EXPECT_NEAR(leg_liquidity(kNone, 0.10, 0, 0), 0.6 / 21.0, 1e-12);  // spread is twice the mid
    EXPECT_TRUE(std::isnan(leg_liquidity(0.10, kNone, 10, 10)));
}

TEST(Score, ScaleOfTheExpiry) {
    const Scale scale = scale_of(100.0, 0.252, 0.25);
    EXPECT_NEAR(scale.move, 12.6, 1e-12);
    EXPECT_NEAR(scale.daily_move, 100.0 * 0.252 / std::sqrt(252.0), 1e-12);
    EXPECT_NEAR(scale.high, 100.0 * std::exp(2.0 * 0.126), 1e-10);
    EXPECT_NEAR(scale.low, 100.0 * std::exp(-2.0 * 0.126), 1e-10);
}

// e = (model - paid)/vega; a history adds .02 (2 rank - 1) against the sign of the vega.
TEST(Score, VolatilityEdgeByHand) {
    EXPECT_DOUBLE_EQ(volatility_edge(1.2, 1.0, 20.0, 5.0, kNone), 0.01);
    EXPECT_DOUBLE_EQ(volatility_edge(1.2, 1.0, 20.0, 5.0, 0.5), 0.01);
    EXPECT_DOUBLE_EQ(volatility_edge(1.2, 1.0, 20.0, 5.0, 1.0), 0.01 - 0.02);
    EXPECT_DOUBLE_EQ(volatility_edge(1.2, 1.0, 20.0, -5.0, 1.0), 0.01 + 0.02);
    EXPECT_DOUBLE_EQ(volatility_edge(1.2, 1.0, 20.0, 5.0, 0.0), 0.01 + 0.02);
    EXPECT_DOUBLE_EQ(volatility_edge(1.2, 1.0, 20.0, 0.0, 1.0), 0.01);
    EXPECT_TRUE(std::isnan(volatility_edge(kNone, 1.0, 20.0, 5.0, 0.5)));
    Inputs in = inputs();
    in.edge = 0.01;
    const Components out = components(in, kScale, Stance::neutral, Stance::neutral);
    EXPECT_DOUBLE_EQ(at(out, Component::volatility), 75.0);
}

TEST(Score, WithoutWingsThereIsNoWidth) {
    Inputs in = inputs();
    in.width = kNone;
    const Components out = components(in, kScale, Stance::neutral, Stance::neutral);
    EXPECT_TRUE(std::isnan(at(out, Component::width)));
}

TEST(Explain, NamesTheStrongestAndTheWeakestByPoints) {
    Components parts;
    parts.fill(kNone);
    parts[static_cast<std::size_t>(Component::probability)] = 80.0;
    parts[static_cast<std::size_t>(Component::risk_reward)] = 20.0;
    parts[static_cast<std::size_t>(Component::vega)] = 0.0;  // little weight: little lost
    const std::string text = explain(parts, *preset("balanced"));
    // .25/.5 of 80 is 40 points; .2/.5 of the 80 that are missing, 32.
    EXPECT_NE(text.find("Score 48.0"), std::string::npos) << text;
    EXPECT_NE(text.find("probability 80.0 of 100, 40.0 points"), std::string::npos) << text;
    EXPECT_NE(text.find("risk_reward 20.0 of 100, 32.0 points short"), std::string::npos) << text;
    // One component is never both.
    parts[static_cast<std::size_t>(Component::probability)] = 50.0;
    parts[static_cast<std::size_t>(Component::risk_reward)] = 90.0;
    const std::string other = explain(parts, *preset("balanced"));
    EXPECT_NE(other.find("strongest in gain for the risk"), std::string::npos) << other;
    EXPECT_EQ(other.find("weakest in gain for the risk"), std::string::npos) << other;
    Weights one;
    one[Component::probability] = 1.0;
    EXPECT_NE(explain(parts, one).find("alone"), std::string::npos);
    parts.fill(kNone);
    EXPECT_TRUE(explain(parts, *preset("balanced")).empty());
}

TEST(Score, PresetsAddUpToOneAndOthersDoNotExist) {
    for (const std::string_view name : preset_names()) {
        const auto weights = preset(name);
        ASSERT_TRUE(weights.has_value()) << name;
        const double sum = std::accumulate(weights->value.begin(), weights->value.end(), 0.0);
        EXPECT_NEAR(sum, 1.0, 1e-12) << name;
    }
    EXPECT_FALSE(preset("bold").has_value());
}

// What pruning rests on: with all else equal, a higher POP never lowers the score.
TEST(Score, RisesWithProbability) {
    for (const std::string_view name : preset_names()) {
        double previous = -1.0;
        for (double pop = 0.0; pop <= 1.0; pop += 0.125) {
            Inputs in = inputs();
            in.pop = pop;
            const double score =
                weighted(components(in, kScale, Stance::neutral, Stance::neutral), *preset(name));
            EXPECT_GT(score, previous);
            previous = score;
        }
    }
}

}  // namespace
}  // namespace scanmq::score
