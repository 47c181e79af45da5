#pragma once
// Reading filters out of a parsed document. Private to scanner/api: it sees nlohmann.

#include <vector>

#include "scanner/api/filters.hpp"
#include "scanner/service/document.hpp"

namespace scanmq::api {

// The engine's filters of a list. A filter without a bound lets everything through and is left out, as
// are parameters that are null. `errors`: all that is wrong, in order, at most one a filter.
[[nodiscard]] std::vector<filter::FilterSpec> read_filters(const service::Json& list,
                                                           std::vector<Error>& errors);

// The body as a map. Errors: malformed.
[[nodiscard]] Result<service::Json, Error> read_body(ByteView body);

}  // namespace scanmq::api
