#pragma once
// Strategy: an option spread described as data. Generator, payoff, filters and score read the
//           description, so a new strategy is one table entry in definition.cpp.
//
// Words:    a rank is a place in the strike order: rank 0 is the lowest strike, legs of one rank
//           share a strike. Ranks rise strictly with the strike.
// Threads:  immutable tables.
// See:      docs/SCAN_REQUEST.md#strategies

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "scanner/market/chain.hpp"

namespace scanmq::strategy {

using market::Right;

inline constexpr std::size_t kMaxRanks = 4;
inline constexpr std::size_t kMaxLegs = 4;
inline constexpr std::size_t kMaxLegsPerRank = 2;

enum class Side : std::uint8_t { long_leg = 0, short_leg = 1 };

// +1 for a long leg, -1 for a short one.
[[nodiscard]] constexpr double sign(Side side) noexcept {
    return side == Side::long_leg ? 1.0 : -1.0;
}

// Which sign of a net Greek the strategy wants.
enum class Stance : std::uint8_t { neutral, long_stance, short_stance };

struct LegSpec {
    Right right{};
    Side side{};
    std::uint8_t ratio{1};
    std::uint8_t rank{};
};

struct Strategy {
    std::string_view name;
    std::span<const LegSpec> legs;  // by rising rank
    Stance delta{Stance::neutral};
    Stance vega{Stance::neutral};

    [[nodiscard]] std::size_t ranks() const noexcept { return legs.back().rank + std::size_t{1}; }
};

// Every strategy, by rising name. Payoffs are bounded on both sides.
[[nodiscard]] std::span<const Strategy> strategies() noexcept;
// Their names, in the same order.
[[nodiscard]] std::span<const std::string_view> strategy_names() noexcept;
// nullptr when there is none of that name.
[[nodiscard]] const Strategy* find_strategy(std::string_view name) noexcept;

[[nodiscard]] const char* to_string(Right right) noexcept;    // "call", "put"
[[nodiscard]] const char* to_string(Side side) noexcept;      // "long", "short"
[[nodiscard]] const char* to_string(Stance stance) noexcept;  // "neutral", "long", "short"

}  // namespace scanmq::strategy
