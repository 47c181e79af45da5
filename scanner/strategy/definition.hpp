#pragma once
// Strategy: an option spread described as data. Generator, payoff, margin, filters and score read
//           the description, so a new strategy is one table entry in definition.cpp.
//
// Words:    a rank is a place in the strike order: rank 0 is the lowest strike, legs of one rank
//           share a strike. Ranks rise strictly with the strike. A gap is the distance between
//           neighbouring ranks: gap i is between ranks i and i + 1. A wing is a gap between a sold
//           and a bought strike of one right: what the width filter bounds.
//           Expiry rank 0 is the nearer expiry, 1 the later one.
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
    std::uint8_t expiry{};  // expiry rank
};

enum class Gap : std::uint8_t {
    inner,         // free
    wing,          // within the width bounds
    equal_wing,    // a wing as wide as gap 0
    unequal_wing,  // a wing of another width than gap 0
};
inline constexpr std::size_t kMaxGaps = kMaxRanks - 1;

[[nodiscard]] constexpr bool is_wing(Gap gap) noexcept { return gap != Gap::inner; }

struct Strategy {
    std::string_view name;
    std::span<const LegSpec> legs;  // options, by rising rank
    Stance delta{Stance::neutral};
    Stance vega{Stance::neutral};
    std::array<Gap, kMaxGaps> gaps{};
    int stock{};          // shares held for each share of a contract: 1, or 0
    bool cash_secured{};  // the strike of a sold put lies in cash

    [[nodiscard]] constexpr std::size_t ranks() const noexcept {
        return legs.back().rank + std::size_t{1};
    }
    // 1, or 2 where a leg is of a later expiry.
    [[nodiscard]] constexpr std::size_t expiries() const noexcept {
        std::size_t count = 1;
        for (const LegSpec& leg : legs) count = leg.expiry > 0 ? 2 : count;
        return count;
    }
    [[nodiscard]] constexpr bool has_wings() const noexcept {
        for (std::size_t i = 0; i + 1 < ranks(); ++i) {
            if (is_wing(gaps[i])) return true;
        }
        return false;
    }
};

// Every strategy, by rising name.
[[nodiscard]] std::span<const Strategy> strategies() noexcept;
// Their names, in the same order.
[[nodiscard]] std::span<const std::string_view> strategy_names() noexcept;
// What is scanned for when no strategy is named: the four verticals.
[[nodiscard]] std::span<const std::string_view> default_strategy_names() noexcept;
// nullptr when there is none of that name.
[[nodiscard]] const Strategy* find_strategy(std::string_view name) noexcept;

[[nodiscard]] const char* to_string(Right right) noexcept;    // "call", "put"
[[nodiscard]] const char* to_string(Side side) noexcept;      // "long", "short"
[[nodiscard]] const char* to_string(Stance stance) noexcept;  // "neutral", "long", "short"

}  // namespace scanmq::strategy
