#pragma once
// Rng: xoshiro256** (Blackman, Vigna 2018), seeded through SplitMix64. Deterministic for a seed on
//      every platform, unlike the standard distributions. Not for secrets.

#include <array>
#include <cstdint>

namespace scanmq {

class Rng {
  public:
    using result_type = std::uint64_t;

    explicit Rng(std::uint64_t seed) noexcept;

    // A seed from the operating system's random source.
    [[nodiscard]] static std::uint64_t random_seed();

    [[nodiscard]] std::uint64_t next() noexcept;
    // Uniform in [0, bound); bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept;
    // Uniform in [0, 1).
    [[nodiscard]] double uniform() noexcept;
    // Standard normal (Marsaglia polar method).
    [[nodiscard]] double normal() noexcept;

    // UniformRandomBitGenerator, for std::shuffle.
    result_type operator()() noexcept { return next(); }
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return ~result_type{0}; }

  private:
    std::array<std::uint64_t, 4> state_;
};

}  // namespace scanmq
