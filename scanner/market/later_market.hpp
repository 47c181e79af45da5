#pragma once
// What an American chain says of the time between two of its expiries: the market in which options of
// the later one are worth something when the nearer one settles.
//
// Role:    two-expiry spreads reprice their later legs in it.
// Threads: pure functions.

#include <cstdint>

#include "scanner/market/priced_chain.hpp"
#include "scanner/pricing/american_curve.hpp"

namespace scanmq::market {

// The discount between them, the known dividends whose ex-moments lie between, and as a yield what the
// two forwards say is paid beside those. Both expiries have a forward.
[[nodiscard]] pricing::CurveMarket later_market(const PricedChain& priced, std::uint32_t nearer,
                                                std::uint32_t later);

}  // namespace scanmq::market
