#pragma once
// JobRequest: the body of POST /v1/jobs, read strictly.
//
// Threads: values.
// Limits:  nesting as docs/SCAN_REQUEST.md; the number of jobs of one body is the caller's.
// Errors:  400, naming the field and the nearest known word.
// See:     docs/HTTP_API.md, "Jobs"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/http/problem.hpp"
#include "client/core/job.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"

namespace scanmq::gateway {

struct JobRequest {
    std::optional<Id128> id;
    std::string queue;
    std::string subject;  // empty: one is made of symbol, `what` and the id
    std::string payload;
    std::string inputs;  // content ids, 32 bytes each
    std::vector<std::string> aliases;
    std::string symbol;       // of a payload that is a scan request; for the subject
    std::string what{"job"};  // its one strategy, else "job"
    std::optional<Duration> wait;

    std::uint32_t priority = protocol::JobOptions::kDefaultPriority;
    Duration delay{};
    Duration deadline{};
    std::string flow;
    std::string conflate_key;
    bool sheddable = false;
    std::optional<bool> pure;
    bool finish_late = false;
    std::optional<std::int64_t> as_of_ns;

    // Borrows from this; subject and id are the caller's to set.
    [[nodiscard]] client::Job job() const;
};

struct JobRequests {
    std::vector<JobRequest> jobs;
    bool many = false;  // the body was a list
};

[[nodiscard]] Result<JobRequests, Problem> parse_jobs(ByteView body, std::size_t jobs_max);

// The alias that holds a symbol's newest snapshot.
[[nodiscard]] std::string latest_of(std::string_view symbol);
// SYMBOL.WHAT.http.ID: such entries match kSubjects, and ID alone finds one later.
[[nodiscard]] std::string subject_of(std::string_view symbol, std::string_view what,
                                     const Id128& id);
inline constexpr const char* kSubjects = "*.*.http.*";
[[nodiscard]] std::string pattern_of(const Id128& id);

}  // namespace scanmq::gateway
