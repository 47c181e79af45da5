#include "broker/http/problem.hpp"

#include <utility>

namespace scanmq::gateway {

using protocol::ErrorCode;
using protocol::FinalOutcome;
using std::chrono::seconds;

namespace {

constexpr Duration kRetrySoon = seconds(1);
constexpr Duration kRetryLater = seconds(5);

struct Mapped {
    int status;
    Duration retry_after;
};

Mapped mapped(ErrorCode code) {
    switch (code) {
        case ErrorCode::queue_full:
        case ErrorCode::overloaded:
        case ErrorCode::over_credit:
            return {429, kRetrySoon};
        case ErrorCode::shutting_down:
        case ErrorCode::too_many_sessions:
        case ErrorCode::session_timed_out:
        case ErrorCode::store_full:
        case ErrorCode::memory_full:
        case ErrorCode::queue_draining:
        case ErrorCode::queue_in_use:
        case ErrorCode::snapshots_full:
            return {503, kRetryLater};
        case ErrorCode::unknown_queue:
        case ErrorCode::unknown_snapshot:
        case ErrorCode::unknown_alias:
        case ErrorCode::unknown_group:
        case ErrorCode::unknown_blob:
        case ErrorCode::unknown_job:
        case ErrorCode::unknown_flow:
            return {404, {}};
        case ErrorCode::id_conflict:
        case ErrorCode::id_too_old:
        case ErrorCode::group_exists:
        case ErrorCode::group_sealed:
        case ErrorCode::group_count:
            return {409, {}};
        case ErrorCode::item_too_large:
        case ErrorCode::frame_too_large:
            return {413, {}};
        case ErrorCode::malformed:
        case ErrorCode::over_limit:
        case ErrorCode::unsupported:
        case ErrorCode::bad_name:
        case ErrorCode::bad_subject:
        case ErrorCode::bad_option:
        case ErrorCode::bad_setting:
        case ErrorCode::blob_mismatch:
            return {400, {}};
        default:
            return {502, {}};
    }
}

}  // namespace

Problem problem_of(ErrorCode code, std::string sentence) {
    const Mapped how = mapped(code);
    return {how.status, std::string(protocol::to_string(code)), std::move(sentence),
            how.retry_after};
}

Problem problem_of(const client::Error& error) {
    switch (error.kind) {
        case client::ErrorKind::buffer_full:
            return {429, "queue_full",
                    "too many jobs wait for room in the queue already; try again later",
                    kRetrySoon};
        case client::ErrorKind::timed_out:
        case client::ErrorKind::interrupted:
            return {503, "no_answer", "the broker did not answer in time: " + error.sentence,
                    kRetrySoon};
        case client::ErrorKind::closed:
            return {503, "shutting_down", "the broker is stopping; try again later", kRetryLater};
        default:
            return problem_of(error.code, error.sentence);
    }
}

Problem problem_of(const Ended& ended) {
    std::string code(protocol::to_string(ended.code));
    if (ended.refused) return problem_of(ended.code, ended.sentence);
    switch (ended.outcome) {
        case FinalOutcome::rejected:
            return {422, std::move(code), ended.sentence, {}};
        case FinalOutcome::cancelled:
            return {499, std::move(code), ended.sentence, {}};
        case FinalOutcome::superseded:
            return {409, std::move(code), ended.sentence, {}};
        case FinalOutcome::expired:
            return {504, std::move(code), ended.sentence, {}};
        case FinalOutcome::shed:
            return {503, std::move(code), ended.sentence, kRetrySoon};
        case FinalOutcome::done:
        case FinalOutcome::dead:
            break;
    }
    return {502, std::move(code), ended.sentence, {}};
}

http::Response response_of(const Problem& problem) {
    if (problem.retry_after > Duration{}) {
        return http::retry_response(problem.status, problem.code, problem.sentence,
                                    problem.retry_after);
    }
    return http::error_response(problem.status, problem.code, problem.sentence);
}

}  // namespace scanmq::gateway
