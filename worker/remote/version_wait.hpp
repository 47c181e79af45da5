#pragma once
// Which version the scan services are of, asked before the worker says HELLO: results are told apart by it.
//
// Threads: blocks the caller. SIGINT and SIGTERM end the wait.

#include <optional>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/http/client.hpp"

namespace scanmq::worker {

struct VersionWait {
    std::vector<http::Endpoint> endpoints;
    http::ClientOptions client;
    Duration every = std::chrono::milliseconds(250);  // between two rounds
    Duration timeout = std::chrono::seconds(2);       // of one question
    Duration log_every = std::chrono::seconds(10);    // while it waits
    Duration patience = Duration::max();              // for tests
};

// Asks all of them, again and again, until one says its version; logs what it waits for. nullopt: a
// signal came first, or patience ended.
[[nodiscard]] std::optional<std::string> wait_for_version(const VersionWait& options);

}  // namespace scanmq::worker
