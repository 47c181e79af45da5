#pragma once
// Jobs that producer, subscriber and checker of kill9.sh know alike: everything about a job follows from
// the run's seed and start time and the job's number, so a process that was killed needs no memory.

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/id.hpp"
#include "common/base/rng.hpp"

namespace scanmq::kill9 {

struct Run {
    std::uint64_t seed{};
    std::uint64_t start_ms{};  // wall time; the ids' time
    std::uint64_t jobs{};
    std::uint64_t blob_every = 1024;  // every so many-th job's body is a blob; 0: none
};

inline constexpr std::size_t kNumberAt = 12;  // the id's last four bytes, big endian

// A UUIDv7: the run's start, bits drawn from seed and number, the number.
[[nodiscard]] inline Id128 job_id(const Run& run, std::uint64_t number) {
    Rng rng(run.seed * 0x9e3779b97f4a7c15ULL + number);
    const std::uint64_t drawn = rng.next();
    Id128 id;
    for (std::size_t i = 0; i < 6; ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(run.start_ms >> (40 - 8 * i));
    }
    for (std::size_t i = 6; i < kNumberAt; ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(drawn >> (8 * (i - 6)));
    }
    id.bytes[6] = static_cast<std::uint8_t>(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f));
    for (std::size_t i = kNumberAt; i < 16; ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(number >> (8 * (15 - i)));
    }
    return id;
}

// nullopt: not one of this run's.
[[nodiscard]] inline std::optional<std::uint64_t> number_of(const Run& run, const Id128& id) {
    std::uint64_t number = 0;
    for (std::size_t i = kNumberAt; i < 16; ++i) number = number << 8 | id.bytes[i];
    if (number >= run.jobs || job_id(run, number) != id) return std::nullopt;
    return number;
}

// Mostly small; one in 64 is beyond what records hold inline, a blob is over 256 KiB.
[[nodiscard]] inline std::string payload(const Run& run, std::uint64_t number) {
    Rng rng(run.seed ^ (number * 0xbf58476d1ce4e5b9ULL + 1));
    std::uint64_t bytes = 16 + rng.below(300);
    if (number % 64 == 7) bytes = 4096 + rng.below(16'384);
    if (run.blob_every != 0 && number % run.blob_every == run.blob_every / 2)
        bytes = 262'144 + 1 + rng.below(100'000);
    std::string out = job_id(run, number).hex();
    out.reserve(bytes + 8);
    while (out.size() < bytes) {
        const std::uint64_t word = rng.next();
        out.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    return out;
}

}  // namespace scanmq::kill9
