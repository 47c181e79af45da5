#pragma once
// Record: what one batch changed in one partition, as bytes that can be replayed.
//
// Role:      written by the core through RecordWriter, kept by a CommitLog, applied to the rows
//            (rows.hpp) by the store. Everything that a change needs is in it.
// Format:    changes one after another: kind, fields (Archive). Version kRecordVersion.
// Order:     the changes of a record happen in its order; records of a partition in order of their
//            sequence, `previous` naming the one before.
// Limits:    kRecordBytesMax, bodies included; a batch is split between two changes.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "broker/core/archive.hpp"
#include "broker/core/rows.hpp"

namespace scanmq::broker {

// 1: executions had no flow, nor a queue limits of flows. 2: a queue's version was not pinned. 3: no standing
// scans.
inline constexpr std::uint8_t kRecordVersion = 4;
inline constexpr std::size_t kRecordBytesMax = 1U << 20;

struct CommitRecord {
    PartitionId partition{};
    std::uint64_t epoch{};  // of the broker that wrote it
    std::uint64_t previous{};
    std::uint64_t sequence{};
    std::string bytes;              // the changes, without the bodies at `bodies`
    std::vector<BodyPlace> bodies;  // in order of their place
};

namespace change {

// A job was accepted: with an execution of its own, or attached to one that is there.
struct Accepted {
    // How `attached` is written. Version 1 had no flows.
    static constexpr std::uint8_t kOwn = 0;
    static constexpr std::uint8_t kAttached = 1;
    static constexpr std::uint8_t kOwnInFlow = 2;

