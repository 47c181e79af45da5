#pragma once
// The messages of protocol v1 as values; docs/PROTOCOL.md says what each field means.
//
// Lifetimes: ByteView and std::string_view fields borrow: on decoding from the frame's bytes, on
//            encoding from the caller. What peers send rarely (names, sentences) is owned.
// Threads:   plain values.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/protocol/blob_messages.hpp"
#include "common/protocol/cache_messages.hpp"
#include "common/protocol/fields.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::protocol {

struct WorkerInfo {
    std::uint32_t threads{};
    std::string scanner_version;
    std::vector<std::string> queues;  // empty: every queue
    // Attempts it still has of a former session of the same process, those of earlier epochs, too.
    struct Held {
        Token token;
        bool started{};
    };
    std::vector<Held> held{};
};

struct Hello {
    std::string name;
    Id128 instance;  // of this process
    std::string resume;
    WallMillis clock_ms{};
    std::string agent;
    std::optional<WorkerInfo> worker;
};

struct Welcome {
    std::uint64_t re{};
    SessionId session;
    std::uint64_t epoch{};
    std::uint32_t heartbeat_ms{};
    std::uint32_t dead_after_ms{};
    std::string blob_endpoint;
    std::string resume;
    WallMillis clock_ms{};
    std::vector<std::pair<std::string, std::uint64_t>> limits;
    std::vector<Token> adopted{};  // of Hello's `held`: those whose lease goes on
};

struct Heartbeat {
    std::uint64_t ping{};  // opaque to the receiver, which returns it as pong; 0: none
    std::uint64_t pong{};
    std::vector<Token> running;           // workers: attempts that have started
    std::optional<CacheFigures> cache{};  // workers that keep results
};

struct Bye {
    ErrorCode code{};
    std::string sentence;
};

struct Error {
    std::uint64_t re{};  // seq of the frame it answers; 0 when that could not be read
    Kind re_kind{};
    ErrorCode code{};
    std::string sentence;
};

struct Ok {
    std::uint64_t re{};
};

struct CreditGrant {
    Link link{};
    std::string queue;             // link submit
    std::uint64_t subscription{};  // link results
    Credit limit;
};

struct Want {
    std::string queue;
    Credit sent;  // the sender's own absolute count, for reconciliation
    Credit want;  // how much more it has waiting
};

// Asks for unused credit back: of a queue's submit link, or (empty) of the deliver link.
struct Reclaim {
    std::string queue;
};

struct Reclaimed {
    std::string queue;
    Credit sent;  // from now on also the limit
};

struct JobOptions {
    std::uint32_t priority = kDefaultPriority;  // 0-9
    std::uint64_t delay_ms{};
    std::uint64_t deadline_ms{};
    std::string flow;
    std::string conflate_key;
    std::vector<std::pair<std::string, std::string>> headers;
    std::uint32_t flags{};  // a sum of the bits below
    std::optional<std::int64_t> as_of_ns;
    std::vector<std::string> aliases;

    static constexpr std::uint32_t kDefaultPriority = 5;
    static constexpr std::uint32_t kPure = 1;
    static constexpr std::uint32_t kSheddable = 2;
    static constexpr std::uint32_t kFinishLate = 4;
    static constexpr std::uint32_t kNotPure = 8;
    static constexpr std::uint32_t kFresh = 16;  // not answered out of a cache
    // A key this decoder does not know: answered `unsupported`, never ignored.
    std::optional<std::uint64_t> unknown_key;
};

struct Job {
    Id128 id;
    std::string_view subject;
    Body payload;
    ByteView inputs;                      // content ids, 32 bytes each, one after another
    std::unique_ptr<JobOptions> options;  // null: all at their defaults

    [[nodiscard]] std::size_t inputs_count() const noexcept {
        return inputs.size() / ContentId::kSize;
    }
    [[nodiscard]] ContentId input(std::size_t i) const noexcept {
        return *ContentId::from_bytes(inputs.substr(i * ContentId::kSize, ContentId::kSize));
    }
};

