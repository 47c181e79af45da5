#pragma once
// StreamReader: one subscription, across sessions.
//
// Role:      owned by ClientCore.
// Threads:   the core's.
// Invariant: what is under way or not handed out yet never passes the credit of its options;
//            offsets taken in rise: what a durable cursor brings again is skipped.
// Acks:      never beyond what the broker sent in this session (it would ignore that), at most one
//            each kAckPause.
// See:       docs/PROTOCOL.md, sections 7 and 9

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "client/core/outbox.hpp"
#include "client/core/stream.hpp"
#include "common/protocol/credit.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::client {

class StreamReader {
  public:
    StreamReader(std::uint64_t id, StreamOptions options, Outbox& outbox);

    void start();  // a session is open
    void lost();
    void stop();  // says the last ACK and UNSUBSCRIBE when the broker knows the subscription

    // True: the state changed.
    bool on_subscribed(const protocol::Subscribed& subscribed, Time now);
    bool on_error(const protocol::Error& error);  // of its SUBSCRIBE
    // What was taken in; nullopt: not for this state of the subscription, or beyond its credit (then
    // it subscribed anew): drop it.
    struct Taken {
        std::uint64_t items{};
        std::uint64_t bytes{};
        std::size_t skipped{};             // entries at its front that were taken in before
        std::optional<protocol::Gap> gap;  // what is new of it
    };
    [[nodiscard]] std::optional<Taken> on_results(const protocol::Results& results,
                                                  const protocol::Limits& limits);
    // Handed out: their credit may be granted again, at the latest when 75 % is used.
    void consumed(const Taken& taken, const StreamPosition& position);

    // Handled, see ClientCore::done_with() and ack(). Sent when due.
    void done_with(const StreamPosition& position, Time now);
    void ack(const StreamPosition& position, Time now);
    void send_ack(Time now);
    [[nodiscard]] Time next_deadline() const noexcept;
    [[nodiscard]] bool durable() const noexcept { return !options_.durable_name.empty(); }
    // Live under this durable name.
    [[nodiscard]] bool holds(std::string_view queue, std::string_view durable_name) const noexcept;

    [[nodiscard]] bool owns(std::uint64_t seq) const noexcept {
        return subscribe_seq_ != 0 && seq == subscribe_seq_;
    }
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] const SubscriptionInfo& info() const noexcept { return info_; }
    [[nodiscard]] Id128 incarnation() const noexcept { return incarnation_; }

    static constexpr Duration kAckPause = std::chrono::milliseconds(200);

  private:
    void refill();
    // Of its window, less what is not handed out yet.
    [[nodiscard]] protocol::Credit room() const noexcept;
    bool fail_with(protocol::ErrorCode code, std::string sentence);
    // How far an ACK may go now; info_.acknowledged when there is none to send.
    [[nodiscard]] std::uint64_t ackable() const noexcept;

    std::uint64_t id_;
    StreamOptions options_;
    Outbox& outbox_;
    SubscriptionInfo info_;
    std::uint64_t subscribe_seq_ = 0;  // of this session; 0: none
    bool known_ = false;               // incarnation_ and next_offset_ are the stream's
    Id128 incarnation_;
    std::uint64_t next_offset_ = 0;  // after what was taken in
    std::uint64_t sent_to_ = 0;      // how far the broker came in this session
    std::uint64_t done_ = 0;         // of this incarnation, handled
    Time ack_after_{};
    protocol::CreditReceiver credit_;  // of this session
    protocol::Credit unconsumed_;      // taken in, not handed out, in any session
};

}  // namespace scanmq::client
