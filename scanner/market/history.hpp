#pragma once
// What a symbol's past says: where today's volatility stands, and how much the price moved.
//
// Units:   volatilities as decimals per year; series by rising date, one value a session, today's
//          excluded. A result that the history cannot give is NaN.
// Formulas: docs/SCANNER.md, "History".
// Threads: pure functions.

#include <cstdint>
#include <span>

#include "scanner/market/priced_chain.hpp"

namespace scanmq::market {

inline constexpr std::size_t kHistoryCloses = 252;    // of volatility, the year before today
inline constexpr std::size_t kHistoryClosesMin = 20;  // fewer say nothing
inline constexpr double kSessionsPerYear = 252.0;

struct VolatilityStanding {
    double rank{kMissing};        // (today - min)/(max - min), within 0 to 1; NaN where max = min
    double percentile{kMissing};  // share of closes below today's, ties by half
    std::uint32_t closes_used{};
};

// `closes`: constant-30-day volatilities at the money; the last 252 count, those that are no positive
// finite numbers do not.
[[nodiscard]] VolatilityStanding volatility_standing(std::span<const double> closes,
                                                     double today) noexcept;

// The standard deviation of the last `returns` logarithmic close-to-close returns, times sqrt(252);
// returns >= 2. NaN where there are too few closes or one of them is no positive finite number.
[[nodiscard]] double realised_volatility(std::span<const double> closes,
                                         std::size_t returns) noexcept;

// Volatility at the money for a constant number of days, linear in total variance between the expiries
// around it. Where all expiries are on one side, the nearest one's, if it is within a factor of two of
// the days; else NaN.
[[nodiscard]] double constant_maturity_volatility(const PricedChain& chain,
                                                  double days = 30.0) noexcept;

}  // namespace scanmq::market
