#pragma once
// ClientCore: what a client does: session, jobs under credit, subscriptions, requests, blobs.
//
// Role:    the one state machine of a client; the shell (client/cpp) feeds and obeys it.
// Threads: one at a time. No IO, no clock, no randomness but what is passed in.
// Use:     every call appends to Effects; carry the actions out before the next call (outgoing
//          messages borrow from here), then hand the notices out.
// Limits:  CoreOptions and each producer's buffer; nothing else grows while the broker is away.
// See:     docs/PROTOCOL.md

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/blob_transfers.hpp"
#include "client/core/effects.hpp"
#include "client/core/outbox.hpp"
#include "client/core/producer_book.hpp"
#include "client/core/request_table.hpp"
#include "client/core/session_state.hpp"
#include "client/core/stream_reader.hpp"
#include "client/core/submit_link.hpp"

namespace scanmq::client {

struct CoreOptions {
    SessionOptions session;
    protocol::Roles roles{};
    std::uint64_t seed{};  // of ids
    std::uint32_t requests_max = 1024;
    std::uint32_t subscriptions_max = 64;
    std::uint32_t blob_chunks_ahead = 64;
    std::uint64_t blob_accepts = 0;  // encodings that fetched blobs may have: BlobFetched
};

struct CoreStats {
    std::uint64_t sessions_opened{};
    std::uint64_t frames_stale{};     // of an old session
    std::uint64_t frames_bad{};       // could not be decoded
    std::uint64_t resubmitted{};      // jobs sent again in a later session
    std::uint64_t holds{};            // pauses because a broker's store was full
    std::uint64_t protocol_errors{};  // ERRORs that answer nothing that is known
};

class ClientCore {
  public:
    explicit ClientCore(const CoreOptions& options);
    ~ClientCore();

    void start(Now now, Effects& effects);
    // Applies the events in order, then sends what they made possible.
    void handle(std::span<const Event> events, Now now, Effects& effects);
    // Does what is due and sends what waits. Call after submit() to send, and at next_deadline().
    void tick(Now now, Effects& effects);
    [[nodiscard]] Time next_deadline() const;
    // Whether the shell can send on this socket; while it cannot, no jobs and chunks are formed.
    void set_writable(Socket socket, bool writable) noexcept;
    // Fails everything with `closed` and says BYE.
    void close(Effects& effects);

    std::uint32_t add_producer(std::string_view queue, const ProducerSettings& settings,
                               const BatchSettings& batches);
    void remove_producer(std::uint32_t producer);
    // Copies the job. Precondition: content is the payload's id when that is over inline_bytes_max,
    // else null.
    // Errors: buffer_full, invalid.
    [[nodiscard]] Result<void> check(std::uint32_t producer, const Job& job,
                                     const ContentId* content) const;
    // The same, and takes the job. Its ticket is next_ticket().
    [[nodiscard]] Result<Ticket> submit(std::uint32_t producer, const Job& job,
                                        const ContentId* content, Now now, Effects& effects);
    // A job that a journal kept from an earlier process: taken whatever the buffer's limits are.
    [[nodiscard]] Result<Ticket> restore(std::uint32_t producer, const Job& job,
                                         const ContentId* content, Now now, Effects& effects);
    [[nodiscard]] Ticket next_ticket(std::uint32_t producer) const {
        return Ticket{book_.stats(producer).submitted + 1};
    }
    // Sends what waits, as far as credit reaches.
    void flush(std::uint32_t producer, Now now, Effects& effects);
    // Whether a full batch of its queue waits: tick() sends it.
    [[nodiscard]] bool batch_waits(std::uint32_t producer) const {
        return links_[book_.link(producer)]->batch_waits();
    }
    [[nodiscard]] ProducerStats producer_stats(std::uint32_t producer) const;

