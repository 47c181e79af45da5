#pragma once
// Client: one session with a broker, shared by any number of producers, subscribers and requests.
//
// Role:      what programs link. Producer (producer.hpp) and Subscriber (subscriber.hpp) work
//            through it and must be destroyed before it.
// Threads:   with background_thread every public call may come from any thread, and callbacks run
//            on the background thread. Without it one thread at a time; everything happens inside
//            poll() and inside the blocking calls, callbacks too: nothing wakes up but ZeroMQ's
//            socket.
// Callbacks: may call everything, blocking calls too; other callbacks are then held back until the
//            first returned. While one runs nothing else is done: a long one (seconds) costs the
//            session. They must not throw, nor destroy the client, or the producer or subscriber
//            they belong to.
// Sessions:  made, kept alive and made again by itself. Unanswered jobs are submitted again with
//            the same ids, subscriptions go on where they were, requests are sent again within
//            their deadline.
// Limits:    ClientOptions and ProducerOptions; nothing grows without bound while the broker is
//            away.
// See:       docs/PROTOCOL.md

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/effects.hpp"
#include "client/core/error.hpp"
#include "client/core/job.hpp"
#include "client/core/session_state.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/limits.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::client {

struct ClientOptions {
    std::vector<std::string> brokers{"tcp://127.0.0.1:5701"};  // tried in turn until one answers
    std::string name;  // in the broker's lists; empty: "client-" and eight random digits
    std::string agent = "scanmq-cpp";
    protocol::Roles roles = protocol::kProducer | protocol::kSubscriber | protocol::kOperator;
    bool background_thread = false;
    Duration connect_timeout = std::chrono::seconds(3);   // without WELCOME: the next broker
    Duration request_timeout = std::chrono::seconds(10);  // of blocking calls that name none
    std::uint32_t requests_max = 1024;                    // under way at one time
    std::uint32_t blob_chunks_ahead = 64;                 // credit given while fetching blobs
};

struct ClientStats {
    std::uint64_t frames_sent{};
    std::uint64_t frames_received{};
    std::uint64_t bytes_sent{};
    std::uint64_t bytes_received{};
    std::uint64_t sessions_opened{};
    std::uint64_t frames_bad{};       // could not be decoded
    std::uint64_t frames_stale{};     // of an old session
    std::uint64_t resubmitted{};      // jobs sent again after a reconnect
    std::uint64_t protocol_errors{};  // ERRORs that answer no request and no job
    std::uint64_t holds{};            // pauses because a broker's store was full
};

using Blob = BlobFetched;  // type, label, bytes

// `repeated`: a reconnect came between question and answer, so the question was put twice and the
// answer may describe what the first one left: jobs that it cancelled are `finished` by then, dead
// letters that it retried are not there any more.
struct CancelAnswer {
    std::vector<protocol::JobState> states;  // what each job was, in order
    bool repeated{};
};
struct DeadAnswer {
    std::vector<protocol::DeadDone::One> jobs;  // those that were there
    bool repeated{};
};

// A scan that the broker submits by itself whenever one of its aliases moves. Borrowed.
struct StandingScan {
    std::string_view name;
    std::string_view queue;
    // Subject, payload, aliases (one at least), priority, flow, pure, finish_late, sheddable and
    // deadline count; of the others none may be set. A payload over inline_bytes_max is put as a blob.
    Job job;
    Duration min_interval{};  // between two runs; the newest state is run in the end
};
struct StandingInfo {
    std::string name;
    std::string queue;
    std::string subject;
    std::string aliases;  // one after another, cut when they are many
    Duration min_interval{};
    std::uint64_t runs{};
    std::optional<Duration> last_run;  // so long ago
    bool pending{};
    std::uint64_t skipped{};  // moves that a run which was due already told, too
    std::string last_error;
};

class Client {
  public:
    // Makes the sockets and starts connecting; does not wait for the broker. Errors: transport,
    // invalid.
    [[nodiscard]] static Result<std::unique_ptr<Client>> open(const ClientOptions& options);
    ~Client();  // says BYE, waits for nothing
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Waits until a session is open. Error: timed_out, with the last reason a broker gave.
    Result<void> wait_open(Duration timeout);
    [[nodiscard]] SessionInfo session() const;
    [[nodiscard]] ClientStats stats() const;
    [[nodiscard]] protocol::Limits limits() const;  // the broker's, once a session was open

    // Sends what waits, takes in what came, runs callbacks; returns as soon as something arrived,
    // else after `timeout` (0: at once). The number of frames taken in. With a background thread it
    // only waits until that thread took in a frame.
    std::size_t poll(Duration timeout);
    // Makes poll() and blocking calls that wait without a result return early. Any thread, signal
    // handlers.
    void interrupt() noexcept;
    // Fails what waits with `closed`, says BYE. Idempotent; the destructor calls it.
    void close();

    // A fresh UUIDv7, for jobs and groups.
    [[nodiscard]] Id128 new_id();

