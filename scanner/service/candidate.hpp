#pragma once
// Candidate: a spread that was found worth keeping: enough to rank it and to build its Spread.
//
// Role:     private to scanner/service and scanner/search.

#include <array>
#include <cstdint>

#include "scanner/market/priced_chain.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result.hpp"
#include "scanner/service/scan_inputs.hpp"

namespace scanmq::service {

inline constexpr std::uint32_t kNoExpiry = 0xffffffffU;

struct Candidate {
    double score{};
    double risk{};                                        // R
    std::uint32_t expiry{};                               // the nearer one
    std::uint32_t back{kNoExpiry};                        // the later one, where there are two
    std::uint16_t strategy{};                             // index into ScanPlan::strategies
    std::array<std::uint32_t, strategy::kMaxLegs> row{};  // into the chain, by leg
};

class LegBook;

// The full figures of a candidate. Its legs are in the book.
[[nodiscard]] Spread build_spread(const market::PricedChain& chain, const ScanRequest& request,
                                  const ScanPlan& plan, const ScanInputs& inputs,
                                  const LegBook& book, const Candidate& candidate);

// Fees of opening one spread, per share.
[[nodiscard]] double opening_fees(const strategy::Strategy& strategy, double fee_per_contract,
                                  std::uint32_t multiplier) noexcept;

// Can the underlying be held? Indexes cannot.
[[nodiscard]] bool has_stock(const market::PricedChain& chain, std::uint32_t expiry) noexcept;

}  // namespace scanmq::service
