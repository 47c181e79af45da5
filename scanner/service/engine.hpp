#pragma once
// The scan: every candidate of a priced chain, filtered, gated, scored, the best kept exactly.
//
// Order:    score, then smaller max loss, symbol, root, expiry, strategy name, strikes: a total
//           order, so results do not depend on threads, workers or merge order.
// Threads:  scan() is pure but for the cancel flag and the count of steps; run as many as you like
//           at once.
// Cost:     one pass, no allocation per candidate; the flag is read every run of candidates, the
//           count written once a step.
// See:      docs/SCAN_REQUEST.md

#include <atomic>
#include <cstdint>
#include <vector>

#include "common/base/result.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::service {

// cancel: may be null; once it reads true the scan ends with `cancelled` within about a
// millisecond. steps: may be null; scan_steps() is added to it one by one as the scan goes on. Both
// may be shared by several scans. Errors: invalid_request, symbol_mismatch, cancelled. as_of is the
// chain's unless the request has one.
[[nodiscard]] Result<ScanResult, Error> scan(const market::PricedChain& chain,
                                             const ScanRequest& request,
                                             const std::atomic<bool>* cancel = nullptr,
                                             std::atomic<std::uint64_t>* steps = nullptr);

// In how many steps scan() goes through the chain: its expiries times the request's strategies; 0
// when the request is not valid.
[[nodiscard]] std::uint64_t scan_steps(const market::Chain& chain, const ScanRequest& request);

// Does a rank before b? The order above, over finished spreads.
[[nodiscard]] bool ranks_before(const Spread& a, const Spread& b) noexcept;

// The best `limit` of several results of one request over several chains; equal to what one scan
// over all of them would give. Counts add up, sources are listed by symbol; what differs between
// chains (rate, spot) is left out. An input may itself be merged.
[[nodiscard]] ScanResult merge_results(std::vector<ScanResult> results, std::uint32_t limit);

}  // namespace scanmq::service
