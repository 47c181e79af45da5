// RemoteCalls: what becomes of a call when its exchange ended, and what the target's state is told as.
#include <algorithm>
#include <cmath>

#include "worker/core/remote_calls.hpp"

namespace scanmq::worker {

namespace {

using protocol::AttemptOutcome;
using protocol::ErrorCode;

ErrorCode code_of(CallClass what) noexcept {
    switch (what) {
        case CallClass::throttled:
            return ErrorCode::scanner_overloaded;
        case CallClass::timed_out:
            return ErrorCode::scanner_timeout;
        case CallClass::no_connection:
            return ErrorCode::scanner_unavailable;
        case CallClass::bad_response:
            return ErrorCode::bad_response;
        case CallClass::final_error:
            return ErrorCode::bad_payload;
        case CallClass::ok:
        case CallClass::retryable:
        case CallClass::cancelled:
            break;
    }
    return ErrorCode::scanner_error;
}

std::string_view saw(CallClass what) noexcept {
    switch (what) {
        case CallClass::throttled:
            return "has no room";
        case CallClass::timed_out:
            return "did not answer in time";
        case CallClass::no_connection:
            return "cannot be reached";
        case CallClass::bad_response:
            return "answered what cannot be read";
        case CallClass::final_error:
            return "refused the request";
        case CallClass::ok:
        case CallClass::retryable:
        case CallClass::cancelled:
            break;
    }
    return "failed";
}

std::uint32_t points_of(const CallResult& result) noexcept {
    switch (result.what) {
        case CallClass::no_connection:
        case CallClass::timed_out:
            return result.sent ? FreeReturns::kUnanswered : FreeReturns::kUnreached;
        case CallClass::retryable:
        case CallClass::bad_response:
            return FreeReturns::kAnswered;
        default:
            return FreeReturns::kUnreached;
    }
}

}  // namespace

void RemoteCalls::count(CallClass what) {
    switch (what) {
        case CallClass::ok:
            ++counters_.ok;
            return;
        case CallClass::final_error:
            ++counters_.final_errors;
            return;
        case CallClass::retryable:
            ++counters_.errors;
            return;
        case CallClass::throttled:
            ++counters_.throttled;
            return;
        case CallClass::timed_out:
            ++counters_.timeouts;
            return;
        case CallClass::no_connection:
            ++counters_.connection_failures;
            return;
        case CallClass::bad_response:
            ++counters_.bad_responses;
            return;
        case CallClass::cancelled:
            ++counters_.cancelled;
            return;
    }
}

std::string RemoteCalls::describe(const Call& call) const {
    std::string out = "the scanner at " + options_.target;
    if (call.tries == 0) return out + ": " + call.sentence;
    out += ' ';
    out += saw(call.last);
    if (call.tries > 1) out += " (" + std::to_string(call.tries) + " tries)";
    if (!call.sentence.empty()) out += ": " + call.sentence;
    return out;
}

void RemoteCalls::end_exchange(Call& call, const CallResult& result, Time now,
                               RemoteEffects& effects) {
    count(result.what);
    call.last = result.what;
    call.sentence.assign(result.sentence);
    call.points = points_of(result);
    if (result.what != CallClass::ok && result.what != CallClass::final_error) {
        last_failure_ = describe(call);
    }
    release_limits(call, result.what, now);
    switch (result.what) {
        case CallClass::ok:
            returns_.forget(call.request.job);
            return finish(call, AttemptOutcome::done, ErrorCode::none, {}, now, effects);
        case CallClass::final_error:
            returns_.forget(call.request.job);
            return finish(call, AttemptOutcome::rejected, code_of(call.last), describe(call), now,
                          effects);
        case CallClass::throttled:
            if (!result.retry_after) return after_failure(call, now, effects);
            // The pause is all the patience it needs: no try is used up, its deadline bounds it.
            pause(*result.retry_after, now);
            --call.tries;
            return wait_in_line(call, true);
        case CallClass::cancelled:
            return finish(call, AttemptOutcome::failed, ErrorCode::scan_failed,
                          "cancelled: nobody waits for it any more", now, effects);
        case CallClass::retryable:
        case CallClass::timed_out:
        case CallClass::no_connection:
        case CallClass::bad_response:
            return after_failure(call, now, effects);
    }
}

// Tried again; or back to the broker, when it is the target that is broken; or failed.
void RemoteCalls::after_failure(Call& call, Time now, RemoteEffects& effects) {
    if (breaker_.state() != CircuitBreaker::State::closed) {
        return give_back(call, ErrorCode::scanner_unavailable, now, effects);
    }
    if (retry(call, now)) return;
    finish(call, AttemptOutcome::failed, code_of(call.last), describe(call), now, effects);
}

bool RemoteCalls::retry(Call& call, Time now) {
    if (call.tries >= options_.tries_max) return false;
    const double most = std::min(static_cast<double>(options_.backoff_max.count()),
                                 static_cast<double>(options_.backoff_first.count()) *
                                     std::ldexp(1.0, static_cast<int>(call.tries) - 1));
    const Duration wait(static_cast<Duration::rep>(rng_.uniform() * most));
    if (now + wait >= call.request.deadline) return false;
    if (!budget_.try_retry()) {
        ++counters_.retries_denied;
        return false;
    }
    call.state = CallState::backing_off;
    set_timer(call, now + wait);
    return true;
}

// Its deadline came while it waited in line.
void RemoteCalls::out_of_time(Call& call, Time now, RemoteEffects& effects) {
    if (call.sentence.empty()) call.sentence = "it could not be called before the deadline";
    const bool tried = call.last != CallClass::ok && call.last != CallClass::throttled;
    if (tried) {
        return finish(call, AttemptOutcome::failed, code_of(call.last), describe(call), now,
                      effects);
    }
    give_back(call, ErrorCode::scanner_overloaded, now, effects);
}

// The target is away: what is not with it can run elsewhere, or later.
void RemoteCalls::give_back_waiting(Time now, RemoteEffects& effects) {
    const bool away = breaker_.state() == CircuitBreaker::State::open;
    const ErrorCode code = away ? ErrorCode::scanner_unavailable : ErrorCode::scanner_overloaded;
    std::vector<std::uint32_t> slots;  // in order of their timers
    for (const auto& [time, slot] : timers_) {
        if (calls_[slot].state != CallState::in_flight) slots.push_back(slot);
    }
    for (const std::uint32_t slot : slots) {
        Call& call = calls_[slot];
        if (call.last == CallClass::ok) {
            // Never sent: as if it had not been started, so that no points are due.
            ++counters_.returned;
            finish(call, AttemptOutcome::returned, code,
                   away ? last_failure_ : "the scanner at " + options_.target + " asked to wait",
                   now, effects);
        } else {
            give_back(call, code, now, effects);
        }
    }
    waiting_.clear();
}

void RemoteCalls::give_back(Call& call, ErrorCode code, Time now, RemoteEffects& effects) {
    std::string sentence = describe(call);
    if (returns_.try_return(call.request.job, call.points)) {
        ++counters_.returned;
        return finish(call, AttemptOutcome::returned, code, std::move(sentence), now, effects);
    }
    ++counters_.charged;
    if (call.last != CallClass::ok) code = code_of(call.last);
    sentence += "; it came back too often to go on without a charge";
    finish(call, AttemptOutcome::failed, code, std::move(sentence), now, effects);
}

void RemoteCalls::finish(Call& call, AttemptOutcome outcome, ErrorCode code, std::string sentence,
                         Time now, RemoteEffects& effects) {
    clear_timer(call);
    call.state = CallState::free;
    --held_;
    effects.finishes.push_back(
        {call.request.attempt, outcome, code, std::move(sentence), now - call.submitted});
}

// Said once per outage, not per trial.
void RemoteCalls::note_breaker(RemoteEffects& effects) {
    const CircuitBreaker::State state = breaker_.state();
    using State = CircuitBreaker::State;
    if (state == told_state_ || state == State::half_open) return;
    told_state_ = state;
    if (state == State::open) {
        effects.notes.push_back(
            {NoteLevel::warning, "circuit breaker opened, work is given back: " + last_failure_});
    } else {
        effects.notes.push_back({NoteLevel::info, "circuit breaker closed: the scanner at " +
                                                      options_.target + " is well again"});
    }
}

void RemoteCalls::tell_gate(RemoteEffects& effects) {
    GateEvent next;
    std::string reason;
    if (breaker_.state() == CircuitBreaker::State::open) {
        next.mode = GateMode::shut;
        reason = last_failure_;
    } else if (paused_until_) {
        next.mode = pause_gives_back_ ? GateMode::shut : GateMode::hold;
        next.code = ErrorCode::scanner_overloaded;
        reason = "the scanner at " + options_.target + " asked to wait";
    } else if (breaker_.state() == CircuitBreaker::State::half_open) {
        next.mode = GateMode::trial;
        next.slots = std::min(breaker_.trial_slots(), most_slots());
    } else {
        next.slots = most_slots();
    }
    const bool same = next.mode == gate_.mode && next.slots == gate_.slots;
    if (same && (next.mode != GateMode::shut || next.code == gate_.code)) return;
    ++counters_.gate_changes;
    if (next.mode == GateMode::shut || next.mode == GateMode::hold) reason_ = std::move(reason);
    next.reason = reason_;
    gate_ = next;
    effects.gate = gate_;
}

}  // namespace scanmq::worker
