#pragma once
// What a priced chain's volatilities say of each expiry: the smile and what is read off it.
//
// Role:    the last step of price_chain.
// See:     docs/SCANNER.md, "The smile".
// Threads: pure functions.

#include <atomic>

#include "scanner/market/priced_chain.hpp"

namespace scanmq::market {

// Sets smile, smile_report, atm_volatility, skew and moves of every expiry that has a forward, and
// `problem` where there is no volatility near the money. Needs iv, iv_status, greeks, forwards, spot.
// cancel may be null; once it is true, later expiries get nothing.
void set_smiles(PricedChain& priced, const std::atomic<bool>* cancel = nullptr);

// The k = ln(K/F) at which a call's delta N(d1) is `delta`, by the smile; in (0, 1). A put's delta is
// the call's minus one. NaN where the smile has no such strike within 20 standard deviations.
[[nodiscard]] double strike_of_delta(const Smile& smile, double delta) noexcept;

}  // namespace scanmq::market