    // Errors: over_limit (subscriptions_max), bad_name, subscription_exists (the durable name is in
    // use here).
    [[nodiscard]] Result<std::uint64_t> subscribe(const StreamOptions& options, Effects& effects);
    // `known`: the broker unsubscribed it already.
    void unsubscribe(std::uint64_t subscription, Effects& effects, bool known = false);
    // The same, and the broker forgets its cursor: ends with a RequestDone of that number.
    std::uint64_t forget(std::uint64_t subscription, Time deadline, Effects& effects);
    // EntriesArrived was handed out: its credit may be granted again.
    void consumed(const EntriesArrived& entries, const StreamPosition& position, Effects& effects);
    // What was handed out before `position` is done with: acknowledged when the subscription is
    // durable and its auto_ack is set. Another incarnation's position changes nothing.
    void done_with(std::uint64_t subscription, const StreamPosition& position, Now now,
                   Effects& effects);
    // The same by hand. Errors: invalid unknown_subscription, or bad_offset when it lies beyond
    // what was handed out.
    [[nodiscard]] Result<void> ack(std::uint64_t subscription, std::uint64_t next_offset, Now now,
                                   Effects& effects);
    // nullptr: no such subscription.
    [[nodiscard]] const SubscriptionInfo* subscription(std::uint64_t subscription) const;

    // Each ends with a RequestDone, PutDone or GetDone of that number. 0: too many are under way.
    std::uint64_t request(protocol::Message message, Time deadline, Effects& effects);
    std::uint64_t put_blob(const BlobPutJob& put, Now now, Effects& effects);
    std::uint64_t get_blob(const ContentId& id, Time deadline, Now now, Effects& effects);

    // A HEARTBEAT now, when a session is open: each subscription is told how far it has come.
    void ping(Effects& effects);

    // Nobody waits for it any more: the bytes of a put may go. No notice follows.
    void forget_blob(std::uint64_t request);

    [[nodiscard]] Id128 new_id(Now now) { return ids_.next(now.wall); }
    [[nodiscard]] const SessionInfo& session() const noexcept { return session_.info(); }
    [[nodiscard]] const protocol::Limits& limits() const noexcept { return session_.limits(); }
    [[nodiscard]] CoreStats stats() const;
    [[nodiscard]] const SubmitLink* link(std::string_view queue) const;  // for tests

  private:
    void on_frame(const FrameEvent& event, std::size_t index, Now now);
    void on_main(const protocol::Frame& frame, std::size_t index, Now now);
    void on_error(Socket socket, const protocol::Error& error, Now now);
    void on_results(const protocol::Results& results, std::size_t index);
    [[nodiscard]] Result<void> check_rules(std::uint32_t producer, const Job& job) const;
    Ticket take(std::uint32_t producer, const Job& job, const ContentId* content, bool sent_before,
                Now now);
    void apply(SessionState::Change change, Now now);
    void pump(Now now);
    void put_payload(StoredJob job, std::size_t link, Now now);
    void collect_puts(std::size_t notices_from, Now now);
    void begin_return(SubmitLink& link, bool asked, Now now);
    [[nodiscard]] std::uint64_t acked_seq() const;
    [[nodiscard]] StreamReader* reader(std::uint64_t subscription) const;
    std::size_t link_of(std::string_view queue, const BatchSettings& batches);

    CoreOptions options_;
    Outbox outbox_;
    SessionState session_;
    ProducerBook book_;
    RequestTable requests_;
    BlobTransfers blobs_;
    UuidV7 ids_;
    std::vector<std::unique_ptr<SubmitLink>> links_;
    std::vector<std::unique_ptr<StreamReader>> readers_;
    std::uint64_t last_subscription_ = 0;
    std::uint64_t last_transfer_ = 0;
    // Jobs whose payload is being put as a blob, by the put's number.
    struct Held {
        std::size_t link{};
        StoredJob job;
    };
    std::map<std::uint64_t, Held> held_;
    std::vector<StoredJob> put_again_;
    std::uint32_t transfers_ = 0;  // the caller's puts and gets under way
    bool main_writable_ = true;
    bool blob_writable_ = true;
    bool closed_ = false;
    CoreStats stats_;
};

}  // namespace scanmq::client
