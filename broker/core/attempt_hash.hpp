#pragma once
// attempt_hash: counters in a row get places in a row of different shards' tables (Fibonacci
// hashing).

#include <cstdint>

namespace scanmq::broker {

[[nodiscard]] inline std::uint64_t attempt_hash(std::uint64_t counter) noexcept {
    return counter * 0x9e3779b97f4a7c15ULL;
}

}  // namespace scanmq::broker