    std::uint64_t execution{};
    bool attached{};
    JobRow job;
    // Not of an attached one:
    ByteView inputs;
    std::optional<std::int64_t> as_of_ns;
    ContentId fingerprint;
    StoredBody payload;
    std::string_view flow;
    template <class A>
    void fields(A& a) {
        std::uint8_t kind = attached ? kAttached : kOwnInFlow;
        a.uint(execution);
        a.choice(kind, kOwnInFlow);
        if constexpr (A::kReads) attached = kind == kAttached;
        job.fields(a);
        if (attached) return;
        a.text(inputs);
        a.optional_sint(as_of_ns);
        a.optional_id(fingerprint);
        a.body(payload);
        if (kind == kOwnInFlow) a.text(flow);
    }
};

// Attempts were given to a worker. Their tokens have the record's epoch.
struct Started {
    struct One {
        std::uint64_t execution{};
        std::uint64_t counter{};
        template <class A>
        void fields(A& a) {
            a.uint(execution);
            a.uint(counter);
        }
    };
    std::string_view worker;
    Id128 instance;
    std::vector<One> attempts;
    template <class A>
    void fields(A& a) {
        a.text(worker);
        a.id(instance);
        a.list(attempts);
    }
};

// An attempt is over and its execution is not: it waits again.
struct Released {
    std::uint64_t execution{};
    std::uint8_t failures{};
    std::uint8_t crashes{};
    bool suspect{};
    WallMillis due{};
    bool kept{};  // `attempt` goes into the history
    AttemptRow attempt;
    template <class A>
    void fields(A& a) {
        a.uint(execution);
        a.number(failures);
        a.number(crashes);
        a.number(suspect);
        a.sint(due);
        a.number(kept);
        if (kept) attempt.fields(a);
    }
};

// Jobs of one execution ended, each with an entry; offsets and id positions rise by one from the
// first ones on.
struct Ended {
    struct Job {
        Id128 id;
        std::uint64_t digest{};
        std::string_view subject;
        Id128 group;
        template <class A>
        void fields(A& a) {
            a.id(id);
            a.fixed64(digest);
            a.text(subject);
            a.optional_id(group);
        }
    };
    std::uint64_t execution{};
    bool over{};         // no job of it is left
    bool dead_letter{};  // it is kept as one: over, and outcome dead
    protocol::FinalOutcome outcome{};
    protocol::ErrorCode code{};
    WallMillis at{};
    std::uint64_t first_offset{};
    std::uint64_t first_id_position{};
    std::string_view sentence;
    std::vector<Job> jobs;
    bool has_attempt{};  // of a dead letter: the last attempt's end
    AttemptRow attempt;
    StoredBody body;
    template <class A>
    void fields(A& a) {
        a.uint(execution);
        a.number(over);
        a.number(dead_letter);
        a.number(outcome);
        a.number(code);
        a.sint(at);
        a.uint(first_offset);
        a.uint(first_id_position);
        a.text(sentence);
        a.list(jobs);
        a.number(has_attempt);
        if (has_attempt) attempt.fields(a);
        a.body(body);
    }
};

struct GroupOpened {
    Id128 group;
    WallMillis at{};
    std::uint64_t generation{};
    template <class A>
    void fields(A& a) {
        a.id(group);
        a.sint(at);
        a.uint(generation);
    }
};

struct GroupSealed {
    Id128 group;
    std::uint64_t count{};
    template <class A>
    void fields(A& a) {
        a.id(group);
        a.uint(count);
    }
};

// Complete or incomplete: its completion entry is at `offset`.
struct GroupEnded {
    Id128 group;
    protocol::GroupPhase phase{};
    WallMillis at{};
    std::uint64_t offset{};
    std::string_view body;
    template <class A>
    void fields(A& a) {
        a.id(group);
        a.number(phase);
        a.sint(at);
        a.uint(offset);
        a.text(body);
    }
};

struct GroupForgotten {
    Id128 group;
    template <class A>
    void fields(A& a) {
        a.id(group);
    }
};

struct CursorSet {
    std::string_view name;
    CursorRow cursor;
    template <class A>
    void fields(A& a) {
        a.text(name);
        cursor.fields(a);
    }
};

struct CursorForgotten {
    std::string_view name;
    template <class A>
    void fields(A& a) {
        a.text(name);
    }
};

struct DeadDropped {
    std::uint64_t execution{};
    template <class A>
    void fields(A& a) {
        a.uint(execution);
    }
};

struct StreamTrimmed {
    std::uint64_t first{};  // the oldest kept
    template <class A>
    void fields(A& a) {
        a.uint(first);
    }
};

struct IdsForgotten {
    std::uint64_t begin{};
    template <class A>
    void fields(A& a) {
        a.uint(begin);
    }
};

struct QueueMarked {
    bool paused{};
    bool draining{};
    std::string_view scanner_version;
    template <class A>
    void fields(A& a) {
        a.number(paused);
        a.number(draining);
        a.text(scanner_version);
    }
};

// The flow's limits are these; none: it has no limits any more.
struct FlowLimited {
    std::string_view flow;
    std::vector<SettingRow> limits;
    template <class A>
    void fields(A& a) {
        a.text(flow);
        a.list(limits);
    }
};

// An operator said which scanner version the queue has (in QueueMarked), or that it follows its workers.
struct VersionPinned {
    bool pinned{};
    template <class A>
    void fields(A& a) {
        a.number(pinned);
    }
};

// A standing scan of the queue is this one from now on.
struct StandingSet {
    std::string_view name;
    StandingRow row;
    StandingRunRow run;
    template <class A>
    void fields(A& a) {
        a.text(name);
        row.fields(a);
        run.fields(a);
    }
};

// Behind the acceptance of the job: a crash between the two leads to one run more, not to one less.
struct StandingRan {
    std::string_view name;
    StandingRunRow run;
    template <class A>
    void fields(A& a) {
        a.text(name);
        run.fields(a);
    }
};

struct StandingDropped {
    std::string_view name;
    template <class A>
    void fields(A& a) {
        a.text(name);
    }
};

// Partition 0:

struct QueueCreated {
    PartitionId partition{};
    std::string_view name;
    Id128 incarnation;
    std::vector<SettingRow> settings;
    template <class A>
    void fields(A& a) {
        a.number(partition);
        a.text(name);
        a.id(incarnation);
        a.list(settings);
    }
};

struct QueueAltered {
    PartitionId partition{};
    std::vector<SettingRow> settings;  // all of them
    template <class A>
    void fields(A& a) {
        a.number(partition);
        a.list(settings);
    }
};

// Everything of the partition is gone.
struct QueueDeleted {
    PartitionId partition{};
    template <class A>
    void fields(A& a) {
        a.number(partition);
    }
};

// The row becomes this; without id and history, it goes.
struct AliasMoved {
    std::string_view alias;
    ContentId id;  // zero: removed
    std::uint64_t generation{};
    std::vector<AliasRow::Former> history;
    template <class A>
    void fields(A& a) {
        a.text(alias);
        a.id(id);
        a.uint(generation);
        a.list(history);
    }
};

// Only appended to: a change's number is its index.
using Any =
    std::variant<Accepted, Started, Released, Ended, GroupOpened, GroupSealed, GroupEnded,
                 GroupForgotten, CursorSet, CursorForgotten, DeadDropped, StreamTrimmed,
                 IdsForgotten, QueueMarked, QueueCreated, QueueAltered, QueueDeleted, AliasMoved,
                 FlowLimited, VersionPinned, StandingSet, StandingRan, StandingDropped>;

template <class T, std::size_t I = 0>
constexpr std::size_t number_of() {
    if constexpr (std::is_same_v<std::variant_alternative_t<I, Any>, T>) {
        return I;
    } else {
        return number_of<T, I + 1>();
    }
}

}  // namespace change

// Appends one change.
template <class Change>
void write_change(const Change& change, std::string& out, std::vector<BodyPlace>& places) {
    ArchiveWriter writer(out, &places);
    writer.uint(change::number_of<Change>());
    const_cast<Change&>(change).fields(writer);  // the writer changes nothing
}

// Puts the bodies into a record's bytes. `view` gives the body of a handle.
template <class View>
void assemble(const CommitRecord& record, const View& view, std::string& out) {
    ArchiveWriter writer(out, nullptr);
    std::size_t done = 0;
    const ByteView bytes = record.bytes;
    for (const BodyPlace& place : record.bodies) {
        writer.flush();
        out.append(bytes.substr(done, place.at - done));
        writer.body_bytes(view(place.body));
        done = place.at;
    }
    writer.flush();
    out.append(bytes.substr(done));
}

// Reads the next change into `out`. False: the bytes are not a change of this version.
[[nodiscard]] bool read_change(ArchiveReader& reader, change::Any& out);

}  // namespace scanmq::broker
