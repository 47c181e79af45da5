#pragma once
// FixedLimit, AimdLimit, GradientLimit: how many calls of a target may be under way.
//
// Role:      Limiters; the adaptive ones follow what the target's answers tell. Cost is ignored: a call is
//            a call.
// Threads:   worker loop only.
// Invariant: min <= slots() <= max; calls under way are those taken and not released, and may be more
//            than slots() for a while after it fell.
// Source:    AIMD as in TCP (Chiu, Jain 1989); the gradient as in Netflix' concurrency-limits (2018),
//            with round trips divided by what is usual for requests of their size.

#include <algorithm>
#include <array>
#include <cstdint>

#include "worker/core/limiter.hpp"

namespace scanmq::worker {

// Counts what is under way; what derives from it moves the limit.
class ConcurrencyLimit : public Limiter {
  public:
    [[nodiscard]] Admission check(Time now, double cost) const final;
    void take(Time, double) final { ++in_flight_; }
    void release(Time now, CallClass what, Duration latency, std::uint64_t bytes) final;
    [[nodiscard]] std::uint32_t slots() const noexcept final;

    [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] double limit() const noexcept { return limit_; }
    // What check() lets through now: slots(), or less.
    [[nodiscard]] std::uint32_t allowed() const noexcept;

  protected:
    ConcurrencyLimit(double start, std::uint32_t min, std::uint32_t max) noexcept;

    // A call that says something about the target was answered; `busy`: at least half of the slots
    // were taken before, so that the limit was felt.
    virtual void answered(Time now, Duration latency, std::uint64_t bytes, bool busy) = 0;
    // One was refused as too much, or not answered in time.
    virtual void dropped() = 0;
    void set_limit(double limit) noexcept;
    // No more at once than this for a moment, which check() keeps and slots() does not tell: it is not
    // worth giving work back for.
    void set_cap(double cap) noexcept { cap_ = std::max(min_, cap); }
    void lift_cap() noexcept { cap_ = max_; }

  private:
    double min_;
    double max_;
    double limit_;
    double cap_;
    std::uint32_t in_flight_ = 0;
    Time shrunk_{};  // calls sent before are part of the same trouble, which counts once
    bool has_shrunk_ = false;
};

// The bulkhead: a number that does not move.
class FixedLimit final : public ConcurrencyLimit {
  public:
    explicit FixedLimit(std::uint32_t slots) noexcept : ConcurrencyLimit(slots, 1, slots) {}

  private:
    void answered(Time, Duration, std::uint64_t, bool) override {}
    void dropped() override {}
};

// One more per round of answers, a tenth less per drop.
class AimdLimit final : public ConcurrencyLimit {
  public:
    struct Options {
        std::uint32_t start = 10;
        std::uint32_t min = 1;
        std::uint32_t max = 200;
        double backoff = 0.9;
    };
    explicit AimdLimit(const Options& options) noexcept;

  private:
    void answered(Time now, Duration latency, std::uint64_t bytes, bool busy) override;
    void dropped() override;

    double backoff_;
};

// Usual round trips by size class: a class per power of two of the request's bytes.
class SizeClasses {
  public:
    static constexpr std::size_t kClasses = 32;

    // latency / what is usual for this size; 1 where nothing is known of it yet.
    [[nodiscard]] double ratio(Duration latency, std::uint64_t bytes) const noexcept;
    // Enough of this size were seen to say what is usual.
    [[nodiscard]] bool known(std::uint64_t bytes) const noexcept;
    // What is usual moves by this part of the way to it. The first of a size are simply averaged.
    void learn(Duration latency, std::uint64_t bytes, double weight) noexcept;

  private:
    struct Usual {
        double ns{};
        std::uint32_t samples{};
    };
    [[nodiscard]] static std::size_t index(std::uint64_t bytes) noexcept;

    std::array<Usual, kClasses> classes_{};
};

// Round by round (as many answers as there are slots): gradient = clamp(tolerance x usual / now, 0.5, 1);
// limit' = limit x gradient + sqrt(limit), smoothed; no growth while less than half of it is used. What is
// usual is measured without a queue: now and then no more than sqrt(limit) calls are let through for some
// answers. Without that a target which is overloaded all the time passes for a slow one.
class GradientLimit final : public ConcurrencyLimit {
  public:
    struct Options {
        std::uint32_t start = 20;
        std::uint32_t min = 1;
        std::uint32_t max = 200;
        double smoothing = 0.2;
        double tolerance = 1.5;             // round trips vary that much by themselves
        double backoff = 0.9;               // on a drop
        std::uint32_t measure_every = 100;  // busy rounds between two such measurements; 0: never
    };
    explicit GradientLimit(const Options& options) noexcept;

  private:
    void answered(Time now, Duration latency, std::uint64_t bytes, bool busy) override;
    void dropped() override;
    void end_round();
    void measure(Time now, Duration latency, std::uint64_t bytes);

    Options options_;
    SizeClasses sizes_;
    double sum_ = 0.0;  // of this round's normalised round trips
    std::uint32_t samples_ = 0;
    bool busy_ = false;
    std::uint32_t rounds_left_;  // busy ones, until it measures
    bool measuring_ = false;
    std::uint32_t quiet_samples_ = 0;
    std::optional<Time> quiet_since_;  // the queue of before has drained
};

}  // namespace scanmq::worker
