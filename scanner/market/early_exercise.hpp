#pragma once
// What the right to early exercise is worth in pairs of American quotes: with it taken off, put-call
// parity holds for what is left.
//
// Role:    used by price_chain on American chains, a few rounds before it inverts all quotes.
// Method:  the out-of-the-money quote of a pair gives an American implied volatility; at it, both sides'
//          American less European values are their premiums.
// Threads: pure functions.

#include <span>
#include <vector>

#include "scanner/market/parity.hpp"
#include "scanner/pricing/cash_dividends.hpp"

namespace scanmq::market {

// One expiry's market as American models take it: a spot that pays known cash dividends and a yield.
struct CarriedSpot {
    pricing::BsmExpiry terms;  // spot, rate, yield, years
    std::span<const pricing::CashDividend>
        dividends;  // of all expiries; those within `years` count
};

// The dividends paid within `years`, as they are worth now.
[[nodiscard]] double present_value(std::span<const pricing::CashDividend> dividends, double rate,
                                   double years) noexcept;

// The yield with which spot, rate and dividends give that forward. NaN where the dividends are worth
// more than the spot.
[[nodiscard]] double implied_yield(double forward, const CarriedSpot& market) noexcept;

// Keeps the pairs near the money (as parity_forward takes them, within `window`, at most `pairs_max`),
// and of their differences what European quotes would leave. A pair whose volatility is not to be
// had goes.
void take_off_early_exercise(const CarriedSpot& market, double forward, double window,
                             std::size_t pairs_max, std::vector<ParityPair>& pairs);

// The slope of ln F over T: what a spot without yield grows by. 0 with fewer than two times.
struct ForwardPoint {
    double years{};
    double forward{};
};
[[nodiscard]] double carry_rate(std::span<const ForwardPoint> forwards) noexcept;

}  // namespace scanmq::market
