#pragma once
// What GET /metrics says: the broker's counters and queues, the gateway's and the server's own.
//
// Threads: pure functions.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/protocol/messages.hpp"

namespace scanmq::gateway {

using Figures = std::vector<std::pair<std::string, std::uint64_t>>;

struct Metrics {
    std::vector<protocol::Row> broker;    // topic broker
    std::vector<protocol::Row> counters;  // topic counters: name, value
    std::vector<protocol::Row> queues;    // topic queues
    std::vector<protocol::Row> cache;     // topic cache: a row for each tier
    Figures http;                         // of the HTTP API itself
};

// Prometheus text (exposition format 0.0.4).
[[nodiscard]] std::string prometheus_text(const Metrics& metrics);
// The same names without their prefix, {"broker_sessions": .., .., "queues": [{..}], "cache": [{..}]}.
[[nodiscard]] std::string metrics_json(const Metrics& metrics);

}  // namespace scanmq::gateway
