#pragma once
// Logging: one spdlog set-up for every program. Use spdlog::info() and its siblings after
//          start_logging().
//
// Role:     lines go to stderr, so that stdout stays for results. Cores do not log; their shells
//           do.
// Threads:  spdlog's default logger is safe from any thread. start and stop belong to main().
// Limits:   asynchronous: a ring of kLogQueueLines; when it is full the oldest line is dropped, the
//           caller never waits.

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace scanmq::telemetry {

inline constexpr std::size_t kLogQueueLines = 8192;

struct LogOptions {
    std::string level = "info";  // one of log_levels()
    bool asynchronous = false;   // true for servers: a loop must never wait for a terminal
};

// trace, debug, info, warn, error, off.
[[nodiscard]] const std::vector<std::string>& log_levels();

// Replaces spdlog's default logger. Error: a sentence, when the level is none of log_levels().
[[nodiscard]] Result<void, std::string> start_logging(const LogOptions& options);
// Writes out what is queued. Nothing is logged afterwards.
void stop_logging();

}  // namespace scanmq::telemetry
