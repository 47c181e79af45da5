#pragma once
// ScanCall: a scan as Python clients ask for it, in the engine's terms.
//
// Role:    body of POST /api/v1/scan and /api/v1/scan/batch in, ScanRequest out. How and where it is run
//          is the caller's: the scan service runs it itself, the broker's gateway makes a job of it.
// Errors:  400 with the field and the nearest known word: malformed, missing_field, unknown_field,
//          bad_value, unknown_strategy, too_many_legs (naming /v1/jobs), and those of filters.hpp.
// Threads: pure functions.
// See:     docs/HTTP_API.md

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "scanner/api/error.hpp"
#include "scanner/score/score.hpp"
#include "scanner/service/request.hpp"

namespace scanmq::api {

inline constexpr std::size_t kBatchSymbolsMax = 10'000;

// score, probability_profit and risk_reward choose what is kept (the exact best by it); the others put
// the best by score into another order.
enum class SortBy : std::uint8_t {
    score,
    probability_profit,
    risk_reward,
    max_profit,
    max_loss,
    net_debit,
    expiry,
};
[[nodiscard]] std::span<const std::string_view> sort_names() noexcept;  // in the order of SortBy

struct ScanCall {
    service::ScanRequest request;      // its symbol is empty
    std::vector<std::string> symbols;  // upper case; one, but for a batch
    SortBy sort{SortBy::score};
    score::Weights shown;  // of the scores that are shown: the request's own rank by `sort`
};

[[nodiscard]] Result<ScanCall, Error> read_scan(ByteView body);
// With "symbols", a list without repeats, in place of "symbol".
[[nodiscard]] Result<ScanCall, Error> read_batch(ByteView body);

}  // namespace scanmq::api
