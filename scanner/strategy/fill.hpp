#pragma once
// Fill: at which price a leg is assumed to trade, and the tick grid it must lie on.
//
// natural  buy the ask, sell the bid (the default); mid  the middle of the two; a fraction between.
//          Anything better than natural is rounded to the root's tick against us and never past
//          natural.
// Fees:    per contract and side, as a price per share; see docs/SCAN_REQUEST.md#fills-and-fees.
// Threads: pure functions.

#include <string_view>

#include "scanner/market/contracts.hpp"

namespace scanmq::strategy {

struct Fill {
    double toward_mid{0.0};  // 0 natural, 1 mid; in [0, 1]
};

inline constexpr Fill kNaturalFill{0.0};
inline constexpr Fill kMidFill{1.0};
inline constexpr double kDefaultFeePerContract = 0.65;  // money per contract and side

// Prices under `threshold` move in 1/per_unit_below, others in 1/per_unit_above.
struct TickRule {
    double threshold{3.0};
    double per_unit_below{100.0};
    double per_unit_above{20.0};

    // The tick at this price, >= 0.
    [[nodiscard]] double tick(double price) const noexcept {
        return 1.0 / (price < threshold ? per_unit_below : per_unit_above);
    }
};

[[nodiscard]] TickRule tick_rule(const market::RootSpec& spec) noexcept;
// As the table says of the root; docs/contracts.toml is the shipped one.
[[nodiscard]] TickRule tick_rule(
    std::string_view root,
    const market::ContractTable& table = market::ContractTable::shipped()) noexcept;

// The nearest price on the grid at or above (below) `price`; a price within a millionth of a tick
// of the grid counts as on it.
[[nodiscard]] double round_up(double price, const TickRule& rule) noexcept;
[[nodiscard]] double round_down(double price, const TickRule& rule) noexcept;

// What a buyer pays, a seller gets. A missing (NaN) or zero bid counts as 0 for the buyer's mid;
// without an ask the seller gets the bid. Precondition: ask > 0 (buy), bid > 0 (sell).
[[nodiscard]] double buy_price(double bid, double ask, Fill fill, const TickRule& rule) noexcept;
[[nodiscard]] double sell_price(double bid, double ask, Fill fill, const TickRule& rule) noexcept;

}  // namespace scanmq::strategy