    // Operators. A negative timeout means ClientOptions::request_timeout, here and below.
    Result<void> create_queue(std::string_view queue, const protocol::Settings& settings = {},
                              Duration timeout = kDefault);
    Result<void> alter_queue(std::string_view queue, const protocol::Settings& settings,
                             Duration timeout = kDefault);
    Result<void> delete_queue(std::string_view queue, bool force, Duration timeout = kDefault);

    // Limits of one flow, by the names of docs/PROTOCOL.md, section 8; none takes all away.
    Result<void> set_flow(std::string_view queue, std::string_view flow,
                          const protocol::Settings& limits, Duration timeout = kDefault);
    // The scanner version of the queue's pure results; "": the one its workers agree on.
    Result<void> set_queue_version(std::string_view queue, std::string_view scanner_version,
                                   Duration timeout = kDefault);
    Result<void> control_queue(std::string_view queue, protocol::QueueAction action,
                               Duration timeout = kDefault);
    // Ends jobs `cancelled`, wherever they are. Any number, in frames of items_per_frame_max; after
    // an error those of the frames before are cancelled.
    Result<CancelAnswer> cancel(std::string_view queue, std::span<const Id128> jobs,
                                Duration timeout = kDefault);
    // No jobs: all dead letters, as many as one answer holds; ask again until none are left.
    // Error: invalid with over_limit (items_per_frame_max).
    Result<DeadAnswer> dead_letters(std::string_view queue, protocol::DeadAction action,
                                    std::span<const Id128> jobs, Duration timeout = kDefault);
    // A zero id removes the alias.
    Result<void> set_alias(std::string_view alias, const ContentId& id,
                           Duration timeout = kDefault);
    // A name that is known is replaced. Errors: refused, and those of put_blob().
    Result<void> set_standing(const StandingScan& scan, Duration timeout = kDefault);
    // Error: refused unknown_standing.
    Result<void> drop_standing(std::string_view name, Duration timeout = kDefault);
    // As many as one answer holds.
    Result<std::vector<StandingInfo>> list_standing(Duration timeout = kDefault);
    // A copy of the broker's state, below its backup directory. It may take long: name a timeout.
    Result<protocol::BackupDone> backup(std::string_view name, Duration timeout = kDefault);
    // Results that the broker keeps, by fingerprint (topic `cached` lists them): those that are there and
    // fit one frame. At most items_per_frame_max.
    Result<std::vector<protocol::CacheValues::One>> cache_get(std::string_view queue,
                                                              std::span<const ContentId> keys,
                                                              Duration timeout = kDefault);
    // Makes it forget these; no keys: all of the queue; no queue and no keys: all. Only named ones are
    // dropped in the tier that it shares, too; workers keep theirs for up to a minute.
    Result<protocol::CacheDropped> cache_drop(std::string_view queue,
                                              std::span<const ContentId> keys,
                                              Duration timeout = kDefault);
    // Drops a durable subscription's cursor; a session that has the name loses it.
    Result<void> forget_subscription(std::string_view queue, std::string_view durable_name,
                                     Duration timeout = kDefault);

    // Topics and rows: docs/PROTOCOL.md, section 11.
    Result<std::vector<protocol::Row>> query(std::string_view topic, std::string_view key = {},
                                             Duration timeout = kDefault);

    // Groups. open_group draws an id; jobs name it in Job::group.
    Result<Id128> open_group(std::string_view queue, Duration timeout = kDefault);
    Result<protocol::GroupState> seal_group(std::string_view queue, const Id128& group,
                                            std::uint64_t count, Duration timeout = kDefault);
    Result<protocol::GroupState> query_group(std::string_view queue, const Id128& group,
                                             Duration timeout = kDefault);

    // Puts bytes unless the broker has them already; either way it keeps them for its grace from
    // now on. `bytes` must stay until the call returns.
    // A producer puts a payload again by itself, but not a job's inputs, whose bytes it does not have: a
    // job that is answered unknown_snapshot (ProducerOptions::on_answers) is the caller's. Put the
    // snapshot again and submit the job again, under the same id, as it was not accepted; not within
    // the callback, and not for ever (client/cli/scan_broker.cpp does it).
    Result<ContentId> put_blob(ByteView bytes, protocol::BlobType type, std::string_view label,
                               Duration timeout = kDefault);
    // Many of them side by side: the first error, and then some of the others may be there.
    struct BlobToPut {
        ByteView bytes;
        protocol::BlobType type{};
        std::string_view label;
        ByteView
            zstd{};  // compress::zstd_if_it_pays() of the bytes, when the caller has it already
    };
    Result<std::vector<ContentId>> put_blobs(std::span<const BlobToPut> blobs,
                                             Duration timeout = kDefault);
    // The bytes are checked against the id. Errors: refused unknown_blob, timed_out, ...
    Result<Blob> get_blob(const ContentId& id, Duration timeout = kDefault);
    // The bytes of an entry's body: those of the frame, or fetched when it is a blob.
    Result<std::string> fetch_body(const protocol::Body& body, Duration timeout = kDefault);

    static constexpr Duration kDefault{-1};

    class Impl;
    [[nodiscard]] Impl& impl() noexcept { return *impl_; }  // for Producer and Subscriber

  private:
    explicit Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace scanmq::client
