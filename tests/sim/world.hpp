#pragma once
// World: virtual time, the queue of what happens next, the dice and the trace.
//
// Role:      everything in a simulation happens in an event of this queue, one after another; the
//            same seed gives the same events.
// Threads:   one.
// Failures:  a checker calls fail(), which throws CheckFailed up to whoever runs the simulation.

#include <cstdint>
#include <functional>
#include <queue>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/rng.hpp"
#include "common/base/time.hpp"

namespace scanmq::sim {

class CheckFailed : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class World {
  public:
    World(std::uint64_t seed, bool trace) : rng(seed), trace_(trace) {}

    [[nodiscard]] Time now() const noexcept { return now_; }
    [[nodiscard]] WallMillis wall() const noexcept;
    void at(Time when, std::function<void()> what);
    void after(Duration wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }
    // Runs the next event; false: there is none before `until`, and it is `until` now.
    bool step(Time until);

    // Uniform in [least, most].
    [[nodiscard]] Duration between(Duration least, Duration most);
    [[nodiscard]] bool chance(double p) { return rng.uniform() < p; }
    // Exponential with this mean: the time to the next of independent events.
    [[nodiscard]] Duration next_in(Duration mean);

    [[noreturn]] void fail(const std::string& sentence) const;

    [[nodiscard]] bool tracing() const noexcept { return trace_; }
    void trace(std::string_view who, const std::string& what) const;
    // Goes into the fingerprint of this run: two runs of a seed have the same.
    void note(std::uint64_t what) noexcept { digest_ = (digest_ ^ what) * 0x100000001b3ULL; }
    void note(ByteView bytes) noexcept { note(std::hash<std::string_view>{}(bytes)); }
    [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }
    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

    Rng rng;

  private:
    struct Item {
        Time when;
        std::uint64_t number;
        std::function<void()> what;
        bool operator<(const Item& other) const noexcept {  // the queue's top is the largest
            return when != other.when ? when > other.when : number > other.number;
        }
    };

    Time now_{std::chrono::seconds(1'000)};
    std::priority_queue<Item> queue_;
    std::uint64_t number_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t digest_ = 0xcbf29ce484222325ULL;
    bool trace_;
};

}  // namespace scanmq::sim