struct Submit {
    std::string_view queue;
    Id128 group;                // zero: none
    std::uint64_t acked_seq{};  // every SUBMIT up to this seq has been answered
    std::vector<Job> jobs;
};

struct JobVerdict {
    std::uint32_t index{};  // in the SUBMIT
    Verdict verdict{};
    JobState state{};      // duplicate
    ErrorCode code{};      // refused
    std::string sentence;  // refused
};

struct Accepted {
    std::uint64_t re{};
    std::uint32_t jobs{};                // how many the SUBMIT held
    std::vector<JobVerdict> exceptions;  // every job not listed is `accepted`
    Credit limit;                        // of the (session, queue) link
};

// Ends jobs wherever they are.
struct Cancel {
    std::string queue;
    std::vector<Id128> jobs;
};

struct Cancelled {
    std::uint64_t re{};
    std::vector<JobState> states;  // what each of Cancel's jobs was, in order
};

struct Attempt {
    std::uint64_t counter{};
    Id128 job;  // the first job of the execution, for logs
    std::string_view subject;
    Body payload;
    ByteView inputs;
    std::optional<std::int64_t> as_of_ns{};
    std::uint64_t deadline_ms{};  // what is left until its result is unwanted; 0: no deadline
    // A content id: a result kept under it may be the answer. Empty: it has to be run.
    ByteView fingerprint{};
    std::uint64_t keep_ms{};  // with a fingerprint: a result answers so long after it was made
};

struct Deliver {
    std::uint64_t epoch{};
    std::string_view queue;
    std::vector<Attempt> attempts;
};

struct Outcome {
    std::uint64_t counter{};
    AttemptOutcome outcome{};  // done, failed, rejected, returned
    Body body;
    ErrorCode code{};
    std::string_view sentence;
    std::uint64_t
        age_ms{};  // since a result that was kept was made; 0: it was made for this attempt
};

struct Done {
    std::uint64_t epoch{};
    Credit limit;  // of the worker's session
    std::vector<Outcome> outcomes;
};

// Attempts the worker is to stop at the scan's next check.
struct Revoke {
    std::vector<Token> tokens;
};

struct Progress {
    struct Report {
        Token token;
        std::uint64_t done{};
        std::uint64_t total{};
        std::string note;
    };
    std::vector<Report> reports;
};

struct Subscribe {
    std::uint64_t subscription{};  // chosen by the subscriber, unique in its session
    std::string queue;
    std::string pattern;
    StartFrom from{};
    std::uint64_t offset{};  // from offset; from time: ms since 1970 UTC
    Id128 incarnation;       // from offset: of the stream it belongs to; zero: unchecked
    std::string durable_name;
    Credit limit;
};

struct Subscribed {
    std::uint64_t re{};
    std::uint64_t subscription{};
    Id128 incarnation;
    std::uint64_t first_offset{};  // oldest kept
    std::uint64_t next_offset{};   // of the next entry appended
    std::uint64_t start_offset{};  // where this subscription starts
    SubscriptionStatus status{};
};

struct Unsubscribe {
    std::uint64_t subscription{};
    bool forget{};  // the durable cursor, too
};

// Everything before next_offset is done with: moves a durable subscription's cursor.
struct Ack {
    std::uint64_t subscription{};
    std::uint64_t next_offset{};
};

struct Entry {
    std::uint64_t offset{};
    EntryKind kind{};
    Id128 id;  // the job's, or the group's
    std::string_view subject;
    FinalOutcome outcome{};
    Body body;
    ErrorCode code{};
    std::string_view sentence;
    Id128 group;  // zero: none
};

struct Gap {
    std::uint64_t from{};
    std::uint64_t to{};  // exclusive
};

struct Results {
    std::uint64_t subscription{};
    std::uint64_t
        next_offset{};  // everything before it is in this frame, was sent, did not match or is gone
    std::optional<Gap> gap;  // comes before the entries
    std::vector<Entry> entries;
};

