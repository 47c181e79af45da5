#pragma once
// Time as every module sees it: a monotonic instant that is passed in, never read, by the cores.

#include <chrono>
#include <cstdint>

namespace scanmq {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Milliseconds since 1970-01-01 UTC; for humans, ids and skew, never for decisions.
using WallMillis = std::int64_t;

// The shell's clock. Tests and the simulator have their own.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Time now() const = 0;
    [[nodiscard]] virtual WallMillis wall_millis() const = 0;
};

class SystemClock final : public Clock {
  public:
    [[nodiscard]] Time now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] WallMillis wall_millis() const override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
};

}  // namespace scanmq
