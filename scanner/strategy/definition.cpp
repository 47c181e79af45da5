#include "scanner/strategy/definition.hpp"

namespace scanmq::strategy {
namespace {

constexpr LegSpec kBearCall[] = {{Right::call, Side::short_leg, 1, 0},
                                 {Right::call, Side::long_leg, 1, 1}};
constexpr LegSpec kBearPut[] = {{Right::put, Side::short_leg, 1, 0},
                                {Right::put, Side::long_leg, 1, 1}};
constexpr LegSpec kBullCall[] = {{Right::call, Side::long_leg, 1, 0},
                                 {Right::call, Side::short_leg, 1, 1}};
constexpr LegSpec kBullPut[] = {{Right::put, Side::long_leg, 1, 0},
                                {Right::put, Side::short_leg, 1, 1}};

constexpr std::array kStrategies = {
    Strategy{"bear_call", kBearCall, Stance::short_stance, Stance::neutral},
    Strategy{"bear_put", kBearPut, Stance::short_stance, Stance::neutral},
    Strategy{"bull_call", kBullCall, Stance::long_stance, Stance::neutral},
    Strategy{"bull_put", kBullPut, Stance::long_stance, Stance::neutral},
};

constexpr auto kNames = [] {
    std::array<std::string_view, kStrategies.size()> names{};
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = kStrategies[i].name;
    return names;
}();

}  // namespace

std::span<const Strategy> strategies() noexcept { return kStrategies; }

std::span<const std::string_view> strategy_names() noexcept { return kNames; }

const Strategy* find_strategy(std::string_view name) noexcept {
    for (const Strategy& strategy : kStrategies) {
        if (strategy.name == name) return &strategy;
    }
    return nullptr;
}

const char* to_string(Right right) noexcept { return right == Right::call ? "call" : "put"; }

const char* to_string(Side side) noexcept { return side == Side::long_leg ? "long" : "short"; }

const char* to_string(Stance stance) noexcept {
    switch (stance) {
        case Stance::neutral:
            return "neutral";
        case Stance::long_stance:
            return "long";
        case Stance::short_stance:
            return "short";
    }
    return "neutral";
}

}  // namespace scanmq::strategy
