#pragma once
// A made-up market of any size, for demonstrations, load tests and tests: seeded, so that
// everybody's sample market of one seed is the same.
//
// Model:   per symbol a spot, a dividend yield, mean-reverting at-the-money variance and a skew:
//          the surface SVI of Gatheral and Jacquier (2014), eq. 4.1 with phi of eq. 4.5, whose
//          parameters here satisfy their conditions against butterfly and calendar arbitrage.
// Quotes:  Black values of European exercise, plus and minus a half spread that grows with the
//          value, rounded outwards to the exchange's ticks; cheap wings have no bid. The vendor
//          columns hold the model's volatility and delta, so that what pricing recovers can be
//          compared.
// Threads: pure functions; chains of different indices can be made in parallel.

#include <cstdint>
#include <string>

#include "scanner/market/chain.hpp"

namespace scanmq::market {

inline constexpr std::size_t kSampleSymbolsMax = 80'000;
inline constexpr std::size_t kSampleExpiriesMax = 12;
inline constexpr std::size_t kSampleStrikesMax = 500;

struct SampleMarketOptions {
    std::uint64_t seed{1};
    WallMillis as_of{1'718'221'500'000};  // 2024-06-12 15:45 New York
    std::size_t symbols{100};             // for callers that loop; at most kSampleSymbolsMax
    std::size_t expiries{8};              // 1 to kSampleExpiriesMax: weeklies first, then monthlies
    std::size_t strikes_max{60};          // per expiry, 5 to kSampleStrikesMax
    double rate{0.045};                   // continuous
};

// The model behind one symbol. Moneyness is ln(K/F).
struct SampleSurface {
    std::string symbol;
    double spot{};
    double rate{};
    double yield{};
    double variance_now{};      // at-the-money variance per year for T -> 0
    double variance_far{};      // and for T -> infinity
    double reversion{};         // speed between the two, per year
    double correlation{};       // rho of the surface: below zero, puts dearer than calls
    double smile{};             // eta of the surface; smile (1 + |correlation|) <= 2
    double half_spread_base{};  // half spread = base + slope * value, before ticks
    double half_spread_slope{};
    double activity{};   // scale of volume and open interest
    bool penny_ticks{};  // 0.01 at every price, else 0.01 below 3.00 and 0.05 above

    [[nodiscard]] double forward(double years) const noexcept;
    // sigma_ATM^2 T, rising in T.
    [[nodiscard]] double atm_total_variance(double years) const noexcept;
    [[nodiscard]] double atm_volatility(double years) const noexcept;
    [[nodiscard]] double volatility(double moneyness, double years) const noexcept;
};

// The ticker of an index below kSampleSymbolsMax: the best-known names first, then made-up ones,
// all distinct. The same for every seed.
[[nodiscard]] std::string sample_symbol(std::size_t index);

// Out-of-range options are clamped to their limits.
[[nodiscard]] SampleSurface sample_surface(const SampleMarketOptions& options, std::size_t index);
[[nodiscard]] Chain sample_chain(const SampleMarketOptions& options, std::size_t index);

}  // namespace scanmq::market
