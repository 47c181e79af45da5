#pragma once
// Subscriber: reads one queue's stream, from any offset, under its own credit.
//
// Forms:     with on_batch, batches are handed to the callback; without, receive() fetches them.
// Reconnect: goes on at the next offset by itself. When the stream is another one by then (the
// queue was made anew, or a
//            broker without durable state was restarted), `on_reset` says what happens.
// Delivery:  at least once; entries carry offsets that rise, so keep the offset with your effect.
// Threads:   as the Client's.
// See:       docs/PROTOCOL.md, section 9

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "client/core/error.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::client {

class Client;

struct StreamPosition {
    Id128 incarnation;
    std::uint64_t next_offset{};
};

// One RESULTS frame. A gap comes before the entries: those offsets are gone for good.
struct EntryBatch {
    std::span<const protocol::Entry> entries;  // views valid while the batch (its frame) lives
    std::optional<protocol::Gap> gap;
    StreamPosition position;  // where to go on after this batch
};

// What on_reset does when the stream's incarnation is not the one the subscription was reading.
enum class ResetPolicy : std::uint8_t { stop, earliest, latest };

enum class SubscriptionState : std::uint8_t { starting, active, failed, closed };

struct SubscriptionInfo {
    SubscriptionState state{};
    StreamPosition position;       // of what was handed out
    std::uint64_t first_offset{};  // oldest kept, when the subscription was (re)established
    std::uint64_t end_offset{};    // of the next entry appended, at that time
    std::uint64_t resets{};        // how often the stream was found to be another one
    protocol::ErrorCode code{};    // failed
    std::string sentence;
};

struct SubscriberOptions {
    std::string queue;
    std::string pattern = ">";
    protocol::StartFrom from = protocol::StartFrom::latest;
    std::uint64_t offset{};  // from == offset
    Id128 incarnation;       // of the stream that offset belongs to; zero: unchecked
    ResetPolicy on_reset = ResetPolicy::stop;
    std::uint32_t credit_items = 32'768;     // entries under way or not handed out yet
    std::uint64_t credit_bytes = 16U << 20;  // their bodies and overhead
    std::function<void(const EntryBatch&)> on_batch;
    // After each change of state and each reset.
    std::function<void(const SubscriptionInfo&)> on_change;
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
    ~Subscriber();  // unsubscribes
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;

    // Waits until the broker has confirmed the subscription: what is appended from then on arrives.
    // Errors: refused with the broker's code, timed_out, closed.
    Result<void> wait_active(Duration timeout);
    // The next batch, nullopt after `timeout` (0: only what is there). Precondition: no on_batch.
    // Errors: refused (the subscription failed; stream_reset among others), closed.
    Result<std::optional<Received>> receive(Duration timeout);

    [[nodiscard]] SubscriptionInfo info() const;

  private:
    Client& client_;
    std::uint64_t id_ = 0;
};

}  // namespace scanmq::client
