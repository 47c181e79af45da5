#pragma once
// BrokerNode's process: what a crash takes away.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/broker_node.hpp"

namespace scanmq::sim {

// A connection of its own, without a network.
inline constexpr broker::ConnectionId kInspector{std::uint64_t{1} << 40};

struct BrokerNode::Process {
    struct Item {
        std::uint32_t from{};
        std::size_t frame{};  // index of frames or errors
        bool bad{};
        bool gone{};
        std::size_t first_body{}, bodies{};
    };

    Process(const broker::BrokerOptions& options, const broker::BlobTable::Options& room)
        : blobs(room), core(options, blobs, bodies) {}

    broker::BodyStore bodies;
    broker::BlobTable blobs;
    broker::BrokerCore core;
    protocol::Decoder decoder;
    std::deque<std::string> messages;
    std::deque<protocol::Frame> frames;
    std::deque<protocol::DecodeError> errors;
    std::vector<broker::BodyIn> stored;
    std::vector<Item> order;
    std::vector<broker::Event> events;
    std::size_t batch_bytes = 0;
    std::size_t received = 0;
    broker::Effects effects;
    std::string scratch;
    std::vector<CacheAnswer> cache_answers;

    // The outbox.
    broker::LogPosition durable = 0;
    broker::LogPosition appended = 0;
    bool memory_told = false;  // something was given back since the core was last called
    std::map<std::uint32_t, std::deque<Waiting>> waiting;
    std::vector<std::uint32_t> lost;

    // The inspector's.
    protocol::SessionId session;
    std::uint64_t seq = 0;
    std::vector<protocol::Frame> answers;
    std::deque<std::string> answer_bytes;
    protocol::Decoder answer_decoder;
};

}  // namespace scanmq::sim
