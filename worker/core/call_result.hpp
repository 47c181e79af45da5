#pragma once
// CallResult: how one exchange with a remote target ended, whatever carried it (HTTP, a pipe).
//
// Role:     what the shell tells RemoteCalls; limiters and the breaker learn from its class.
// Mapping:  for HTTP: 200 with a body that decodes: ok; with one that does not: bad_response. 400, 413,
//           415, 422: final_error. 429 and 503, with or without Retry-After: throttled. Every other
//           status (401, 404, 500, 502, 504 ...): retryable. Connection refused, reset, closed, or not
//           made within the connect timeout: no_connection. timed_out is RemoteCalls' own word: the
//           shell reports it only when a limit of its own ended the exchange.
// See:      worker/core/remote_calls.hpp

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/time.hpp"

namespace scanmq::worker {

enum class CallClass : std::uint8_t {
    ok,
    final_error,    // the request cannot be used, and never will
    retryable,      // the target failed
    throttled,      // too much for the target right now
    timed_out,      // no answer in time
    no_connection,  // it could not be reached, or hung up before it had answered
    bad_response,   // an answer that makes no sense
    cancelled,      // nobody wanted the answer any more: says nothing about the target
};

[[nodiscard]] constexpr std::string_view to_string(CallClass what) noexcept {
    switch (what) {
        case CallClass::ok:
            return "ok";
        case CallClass::final_error:
            return "final_error";
        case CallClass::retryable:
            return "retryable";
        case CallClass::throttled:
            return "throttled";
        case CallClass::timed_out:
            return "timed_out";
        case CallClass::no_connection:
            return "no_connection";
        case CallClass::bad_response:
            return "bad_response";
        case CallClass::cancelled:
            return "cancelled";
    }
    return "unknown";
}

struct CallResult {
    CallClass what{CallClass::ok};
    // Whether any byte of the request left: only then can the call itself have done harm.
    bool sent{true};
    std::optional<Duration> retry_after{};  // of throttled, when the target said
    std::string_view sentence;              // of all but ok: what was seen, one line
};

}  // namespace scanmq::worker
