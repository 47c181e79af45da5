#pragma once
// Rows: the broker's durable state as the store keeps it, one value a row.
//
// Role:    what a checkpoint writes and what BrokerCore::restore_*() takes. Encoded by Archive.
// Times:   wall clock, ms since 1970 UTC: the monotonic clock ends with the machine.
// Tables:  keys are big-endian, so that they sort by number.
//          queues      partition                  QueueRow
//          executions  partition, execution       ExecutionRow   jobs that live, payload
//          runs        partition, execution       RunRow         only once an attempt was made
//          entries     partition, first offset    EntryRow...    one after another, offsets rise by 1
//          results     partition, last offset     a body that its entries do not hold: over
//                                                 kInlineEntryBytes, or of several jobs
//          ids         partition, first position  IdRow...       finished ids, positions rise by 1
//          groups      partition, group id        GroupRow
//          cursors     partition, name            CursorRow
//          flows       partition, flow            FlowRow        only of flows with limits
//          dead        partition, execution       DeadRow        then its ExecutionRow
//          standing    partition, name            StandingRow
//          standing_runs  partition, name         StandingRunRow, one for each of `standing`
//          aliases     alias                      AliasRow
// Views:   borrow from the bytes that were read.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/core/archive.hpp"
#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::broker {

// An entry's body up to this size is kept with it.
inline constexpr std::size_t kInlineEntryBytes = 4096;

struct SettingRow {
    std::string_view name;
    std::uint64_t value{};
    template <class A>
    void fields(A& a) {
        a.text(name);
        a.uint(value);
    }
};

struct QueueRow {
    std::string_view name;
    Id128 incarnation;
    std::vector<SettingRow> settings;
    bool paused{};
    bool draining{};
    std::string_view scanner_version;
    std::uint64_t next_execution = 1;
    std::uint64_t stream_first{};
    std::uint64_t stream_next{};
    std::uint64_t ids_begin{};
    std::uint64_t ids_end{};
    std::uint64_t sequence{};  // of the last commit record
    // Rows of version 2 end without these.
    bool version_pinned{};
    std::uint64_t version_since{};  // the first execution accepted under scanner_version
    template <class A>
    void fields(A& a) {
        a.text(name);
        a.id(incarnation);
        a.list(settings);
        a.number(paused);
        a.number(draining);
        a.text(scanner_version);
        a.uint(next_execution);
        a.uint(stream_first);
        a.uint(stream_next);
        a.uint(ids_begin);
        a.uint(ids_end);
        a.uint(sequence);
        a.last_number(version_pinned);
        a.last_number(version_since);
    }
};

struct JobRow {
    Id128 id;
    std::uint64_t digest{};  // tells a duplicate from a conflict
    std::string_view subject;
    Id128 group;            // zero: none
    std::uint64_t bytes{};  // in credit
    std::uint8_t priority{};
    std::uint8_t flags{};  // JobOptions::flags
    WallMillis accepted{};
    WallMillis due{};       // 0: at once
    WallMillis deadline{};  // 0: none
    std::string_view conflate_key;
    Id128 retry_of;  // the dead letter's job; zero: none
    template <class A>
    void fields(A& a) {
        a.id(id);
        a.fixed64(digest);
        a.text(subject);
        a.optional_id(group);
        a.uint(bytes);
        a.number(priority);
        a.number(flags);
        a.sint(accepted);
        a.sint(due);
        a.sint(deadline);
        a.text(conflate_key);
        a.optional_id(retry_of);
    }
};

struct ExecutionRow {
    std::vector<JobRow> jobs;
    ByteView inputs;
    std::optional<std::int64_t> as_of_ns;
    ContentId fingerprint;  // zero: not shared
    StoredBody payload;
    // The flow of the job it was made for; the last one, for rows of version 1 end without it.
    std::string_view flow;
    template <class A>
    void fields(A& a) {
        a.list(jobs);
        a.text(inputs);
        a.optional_sint(as_of_ns);
        a.optional_id(fingerprint);
        a.body(payload);
        a.last_text(flow);
    }
};

// What became of one attempt; kept for the history of a dead letter.
struct AttemptRow {
    protocol::AttemptOutcome outcome{};
    protocol::ErrorCode code{};
    bool charged_crash{};
    WallMillis ended{};
    std::string_view worker;
    std::string_view sentence;
    template <class A>
    void fields(A& a) {
        a.number(outcome);
        a.number(code);
        a.number(charged_crash);
        a.sint(ended);
        a.text(worker);
        a.text(sentence);
    }
};

