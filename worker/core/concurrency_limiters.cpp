#include "worker/core/concurrency_limiters.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/base/assert.hpp"

namespace scanmq::worker {

namespace {

constexpr double kQuietWeight = 1.0 / 8;
constexpr std::uint32_t kWarmUp = 10;       // samples that are simply averaged
constexpr std::uint32_t kQuietSamples = 8;  // of one measurement
constexpr std::uint32_t kFirstMeasure = 5;  // busy rounds before the first one
constexpr std::uint32_t kRoundMin = 5;      // answers in a round, however few slots there are

}  // namespace

ConcurrencyLimit::ConcurrencyLimit(double start, std::uint32_t min, std::uint32_t max) noexcept
    : min_(std::max(1U, min)),
      max_(std::max(min_, static_cast<double>(max))),
      limit_(std::clamp(start, min_, max_)),
      cap_(max_) {}

Admission ConcurrencyLimit::check(Time, double) const {
    return in_flight_ < allowed() ? Admission::yes() : Admission::after_a_release();
}

std::uint32_t ConcurrencyLimit::slots() const noexcept {
    return static_cast<std::uint32_t>(limit_);
}

std::uint32_t ConcurrencyLimit::allowed() const noexcept {
    return static_cast<std::uint32_t>(std::min(limit_, cap_));
}

void ConcurrencyLimit::set_limit(double limit) noexcept { limit_ = std::clamp(limit, min_, max_); }

void ConcurrencyLimit::release(Time now, CallClass what, Duration latency, std::uint64_t bytes) {
    SCANMQ_ASSERT(in_flight_ > 0);
    const bool busy = 2.0 * in_flight_ >= limit_;
    --in_flight_;
    switch (what) {
        case CallClass::ok:
        case CallClass::final_error:
            return answered(now, latency, bytes, busy);
        case CallClass::throttled:
        case CallClass::timed_out:
            if (has_shrunk_ && now - latency < shrunk_) return;
            shrunk_ = now;
            has_shrunk_ = true;
            return dropped();
        case CallClass::retryable:
        case CallClass::no_connection:
        case CallClass::bad_response:
        case CallClass::cancelled:
            return;  // the breaker's business; quick errors are no sign of room
    }
}

AimdLimit::AimdLimit(const Options& options) noexcept
    : ConcurrencyLimit(options.start, options.min, options.max), backoff_(options.backoff) {}

void AimdLimit::answered(Time, Duration, std::uint64_t, bool busy) {
    if (busy) set_limit(limit() + 1.0 / limit());
}

void AimdLimit::dropped() { set_limit(limit() * backoff_); }

std::size_t SizeClasses::index(std::uint64_t bytes) noexcept {
    return std::min<std::size_t>(std::bit_width(bytes), kClasses - 1);
}

double SizeClasses::ratio(Duration latency, std::uint64_t bytes) const noexcept {
    const Usual& usual = classes_[index(bytes)];
    if (usual.samples == 0) return 1.0;
    return std::max(1.0, static_cast<double>(latency.count())) / std::max(1.0, usual.ns);
}

bool SizeClasses::known(std::uint64_t bytes) const noexcept {
    return classes_[index(bytes)].samples >= kWarmUp;
}

void SizeClasses::learn(Duration latency, std::uint64_t bytes, double weight) noexcept {
    Usual& usual = classes_[index(bytes)];
    if (usual.samples < kWarmUp) {
        ++usual.samples;
        weight = 1.0 / usual.samples;
    }
    usual.ns += (static_cast<double>(latency.count()) - usual.ns) * weight;
}

GradientLimit::GradientLimit(const Options& options) noexcept
    : ConcurrencyLimit(options.start, options.min, options.max),
      options_(options),
      rounds_left_(kFirstMeasure) {}

void GradientLimit::answered(Time now, Duration latency, std::uint64_t bytes, bool busy) {
    if (measuring_) return measure(now, latency, bytes);
    sum_ += sizes_.ratio(latency, bytes);
    sizes_.learn(latency, bytes, 0.0);
    ++samples_;
    busy_ = busy_ || busy;
    if (samples_ >= std::max(kRoundMin, slots())) end_round();
}

void GradientLimit::end_round() {
    const double now = std::max(1e-9, sum_ / samples_);
    const bool busy = busy_;
    sum_ = 0.0;
    samples_ = 0;
    busy_ = false;
    const double gradient = std::clamp(options_.tolerance / now, 0.5, 1.0);
    const double wanted = limit() * gradient + std::sqrt(limit());
    const double next = limit() + options_.smoothing * (wanted - limit());
    if (next < limit() || busy) set_limit(next);
    if (!busy || options_.measure_every == 0 || --rounds_left_ > 0) return;
    rounds_left_ = options_.measure_every;
    measuring_ = true;
    quiet_samples_ = 0;
    quiet_since_.reset();
    set_cap(std::sqrt(limit()));
}

// Only calls that were sent after the ones before had gone tell of a target without a queue.
void GradientLimit::measure(Time now, Duration latency, std::uint64_t bytes) {
    if (!quiet_since_) {
        if (in_flight() < allowed()) quiet_since_ = now;
        return;
    }
    if (now - latency < *quiet_since_) return;
    sizes_.learn(latency, bytes, kQuietWeight);
    if (++quiet_samples_ < kQuietSamples) return;
    measuring_ = false;
    lift_cap();
}

void GradientLimit::dropped() { set_limit(limit() * options_.backoff); }

}  // namespace scanmq::worker
