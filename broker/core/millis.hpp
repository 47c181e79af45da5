#pragma once
// Durations as rows, sentences and the wire tell them.

#include <chrono>
#include <cstdint>

#include "common/base/time.hpp"

namespace scanmq::broker {

// Whole milliseconds; 0 for what is over.
[[nodiscard]] inline std::uint64_t millis(Duration duration) noexcept {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

}  // namespace scanmq::broker
