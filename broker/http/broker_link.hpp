#pragma once
// BrokerLink: the gateway's session with its own broker: an ordinary client on the gateway's loop.
//
// Role:      ClientCore (client/core) with its two sockets on an Asio loop, without a thread of its
//            own and without blocking calls: every answer comes by a callback. Credit, ids,
//            resubmission and streams are those of every client.
// Threads:   the loop's.
// Callbacks: run on the loop, never inside a call; may call everything here.
// Limits:    LinkOptions. What is beyond is refused at once: submit() says buffer_full, requests and
//            transfers end with over_limit.
// See:       client/core/client_core.hpp, docs/PROTOCOL.md

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "client/core/error.hpp"
#include "client/core/job.hpp"
#include "client/core/session_state.hpp"
#include "client/core/stream.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/limits.hpp"
#include "common/protocol/messages.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::gateway {

struct LinkOptions {
    std::string broker;         // where the broker's main socket can be reached from here
    std::string blob_endpoint;  // the same for its blob socket, whatever it tells other peers
    std::string name = "http";
    std::uint32_t requests_max = 1024;
    std::uint32_t subscriptions_max = 64;
    std::uint32_t queues_max = 64;  // that jobs were submitted to; their links are never given up
    // Jobs of one queue that wait for its room, or for its answer.
    std::uint32_t submitting_max = 8192;
    std::uint64_t submitting_bytes_max = 32U << 20;
};

class BrokerLink {
  public:
    struct Handlers {
        std::function<void(std::span<const client::JobAnswer>)> answers;
        // The batch's views live during the call.
        std::function<void(std::uint64_t subscription, const client::EntryBatch&)> entries;
        std::function<void(std::uint64_t subscription, const client::SubscriptionInfo&)> changed;
        std::function<void(const client::SessionInfo&)> session;
    };
    using OnReply = std::function<void(client::Result<protocol::Message>)>;
    using OnBlob = std::function<void(client::Result<std::string>)>;
    using OnPut = std::function<void(client::Result<ContentId>)>;

    BrokerLink(boost::asio::io_context& loop, LinkOptions options, Handlers handlers);
    ~BrokerLink();  // callbacks are dropped
    BrokerLink(const BrokerLink&) = delete;
    BrokerLink& operator=(const BrokerLink&) = delete;

    // Error: a sentence.
    [[nodiscard]] client::Result<void> start();
    // Says BYE; what waits ends with `closed`.
    void close();

    [[nodiscard]] bool open() const;
    [[nodiscard]] const client::SessionInfo& session() const;
    [[nodiscard]] const protocol::Limits& limits() const;  // the broker's, once a session was open
    [[nodiscard]] Id128 new_id();

    // Copies the job. Jobs submitted in one turn of the loop travel together. Precondition: job.id is
    // set. Errors: buffer_full; over_limit (queues_max); invalid.
    [[nodiscard]] client::Result<void> submit(std::string_view queue, const client::Job& job);
    // Why the queue gives no credit at present; none when no reason is known.
    [[nodiscard]] protocol::ErrorCode held(std::string_view queue) const;

    void request(protocol::Message message, Duration timeout, OnReply on_reply);
    void get_blob(const ContentId& id, Duration timeout, OnBlob on_blob);
    void put_blob(std::string bytes, protocol::BlobType type, std::string label, Duration timeout,
                  OnPut on_put);

    // Errors: over_limit.
    [[nodiscard]] client::Result<std::uint64_t> subscribe(const client::StreamOptions& options);
    void unsubscribe(std::uint64_t subscription);
    // Asks how far the subscriptions have come: each that is not at its end is told.
    void ping();
    // Nullptr: no such subscription.
    [[nodiscard]] const client::SubscriptionInfo* subscription(std::uint64_t subscription) const;

    struct Stats {
        std::uint64_t frames_sent{};
        std::uint64_t frames_received{};
        std::uint64_t sessions_opened{};
        std::uint64_t resubmitted{};
        std::uint64_t requests{};  // under way
        std::uint64_t queues{};
    };
    [[nodiscard]] Stats stats() const;

  private:
    class Impl;
    std::shared_ptr<Impl> impl_;  // shared with what waits in the loop's queue
};

}  // namespace scanmq::gateway
