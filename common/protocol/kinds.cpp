#include "common/protocol/kinds.hpp"

namespace scanmq::protocol {

std::string_view to_string(Kind kind) noexcept {
    switch (kind) {
        case Kind::hello:
            return "HELLO";
        case Kind::welcome:
            return "WELCOME";
        case Kind::heartbeat:
            return "HEARTBEAT";
        case Kind::bye:
            return "BYE";
        case Kind::error:
            return "ERROR";
        case Kind::ok:
            return "OK";
        case Kind::credit:
            return "CREDIT";
        case Kind::want:
            return "WANT";
        case Kind::reclaim:
            return "RECLAIM";
        case Kind::reclaimed:
            return "RECLAIMED";
        case Kind::submit:
            return "SUBMIT";
        case Kind::accepted:
            return "ACCEPTED";
        case Kind::cancel:
            return "CANCEL";
        case Kind::cancelled:
            return "CANCELLED";
        case Kind::deliver:
            return "DELIVER";
        case Kind::done:
            return "DONE";
        case Kind::revoke:
            return "REVOKE";
        case Kind::progress:
            return "PROGRESS";
        case Kind::subscribe:
            return "SUBSCRIBE";
        case Kind::subscribed:
            return "SUBSCRIBED";
        case Kind::unsubscribe:
            return "UNSUBSCRIBE";
        case Kind::results:
            return "RESULTS";
        case Kind::ack:
            return "ACK";
        case Kind::group_open:
            return "GROUP_OPEN";
        case Kind::group_seal:
            return "GROUP_SEAL";
        case Kind::group_query:
            return "GROUP_QUERY";
        case Kind::group_state:
            return "GROUP_STATE";
        case Kind::queue_create:
            return "QUEUE_CREATE";
        case Kind::queue_alter:
            return "QUEUE_ALTER";
        case Kind::queue_delete:
            return "QUEUE_DELETE";
        case Kind::queue_control:
            return "QUEUE_CONTROL";
        case Kind::dead_letters:
            return "DEAD_LETTERS";
        case Kind::dead_done:
            return "DEAD_DONE";
        case Kind::alias_set:
            return "ALIAS_SET";
        case Kind::backup:
            return "BACKUP";
        case Kind::backup_done:
            return "BACKUP_DONE";
        case Kind::flow_set:
            return "FLOW_SET";
        case Kind::query:
            return "QUERY";
        case Kind::answer:
            return "ANSWER";
        case Kind::queue_version:
            return "QUEUE_VERSION";
        case Kind::standing_set:
            return "STANDING_SET";
        case Kind::standing_drop:
            return "STANDING_DROP";
        case Kind::blob_put:
            return "BLOB_PUT";
        case Kind::blob_ready:
            return "BLOB_READY";
        case Kind::blob_chunk:
            return "BLOB_CHUNK";
        case Kind::blob_stored:
            return "BLOB_STORED";
        case Kind::blob_get:
            return "BLOB_GET";
        case Kind::blob_info:
            return "BLOB_INFO";
        case Kind::cache_put:
            return "CACHE_PUT";
        case Kind::cache_kept:
            return "CACHE_KEPT";
        case Kind::cache_get:
            return "CACHE_GET";
        case Kind::cache_values:
            return "CACHE_VALUES";
        case Kind::cache_drop:
            return "CACHE_DROP";
        case Kind::cache_dropped:
            return "CACHE_DROPPED";
    }
    return "?";
}

std::string_view to_string(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::none:
            return "none";
        case ErrorCode::malformed:
            return "malformed";
        case ErrorCode::frame_too_large:
            return "frame_too_large";
        case ErrorCode::unsupported_version:
            return "unsupported_version";
        case ErrorCode::unknown_kind:
            return "unknown_kind";
        case ErrorCode::unknown_session:
            return "unknown_session";
        case ErrorCode::not_permitted:
            return "not_permitted";
        case ErrorCode::over_credit:
            return "over_credit";
        case ErrorCode::over_limit:
            return "over_limit";
        case ErrorCode::unsupported:
            return "unsupported";
        case ErrorCode::shutting_down:
            return "shutting_down";
        case ErrorCode::too_many_sessions:
            return "too_many_sessions";
        case ErrorCode::session_timed_out:
            return "session_timed_out";
        case ErrorCode::store_full:
            return "store_full";
        case ErrorCode::memory_full:
            return "memory_full";
        case ErrorCode::unknown_queue:
            return "unknown_queue";
        case ErrorCode::queue_exists:
            return "queue_exists";
        case ErrorCode::queue_full:
            return "queue_full";
        case ErrorCode::queue_in_use:
            return "queue_in_use";
        case ErrorCode::bad_setting:
            return "bad_setting";
        case ErrorCode::bad_name:
            return "bad_name";
        case ErrorCode::queue_draining:
            return "queue_draining";
        case ErrorCode::id_conflict:
            return "id_conflict";
        case ErrorCode::id_too_old:
            return "id_too_old";
        case ErrorCode::unknown_snapshot:
            return "unknown_snapshot";
        case ErrorCode::item_too_large:
            return "item_too_large";
        case ErrorCode::bad_subject:
            return "bad_subject";
        case ErrorCode::bad_option:
            return "bad_option";
        case ErrorCode::unknown_alias:
            return "unknown_alias";
        case ErrorCode::unknown_flow:
            return "unknown_flow";
        case ErrorCode::unknown_standing:
            return "unknown_standing";
        case ErrorCode::stale_attempt:
            return "stale_attempt";
        case ErrorCode::scanner_unavailable:
            return "scanner_unavailable";
        case ErrorCode::scanner_timeout:
            return "scanner_timeout";
        case ErrorCode::scanner_overloaded:
            return "scanner_overloaded";
        case ErrorCode::scanner_error:
            return "scanner_error";
        case ErrorCode::bad_response:
            return "bad_response";
        case ErrorCode::stream_reset:
            return "stream_reset";
        case ErrorCode::bad_offset:
            return "bad_offset";
        case ErrorCode::bad_pattern:
            return "bad_pattern";
        case ErrorCode::unknown_subscription:
            return "unknown_subscription";
        case ErrorCode::subscription_exists:
            return "subscription_exists";
        case ErrorCode::subscription_taken:
            return "subscription_taken";
        case ErrorCode::unknown_group:
            return "unknown_group";
        case ErrorCode::group_exists:
            return "group_exists";
        case ErrorCode::group_sealed:
            return "group_sealed";
        case ErrorCode::group_count:
            return "group_count";
        case ErrorCode::snapshots_full:
            return "snapshots_full";
        case ErrorCode::blob_mismatch:
            return "blob_mismatch";
        case ErrorCode::unknown_blob:
            return "unknown_blob";
        case ErrorCode::bad_chunk:
            return "bad_chunk";
        case ErrorCode::backup_failed:
            return "backup_failed";
        case ErrorCode::unknown_topic:
            return "unknown_topic";
        case ErrorCode::attempts_exhausted:
            return "attempts_exhausted";
        case ErrorCode::worker_lost:
            return "worker_lost";
        case ErrorCode::scan_failed:
            return "scan_failed";
        case ErrorCode::bad_payload:
            return "bad_payload";
        case ErrorCode::max_run_exceeded:
            return "max_run_exceeded";
        case ErrorCode::deadline_passed:
            return "deadline_passed";
        case ErrorCode::cancelled:
            return "cancelled";
        case ErrorCode::superseded:
            return "superseded";
        case ErrorCode::purged:
            return "purged";
        case ErrorCode::unknown_job:
            return "unknown_job";
        case ErrorCode::overloaded:
            return "overloaded";
        case ErrorCode::stale:
            return "stale";
    }
    return "?";
}

