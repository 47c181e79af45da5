#pragma once
// ScanRequest: what a user asks of one chain. The text form is docs/SCAN_REQUEST.md.
//
// Threads: a value.
// Limits:  kLimitMax results; filters as in scanner/filter.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "scanner/filter/filter.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/score/score.hpp"
#include "scanner/strategy/definition.hpp"
#include "scanner/strategy/fill.hpp"

namespace scanmq::service {

// Part of the identity of every result: changes whenever the same request over the same chain may
// give another answer.
inline constexpr char kEngineVersion[] = "scanmq-scanner/2";

inline constexpr std::uint32_t kLimitDefault = 50;
inline constexpr std::uint32_t kLimitMax = 10'000;
inline constexpr double kFeeMax = 1'000.0;

enum class ErrorCode : std::uint8_t {
    malformed,        // not JSON or msgpack, or past the decoder's limits
    invalid_request,  // readable, but says something that is not allowed
    invalid_result,   // a result document that is not one of ours
    symbol_mismatch,  // the chain is of another symbol
    cancelled,
};
struct Error {
    ErrorCode code{};
    std::string message;
};
[[nodiscard]] const char* to_string(ErrorCode code) noexcept;

struct ScanRequest {
    std::string symbol;                   // empty: whatever the chain is of
    std::vector<std::string> strategies;  // empty: all
    std::vector<filter::FilterSpec> filters;
    std::string preset{"balanced"};  // ignored when weights are given
    std::optional<score::Weights> weights;
    strategy::Fill fill{strategy::kNaturalFill};
    double fee_per_contract{strategy::kDefaultFeePerContract};
    std::optional<strategy::Stance> delta_stance;  // in place of each strategy's own
    std::optional<strategy::Stance> vega_stance;
    std::uint32_t limit{kLimitDefault};  // 1 to kLimitMax
    std::optional<WallMillis> as_of;     // pricing clock in place of the snapshot's
    std::optional<double> rate;          // continuous rate in place of the fitted one
};

// The request's part in pricing, for market::price_chain.
[[nodiscard]] market::PricingOptions pricing_options(const ScanRequest& request) noexcept;

// A request that was checked, with its names resolved.
struct ScanPlan {
    std::vector<const strategy::Strategy*> strategies;  // by rising name, each once
    filter::FilterSet filters;
    score::Weights weights;
};

// Errors: invalid_request, with the field and, for unknown names, the nearest known one.
[[nodiscard]] Result<ScanPlan, Error> make_plan(const ScanRequest& request);

}  // namespace scanmq::service
