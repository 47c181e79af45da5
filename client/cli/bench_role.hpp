#pragma once
// One process of the load generator: a producer, a subscriber, or both in one loop.
//
// The parent starts it as `scanmq bench-role` and speaks to it in lines:
// producer    -> "ready"; <- "go"; -> "sent <jobs> <refused> <first_ns> <last_ns> <late_max_ns>"
// subscriber  -> "ready"; <- "expect <jobs of producer 0> <of 1> ..."; -> "seen <jobs> <lost>
// <duplicated>
// <failed> <foreign> <first_ns> <last_ns> <histogram>"
// loop        -> "ready"; <- "go"; -> the line of a producer, then that of a subscriber Times are
// CLOCK_MONOTONIC, which all processes of a machine share.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.hpp"
#include "common/config/options.hpp"
#include "common/telemetry/histogram.hpp"

namespace scanmq::cli {

struct RoleOptions {
    std::string role;  // producer, subscriber, loop
    std::vector<std::string> brokers;
    std::string queue;
    std::uint64_t run{};
    std::uint32_t index{};      // of the producer
    std::uint32_t producers{};  // how many there are
    std::uint32_t payload_bytes{200};
    std::uint32_t distinct{};
    std::uint32_t batch{256};
    std::uint32_t warm_up{500};
    double rate{};         // jobs/s on a fixed schedule; 0: as fast as credit allows
    double seconds{3.0};   // 0: until the jobs are sent
    std::uint64_t jobs{};  // 0: until the time is over
    Duration patience = std::chrono::seconds(10);  // without any result, with some missing
};

void declare(config::Options& declared, RoleOptions& options);
// The same as arguments for the child.
[[nodiscard]] std::vector<std::string> arguments_of(const RoleOptions& options);

// What a producer sent.
struct SentReport {
    std::uint64_t jobs{};
    std::uint64_t refused{};
    std::int64_t first_ns{};
    std::int64_t last_ns{};
    std::int64_t late_max_ns{};  // behind the schedule
};
[[nodiscard]] std::string encode(const SentReport& report);
[[nodiscard]] std::optional<SentReport> decode_sent(std::string_view line);

// What a subscriber saw.
struct SeenReport {
    std::uint64_t jobs{};
    std::uint64_t lost{};
    std::uint64_t duplicated{};
    std::uint64_t failed{};   // ended, but not done
    std::uint64_t foreign{};  // results that are none of this run's payloads
    std::int64_t first_ns{};
    std::int64_t last_ns{};
    telemetry::Histogram latency;
};
[[nodiscard]] std::string encode(const SeenReport& report);
[[nodiscard]] std::optional<SeenReport> decode_seen(std::string_view line);

}  // namespace scanmq::cli
