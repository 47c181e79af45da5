#pragma once
// What the scan API says: results, states and lines of progress, as JSON.
//
// Units:   per share; delta signed; theta over one day, vega per point, of one contract held long; iv as
//          a decimal. What the source does not have is null.
// Threads: pure functions.
// See:     docs/HTTP_API.md

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scanner/api/error.hpp"
#include "scanner/api/scan_call.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::api {

// [{"long_leg", "short_leg", "net_debit", "max_profit", "max_loss", "breakeven", "probability_profit",
// "score"}], in the call's order. Spreads that are not one long and one short leg are left out: a call
// never asks for them.
[[nodiscard]] std::string spreads_list(const service::ScanResult& result, const ScanCall& call);
// {"spreads": list}
[[nodiscard]] std::string spreads_document(std::string_view list);

enum class ScanState : std::uint8_t { queued, running, completed, failed, cancelled };
[[nodiscard]] const char* to_string(ScanState state) noexcept;

struct SymbolFailure {
    std::string symbol;
    Error error;
};
struct ScanStatus {
    std::string job_id;
    ScanState state{ScanState::queued};
    std::vector<std::string> symbols;
    double progress{};           // 0 to 1
    std::string_view spreads{};  // of completed: spreads_list(); empty: none yet
    std::vector<SymbolFailure> failures{};
};
// {"job_id", "status", "symbols", "progress"}; where there are any, "spreads", "errors".
[[nodiscard]] std::string status_document(const ScanStatus& status);

// Lines of application/x-ndjson, each with its newline.
[[nodiscard]] std::string accepted_line(std::string_view job_id);
[[nodiscard]] std::string progress_line(std::uint64_t done, std::uint64_t total);
[[nodiscard]] std::string result_line(std::string_view spreads_list);
[[nodiscard]] std::string error_line(const Error& error);

}  // namespace scanmq::api
