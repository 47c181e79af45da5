#pragma once
// What HTTP requests say beside their bodies: how long to wait, under which id; and base64.
//
// Threads: pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "broker/http/problem.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/http/message.hpp"

namespace scanmq::gateway {

// The query's timeout_ms, else `Prefer: wait=SECONDS` (respond-async alone: not at all), else
// `otherwise`; at most `most`.
// Problem: 400 for what is not a number.
[[nodiscard]] Result<Duration, Problem> wait_of(const http::Request& request, Duration otherwise,
                                                Duration most);

// X-Scanmq-Deadline-Ms: how long the answer is of use; 0 when it is not there. Problem: 400.
[[nodiscard]] Result<Duration, Problem> deadline_of(const http::Request& request);

// 32 hexadecimal digits, or a UUID with its dashes.
[[nodiscard]] std::optional<Id128> parse_id(std::string_view text);
// The same for a job: Problem 400, as an id that is not a UUIDv7 would be refused later.
[[nodiscard]] Result<Id128, Problem> parse_job_id(std::string_view text, std::string_view where);

// Standard alphabet, with padding; blanks and line ends are skipped.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);
[[nodiscard]] std::string base64_encode(ByteView bytes);

[[nodiscard]] Problem bad_request(std::string sentence);

}  // namespace scanmq::gateway
