#pragma once
// ServerOptions: what a broker can be told, and the checks that need no running broker.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core/blob_core.hpp"
#include "broker/core/blob_table.hpp"
#include "broker/core/broker_core.hpp"
#include "broker/http/gateway_options.hpp"
#include "common/base/result.hpp"
#include "common/config/options.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

struct ServerError {
    std::string sentence;  // what failed and what to do
};

// How the store is kept; see docs/CONFIG.md.
struct StoreOptions {
    std::uint64_t segment_bytes = 64U << 20;
    std::uint32_t reserve_segments = 4;
    std::uint64_t reserve_bytes = 64U << 20;
    std::uint64_t disk_low_bytes = 256U << 20;
    std::uint64_t map_bytes = 256ULL << 30;
    std::uint64_t checkpoint_bytes = 64U << 20;
    Duration checkpoint_interval = std::chrono::seconds(5);
    std::uint64_t log_buffer_bytes = 64U << 20;  // set by memory_max
    std::uint64_t payload_bytes = 256U << 20;    // bodies in memory that the store has, too
    std::string backups;                         // empty: data/backups
};

inline constexpr const char* kNoHttp = "none";
inline constexpr const char* kHttpDefault = "127.0.0.1:8701";

struct ServerOptions {
    BrokerOptions
        core;  // epoch, seed, blob_endpoint and wall_offset_ms are filled in by the server
    BlobTable::Options blobs;
    BlobOptions blob_core;
    std::string listen = "tcp://127.0.0.1:5701";
    std::string blob_listen;     // empty: the port after listen's (any, when that is 0)
    std::string blob_advertise;  // what WELCOME tells; empty: what blob_listen became
    bool insecure = false;
    std::string http{kNoHttp};  // address:port of the HTTP API; scanmq-broker's default is another
    gateway::GatewayOptions gateway;
    std::string data = "scanmq-data";
    std::string durability = "sync";  // or async, memory
    StoreOptions store;
    std::string restore;           // a backup to make the data directory of, instead of serving
    std::string cache = "memory";  // off, redis://... or tcp://...: see docs/CONFIG.md
    std::string cache_prefix = "scanmq:";  // of every key in the Redis
    std::string cache_peers = "off";       // on: other brokers may keep results here
    std::vector<std::string> queues;       // NAME[,setting=value...]
    std::string endpoint_file;             // empty: none
    std::string log = "info";
    // What the process may take in memory, the state's file pages left out; 0: three quarters of the machine's.
    std::uint64_t memory_max = 0;
    std::uint32_t sessions_max = 0;  // 0: as many as memory_max allows, at most 1,024
    // What may wait for one slow peer beside its pipe; beyond, its session is closed.
    std::uint64_t outgoing_bytes_max = 64ULL << 20;
    bool handle_signals = false;  // SIGTERM and SIGINT stop the server
};

// Declares every option of scanmq-broker.
void declare(config::Options& options, ServerOptions& target);

struct QueueSpec {
    std::string name;
    protocol::Settings settings;
};
// "scans" or "scans,pure=1,max_jobs=1000,max_bytes=1GiB".
[[nodiscard]] Result<QueueSpec, ServerError> parse_queue(std::string_view text);

// Whether only processes of this machine can reach the endpoint.
[[nodiscard]] bool is_loopback(std::string_view endpoint);
// Whether it means every address of this machine, so that it tells peers nothing: 0.0.0.0, [::], *.
[[nodiscard]] bool is_wildcard(std::string_view endpoint);
// The endpoint as this process can reach it: loopback for every address.
[[nodiscard]] std::string from_here(std::string_view endpoint);
// Whether an endpoint to connect to is, as far as its text tells, the one that is listened on.
[[nodiscard]] bool is_same_place(std::string_view endpoint, std::string_view listen);
// The same endpoint with the next port; port 0 stays 0. Empty for what has no port.
[[nodiscard]] std::string next_port(std::string_view endpoint);

// Contradictions and refusals: beyond loopback without insecure, wildcard without blob_advertise,
// bad queues.
[[nodiscard]] Result<void, ServerError> check(const ServerOptions& options);

}  // namespace scanmq::broker
