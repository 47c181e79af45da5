#pragma once
// What the load generator sends and how it knows a result again.
//
// Every payload is different: it starts with a stamp and goes on with bytes drawn from it, so
// nothing on the way can be served from a cache. A no-op worker returns the payload as the result.
// Threads: values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/time.hpp"

namespace scanmq::cli {

struct JobStamp {
    std::uint64_t run{};       // tells this run's results from any left over by another
    std::uint32_t producer{};  // index
    std::uint32_t warm_up{};   // 1: not measured
    std::uint64_t id{};        // per producer, from 0; warm-up jobs count apart
    std::int64_t due_ns{};     // CLOCK_MONOTONIC; when it was sent, or should have been
};

inline constexpr std::size_t kStampBytes = 40;  // the stamp and its check

// Writes a payload of `bytes` (at least kStampBytes) over `out`.
void write_payload(const JobStamp& stamp, std::size_t bytes, std::string& out);
// nullopt when the bytes are not whole or not a payload of the run.
[[nodiscard]] std::optional<JobStamp> read_payload(ByteView payload, std::size_t bytes,
                                                   std::uint64_t run);

// Which ids came, one bit each. Grows with the ids; a repeated one is a duplicate.
class SeenIds {
  public:
    // False when it was there already.
    bool insert(std::uint64_t id);
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    // How many of 0 .. expected-1 did not come.
    [[nodiscard]] std::uint64_t missing(std::uint64_t expected) const noexcept;

    static constexpr std::uint64_t kIdMax = std::uint64_t{1} << 32;  // 512 MiB of bits

  private:
    std::vector<std::uint64_t> bits_;
    std::uint64_t count_ = 0;
};

[[nodiscard]] inline std::int64_t monotonic_ns() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace scanmq::cli
