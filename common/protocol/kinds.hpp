#pragma once
// Numbers of the wire: message kinds, roles, outcomes, error codes. docs/PROTOCOL.md is the
// contract; a number, once given, keeps its meaning. tests/unit/common/protocol checks the tables
// against it.

#include <cstdint>
#include <string_view>

#include "common/base/strong_id.hpp"

namespace scanmq::protocol {

inline constexpr std::uint8_t kVersion = 1;

using SessionId = StrongId<struct SessionTag>;  // 0: no session yet

enum class Kind : std::uint8_t {
    hello = 1,
    welcome = 2,
    heartbeat = 3,
    bye = 4,
    error = 5,
    ok = 6,
    credit = 10,
    want = 11,
    reclaim = 12,
    reclaimed = 13,
    submit = 20,
    accepted = 21,
    cancel = 22,
    cancelled = 23,
    deliver = 30,
    done = 31,
    revoke = 32,
    progress = 33,
    subscribe = 40,
    subscribed = 41,
    unsubscribe = 42,
    results = 43,
    ack = 44,
    group_open = 50,
    group_seal = 51,
    group_query = 52,
    group_state = 53,
    queue_create = 60,
    queue_alter = 61,
    queue_delete = 62,
    queue_control = 63,
    dead_letters = 64,
    dead_done = 65,
    alias_set = 66,
    backup = 67,
    backup_done = 68,
    flow_set = 69,
    query = 70,
    answer = 71,
    queue_version = 72,
    standing_set = 73,
    standing_drop = 74,
    cache_put = 75,
    cache_kept = 76,
    blob_put = 80,
    blob_ready = 81,
    blob_chunk = 82,
    blob_stored = 83,
    blob_get = 84,
    blob_info = 85,
    cache_get = 86,
    cache_values = 87,
    cache_drop = 88,
    cache_dropped = 89,
};

// A session's roles, a set of bits; the broker itself has none.
using Roles = std::uint8_t;
inline constexpr Roles kBroker = 0;
inline constexpr Roles kProducer = 1;
inline constexpr Roles kWorker = 2;
inline constexpr Roles kSubscriber = 4;
inline constexpr Roles kOperator = 8;
inline constexpr Roles kCache = 16;  // another broker, which keeps results here
inline constexpr Roles kAllRoles = 31;

enum class Link : std::uint8_t {
    submit = 1,    // producer -> broker, per (session, queue)
    deliver = 2,   // broker -> worker, per session
    results = 3,   // broker -> subscriber, per subscription
    blob_in = 4,   // peer -> broker, blob socket, per session
    blob_out = 5,  // broker -> peer, blob socket, per session
};

enum class AttemptOutcome : std::uint8_t {
    done = 1,
    failed = 2,
    rejected = 3,
    returned = 4,
    lost = 5
};

enum class FinalOutcome : std::uint8_t {
    done = 1,
    rejected = 2,
    cancelled = 3,
    expired = 4,
    shed = 5,
    superseded = 6,
    dead = 7,
};

// What became of one job of a SUBMIT.
enum class Verdict : std::uint8_t {
    accepted = 1,
    duplicate = 2,
    coalesced = 3,
    cached = 4,
    refused = 5
};

// Where a job is, told with a duplicate.
enum class JobState : std::uint8_t { unknown = 0, queued = 1, running = 2, finished = 3 };

enum class EntryKind : std::uint8_t { job = 1, group = 2 };

enum class StartFrom : std::uint8_t { latest = 0, earliest = 1, offset = 2, time = 3 };

// How a durable subscription began.
enum class SubscriptionStatus : std::uint8_t { created = 0, resumed = 1, lapsed = 2 };

enum class QueueAction : std::uint8_t { pause = 1, resume = 2, drain = 3, purge = 4 };

enum class DeadAction : std::uint8_t { retry = 1, drop = 2 };

enum class GroupPhase : std::uint8_t { open = 1, sealed = 2, complete = 3, incomplete = 4 };

enum class BlobType : std::uint8_t { snapshot = 1, body = 2 };
// What a blob's chunks carry: its bytes, or one zstd frame of them. Its id is always that of its bytes.
enum class BlobEncoding : std::uint8_t { raw = 0, zstd = 1 };
// Sums of encodings that a peer takes beside raw, which all do.
inline constexpr std::uint64_t kTakesZstd = 1;

enum class ErrorCode : std::uint16_t {
    none = 0,
    malformed = 1,
    frame_too_large = 2,
    unsupported_version = 3,
    unknown_kind = 4,
    unknown_session = 5,
    not_permitted = 6,
    over_credit = 7,
    over_limit = 8,
    unsupported = 9,
    shutting_down = 10,
    too_many_sessions = 11,
    session_timed_out = 12,
    store_full = 13,
    memory_full = 14,
    unknown_queue = 20,
    queue_exists = 21,
    queue_full = 22,
    queue_in_use = 23,
    bad_setting = 24,
    bad_name = 25,
    queue_draining = 26,
    id_conflict = 30,
    id_too_old = 31,
    unknown_snapshot = 32,
    item_too_large = 33,
    bad_subject = 34,
    bad_option = 35,
    unknown_alias = 36,
    unknown_flow = 37,
    unknown_standing = 38,
    stale_attempt = 40,
    scanner_unavailable = 41,
    scanner_timeout = 42,
    scanner_overloaded = 43,
    scanner_error = 44,
    bad_response = 45,
    stream_reset = 50,
    bad_offset = 51,
    bad_pattern = 52,
    unknown_subscription = 53,
    subscription_exists = 54,
    subscription_taken = 55,
    unknown_group = 60,
    group_exists = 61,
    group_sealed = 62,
    group_count = 63,
    snapshots_full = 70,
    blob_mismatch = 71,
    unknown_blob = 72,
    bad_chunk = 73,
    backup_failed = 74,
    unknown_topic = 80,
    attempts_exhausted = 90,
    worker_lost = 91,
    scan_failed = 92,
    bad_payload = 93,
    max_run_exceeded = 94,
    deadline_passed = 95,
    cancelled = 96,
    superseded = 97,
    purged = 98,
    unknown_job = 99,
    overloaded = 100,
    stale = 101,
};

// The name of the table in docs/PROTOCOL.md, e.g. "unknown_queue"; "?" for a number outside it.
[[nodiscard]] std::string_view to_string(Kind kind) noexcept;
[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;
[[nodiscard]] std::string_view to_string(AttemptOutcome outcome) noexcept;
[[nodiscard]] std::string_view to_string(FinalOutcome outcome) noexcept;
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;
[[nodiscard]] std::string_view to_string(JobState state) noexcept;
[[nodiscard]] std::string_view to_string(GroupPhase phase) noexcept;
[[nodiscard]] std::string_view to_string(BlobType type) noexcept;
[[nodiscard]] std::string_view to_string(BlobEncoding encoding) noexcept;

}  // namespace scanmq::protocol
