#pragma once
// What the reader of POST /v1/jobs promises for any bytes: jobs that can be submitted, or a problem with
// a status and a sentence.

#include <string_view>

#include "broker/http/job_request.hpp"
#include "broker/http/request_values.hpp"
#include "common/base/text.hpp"

namespace scanmq::tests {

inline bool job_is_sound(const gateway::JobRequest& request) {
    const client::Job job = request.job();
    if (job.inputs.size() % ContentId::kSize != 0) return false;
    if (job.delay < Duration::zero() || job.deadline < Duration::zero()) return false;
    (void)client::options_of(job);
    const Id128 id{};
    return request.symbol.empty() || !gateway::subject_of(request.symbol, request.what, id).empty();
}

inline bool jobs_keep_promises(std::string_view bytes) {
    constexpr std::size_t kJobsMax = 20;
    const auto read = gateway::parse_jobs(bytes, kJobsMax);
    if (!read) {
        const auto& problem = read.error();
        return problem.status >= 400 && problem.status < 500 && !problem.code.empty() &&
               printable_utf8(problem.sentence);
    }
    if (read->jobs.empty() || read->jobs.size() > kJobsMax) return false;
    for (const gateway::JobRequest& job : read->jobs) {
        if (!job_is_sound(job)) return false;
    }
    return true;
}

}  // namespace scanmq::tests
