#include "broker/server/intake.hpp"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <utility>

namespace scanmq::broker {
namespace {

// A batch is full at any of these; what is left waits one turn of the loop.
constexpr std::size_t kFramesMax = 256;
constexpr std::size_t kBytesMax = 1U << 20;
constexpr std::size_t kBodiesMax = 16'384;

std::uint64_t digest(const protocol::Job& job) {
    // Each hash seeds the next, so that bytes moved from one field to another change the sum.
    const auto add = [](ByteView bytes, std::uint64_t seed) {
        return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
    };
    return add(job.payload.bytes, add(job.inputs, add(job.subject, job.payload.blob_size)));
}

}  // namespace

Intake::Intake(transport::Router& router, BodyStore& bodies, const Outbox& outbox)
    : router_(router), bodies_(bodies), outbox_(outbox), messages_(kFramesMax) {
    frames_.reserve(kFramesMax);
    errors_.reserve(kFramesMax);
    order_.reserve(kFramesMax);
}

bool Intake::receive() {
    using transport::ReceiveStatus;
    while (used_messages_ < kFramesMax && batch_bytes_ < kBytesMax && stored_.size() < kBodiesMax) {
        std::uint32_t from = 0;
        zmq::message_t& message = messages_[used_messages_];
        switch (router_.receive(from, message)) {
            case ReceiveStatus::empty:
                return true;
            case ReceiveStatus::frame:
                ++used_messages_;
                batch_bytes_ += message.size();
                take(ConnectionId{from}, message);
                break;
            case ReceiveStatus::multipart:
                ++used_messages_;
                ++counts_.multipart;
                errors_.push_back({protocol::ErrorCode::malformed,
                                   "a message must be one frame; send each frame by itself",
                                   {},
                                   {}});
                order_.push_back({BadFrameEvent{ConnectionId{from}, &errors_.back()}, 0, 0});
                break;
            case ReceiveStatus::chosen_id: {
                ++counts_.chosen_ids;
                std::string answer;
                protocol::encode(
                    {},
                    protocol::Error{0,
                                    {},
                                    protocol::ErrorCode::malformed,
                                    "do not set ZMQ_ROUTING_ID; the broker assigns routing ids"},
                    answer);
                router_.refuse(answer);
                ++used_messages_;  // counts against the batch, too
                break;
            }
        }
    }
    return false;
}

void Intake::take(ConnectionId from, zmq::message_t& message) {
    if (outbox_.muted(static_cast<std::uint32_t>(from.value))) {
        ++counts_.muted;
        return;
    }
    ++counts_.frames;
    counts_.bytes += message.size();
    auto frame = decoder_.decode({message.data<char>(), message.size()});
    if (!frame) {
        errors_.push_back(std::move(frame).error());
        order_.push_back({BadFrameEvent{from, &errors_.back()}, 0, 0});
        return;
    }
    frames_.push_back(std::move(frame).value());
    const protocol::Frame& kept = frames_.back();
    const auto first = static_cast<std::uint32_t>(stored_.size());
    store_bodies(kept.message);
    if (std::holds_alternative<protocol::Query>(kept.message)) queried_ = true;
    order_.push_back(
        {FrameEvent{from, &kept, {}}, first, static_cast<std::uint32_t>(stored_.size()) - first});
}

void Intake::store_bodies(const protocol::Message& message) {
    if (const auto* submit = std::get_if<protocol::Submit>(&message)) {
        for (const protocol::Job& job : submit->jobs) {
            stored_.push_back({bodies_.put(job.payload), digest(job)});
        }
    } else if (const auto* done = std::get_if<protocol::Done>(&message)) {
        for (const protocol::Outcome& outcome : done->outcomes) {
            stored_.push_back({bodies_.put(outcome.body), 0});
        }
    }
}

void Intake::add_disconnect(ConnectionId connection) {
    order_.push_back({DisconnectEvent{connection}, 0, 0});
}

std::span<const Event> Intake::events() {
    events_.clear();
    events_.reserve(order_.size());
    for (Item& item : order_) {
        if (auto* frame = std::get_if<FrameEvent>(&item.event)) {
            frame->bodies = {stored_.data() + item.first_body, item.bodies};
        }
        events_.push_back(item.event);
    }
    return events_;
}

void Intake::clear() {
    frames_.clear();
    errors_.clear();
    stored_.clear();
    order_.clear();
    used_messages_ = 0;
    batch_bytes_ = 0;
    queried_ = false;
}

}  // namespace scanmq::broker
