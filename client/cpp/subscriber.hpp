#pragma once
// Subscriber: reads one queue's stream, from any offset, under its own credit.
//
// Forms:     with on_batch, batches are handed to the callback; without, receive() fetches them.
// Reconnect: goes on at the next offset by itself. When the stream is another one by then (the
//            queue was made anew, or a broker without durable state was restarted), `on_reset` says
//            what happens.
// Delivery:  at least once; entries carry offsets that rise, so keep the offset with your effect.
// Durable:   with durable_name the broker keeps the cursor. By default a batch is acknowledged
//            after on_batch returned; with receive(), when the next is asked for or the subscriber
//            goes. When another session takes the name, this one ends `subscription_taken`.
// Threads:   as the Client's.
// See:       docs/PROTOCOL.md, section 9

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "client/core/error.hpp"
#include "client/core/stream.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::client {

class Client;

struct SubscriberOptions : StreamOptions {
    std::function<void(const EntryBatch&)> on_batch{};
    // After each change of state and each reset.
    std::function<void(const SubscriptionInfo&)> on_change{};
};

class Subscriber {
  public:
    // A batch that owns its frame.
    class Received {
      public:
        Received();
        ~Received();
        Received(Received&&) noexcept;
        Received& operator=(Received&&) noexcept;
        [[nodiscard]] const EntryBatch& batch() const noexcept { return batch_; }
        [[nodiscard]] std::span<const protocol::Entry> entries() const noexcept {
            return batch_.entries;
        }

      private:
        friend class Subscriber;
        struct Frame;
        std::unique_ptr<Frame> frame_;
        EntryBatch batch_;
    };

    Subscriber(Client& client, SubscriberOptions options);
    ~Subscriber();  // unsubscribes; a durable name keeps its cursor
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;

    // Waits until the broker has confirmed the subscription: what is appended from then on arrives.
    // Errors: refused with the broker's code, timed_out, closed.
    Result<void> wait_active(Duration timeout);
    // The next batch, nullopt after `timeout` (0: only what is there). Precondition: no on_batch.
    // Errors: refused (the subscription failed; stream_reset among others), closed.
    Result<std::optional<Received>> receive(Duration timeout);

    // Durable: everything before next_offset is done with. Leaves at once or within 200 ms, never
    // moves back. Errors: invalid with unknown_subscription (not durable), or bad_offset (beyond
    // what was handed out); closed.
    Result<void> ack(std::uint64_t next_offset);

    [[nodiscard]] SubscriptionInfo info() const;

  private:
    [[nodiscard]] SubscriptionInfo info_locked() const;

    Client& client_;
    std::uint64_t id_ = 0;  // 0: the client refused it
    Error refused_;
};

}  // namespace scanmq::client
