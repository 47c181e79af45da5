#pragma once
// PricedChain: a Chain with what the market says about it: discount curve, forward and volatility
//              of each expiry, implied volatility and Greeks of each contract. What strategies are
//              built from.
//
// Threads:  immutable once built; shared between threads.
// Formulas: docs/SCANNER.md, "What a chain says" (curve, forward, expiry volatility).

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "scanner/market/chain.hpp"
#include "scanner/market/market_inputs.hpp"
#include "scanner/market/smile.hpp"
#include "scanner/pricing/black.hpp"
#include "scanner/pricing/cash_dividends.hpp"
#include "scanner/pricing/implied_volatility.hpp"

namespace scanmq::market {

// A spot is trusted to this share of itself: what the options say may lie so far away.
inline constexpr double kSpotTolerance = 0.0005;

// Contracts of American exercise that are priced in one chain: a tenth of a second of work, with cash
// dividends a year ahead half a minute. Expiries beyond, the farther ones, have no forward and say so.
inline constexpr std::uint32_t kAmericanContractsMax = 50'000;

// Where the rate is from.
enum class RateSource : std::uint8_t {
    given,    // the request's
    fitted,   // parity of the quotes
    vendor,   // the source's own, where parity gives none
    carried,  // American: what the forwards grow by
    assumed,  // nothing said any: 0
};
[[nodiscard]] const char* to_string(RateSource source) noexcept;

struct ExpiryMarket {
    double years{};             // T, ACT/365 from as_of to the settlement moment; <= 0 when expired
    int dte{};                  // calendar days between the two dates in New York
    double discount{1.0};       // D
    double rate{};              // -ln(D)/T
    double forward{kMissing};   // F; NaN where the expiry has no usable pair
    bool forward_is_carried{};  // no call and put of one strike anywhere: the spot's, at the rate
    double spot{kMissing};      // F * D: a spot without yield that has this forward
    // F = (PricedChain::spot - dividends) e^((rate - yield) T); European: dividends are in the yield.
    double yield{};
    // European, and no spot belongs to the forward: then `spot`, without yield.
    bool has_own_spot{};
    double atm_volatility{kMissing};  // the smile's at the forward
    Smile smile;                      // flat where no fit was possible
    SmileReport smile_report;         // how good the fit is, or why there is none
    double skew{kMissing};            // volatility of the 25 delta put minus the 25 delta call's
    double move_1sd{kMissing};        // S sigma_ATM sqrt(T)
    double move_straddle{kMissing};   // 0.85 of the at-the-money straddle's mid
    bool tradable{};                  // neither expired nor past its last trade
    std::string problem;              // why there is no forward or volatility, empty when there is
};

struct PricedChain {
    std::shared_ptr<const Chain> chain;
    double rate{};  // the snapshot's curve at one year, continuous
    RateSource rate_source{RateSource::assumed};
    double spot{kMissing};   // what pricing used
    bool spot_is_implied{};  // header's spot disagreed with parity by over 5 bp (or was absent)
    std::vector<pricing::CashDividend> dividends;  // to come, by time
    std::vector<ExpiryMarket> expiries;            // parallel to chain->expiries
    std::vector<double> iv;                        // per contract, NaN unless iv_status is ok
    std::vector<pricing::IvStatus> iv_status;
    // At greeks_volatility(); NaN fields where there is none.
    std::vector<pricing::Greeks> greeks;
};

// The spot, rate and yield that the expiry's European contracts are priced with: their forward is the
// expiry's.
[[nodiscard]] inline pricing::BsmExpiry european_terms(const PricedChain& priced,
                                                       const ExpiryMarket& market) noexcept {
    if (market.has_own_spot) return {market.spot, market.rate, 0.0, market.years};
    return {priced.spot, market.rate, market.yield, market.years};
}

// What a contract's Greeks are of: its own implied volatility, or the smile's at its strike where the
// quote tells none (no bid, below intrinsic value, crossed, ...). NaN where the expiry does not trade
// or has no volatility.
[[nodiscard]] double greeks_volatility(const PricedChain& priced, std::uint32_t expiry,
                                       std::uint32_t row) noexcept;

// Always succeeds, unless options.cancel ends it early: then what is left has no volatility. What cannot
// be priced carries its status. Lifetime: keeps `chain` alive.
[[nodiscard]] PricedChain price_chain(std::shared_ptr<const Chain> chain,
                                      const PricingOptions& options = {});

}  // namespace scanmq::market
