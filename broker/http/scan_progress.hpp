#pragma once
// The answer to a scan in lines of JSON: accepted, progress while it runs, its result or error.
//
// See: docs/HTTP_API.md, "Progress"

#include "broker/http/context.hpp"

namespace scanmq::gateway {

// Precondition: the scan is tracked.
void answer_in_lines(Context& context, const Id128& id, Duration patience,
                     const http::Responder& client);

}  // namespace scanmq::gateway
