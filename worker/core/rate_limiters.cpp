#include "worker/core/rate_limiters.hpp"

#include <algorithm>
#include <cmath>

namespace scanmq::worker {

namespace {

// Rounded up: asked again at that moment, it is allowed.
Duration nanoseconds_of(double ns) noexcept {
    return Duration(static_cast<Duration::rep>(std::ceil(ns)));
}

}  // namespace

TokenBucket::TokenBucket(double rate_per_s, double burst) noexcept
    : interval_ns_(1e9 / rate_per_s), burst_(burst) {}

Time TokenBucket::arrival_after(Time now, double cost) const noexcept {
    return std::max(arrival_, now) + nanoseconds_of(interval_ns_ * std::min(cost, burst_));
}

Admission TokenBucket::check(Time now, double cost) const {
    const Time again = arrival_after(now, cost) - nanoseconds_of(interval_ns_ * burst_);
    return now >= again ? Admission::yes() : Admission::at(again);
}

void TokenBucket::take(Time now, double cost) { arrival_ = arrival_after(now, cost); }

SlidingWindow::Counts SlidingWindow::counts_at(Time now) const noexcept {
    const auto passed = (now - counts_.start) / window_;
    if (passed <= 0) return counts_;
    return {counts_.start + passed * window_, passed == 1 ? counts_.current : 0.0, 0.0};
}

Admission SlidingWindow::check(Time now, double cost) const {
    const double asked = std::min(cost, limit_);
    const Counts c = counts_at(now);
    const double window_ns = static_cast<double>(window_.count());
    const double part = static_cast<double>((now - c.start).count()) / window_ns;
    constexpr double kRounding = 1e-9;
    if (c.former * (1.0 - part) + c.current + asked <= limit_ + kRounding) return Admission::yes();
    // In this window, when enough of the former has slid out; or in the next, where the current one
    // is the former.
    const double room = limit_ - asked;
    if (c.current <= room && c.former > 0.0) {
        const double at = 1.0 - (room - c.current) / c.former;
        return Admission::at(c.start + nanoseconds_of(at * window_ns));
    }
    const double at = 1.0 - room / c.current;
    return Admission::at(c.start + window_ + nanoseconds_of(std::max(0.0, at) * window_ns));
}

void SlidingWindow::take(Time now, double cost) {
    counts_ = counts_at(now);
    counts_.current += std::min(cost, limit_);
}

}  // namespace scanmq::worker
