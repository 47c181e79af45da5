#pragma once
// What GET and POST /v1/jobs say of a job, as JSON.
//
// Threads: pure functions.
// See:     docs/HTTP_API.md, "Jobs"

#include <string>
#include <string_view>

#include "broker/http/submission.hpp"

namespace scanmq::gateway {

// {"job_id", "queue", "status": queued | running | completed | failed | cancelled, ...}, with "outcome",
// "code", "sentence", "result" or "result_base64" of one that ended. The HTTP status is 200.
[[nodiscard]] std::string job_document(const Id128& id, const std::string& queue, const Seen& seen);
// A job that was submitted and has not ended.
[[nodiscard]] std::string taken_document(const Id128& id, const std::string& queue,
                                         const Track* track);
// The answer to one who waited for this end: the document when it is done, else an error with the
// job's id beside it.
[[nodiscard]] http::Response ended_response(const Id128& id, const std::string& queue,
                                            const Ended& ended);
// completed, failed or cancelled.
[[nodiscard]] std::string_view status_of(const Ended& ended) noexcept;

}  // namespace scanmq::gateway
