#pragma once
// ScanInputs: what a request says beside the chain, worked out for one chain: the past of its symbol and
//             what lies ahead of it.
//
// Role:     private to scanner/service.
// Threads:  a value.
// See:      docs/SCAN_REQUEST.md#inputs

#include <vector>

#include "scanner/filter/filter.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/service/request.hpp"
#include "scanner/strategy/distribution.hpp"

namespace scanmq::service {

struct ScanInputs {
    double realised{market::kMissing};     // volatility of the closes
    double implied_30d{market::kMissing};  // today's, between the expiries around 30 days
    double iv_rank{market::kMissing};
    double iv_percentile{market::kMissing};
    std::vector<Event> events;        // of this symbol, after the chain's moment
    std::vector<Dividend> dividends;  // the same, by moment
};

// The chain's clock is the request's where it has one. Errors: invalid_request, where the volatility
// mode needs a history that is not there.
[[nodiscard]] Result<ScanInputs, Error> scan_inputs(const market::PricedChain& chain,
                                                    const ScanRequest& request);

// Is there an event of the kind at or before the moment?
[[nodiscard]] filter::Known event_before(const ScanInputs& inputs, EventKind kind,
                                         WallMillis moment) noexcept;

// The distribution that probabilities of an expiry are taken from. Precondition: it has a forward, an
// at-the-money volatility and time left.
[[nodiscard]] strategy::Distribution distribution_of(const market::ExpiryMarket& expiry,
                                                     const VolatilityChoice& choice,
                                                     const ScanInputs& inputs) noexcept;

}  // namespace scanmq::service
