#pragma once
// What contracts are worth a day from now, and by their expiry's smile.
//
// Role:    legs of a scan are made of it, an expiry at a time.
// Style:   American contracts as American ones, with the chain's dividends.
// Threads: pure functions. A row never depends on its neighbours.

#include <cstdint>
#include <span>

#include "scanner/market/priced_chain.hpp"

namespace scanmq::market {

struct ContractValues {
    // V(t + min(1 day, T)) - V(t) with spot, rate and greeks_volatility() held; on the last day the
    // intrinsic value less the value now. NaN where the contract has no Greeks.
    double day_theta{kMissing};
    // Value at the smile; NaN where that is flat: one flat volatility cannot tell cheap from dear.
    double model{kMissing};
};

// Of these rows, which are all of this expiry; `out`, of as many, is overwritten.
void contract_values(const PricedChain& priced, std::uint32_t expiry,
                     std::span<const std::uint32_t> rows, std::span<ContractValues> out);
[[nodiscard]] ContractValues contract_values(const PricedChain& priced, std::uint32_t expiry,
                                             std::uint32_t row);

}  // namespace scanmq::market
