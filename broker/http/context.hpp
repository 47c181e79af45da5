#pragma once
// Context: what every route of the gateway works with.
//
// Threads: the gateway's loop.

#include <cstdint>
#include <string>

#include "broker/http/desk.hpp"
#include "broker/http/gateway_options.hpp"
#include "broker/http/key_table.hpp"
#include "common/http/router.hpp"
#include "common/http/server.hpp"

namespace scanmq::gateway {

struct RouteCounts {
    std::uint64_t scans{};
    std::uint64_t batches{};
    std::uint64_t jobs{};
    std::uint64_t repeated{};  // requests under a known id or Idempotency-Key
    std::uint64_t questions{};
    std::uint64_t cancels{};
};

struct Context {
    const GatewayOptions& options;
    Desk& desk;
    KeyTable& keys;
    RouteCounts& counts;
    boost::asio::io_context* loop = nullptr;
    const http::Server* server = nullptr;  // set before the first request
};

// Each adds its routes; the context must outlive the router.
void add_scan_routes(http::Router& router, Context& context);
void add_job_routes(http::Router& router, Context& context);
void add_snapshot_routes(http::Router& router, Context& context);
void add_info_routes(http::Router& router, Context& context);

}  // namespace scanmq::gateway
