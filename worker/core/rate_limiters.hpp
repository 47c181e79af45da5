#pragma once
// TokenBucket and SlidingWindow: how often a target may be called.
//
// Role:      Limiters; they take no notice of how calls end.
// Threads:   worker loop only.
// Source:    TokenBucket is the generic cell rate algorithm (ITU-T I.371, virtual scheduling): one
//            instant, the theoretical arrival time, is all its state. SlidingWindow counts two fixed
//            windows and weighs the former by the part of it that still lies within the last window.

#include "worker/core/limiter.hpp"

namespace scanmq::worker {

// tat' = max(tat, now) + T x cost; allowed iff now >= tat' - burst x T. T = 1 / rate.
class TokenBucket final : public Limiter {
  public:
    // Precondition: both above 0. A cost above `burst` counts as `burst`.
    TokenBucket(double rate_per_s, double burst) noexcept;

    [[nodiscard]] Admission check(Time now, double cost) const override;
    void take(Time now, double cost) override;
    void release(Time, CallClass, Duration, std::uint64_t) override {}

  private:
    [[nodiscard]] Time arrival_after(Time now, double cost) const noexcept;

    double interval_ns_;  // T
    double burst_;
    Time arrival_{};  // tat
};

// former x (1 - elapsed / window) + current + cost <= limit.
class SlidingWindow final : public Limiter {
  public:
    // Precondition: limit >= 1, window above 0. A cost above `limit` counts as `limit`.
    SlidingWindow(double limit, Duration window) noexcept : limit_(limit), window_(window) {}

    [[nodiscard]] Admission check(Time now, double cost) const override;
    void take(Time now, double cost) override;
    void release(Time, CallClass, Duration, std::uint64_t) override {}

  private:
    struct Counts {
        Time start{};
        double former{};
        double current{};
    };
    [[nodiscard]] Counts counts_at(Time now) const noexcept;

    double limit_;
    Duration window_;
    Counts counts_;
};

}  // namespace scanmq::worker