std::string_view to_string(AttemptOutcome outcome) noexcept {
    switch (outcome) {
        case AttemptOutcome::done:
            return "done";
        case AttemptOutcome::failed:
            return "failed";
        case AttemptOutcome::rejected:
            return "rejected";
        case AttemptOutcome::returned:
            return "returned";
        case AttemptOutcome::lost:
            return "lost";
    }
    return "?";
}

std::string_view to_string(FinalOutcome outcome) noexcept {
    switch (outcome) {
        case FinalOutcome::done:
            return "done";
        case FinalOutcome::rejected:
            return "rejected";
        case FinalOutcome::cancelled:
            return "cancelled";
        case FinalOutcome::expired:
            return "expired";
        case FinalOutcome::shed:
            return "shed";
        case FinalOutcome::superseded:
            return "superseded";
        case FinalOutcome::dead:
            return "dead";
    }
    return "?";
}

std::string_view to_string(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::accepted:
            return "accepted";
        case Verdict::duplicate:
            return "duplicate";
        case Verdict::coalesced:
            return "coalesced";
        case Verdict::cached:
            return "cached";
        case Verdict::refused:
            return "refused";
    }
    return "?";
}

std::string_view to_string(JobState state) noexcept {
    switch (state) {
        case JobState::unknown:
            return "unknown";
        case JobState::queued:
            return "queued";
        case JobState::running:
            return "running";
        case JobState::finished:
            return "finished";
    }
    return "?";
}

std::string_view to_string(GroupPhase phase) noexcept {
    switch (phase) {
        case GroupPhase::open:
            return "open";
        case GroupPhase::sealed:
            return "sealed";
        case GroupPhase::complete:
            return "complete";
        case GroupPhase::incomplete:
            return "incomplete";
    }
    return "?";
}

std::string_view to_string(BlobType type) noexcept {
    return type == BlobType::snapshot ? "snapshot" : type == BlobType::body ? "body" : "?";
}

std::string_view to_string(BlobEncoding encoding) noexcept {
    return encoding == BlobEncoding::raw ? "raw" : encoding == BlobEncoding::zstd ? "zstd" : "?";
}

}  // namespace scanmq::protocol
