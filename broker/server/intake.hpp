#pragma once
// Intake: a batch of frames from the main socket, decoded, their bodies stored, ready for
//         BrokerCore::handle().
//
// Role:      between Router and core. Stores the bodies before the core sees the frame; from then
//            on their handles are the core's.
// Threads:   broker loop only. Borrows: Router, BodyStore, Outbox (whose muted peers it drops
//            undecoded).
// Lifetimes: events() and what they point to live until clear().

#include <cstdint>
#include <span>
#include <vector>

#include "broker/core/events.hpp"
#include "broker/server/outbox.hpp"
#include "broker/store/body_store.hpp"
#include "common/protocol/codec.hpp"
#include "common/transport/router.hpp"

namespace scanmq::broker {

class Intake {
  public:
    Intake(transport::Router& router, BodyStore& bodies, const Outbox& outbox);

    // Reads until the socket is empty or the batch is full; true: it said empty.
    bool receive();
    // A connection that the outbox lost.
    void add_disconnect(ConnectionId connection);
    [[nodiscard]] std::span<const Event> events();
    [[nodiscard]] bool empty() const noexcept { return order_.empty(); }
    // A QUERY is among them: the core wants fresh gauges.
    [[nodiscard]] bool queried() const noexcept { return queried_; }
    void clear();

    struct Counts {
        std::uint64_t frames{}, bytes{}, multipart{}, chosen_ids{}, muted{};
    };
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

  private:
    struct Item {
        Event event;
        std::uint32_t first_body{};
        std::uint32_t bodies{};
    };
    void take(ConnectionId from, zmq::message_t& message);
    void store_bodies(const protocol::Message& message);

    transport::Router& router_;
    BodyStore& bodies_;
    const Outbox& outbox_;
    protocol::Decoder decoder_;
    // One slot each for as many frames as a batch may have: what events point to never moves.
    std::vector<zmq::message_t> messages_;
    std::vector<protocol::Frame> frames_;
    std::vector<protocol::DecodeError> errors_;
    std::vector<BodyIn> stored_;
    std::vector<Item> order_;
    std::vector<Event> events_;
    std::size_t used_messages_ = 0;
    std::size_t batch_bytes_ = 0;
    bool queried_ = false;
    Counts counts_;
};

}  // namespace scanmq::broker
