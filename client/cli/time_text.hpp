#pragma once
// Moments as people write them: a date and time, or how long ago.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace scanmq::cli {

// Nanoseconds since 1970 UTC of
//   "2024-05-01", "2024-05-01T09:30", "2024-05-01 09:30:15.25", each with "Z" or "+02:00" behind it
//   (without: UTC), from 1678 to 2261
//   "10m", "90s", "24h", "7d", "15min": so long before `now`
// Error: a sentence that says what is wrong and how it is written.
[[nodiscard]] Result<std::int64_t, std::string> parse_moment(std::string_view text, WallMillis now);

}  // namespace scanmq::cli
