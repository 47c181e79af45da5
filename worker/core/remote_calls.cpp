#include "worker/core/remote_calls.hpp"

#include <algorithm>

#include "common/base/assert.hpp"

namespace scanmq::worker {

namespace {

using protocol::AttemptOutcome;

constexpr Duration kPauseMin = std::chrono::milliseconds(10);  // a Retry-After of 0 is no loop

}  // namespace

RemoteCalls::RemoteCalls(const RemoteOptions& options, std::unique_ptr<Limiter> limiter,
                         Limiter* shared)
    : options_(options),
      limiter_(std::move(limiter)),
      shared_(shared),
      breaker_(options.breaker),
      budget_(options.budget),
      returns_(options.returns),
      rng_(options.seed) {
    SCANMQ_ASSERT(limiter_ != nullptr);
    options_.tries_max = std::max(1U, options_.tries_max);
    options_.calls_max = std::max(1U, options_.calls_max);
    gate_.slots = most_slots();
}

std::uint32_t RemoteCalls::most_slots() const noexcept {
    const std::uint32_t own = limiter_->slots();
    return shared_ == nullptr ? own : std::min(own, shared_->slots());
}

RemoteCalls::Call* RemoteCalls::find(AttemptId attempt) noexcept {
    if (attempt.slot >= calls_.size()) return nullptr;
    Call& call = calls_[attempt.slot];
    return call.state != CallState::free && call.request.attempt == attempt ? &call : nullptr;
}

RemoteCalls::Call* RemoteCalls::find(ExchangeId exchange) noexcept {
    const auto found = exchanges_.lower_bound({exchange, 0});
    if (found == exchanges_.end() || found->first != exchange) return nullptr;
    return &calls_[found->second];
}

void RemoteCalls::set_timer(Call& call, Time at) {
    clear_timer(call);
    call.timer = at;
    timers_.emplace(at, call.request.attempt.slot);
}

void RemoteCalls::clear_timer(const Call& call) {
    timers_.erase({call.timer, call.request.attempt.slot});
}

void RemoteCalls::submit(const CallRequest& request, Time now, RemoteEffects& effects) {
    SCANMQ_ASSERT(find(request.attempt) == nullptr);
    ++counters_.submitted;
    if (calls_.size() <= request.attempt.slot) calls_.resize(request.attempt.slot + std::size_t{1});
    Call& call = calls_[request.attempt.slot];
    SCANMQ_ASSERT(call.state == CallState::free);
    call = {};
    call.request = request;
    call.request.deadline = std::min(request.deadline, now + options_.attempt_timeout);
    call.submitted = now;
    ++held_;
    if (held_ > options_.calls_max) {
        ++counters_.overflowed;
        call.state = CallState::waiting;
        call.sentence = "more than " + std::to_string(options_.calls_max) +
                        " calls wait for it (remote_calls_max)";
        give_back(call, protocol::ErrorCode::scanner_overloaded, now, effects);
    } else {
        budget_.on_request();
        wait_in_line(call, false);
    }
    settle(now, effects);
}

void RemoteCalls::wait_in_line(Call& call, bool first) {
    call.state = CallState::waiting;
    set_timer(call, call.request.deadline);
    if (first) {
        waiting_.push_front(call.request.attempt);
    } else {
        waiting_.push_back(call.request.attempt);
    }
}

void RemoteCalls::on_result(ExchangeId exchange, const CallResult& result, Time now,
                            RemoteEffects& effects) {
    Call* call = find(exchange);
    if (call == nullptr) {
        ++counters_.stale_results;
        return;
    }
    end_exchange(*call, result, now, effects);
    settle(now, effects);
}

void RemoteCalls::on_probe(std::uint64_t number, ProbeResult result, Time now,
                           RemoteEffects& effects) {
    if (number != probe_ || !probe_expires_) return;
    probe_expires_.reset();
    if (result == ProbeResult::good) ++counters_.probes_good;
    breaker_.on_probe(result, now);
    settle(now, effects);
}

void RemoteCalls::cancel(AttemptId attempt, Time now, RemoteEffects& effects) {
    Call* call = find(attempt);
    if (call == nullptr) return;
    ++counters_.cancelled;
    if (call->state == CallState::in_flight) {
        effects.aborts.push_back(call->exchange);
        release_limits(*call, CallClass::cancelled, now);
    }
    finish(*call, AttemptOutcome::failed, protocol::ErrorCode::scan_failed,
           "cancelled: nobody waits for it any more", now, effects);
    settle(now, effects);
}

void RemoteCalls::tick(Time now, RemoteEffects& effects) {
    if (probe_expires_ && now >= *probe_expires_) {
        probe_expires_.reset();
        breaker_.on_probe(ProbeResult::unreachable, now);
    }
    while (!timers_.empty() && timers_.begin()->first <= now) {
        Call& call = calls_[timers_.begin()->second];
        switch (call.state) {
            case CallState::in_flight: {
                effects.aborts.push_back(call.exchange);
                const auto after =
                    std::chrono::duration_cast<std::chrono::milliseconds>(now - call.sent_at);
                const std::string sentence =
                    "no answer within " + std::to_string(after.count()) + " ms";
                end_exchange(call, {CallClass::timed_out, true, {}, sentence}, now, effects);
                break;
            }
            case CallState::backing_off:
                wait_in_line(call, true);
                break;
            case CallState::waiting:
                out_of_time(call, now, effects);
                break;
            case CallState::free:
                SCANMQ_ASSERT(false);
        }
    }
    settle(now, effects);
}

std::optional<Time> RemoteCalls::next_deadline() const {
    std::optional<Time> due = admit_at_;
    const auto earlier = [&due](std::optional<Time> other) {
        if (other && (!due || *other < *due)) due = other;
    };
    if (!timers_.empty()) earlier(timers_.begin()->first);
    earlier(paused_until_);
    earlier(probe_expires_ ? probe_expires_ : breaker_.next_deadline());
    return due;
}

// What follows from whatever happened.
void RemoteCalls::settle(Time now, RemoteEffects& effects) {
    if (paused_until_ && now >= *paused_until_) paused_until_.reset();
    // While it is not known whether anybody is there, nothing is tried.
    if (!probe_expires_) {
        breaker_.tick(now);
        if (breaker_.probe_due(now)) {
            ++counters_.probes;
            effects.probe = ++probe_;
            probe_expires_ = now + options_.probe_timeout;
        }
    }
    if (breaker_.state() != CircuitBreaker::State::open) probe_expires_.reset();
    const bool away = breaker_.state() == CircuitBreaker::State::open;
    if (away || (paused_until_ && pause_gives_back_)) give_back_waiting(now, effects);
    send_what_may(now, effects);
    note_breaker(effects);
    tell_gate(effects);
}

void RemoteCalls::send_what_may(Time now, RemoteEffects& effects) {
    admit_at_.reset();
    while (!waiting_.empty()) {
        Call* call = find(waiting_.front());
        if (call == nullptr || call->state != CallState::waiting) {
            waiting_.pop_front();  // it is over
            continue;
        }
        if (call->request.deadline <= now) {
            waiting_.pop_front();
            out_of_time(*call, now, effects);
            continue;
        }
        if (paused_until_ || !breaker_.allows()) return;
        for (const Limiter* limiter :
             {static_cast<const Limiter*>(limiter_.get()), static_cast<const Limiter*>(shared_)}) {
            if (limiter == nullptr) continue;
            const Admission answer = limiter->check(now, call->request.cost);
            if (answer.allowed) continue;
            admit_at_ = answer.again;
            return;
        }
        waiting_.pop_front();
        send(*call, now, effects);
    }
}

void RemoteCalls::send(Call& call, Time now, RemoteEffects& effects) {
    limiter_->take(now, call.request.cost);
    if (shared_ != nullptr) shared_->take(now, call.request.cost);
    call.permit = breaker_.take();
    call.state = CallState::in_flight;
    call.sent_at = now;
    call.exchange = ++exchange_;
    ++call.tries;
    exchanges_.emplace(call.exchange, call.request.attempt.slot);
    ++in_flight_;
    ++counters_.exchanges;
    if (call.tries > 1) ++counters_.retries;
    const Time expires = std::min(now + options_.call_timeout, call.request.deadline);
    set_timer(call, expires);
    effects.sends.push_back({call.request.attempt, call.exchange, call.tries, expires - now});
}

// The exchange is over; what is left is the call.
void RemoteCalls::release_limits(const Call& call, CallClass what, Time now) {
    const Duration latency = now - call.sent_at;
    limiter_->release(now, what, latency, call.request.bytes);
    if (shared_ != nullptr) shared_->release(now, what, latency, call.request.bytes);
    const bool slow = what == CallClass::ok && too_slow(latency, call.request.bytes);
    if (slow) ++counters_.slow;
    breaker_.record(call.permit, what, slow, now);
    exchanges_.erase({call.exchange, call.request.attempt.slot});
    --in_flight_;
}

// What stays slow becomes usual after some ten calls: a target that has more to do than before is no
// broken one.
bool RemoteCalls::too_slow(Duration latency, std::uint64_t bytes) {
    constexpr double kLearn = 1.0 / 20;
    constexpr double kLearnSlow = 1.0 / 100;
    const bool slow = options_.breaker.slow_after > Duration{} &&
                      latency >= options_.breaker.slow_after && times_.known(bytes) &&
                      times_.ratio(latency, bytes) >= options_.breaker.slow_factor;
    times_.learn(latency, bytes, slow ? kLearnSlow : kLearn);
    return slow;
}

void RemoteCalls::pause(Duration length, Time now) {
    ++counters_.pauses;
    length = std::clamp(length, kPauseMin, std::max(kPauseMin, options_.pause_max));
    const Time until = now + length;
    if (!paused_until_ || until > *paused_until_) paused_until_ = until;
    pause_gives_back_ = *paused_until_ - now > options_.hold_max;
}

}  // namespace scanmq::worker
