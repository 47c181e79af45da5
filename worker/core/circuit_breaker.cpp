#include "worker/core/circuit_breaker.hpp"

#include <algorithm>

#include "common/base/assert.hpp"

namespace scanmq::worker {

namespace {

bool says_nothing(CallClass what) noexcept {
    return what == CallClass::throttled || what == CallClass::cancelled;
}

bool is_failure(CallClass what) noexcept {
    return what == CallClass::retryable || what == CallClass::timed_out ||
           what == CallClass::no_connection || what == CallClass::bad_response;
}

}  // namespace

CircuitBreaker::CircuitBreaker(const Options& options) : options_(options) {
    options_.window = std::max(1U, options_.window);
    options_.calls_min = std::clamp(options_.calls_min, 1U, options_.window);
    options_.failures_in_row = std::max(1U, options_.failures_in_row);
    options_.probes = std::max(1U, options_.probes);
    options_.trials_first = std::clamp(options_.trials_first, 1U, options_.probes);
    ring_.reserve(options_.window);
}

bool CircuitBreaker::allows() const noexcept {
    switch (state_) {
        case State::closed:
            return true;
        case State::open:
            return false;
        case State::half_open:
            return taken_ < (all_at_once_ ? options_.probes : options_.trials_first);
    }
    return false;
}

CircuitBreaker::Permit CircuitBreaker::take() noexcept {
    SCANMQ_ASSERT(allows());
    if (state_ == State::half_open) ++taken_;
    return phase_;
}

void CircuitBreaker::record(Permit permit, CallClass what, bool slow, Time now) {
    if (permit != phase_) return;
    if (says_nothing(what)) {
        if (state_ == State::half_open) --taken_;
        return;
    }
    const bool failed = is_failure(what) || slow;
    if (state_ == State::closed) {
        record_closed(failed, now);
    } else {
        record_trial(failed, now);
    }
}

void CircuitBreaker::record_closed(bool failed, Time now) {
    if (ring_.size() < options_.window) {
        ring_.push_back(failed);
    } else {
        if (ring_[ring_next_]) --failed_;
        ring_[ring_next_] = failed;
        ring_next_ = (ring_next_ + 1) % ring_.size();
    }
    in_row_ = failed ? in_row_ + 1 : 0;
    if (failed) ++failed_;
    const bool many = ring_.size() >= options_.calls_min &&
                      failed_ >= options_.failure_share * static_cast<double>(ring_.size());
    if (failed && (in_row_ >= options_.failures_in_row || many)) open(now);
}

void CircuitBreaker::record_trial(bool failed, Time now) {
    ++ended_;
    if (failed) ++failed_;
    if (!failed) all_at_once_ = true;
    const bool none_well = !all_at_once_ && failed_ >= options_.trials_first;
    if (none_well || failed_ >= options_.failure_share * options_.probes) return open(now);
    if (ended_ >= options_.probes) close();
}

void CircuitBreaker::open(Time now) {
    state_ = State::open;
    ++phase_;
    ++opened_;
    open_for_ = times_ == 0 ? options_.open_first : std::min(options_.open_max, open_for_ * 2);
    open_until_ = now + open_for_;
    probe_at_ = now + options_.probe_every;
    Duration wait = options_.probe_every;
    for (std::uint32_t i = 1; i < times_ && wait < options_.trial_wait_max; ++i) wait *= 2;
    trusted_at_ = now + std::min(wait, options_.trial_wait_max);
    ++times_;
    last_probe_.reset();
}

void CircuitBreaker::half_open(bool all_at_once) {
    state_ = State::half_open;
    ++phase_;
    ++half_opened_;
    taken_ = 0;
    ended_ = 0;
    failed_ = 0;
    all_at_once_ = all_at_once;
}

void CircuitBreaker::close() {
    state_ = State::closed;
    ++phase_;
    ++closed_;
    ring_.clear();
    ring_next_ = 0;
    failed_ = 0;
    in_row_ = 0;
    times_ = 0;
}

bool CircuitBreaker::probe_due(Time now) {
    if (state_ != State::open || options_.probe_every == Duration{} || now < probe_at_)
        return false;
    probe_at_ = now + options_.probe_every;
    return true;
}

void CircuitBreaker::on_probe(ProbeResult result, Time now) {
    if (state_ != State::open) return;
    const bool was_bad = last_probe_.has_value() && *last_probe_ != ProbeResult::good;
    last_probe_ = result;
    if (result != ProbeResult::good) return;
    if (was_bad || now >= trusted_at_) return half_open(was_bad || times_ == 1);
    last_probe_.reset();  // well all along: asked again when its word counts
}

void CircuitBreaker::tick(Time now) {
    if (state_ != State::open || now < open_until_) return;
    if (last_probe_ == ProbeResult::unreachable) return;
    half_open(false);
}

std::optional<Time> CircuitBreaker::next_deadline() const noexcept {
    if (state_ != State::open) return std::nullopt;
    std::optional<Time> due;
    if (options_.probe_every > Duration{}) due = probe_at_;
    if (last_probe_ == ProbeResult::unreachable) return due;
    return due ? std::min(*due, open_until_) : open_until_;
}

std::uint32_t CircuitBreaker::trial_slots() const noexcept {
    if (state_ != State::half_open) return 0;
    return (all_at_once_ ? options_.probes : options_.trials_first) - ended_;
}

}  // namespace scanmq::worker
