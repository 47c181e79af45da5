#pragma once
// Answer: what an HTTP answer, or the lack of one, means for a call of a scan service.
//
// Mapping:  200 with a result in msgpack: ok; with anything else: bad_response. 409 unknown_snapshot:
//           snapshots are to be put. 429, 503: throttled. 504: timed_out. 401, 403, 407, 408, 425 and every
//           other 5xx: retryable. 501 and the other 4xx: final_error. The rest: bad_response.
// Threads:  pure functions.
// See:      worker/core/call_result.hpp, docs/HTTP_API.md

#include <optional>
#include <string>

#include "common/http/client.hpp"
#include "worker/core/call_result.hpp"

namespace scanmq::worker {

inline constexpr const char* kVersionHeader = "X-Scanmq-Scanner-Version";
inline constexpr const char* kDeadlineHeader = "X-Scanmq-Deadline-Ms";

struct Answer {
    CallClass what{CallClass::ok};
    bool unknown_snapshot = false;  // the call is to be made again when they were put
    bool sent = true;
    std::optional<Duration> retry_after{};
    std::string sentence;  // of all but ok

    // Borrows the sentence.
    [[nodiscard]] CallResult result() const { return {what, sent, retry_after, sentence}; }
};

// Of POST /api/v1/scan.
[[nodiscard]] Answer read_scan_answer(const http::ClientResult& result);
// Of PUT /api/v1/snapshots/{hash}.
[[nodiscard]] Answer read_put_answer(const http::ClientResult& result);
// The service's own sentence: of {"error": {"sentence"}}, else the beginning of the body.
[[nodiscard]] std::string error_sentence(const http::ClientResponse& response);

}  // namespace scanmq::worker
