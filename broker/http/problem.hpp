#pragma once
// Problem: why an HTTP request cannot have what it asked for, and how that is said in HTTP.
//
// See: docs/HTTP_API.md, "Errors"

#include <string>

#include "broker/http/batch_result.hpp"
#include "client/core/error.hpp"
#include "common/base/time.hpp"
#include "common/http/message.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::gateway {

struct Problem {
    int status{};
    std::string code;
    std::string sentence;    // what to do
    Duration retry_after{};  // 0: no use in trying again
};

// A refusal of the broker's, or of the client library's rules.
[[nodiscard]] Problem problem_of(protocol::ErrorCode code, std::string sentence);
[[nodiscard]] Problem problem_of(const client::Error& error);
// A job that ended otherwise than done. Precondition: !ended.done().
[[nodiscard]] Problem problem_of(const Ended& ended);

[[nodiscard]] http::Response response_of(const Problem& problem);

}  // namespace scanmq::gateway
