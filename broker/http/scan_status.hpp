#pragma once
// What the scan routes say of scans and batches, in the words of scanner/api.
//
// See: docs/HTTP_API.md

#include <functional>
#include <string>

#include "broker/http/submission.hpp"
#include "scanner/api/answer.hpp"
#include "scanner/api/scan_call.hpp"

namespace scanmq::gateway {

[[nodiscard]] http::Response response_of(const api::Error& error);

// The result of a scan that is done as the list of spreads its client wants. Problem: 502 for what is
// no result.
[[nodiscard]] Result<std::string, Problem> spreads_of(const std::string& body,
                                                      const api::ScanCall* call);
[[nodiscard]] Problem unknown_scan(std::string_view id);
// Why a scan of that symbol failed; a missing snapshot is told by the symbol. Precondition:
// !ended.done().
[[nodiscard]] Problem scan_problem(const std::string& symbol, const Ended& ended);

[[nodiscard]] std::string status_of_scan(const Id128& id, const std::string& symbol,
                                         const api::ScanCall* call, const Seen& seen);
[[nodiscard]] std::string status_of_batch(const Track& batch);

// Answers GET: from what is known here, else from what the broker and its stream know.
void answer_status(Context& context, const Id128& id, const http::Responder& client);

}  // namespace scanmq::gateway