struct RunRow {
    std::uint8_t failures{};  // charged to max_attempts
    std::uint8_t crashes{};   // charged to max_crashes
    bool suspect{};           // runs alone
    WallMillis due{};         // of the retry; 0: at once. Not before its jobs' own starts, either
    std::uint64_t live_epoch{};  // token of the live attempt; 0: none
    std::uint64_t live_counter{};
    std::string_view worker;  // that holds it
    Id128 instance;
    std::vector<AttemptRow> history;  // the newest kHistoryMax
    static constexpr std::size_t kHistoryMax = 16;
    template <class A>
    void fields(A& a) {
        a.number(failures);
        a.number(crashes);
        a.number(suspect);
        a.sint(due);
        a.uint(live_epoch);
        a.uint(live_counter);
        a.text(worker);
        a.optional_id(instance);
        a.list(history);
    }
};

struct EntryRow {
    protocol::EntryKind kind{};
    protocol::FinalOutcome outcome{};
    protocol::ErrorCode code{};
    bool in_results{};  // the body is in table `results`; here it is empty
    Id128 id;
    std::string_view subject;
    Id128 group;  // zero: none
    WallMillis appended{};
    std::string_view sentence;
    StoredBody body;
    template <class A>
    void fields(A& a) {
        a.number(kind);
        a.number(outcome);
        a.number(code);
        a.number(in_results);
        a.id(id);
        a.text(subject);
        a.optional_id(group);
        a.sint(appended);
        a.text(sentence);
        a.body(body);
    }
};

struct IdRow {
    Id128 id;
    std::uint64_t digest{};
    WallMillis ended{};
    template <class A>
    void fields(A& a) {
        a.id(id);
        a.fixed64(digest);
        a.sint(ended);
    }
};

struct GroupRow {
    protocol::GroupPhase phase{};
    std::uint64_t generation{};  // of the aliases its jobs see
    std::uint64_t count{};       // sealed with
    std::uint64_t submitted{};
    std::uint64_t finished{};
    std::array<std::uint64_t, 8> outcomes{};
    WallMillis opened{};
    WallMillis ended{};  // 0: not yet
    template <class A>
    void fields(A& a) {
        a.number(phase);
        a.uint(generation);
        a.uint(count);
        a.uint(submitted);
        a.uint(finished);
        for (auto& outcome : outcomes) a.uint(outcome);
        a.sint(opened);
        a.sint(ended);
    }
};

struct CursorRow {
    std::uint64_t next_offset{};
    std::string_view pattern;
    WallMillis
        used{};     // when a session last had it, 0: one has it; of a lapsed one: when it lapsed
    bool lapsed{};  // kept only to tell so
    template <class A>
    void fields(A& a) {
        a.uint(next_offset);
        a.text(pattern);
        a.sint(used);
        a.number(lapsed);
    }
};

struct FlowRow {
    std::vector<SettingRow> limits;
    template <class A>
    void fields(A& a) {
        a.list(limits);
    }
};

struct DeadRow {
    protocol::ErrorCode code{};
    WallMillis died{};
    std::uint8_t failures{};
    std::uint8_t crashes{};
    std::string_view sentence;
    std::vector<AttemptRow> history;
    template <class A>
    void fields(A& a) {
        a.number(code);
        a.sint(died);
        a.number(failures);
        a.number(crashes);
        a.text(sentence);
        a.list(history);
    }
};

struct StandingRow {
    struct Input {
        std::string_view alias;
        template <class A>
        void fields(A& a) {
            a.text(alias);
        }
    };
    std::string_view subject;
    ByteView payload;           // of a blob: its content id
    std::uint64_t blob_size{};  // 0: the payload is the bytes themselves
    std::vector<Input> inputs;
    std::uint64_t min_interval_ms{};
    std::uint64_t deadline_ms{};
    std::string_view flow;
    std::uint8_t priority{};
    std::uint8_t flags{};  // JobOptions::flags
    WallMillis set_at{};
    template <class A>
    void fields(A& a) {
        a.text(subject);
        a.text(payload);
        a.uint(blob_size);
        a.list(inputs);
        a.uint(min_interval_ms);
        a.uint(deadline_ms);
        a.text(flow);
        a.number(priority);
        a.number(flags);
        a.sint(set_at);
    }
};

struct StandingRunRow {
    std::uint64_t generation{};  // of the aliases, at the last run; 0: none since it was set
    WallMillis at{};             // of the last run; 0: none
    std::uint64_t runs{};
    template <class A>
    void fields(A& a) {
        a.uint(generation);
        a.sint(at);
        a.uint(runs);
    }
};

struct AliasRow {
    // What it named before, from one generation on until another.
    struct Former {
        ContentId id;
        std::uint64_t generation{};
        std::uint64_t until{};
        template <class A>
        void fields(A& a) {
            a.id(id);
            a.uint(generation);
            a.uint(until);
        }
    };
    ContentId id;  // zero: removed
    std::uint64_t generation{};
    std::vector<Former> history;  // what groups may still need; oldest first
    template <class A>
    void fields(A& a) {
        a.id(id);
        a.uint(generation);
        a.list(history);
    }
};

}  // namespace scanmq::broker
