#pragma once
// What the scan API's readers promise for any bytes: a value that is used as it is, or an error that says
// something.

#include <string>
#include <string_view>

#include "scanner/api/filters.hpp"
#include "scanner/api/scan_call.hpp"
#include "scanner/api/worker_call.hpp"

namespace scanmq::tests {

inline bool is_error(const api::Error& error) {
    return error.status == 400 && !error.code.empty() && !error.sentence.empty();
}

inline bool call_is_good(const Result<api::ScanCall, api::Error>& call) {
    if (!call) return is_error(call.error());
    return !call->symbols.empty() && !call->request.strategies.empty() &&
           service::make_plan(call->request).ok();
}

inline bool calls_keep_promises(std::string_view bytes) {
    if (!call_is_good(api::read_scan(bytes)) || !call_is_good(api::read_batch(bytes))) return false;
    const auto validated = api::validate_document(bytes);
    if (!validated && !is_error(validated.error())) return false;
    const auto job = api::decode_worker_call(bytes);
    if (!job) return !job.error().empty();
    const std::string again = api::encode_worker_call(job->request, job->inputs, job->as_of_ns);
    const auto same = api::decode_worker_call(again);
    return same.ok() && same->request == job->request && same->inputs == job->inputs &&
           same->as_of_ns == job->as_of_ns;
}

}  // namespace scanmq::tests
