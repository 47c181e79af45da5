#pragma once
// GatewayOptions: what the broker's HTTP API can be told. The program's options: docs/CONFIG.md.

#include <cstdint>
#include <string>

#include "broker/http/desk_options.hpp"
#include "common/base/time.hpp"
#include "common/http/server.hpp"

namespace scanmq::gateway {

struct GatewayOptions {
    GatewayOptions() { http.bodies_bytes_max = 128U << 20; }  // a part of a broker's memory

    http::ServerOptions http;
    DeskOptions desk;
    std::string queue = "scans";                  // of /api/v1/scan
    Duration wait = std::chrono::seconds(10);     // for a result, when the request names none
    Duration wait_max = std::chrono::minutes(5);  // that a request may name
    std::uint32_t batch_symbols_max = 1'000;      // of one batch
    std::uint32_t jobs_per_request_max = 1'000;   // of one POST /v1/jobs
    std::uint32_t keys_max = 10'000;              // Idempotency-Keys remembered
    Duration key_ttl = std::chrono::minutes(10);
};

}  // namespace scanmq::gateway
