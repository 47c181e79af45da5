#pragma once
// Legs: on which sides a quote can be traded, and how wide it is.
//
// Threads: pure functions.

#include <cstdint>

#include "scanner/market/priced_chain.hpp"
#include "scanner/strategy/definition.hpp"

namespace scanmq::strategy {

// Which sides a quote can be traded on.
struct Tradable {
    bool long_side{};   // there is an ask
    bool short_side{};  // there is a bid
    bool crossed{};     // bid above ask: the quote is not believed and both sides are false

    [[nodiscard]] bool on(Side side) const noexcept {
        return side == Side::long_leg ? long_side : short_side;
    }
};
[[nodiscard]] inline Tradable tradable_sides(double bid, double ask) noexcept {
    const bool has_bid = bid > 0.0;
    const bool has_ask = ask > 0.0;
    if (has_bid && has_ask && bid > ask) return {false, false, true};
    return {has_ask, has_bid, false};
}

// ask - bid, a missing bid counting as 0; NaN without an ask.
[[nodiscard]] inline double quoted_spread(double bid, double ask) noexcept {
    if (!(ask > 0.0)) return market::kMissing;
    return ask - (bid > 0.0 ? bid : 0.0);
}

}  // namespace scanmq::strategy
