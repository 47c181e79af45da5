#pragma once
// Counters: what happened since the start, by name. Every refusal has one, from its error code.
//
// Threads:   broker loop only.
// Names:     those below; error_<code> for an ERROR sent, refused_<code> for a job refused in an
//            ACCEPTED.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/protocol/kinds.hpp"

namespace scanmq::broker {

enum class Counter : std::uint8_t {
    frames_received,
    frames_bad,
    frames_stale_session,
    sessions_opened,
    sessions_replaced,
    sessions_timed_out,
    sessions_closed,
    wants,
    reclaims,
    worker_reclaims,  // credit that workers gave back
    memory_holds,     // grants stopped for lack of memory
    memory_refusals,  // sessions and queries refused for it
    dispatch_holds,   // passes that ended for it
    jobs_submitted,
    jobs_accepted,
    jobs_duplicate,
    jobs_refused,
    jobs_done,
    jobs_rejected,
    jobs_cancelled,
    jobs_dead,
    jobs_expired,
    jobs_superseded,
    jobs_coalesced,
    dead_letters_retried,
    dead_letters_dropped,
    dead_letters_pushed_out,
    attempts_started,
    deliveries_local,  // of attempts with inputs: to a worker that was given them before
    deliveries_fetch,  // to one that was not, or so long ago that it is forgotten
    attempts_failed,
    attempts_returned,
    attempts_lost,
    attempts_stale,
    attempts_revoked,
    attempts_overdue,
    attempts_adopted,
    progress_reports,
    suspensions,
    store_full_refusals,
    results_too_large,
    results_unknown_blob,
    entries_appended,
    entries_dropped,
    entries_sent,
    gaps_sent,
    ids_forgotten,
    groups_opened,
    groups_completed,
    groups_incomplete,
    queues_created,
    queues_altered,
    queues_deleted,
    subscriptions_opened,
    subscriptions_ended,
    entries_aged,  // of those dropped: by age
    restored_without_blob,
    subscriptions_resumed,
    subscriptions_taken,
    subscriptions_lapsed,
    cursors_forgotten,  // by UNSUBSCRIBE, after they lapsed, or to make room
    acks,
    acks_ignored,
    aliases_moved,
    alias_versions_dropped,  // over alias_history_max: groups may miss them
    flows_limited,           // FLOW_SETs honoured
    jobs_shed,
    queue_full_refusals,  // of WANTs, in queues that reject
    wants_held,           // WANTs that found no room and wait for it
    standing_runs,        // jobs made by standing scans
    standing_skipped,     // moves that a run which was due already tells, too
    standing_held,        // runs that found no room, and wait for it
    standing_dropped,     // with their queue
    queues_held,          // a lossless stream had no room, deliveries began to wait
    jobs_cached,          // ended by a result that was there
    jobs_stale,           // of those: by an older one
    refreshes,            // jobs the broker made for a newer one
    cache_asks,           // look-ups in the shared tier
    cache_late,           // of those: without an answer in time
    cache_skipped,        // not made: look_ups_max were under way
    cache_ignored,        // answers that nobody waited for any more
    dead_averted,         // executions out of attempts that ended with an older result instead
    followers_made,       // executions that wait for the result of a full one of their fingerprint
    followers_ended,      // of those: with its result
    followers_led,        // of those: it had none, and another one was run
    count_,
};

class Counters {
  public:
    void add(Counter counter, std::uint64_t n = 1) noexcept {
        values_[static_cast<std::size_t>(counter)] += n;
    }
    void error(protocol::ErrorCode code) noexcept { ++errors_[place(code)]; }
    void refused(protocol::ErrorCode code) noexcept { ++refused_[place(code)]; }

    [[nodiscard]] std::uint64_t value(Counter counter) const noexcept {
        return values_[static_cast<std::size_t>(counter)];
    }
    // 0 for a name that never moved.
    [[nodiscard]] std::uint64_t value(std::string_view name) const;
    // The named ones always, errors and refusals once they moved; in a fixed order.
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> list() const;

  private:
    static constexpr std::size_t kCodes = 128;
    static std::size_t place(protocol::ErrorCode code) noexcept {
        return static_cast<std::size_t>(code) % kCodes;
    }
    std::array<std::uint64_t, static_cast<std::size_t>(Counter::count_)> values_{};
    std::array<std::uint64_t, kCodes> errors_{};
    std::array<std::uint64_t, kCodes> refused_{};
};

}  // namespace scanmq::broker
