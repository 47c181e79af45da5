#pragma once
// The scan: every candidate of a priced chain, filtered, gated, scored, the best kept exactly.
//
// Order:    score, then smaller R, symbol, root, expiry, strategy name, strikes, later expiry, day of the
//           chain: a total order, so results do not depend on threads, workers or merge order.
// Threads:  scan() is pure but for the cancel flag and the count of steps; run as many as you like
//           at once.
// Cost:     one pass, no allocation per candidate; the flag is read every run of candidates, the
//           count written once a step. Candidates are counted before: see candidates_max.
// Parts:    scan_inputs (history, events), leg_book (legs in columns), lane (one strategy over one
//           expiry), lane_search (the scalar reference), selection (the k best), spread.
// See:      docs/SCAN_REQUEST.md

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/result.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::search {
struct Block;
struct MoreFigures;
}  // namespace scanmq::search

namespace scanmq::service {

struct Lane;
// Is given block by block every metric of the candidates of a lane: those of the block, and more. Those
// that do not pass the gates, and those whose probabilities are coarse, are marked in the block.
using MetricsObserver =
    std::function<void(const Lane&, const search::Block&, const search::MoreFigures&)>;

struct ScanControl {
    const std::atomic<bool>* cancel{};    // may be null; once true the scan ends within about a ms
    std::atomic<std::uint64_t>* steps{};  // may be null; scan_steps() is added to it, one by one
    bool brute_force{};                   // tests: every candidate scored whole on the scalar path
    // Every metric of every candidate, of the lanes that vectors search; may be null.
    const MetricsObserver* metrics{};
};

// Flag and count may be shared by several scans. as_of is the chain's unless the request has one.
// Errors: invalid_request, symbol_mismatch, too_many_candidates, cancelled.
[[nodiscard]] Result<ScanResult, Error> scan(const market::PricedChain& chain,
                                             const ScanRequest& request,
                                             const ScanControl& control = {});

[[nodiscard]] inline Result<ScanResult, Error> scan(const market::PricedChain& chain,
                                                    const ScanRequest& request,
                                                    const std::atomic<bool>* cancel,
                                                    std::atomic<std::uint64_t>* steps = nullptr) {
    return scan(chain, request, ScanControl{.cancel = cancel, .steps = steps});
}

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
