#include "scanner/strategy/definition.hpp"

namespace scanmq::strategy {
namespace {

constexpr auto kCall = Right::call;
constexpr auto kPut = Right::put;
constexpr auto kLong = Side::long_leg;
constexpr auto kShort = Side::short_leg;
constexpr std::uint8_t kBack = 1;  // of the later expiry

constexpr auto kNeutral = Stance::neutral;
constexpr auto kBull = Stance::long_stance;
constexpr auto kBear = Stance::short_stance;
constexpr auto kLongVega = Stance::long_stance;
constexpr auto kShortVega = Stance::short_stance;

using Gaps = std::array<Gap, kMaxGaps>;
constexpr Gaps kNoWings{};
constexpr Gaps kOneWing{Gap::wing};
constexpr Gaps kUpperWing{Gap::inner, Gap::wing};
constexpr Gaps kTwoWings{Gap::wing, Gap::inner, Gap::wing};
constexpr Gaps kEqualWings{Gap::wing, Gap::equal_wing};
constexpr Gaps kUnequalWings{Gap::wing, Gap::unequal_wing};
constexpr int kWithStock = 1;

// Legs: right, side, ratio, rank and, of the later expiry, kBack. Strategies share what is alike.
constexpr LegSpec kBearCall[] = {{kCall, kShort, 1, 0}, {kCall, kLong, 1, 1}};
constexpr LegSpec kBearPut[] = {{kPut, kShort, 1, 0}, {kPut, kLong, 1, 1}};
constexpr LegSpec kBullCall[] = {{kCall, kLong, 1, 0}, {kCall, kShort, 1, 1}};
constexpr LegSpec kBullPut[] = {{kPut, kLong, 1, 0}, {kPut, kShort, 1, 1}};
constexpr LegSpec kCallBackspread[] = {{kCall, kShort, 1, 0}, {kCall, kLong, 2, 1}};
constexpr LegSpec kCallBrokenWingButterfly[] = {
    {kCall, kLong, 1, 0}, {kCall, kShort, 2, 1}, {kCall, kLong, 1, 2}};
constexpr LegSpec kCallCalendar[] = {{kCall, kShort, 1, 0}, {kCall, kLong, 1, 0, kBack}};
constexpr LegSpec kCallCondor[] = {
    {kCall, kLong, 1, 0}, {kCall, kShort, 1, 1}, {kCall, kShort, 1, 2}, {kCall, kLong, 1, 3}};
constexpr LegSpec kCallDiagonal[] = {{kCall, kLong, 1, 0, kBack}, {kCall, kShort, 1, 1}};
constexpr LegSpec kCallRatioSpread[] = {{kCall, kLong, 1, 0}, {kCall, kShort, 2, 1}};
constexpr LegSpec kCashSecuredPut[] = {{kPut, kShort, 1, 0}};
constexpr LegSpec kCollar[] = {{kPut, kLong, 1, 0}, {kCall, kShort, 1, 1}};
constexpr LegSpec kCoveredCall[] = {{kCall, kShort, 1, 0}};
constexpr LegSpec kDoubleCalendar[] = {{kPut, kShort, 1, 0},
                                       {kPut, kLong, 1, 0, kBack},
                                       {kCall, kShort, 1, 1},
                                       {kCall, kLong, 1, 1, kBack}};
constexpr LegSpec kDoubleDiagonal[] = {{kPut, kLong, 1, 0, kBack},
                                       {kPut, kShort, 1, 1},
                                       {kCall, kShort, 1, 2},
                                       {kCall, kLong, 1, 3, kBack}};
constexpr LegSpec kIronButterfly[] = {
    {kPut, kLong, 1, 0}, {kPut, kShort, 1, 1}, {kCall, kShort, 1, 1}, {kCall, kLong, 1, 2}};
constexpr LegSpec kIronCondor[] = {
    {kPut, kLong, 1, 0}, {kPut, kShort, 1, 1}, {kCall, kShort, 1, 2}, {kCall, kLong, 1, 3}};
constexpr LegSpec kJadeLizard[] = {
    {kPut, kShort, 1, 0}, {kCall, kShort, 1, 1}, {kCall, kLong, 1, 2}};
constexpr LegSpec kLongCall[] = {{kCall, kLong, 1, 0}};
constexpr LegSpec kLongPut[] = {{kPut, kLong, 1, 0}};
constexpr LegSpec kLongStraddle[] = {{kPut, kLong, 1, 0}, {kCall, kLong, 1, 0}};
constexpr LegSpec kLongStrangle[] = {{kPut, kLong, 1, 0}, {kCall, kLong, 1, 1}};
constexpr LegSpec kPutBackspread[] = {{kPut, kLong, 2, 0}, {kPut, kShort, 1, 1}};
constexpr LegSpec kPutBrokenWingButterfly[] = {
    {kPut, kLong, 1, 0}, {kPut, kShort, 2, 1}, {kPut, kLong, 1, 2}};
constexpr LegSpec kPutCalendar[] = {{kPut, kShort, 1, 0}, {kPut, kLong, 1, 0, kBack}};
constexpr LegSpec kPutCondor[] = {
    {kPut, kLong, 1, 0}, {kPut, kShort, 1, 1}, {kPut, kShort, 1, 2}, {kPut, kLong, 1, 3}};
constexpr LegSpec kPutDiagonal[] = {{kPut, kShort, 1, 0}, {kPut, kLong, 1, 1, kBack}};
constexpr LegSpec kPutRatioSpread[] = {{kPut, kShort, 2, 0}, {kPut, kLong, 1, 1}};
constexpr LegSpec kReverseIronButterfly[] = {
    {kPut, kShort, 1, 0}, {kPut, kLong, 1, 1}, {kCall, kLong, 1, 1}, {kCall, kShort, 1, 2}};
constexpr LegSpec kReverseIronCondor[] = {
    {kPut, kShort, 1, 0}, {kPut, kLong, 1, 1}, {kCall, kLong, 1, 2}, {kCall, kShort, 1, 3}};
constexpr LegSpec kRiskReversal[] = {{kPut, kShort, 1, 0}, {kCall, kLong, 1, 1}};
constexpr LegSpec kShortStraddle[] = {{kPut, kShort, 1, 0}, {kCall, kShort, 1, 0}};
constexpr LegSpec kShortStrangle[] = {{kPut, kShort, 1, 0}, {kCall, kShort, 1, 1}};

constexpr std::array kStrategies = {
    Strategy{"bear_call", kBearCall, kBear, kNeutral, kOneWing},
    Strategy{"bear_put", kBearPut, kBear, kNeutral, kOneWing},
    Strategy{"bull_call", kBullCall, kBull, kNeutral, kOneWing},
    Strategy{"bull_put", kBullPut, kBull, kNeutral, kOneWing},
    Strategy{"call_backspread", kCallBackspread, kBull, kLongVega, kOneWing},
    Strategy{"call_broken_wing_butterfly", kCallBrokenWingButterfly, kNeutral, kShortVega,
             kUnequalWings},
    Strategy{"call_butterfly", kCallBrokenWingButterfly, kNeutral, kShortVega, kEqualWings},
    Strategy{"call_calendar", kCallCalendar, kNeutral, kLongVega, kNoWings},
    Strategy{"call_condor", kCallCondor, kNeutral, kShortVega, kTwoWings},
    Strategy{"call_diagonal", kCallDiagonal, kBull, kLongVega, kOneWing},
    Strategy{"call_ratio_spread", kCallRatioSpread, kNeutral, kShortVega, kOneWing},
    Strategy{"cash_secured_put", kCashSecuredPut, kBull, kShortVega, kNoWings, 0, true},
    Strategy{"collar", kCollar, kBull, kNeutral, kNoWings, kWithStock},
    Strategy{"covered_call", kCoveredCall, kBull, kShortVega, kNoWings, kWithStock},
    Strategy{"double_calendar", kDoubleCalendar, kNeutral, kLongVega, kNoWings},
    Strategy{"double_diagonal", kDoubleDiagonal, kNeutral, kLongVega, kTwoWings},
    Strategy{"iron_butterfly", kIronButterfly, kNeutral, kShortVega, kEqualWings},
    Strategy{"iron_condor", kIronCondor, kNeutral, kShortVega, kTwoWings},
    Strategy{"jade_lizard", kJadeLizard, kBull, kShortVega, kUpperWing},
    Strategy{"long_call", kLongCall, kBull, kLongVega, kNoWings},
    Strategy{"long_put", kLongPut, kBear, kLongVega, kNoWings},
    Strategy{"long_straddle", kLongStraddle, kNeutral, kLongVega, kNoWings},
    Strategy{"long_strangle", kLongStrangle, kNeutral, kLongVega, kNoWings},
    Strategy{"put_backspread", kPutBackspread, kBear, kLongVega, kOneWing},
    Strategy{"put_broken_wing_butterfly", kPutBrokenWingButterfly, kNeutral, kShortVega,
             kUnequalWings},
    Strategy{"put_butterfly", kPutBrokenWingButterfly, kNeutral, kShortVega, kEqualWings},
    Strategy{"put_calendar", kPutCalendar, kNeutral, kLongVega, kNoWings},
    Strategy{"put_condor", kPutCondor, kNeutral, kShortVega, kTwoWings},
    Strategy{"put_diagonal", kPutDiagonal, kBear, kLongVega, kOneWing},
    Strategy{"put_ratio_spread", kPutRatioSpread, kNeutral, kShortVega, kOneWing},
    Strategy{"reverse_iron_butterfly", kReverseIronButterfly, kNeutral, kLongVega, kEqualWings},
    Strategy{"reverse_iron_condor", kReverseIronCondor, kNeutral, kLongVega, kTwoWings},
    Strategy{"reverse_risk_reversal", kCollar, kBear, kNeutral, kNoWings},
    Strategy{"risk_reversal", kRiskReversal, kBull, kNeutral, kNoWings},
    Strategy{"short_call", kCoveredCall, kBear, kShortVega, kNoWings},
    Strategy{"short_put", kCashSecuredPut, kBull, kShortVega, kNoWings},
    Strategy{"short_straddle", kShortStraddle, kNeutral, kShortVega, kNoWings},
    Strategy{"short_strangle", kShortStrangle, kNeutral, kShortVega, kNoWings},
};

constexpr std::array<std::string_view, 4> kDefaults = {"bear_call", "bear_put", "bull_call",
                                                       "bull_put"};

constexpr auto kNames = [] {
    std::array<std::string_view, kStrategies.size()> names{};
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = kStrategies[i].name;
    return names;
}();

}  // namespace

std::span<const Strategy> strategies() noexcept { return kStrategies; }

std::span<const std::string_view> strategy_names() noexcept { return kNames; }

std::span<const std::string_view> default_strategy_names() noexcept { return kDefaults; }

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