struct GroupOpen {
    std::string queue;
    Id128 group;
};

struct GroupSeal {
    std::string queue;
    Id128 group;
    std::uint64_t count{};  // jobs accepted into it
};

struct GroupQuery {
    std::string queue;
    Id128 group;
};

struct GroupState {
    std::uint64_t re{};
    std::string queue;
    Id128 group;
    GroupPhase phase{};
    std::uint64_t count{};  // sealed count; 0 while open
    std::uint64_t submitted{};
    std::uint64_t finished{};
    std::vector<std::pair<FinalOutcome, std::uint64_t>> outcomes;  // finished, by outcome
};

using Settings = std::vector<std::pair<std::string, std::uint64_t>>;

struct QueueCreate {
    std::string queue;
    Settings settings;
};

struct QueueAlter {
    std::string queue;
    Settings settings;
};

struct QueueDelete {
    std::string queue;
    bool force{};  // also with jobs in it: they end cancelled
};

struct QueueControl {
    std::string queue;
    QueueAction action{};
};

struct DeadLetters {
    std::string queue;
    DeadAction action{};
    std::vector<Id128> jobs;  // empty: all
};

struct DeadDone {
    struct One {
        Id128 dead;
        Id128 retry;  // the new job's; zero: dropped
    };
    std::uint64_t re{};
    std::vector<One> jobs;  // those that were there
};

struct AliasSet {
    std::string alias;
    ContentId id;  // zero: removes it
};

struct Backup {
    std::string name;
};

struct BackupDone {
    std::uint64_t re{};
    std::string path;  // on the broker's machine
    std::uint64_t bytes{};
};

using Value = std::variant<std::uint64_t, std::string>;
using Row = std::vector<std::pair<std::string, Value>>;

// Limits of one flow of a queue, by name; those not named stay. Empty: takes all away.
struct FlowSet {
    std::string queue;
    std::string flow;
    Settings limits;
};

// The queue's pure results are of that scanner version; "": of the one its workers agree on.
struct QueueVersion {
    std::string queue;
    std::string scanner_version;
};

// A job over aliases that is submitted whenever one of them moves.
struct StandingSet {
    std::string name;
    std::string queue;
    std::string subject;
    Body payload;
    std::vector<std::string> aliases;
    std::uint64_t min_interval_ms{};      // between two runs
    std::unique_ptr<JobOptions> options;  // null: all at their defaults
};

struct StandingDrop {
    std::string name;
};

struct Query {
    std::string topic;  // broker, counters, queues, workers, sessions, streams, snapshots
    std::string key;
};

struct Answer {
    std::uint64_t re{};
    std::string topic;
    std::vector<Row> rows;
};

using Message =
    std::variant<Hello, Welcome, Heartbeat, Bye, Error, Ok, CreditGrant, Want, Reclaim, Reclaimed,
                 Submit, Accepted, Cancel, Cancelled, Deliver, Done, Revoke, Progress, Subscribe,
                 Subscribed, Unsubscribe, Results, Ack, GroupOpen, GroupSeal, GroupQuery,
                 GroupState, QueueCreate, QueueAlter, QueueDelete, QueueControl, DeadLetters,
                 DeadDone, AliasSet, Backup, BackupDone, FlowSet, Query, Answer, BlobPut, BlobReady,
                 BlobChunk, BlobStored, BlobGet, BlobInfo, CacheGet, CacheValues, CacheDrop,
                 CacheDropped, QueueVersion, StandingSet, StandingDrop, CachePut, CacheKept>;

struct Header {
    Roles roles{};
    SessionId session;
    std::uint64_t seq{};  // the sender's own count of frames in this session, from 1
};

struct Frame {
    Header header;
    Message message;
};

[[nodiscard]] Kind kind_of(const Message& message) noexcept;

}  // namespace scanmq::protocol
