#pragma once
// FlowLimits: what an operator may set of one flow of a queue, by the names of docs/PROTOCOL.md,
//             section 8, "Flows".

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/rows.hpp"
#include "common/base/result.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

struct FlowLimits {
    std::uint64_t weight = 1;
    std::uint64_t rate_per_s = 0;     // deliveries; 0: none
    std::uint64_t burst = 1;          // of them at once
    std::uint64_t in_flight_max = 0;  // attempts; 0: none
    std::uint64_t priority_max = 9;

    friend bool operator==(const FlowLimits&, const FlowLimits&) = default;
};

struct FlowLimit {
    std::string_view name;
    std::uint64_t FlowLimits::*value;
    std::uint64_t least;
    std::uint64_t most;
};

inline constexpr std::array<FlowLimit, 5> kFlowLimits{{
    {"weight", &FlowLimits::weight, 1, 1'000},
    {"rate_per_s", &FlowLimits::rate_per_s, 0, 1'000'000},
    {"burst", &FlowLimits::burst, 1, 1'000'000},
    {"in_flight_max", &FlowLimits::in_flight_max, 0, 1'000'000},
    {"priority_max", &FlowLimits::priority_max, 0, 9},
}};

// `base` with the changes. Error: the sentence of a bad_setting that names the limit.
[[nodiscard]] Result<FlowLimits, std::string> with_changes(const FlowLimits& base,
                                                           const protocol::Settings& changes);
// As the journal and the store keep them; views into kFlowLimits.
[[nodiscard]] std::vector<SettingRow> limit_rows(const FlowLimits& limits);

}  // namespace scanmq::broker
