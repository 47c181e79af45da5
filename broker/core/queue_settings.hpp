#pragma once
// QueueSettings: what an operator may set of a queue, by the names of docs/PROTOCOL.md, section 10.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

enum class Overload : std::uint8_t { block = 0, reject = 1, shed = 2 };

struct QueueSettings {
    std::uint64_t max_jobs = 1'000'000;
    std::uint64_t max_bytes = 1ULL << 30;
    std::uint64_t max_attempts = 5;
    std::uint64_t max_crashes = 3;
    std::uint64_t retry_base_ms = 1'000;
    std::uint64_t retry_cap_ms = 300'000;
    std::uint64_t max_result_bytes = 64ULL << 20;
    std::uint64_t stream_max_bytes = 256ULL << 20;
    std::uint64_t stream_max_age_ms = 604'800'000;  // 0: none
    std::uint64_t subscription_ttl_ms = 86'400'000;
    std::uint64_t dead_max = 10'000;
    std::uint64_t low_share = 16;
    std::uint64_t pure = 0;
    std::uint64_t weight = 1;
    std::uint64_t overload = 0;  // Overload
    std::uint64_t shed_target_ms = 1'000;
    std::uint64_t lossless = 0;
    std::uint64_t cache_ttl_ms = 300'000;  // 0: results are not kept
    std::uint64_t stale_ms = 0;            // 0: no older result is served
    std::uint64_t degraded_ms = 0;

    friend bool operator==(const QueueSettings&, const QueueSettings&) = default;
};

struct QueueSetting {
    std::string_view name;
    std::uint64_t QueueSettings::*value;
    std::uint64_t least;
    std::uint64_t most;
};

// In the order of the page's table.
inline constexpr std::array<QueueSetting, 20> kQueueSettings{{
    {"max_jobs", &QueueSettings::max_jobs, 1, 100'000'000},
    {"max_bytes", &QueueSettings::max_bytes, 1, 1ULL << 40},
    {"max_attempts", &QueueSettings::max_attempts, 1, 100},
    {"max_crashes", &QueueSettings::max_crashes, 1, 100},
    {"retry_base_ms", &QueueSettings::retry_base_ms, 0, 86'400'000},
    {"retry_cap_ms", &QueueSettings::retry_cap_ms, 0, 86'400'000},
    {"max_result_bytes", &QueueSettings::max_result_bytes, 0, 64ULL << 20},
    {"stream_max_bytes", &QueueSettings::stream_max_bytes, 0, 1ULL << 40},
    {"stream_max_age_ms", &QueueSettings::stream_max_age_ms, 0, 1ULL << 40},
    {"subscription_ttl_ms", &QueueSettings::subscription_ttl_ms, 1'000, 1ULL << 40},
    {"dead_max", &QueueSettings::dead_max, 0, 1'000'000},
    {"low_share", &QueueSettings::low_share, 2, 10'000},
    {"pure", &QueueSettings::pure, 0, 1},
    {"weight", &QueueSettings::weight, 1, 1'000},
    {"overload", &QueueSettings::overload, 0, 2},
    {"shed_target_ms", &QueueSettings::shed_target_ms, 1, 86'400'000},
    {"lossless", &QueueSettings::lossless, 0, 1},
    {"cache_ttl_ms", &QueueSettings::cache_ttl_ms, 0, 86'400'000},
    {"stale_ms", &QueueSettings::stale_ms, 0, 86'400'000},
    {"degraded_ms", &QueueSettings::degraded_ms, 0, 86'400'000},
}};

// `base` with the changes. Error: the sentence of a bad_setting that names the setting.
[[nodiscard]] Result<QueueSettings, std::string> with_changes(const QueueSettings& base,
                                                              const protocol::Settings& changes);

}  // namespace scanmq::broker
