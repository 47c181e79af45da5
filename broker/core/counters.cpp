#include "broker/core/counters.hpp"

namespace scanmq::broker {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Counter::count_)> kNames{
    "frames_received",
    "frames_bad",
    "frames_stale_session",
    "sessions_opened",
    "sessions_replaced",
    "sessions_timed_out",
    "sessions_closed",
    "wants",
    "reclaims",
    "worker_reclaims",
    "memory_holds",
    "memory_refusals",
    "dispatch_holds",
    "jobs_submitted",
    "jobs_accepted",
    "jobs_duplicate",
    "jobs_refused",
    "jobs_done",
    "jobs_rejected",
    "jobs_cancelled",
    "jobs_dead",
    "jobs_expired",
    "jobs_superseded",
    "jobs_coalesced",
    "dead_letters_retried",
    "dead_letters_dropped",
    "dead_letters_pushed_out",
    "attempts_started",
    "deliveries_local",
    "deliveries_fetch",
    "attempts_failed",
    "attempts_returned",
    "attempts_lost",
    "attempts_stale",
    "attempts_revoked",
    "attempts_overdue",
    "attempts_adopted",
    "progress_reports",
    "suspensions",
    "store_full_refusals",
    "results_too_large",
    "results_unknown_blob",
    "entries_appended",
    "entries_dropped",
    "entries_sent",
    "gaps_sent",
    "ids_forgotten",
    "groups_opened",
    "groups_completed",
    "groups_incomplete",
    "queues_created",
    "queues_altered",
    "queues_deleted",
    "subscriptions_opened",
    "subscriptions_ended",
    "entries_aged",
    "restored_without_blob",
    "subscriptions_resumed",
    "subscriptions_taken",
    "subscriptions_lapsed",
    "cursors_forgotten",
    "acks",
    "acks_ignored",
    "aliases_moved",
    "alias_versions_dropped",
    "flows_limited",
    "jobs_shed",
    "queue_full_refusals",
    "wants_held",
    "standing_runs",
    "standing_skipped",
    "standing_held",
    "standing_dropped",
    "queues_held",
    "jobs_cached",
    "jobs_stale",
    "refreshes",
    "cache_asks",
    "cache_late",
    "cache_skipped",
    "cache_ignored",
    "dead_averted",
    "followers_made",
    "followers_ended",
    "followers_led",
};
static_assert(!kNames.back().empty());

}  // namespace

std::vector<std::pair<std::string, std::uint64_t>> Counters::list() const {
    std::vector<std::pair<std::string, std::uint64_t>> rows;
    for (std::size_t i = 0; i < kNames.size(); ++i) rows.emplace_back(kNames[i], values_[i]);
    const auto append = [&](std::string_view prefix,
                            const std::array<std::uint64_t, kCodes>& by_code) {
        for (std::size_t code = 0; code < kCodes; ++code) {
            if (by_code[code] == 0) continue;
            std::string name(prefix);
            name += to_string(static_cast<protocol::ErrorCode>(code));
            rows.emplace_back(std::move(name), by_code[code]);
        }
    };
    append("error_", errors_);
    append("refused_", refused_);
    return rows;
}

std::uint64_t Counters::value(std::string_view name) const {
    for (const auto& [known, value] : list()) {
        if (known == name) return value;
    }
    return 0;
}

}  // namespace scanmq::broker
