#pragma once
// Inputs beside the chain: what a request knows of rates, dividends and spot.
//
// Rules:   what is not finite, not positive (spot, amounts, years) or in the past (dividends) is left
//          out; beyond pricing::kDividendsMax the latest dividends are. Requests bound both lists.
// Threads: plain data.

#include <atomic>
#include <vector>

#include "scanner/market/chain.hpp"

namespace scanmq::market {

// A continuous zero rate to a time in years.
struct RatePoint {
    double years{};
    double rate{};
};

// Amount per share; holders at the moment before ex_moment get it.
struct CashDividend {
    WallMillis ex_moment{};
    double amount{};
};

struct PricingOptions {
    double rate{kMissing};  // continuous rate to use in place of the fitted one; NaN: fit it
    std::vector<RatePoint> rate_curve{};  // instead of `rate`: linear between the points, the first
                                          // and last point's rate outside; empty: none
    std::vector<CashDividend> dividends{};  // known cash dividends, in any order
    double spot{kMissing};  // instead of the source's, believed as it is; NaN: none given
    WallMillis as_of{};     // pricing clock; 0: the snapshot's
    // May be null; once true pricing ends within half a second, whatever it is at.
    const std::atomic<bool>* cancel{};
};

}  // namespace scanmq::market
