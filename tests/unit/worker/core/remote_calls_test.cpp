// RemoteCalls against a target the test plays, in virtual time.
#include "worker/core/remote_calls.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "worker/core/concurrency_limiters.hpp"

namespace scanmq::worker {
namespace {

using protocol::AttemptOutcome;
using protocol::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using State = CircuitBreaker::State;

class RemoteCallsTest : public ::testing::Test {
  protected:
    static RemoteOptions defaults() {
        RemoteOptions options;
        options.target = "http://scanner";
        options.seed = 5;
        return options;
    }
    void make(const RemoteOptions& options, std::uint32_t slots = 20, Limiter* shared = nullptr) {
        LimiterOptions limits;
        limits.slots_max = slots;
        calls =
            std::make_unique<RemoteCalls>(options, std::move(make_limiter(limits)).value(), shared);
    }
    void SetUp() override { make(defaults()); }

    // Each step's effects are taken in at once.
    void after() {
        for (const FinishCall& done : effects.finishes) {
            EXPECT_TRUE(finished.emplace(done.attempt.slot, done).second) << "finished twice";
        }
        for (const SendCall& send : effects.sends) {
            sent[send.attempt.slot] = send;
            ++exchanges;
        }
        for (const Note& note : effects.notes) notes.push_back(note.sentence);
        if (effects.gate) gates.push_back(effects.gate->mode);
        last = std::move(effects);
        effects = {};
    }
    void submit(std::uint32_t slot, std::uint64_t job = 0) {
        finished.erase(slot);
        CallRequest request;
        request.attempt = {slot, 1};
        request.job = job == 0 ? slot + std::uint64_t{1} : job;
        request.bytes = 1000;
        calls->submit(request, now, effects);
        after();
    }
    void result(std::uint32_t slot, CallClass what, bool was_sent = true) {
        CallResult result;
        result.what = what;
        result.sent = was_sent;
        result.sentence = what == CallClass::ok ? "" : "as the test wants";
        answer(slot, result);
    }
    void answer(std::uint32_t slot, const CallResult& result) {
        calls->on_result(sent.at(slot).exchange, result, now, effects);
        after();
    }
    // Passes time; the ticks are where the core wants them.
    void advance(Duration by) {
        const Time end = now + by;
        int ticks = 0;
        while (calls->next_deadline() && *calls->next_deadline() <= end) {
            ASSERT_LT(++ticks, 100'000) << "it spins";
            now = std::max(now, *calls->next_deadline());
            calls->tick(now, effects);
            if (effects.probe) {
                ++probes;
                if (health) calls->on_probe(*effects.probe, *health, now, effects);
            }
            after();
        }
        now = end;
    }
    void open_breaker() {
        for (std::uint32_t i = 900; i < 905; ++i) submit(i);
        for (std::uint32_t i = 900; i < 905; ++i) result(i, CallClass::no_connection, false);
        ASSERT_EQ(calls->breaker().state(), State::open);
    }
    FinishCall ended(std::uint32_t slot) {
        const auto found = finished.find(slot);
        EXPECT_TRUE(found != finished.end()) << slot << " is not over";
        return found == finished.end() ? FinishCall{} : found->second;
    }

    Time now{seconds(1000)};
    std::unique_ptr<RemoteCalls> calls;
    RemoteEffects effects;
    RemoteEffects last;
    std::map<std::uint32_t, FinishCall> finished;
    std::map<std::uint32_t, SendCall> sent;  // the newest of each slot
    std::vector<std::string> notes;
    std::vector<GateMode> gates;
    std::optional<ProbeResult> health = ProbeResult::unreachable;
    int probes = 0;
    int exchanges = 0;
};

TEST_F(RemoteCallsTest, IsSentAtOnceAndDone) {
    submit(0);
    ASSERT_EQ(last.sends.size(), 1U);
    EXPECT_EQ(last.sends[0].tries, 1U);
    EXPECT_EQ(last.sends[0].timeout, seconds(10));
    now += milliseconds(20);
    result(0, CallClass::ok);
    EXPECT_EQ(ended(0).outcome, AttemptOutcome::done);
    EXPECT_EQ(ended(0).service, milliseconds(20));
    EXPECT_EQ(calls->held(), 0U);
    EXPECT_EQ(calls->next_deadline(), std::nullopt);
}

TEST_F(RemoteCallsTest, NoMoreAtOnceThanItsSlotsInOrder) {
    make(defaults(), 2);
    for (std::uint32_t i = 0; i < 5; ++i) submit(i);
    EXPECT_EQ(exchanges, 2);
    result(1, CallClass::ok);
    ASSERT_EQ(last.sends.size(), 1U);
    EXPECT_EQ(last.sends[0].attempt.slot, 2U);
    EXPECT_EQ(calls->gate().slots, 2U);
}

TEST_F(RemoteCallsTest, WorkersLimitIsSharedByItsTargets) {
    FixedLimit shared(1);
    make(defaults(), 20, &shared);
    auto first = std::move(calls);
    make(defaults(), 20, &shared);
    CallRequest request;
    request.attempt = {0, 1};
    first->submit(request, now, effects);
    ASSERT_EQ(effects.sends.size(), 1U);
    const ExchangeId exchange = effects.sends[0].exchange;
    effects = {};
    submit(0);
    EXPECT_EQ(exchanges, 0);
    first->on_result(exchange, {}, now, effects);
    effects = {};
    calls->tick(now, effects);
    after();
    EXPECT_EQ(exchanges, 1);
}

TEST_F(RemoteCallsTest, RateIsKeptByOneTimer) {
    LimiterOptions limits = remote_limiter_options();
    limits.rate = RateKind::token_bucket;
    limits.burst = 1.0;
    calls = std::make_unique<RemoteCalls>(defaults(), std::move(make_limiter(limits)).value());
    submit(0);
    submit(1);
    submit(2);
    EXPECT_EQ(exchanges, 1);
    EXPECT_EQ(calls->next_deadline(), now + milliseconds(100));
    advance(milliseconds(100));
    EXPECT_EQ(exchanges, 2);
    advance(milliseconds(100));
    EXPECT_EQ(exchanges, 3);
}

TEST_F(RemoteCallsTest, FinalErrorRejectsAndIsNotTriedAgain) {
    submit(0);
    result(0, CallClass::final_error);
    EXPECT_EQ(ended(0).outcome, AttemptOutcome::rejected);
    EXPECT_EQ(ended(0).code, ErrorCode::bad_payload);
    EXPECT_NE(ended(0).sentence.find("http://scanner refused the request: as the test wants"),
              std::string::npos)
        << ended(0).sentence;
    EXPECT_EQ(exchanges, 1);
}

TEST_F(RemoteCallsTest, RetryableIsTriedAgainWithBackOffThenFailed) {
    submit(0);
    result(0, CallClass::retryable);
    EXPECT_TRUE(finished.empty());
    EXPECT_EQ(exchanges, 1) << "not at once";
    advance(milliseconds(100));
    ASSERT_EQ(exchanges, 2);
    result(0, CallClass::retryable);
    advance(milliseconds(200));
    ASSERT_EQ(exchanges, 3);
    result(0, CallClass::retryable);
    EXPECT_EQ(ended(0).outcome, AttemptOutcome::failed);
    EXPECT_EQ(ended(0).code, ErrorCode::scanner_error);
    EXPECT_NE(ended(0).sentence.find("(3 tries)"), std::string::npos) << ended(0).sentence;
    EXPECT_EQ(calls->counters().retries, 2U);
}

TEST_F(RemoteCallsTest, EachClassHasItsCode) {
    RemoteOptions options = defaults();
    options.tries_max = 1;
    const std::map<CallClass, ErrorCode> codes{
        {CallClass::retryable, ErrorCode::scanner_error},
        {CallClass::throttled, ErrorCode::scanner_overloaded},
        {CallClass::timed_out, ErrorCode::scanner_timeout},
        {CallClass::no_connection, ErrorCode::scanner_unavailable},
        {CallClass::bad_response, ErrorCode::bad_response}};
    std::uint32_t slot = 0;
    for (const auto& [what, code] : codes) {
        make(options);
        submit(slot);
        result(slot, what);
        EXPECT_EQ(ended(slot).outcome, AttemptOutcome::failed) << to_string(what);
        EXPECT_EQ(ended(slot).code, code) << to_string(what);
        ++slot;
    }
}

TEST_F(RemoteCallsTest, RetriesAreATenthOfRequests) {
    RemoteOptions options = defaults();
    options.breaker.failure_share = 2.0;  // never opens by share
    options.breaker.failures_in_row = 1'000'000;
    make(options);
    int requests = 0;
    for (; requests < 1000; ++requests) {
        submit(0);
        while (finished.count(0) == 0) {
            if (calls->in_flight() == 1) {
                result(0, CallClass::retryable);
            } else {
                advance(milliseconds(10));
            }
        }
    }
    EXPECT_LE(calls->counters().retries, 103U);
    EXPECT_GE(calls->counters().retries, 90U);
    EXPECT_GT(calls->counters().retries_denied, 0U);
}

TEST_F(RemoteCallsTest, TimeOutAbortsTheExchangeAndALateAnswerIsDropped) {
    submit(0);
    const SendCall first = sent.at(0);
    advance(seconds(10));
    ASSERT_FALSE(last.aborts.empty());
    EXPECT_EQ(last.aborts[0], first.exchange);
    EXPECT_EQ(calls->counters().timeouts, 1U);
    calls->on_result(first.exchange, {}, now, effects);
    after();
    EXPECT_EQ(calls->counters().stale_results, 1U);
    EXPECT_TRUE(finished.empty());
}

TEST_F(RemoteCallsTest, DeadlineOfTheAttemptBoundsAll) {
    CallRequest request;
    request.attempt = {0, 1};
    request.deadline = now + milliseconds(300);
    calls->submit(request, now, effects);
    after();
    EXPECT_EQ(sent.at(0).timeout, milliseconds(300));
    advance(milliseconds(300));
    EXPECT_EQ(ended(0).outcome, AttemptOutcome::failed);
    EXPECT_EQ(ended(0).code, ErrorCode::scanner_timeout);
    EXPECT_EQ(calls->next_deadline(), std::nullopt);
}

TEST_F(RemoteCallsTest, WaitingPastTheDeadlineGoesBackUncharged) {
    RemoteOptions options = defaults();
    options.attempt_timeout = seconds(1);
    make(options, 1);
    submit(0);
    submit(1);
    advance(milliseconds(999));
    EXPECT_TRUE(finished.empty());
    advance(milliseconds(1));
    EXPECT_EQ(ended(1).outcome, AttemptOutcome::returned);
    EXPECT_EQ(ended(1).code, ErrorCode::scanner_overloaded);
}

TEST_F(RemoteCallsTest, MoreThanItsMostGoesBack) {
    RemoteOptions options = defaults();
    options.calls_max = 3;
    make(options, 1);
    for (std::uint32_t i = 0; i < 5; ++i) submit(i);
    EXPECT_EQ(calls->held(), 3U);
    EXPECT_EQ(ended(3).outcome, AttemptOutcome::returned);
    EXPECT_EQ(ended(4).code, ErrorCode::scanner_overloaded);
    EXPECT_EQ(calls->counters().overflowed, 2U);
}

TEST_F(RemoteCallsTest, CancelEndsItWhereverItIs) {
    make(defaults(), 1);
    submit(0);
    submit(1);
    calls->cancel({0, 1}, now, effects);
    after();
    EXPECT_EQ(last.aborts.size(), 1U);
    EXPECT_EQ(ended(0).outcome, AttemptOutcome::failed);
    EXPECT_EQ(sent.count(1), 1U) << "its slot is free";
    result(1, CallClass::retryable);
    calls->cancel({1, 1}, now, effects);  // backing off
    after();
    EXPECT_EQ(ended(1).outcome, AttemptOutcome::failed);
    calls->cancel({1, 1}, now, effects);  // not here any more
    after();
    advance(seconds(60));
    EXPECT_EQ(exchanges, 2);
    EXPECT_EQ(calls->held(), 0U);
}

TEST_F(RemoteCallsTest, RetryAfterPausesTheTarget) {
    make(defaults(), 2);
    for (std::uint32_t i = 0; i < 2; ++i) submit(i);
    CallResult busy{CallClass::throttled, true, milliseconds(400), "429"};
    answer(0, busy);
    EXPECT_EQ(calls->gate().mode, GateMode::hold) << "a short pause: nothing is given back";
    submit(2);
    EXPECT_EQ(exchanges, 2) << "nothing is sent meanwhile";
    advance(milliseconds(399));
    EXPECT_EQ(exchanges, 2);
    advance(milliseconds(1));
    EXPECT_EQ(exchanges, 3);
    EXPECT_EQ(last.sends.at(0).attempt.slot, 0U) << "who was refused goes first";
    EXPECT_EQ(calls->gate().mode, GateMode::open);
    EXPECT_EQ(calls->counters().retries, 0U) << "a pause is no try";
    EXPECT_TRUE(finished.empty());
}

TEST_F(RemoteCallsTest, ALongPauseGivesWorkBack) {
    make(defaults(), 2);
    for (std::uint32_t i = 0; i < 3; ++i) submit(i);
    answer(0, {CallClass::throttled, true, seconds(5), "429"});
    EXPECT_EQ(calls->gate().mode, GateMode::shut);
    EXPECT_EQ(ended(0).outcome, AttemptOutcome::returned);
    EXPECT_EQ(ended(0).code, ErrorCode::scanner_overloaded);
    EXPECT_EQ(ended(2).outcome, AttemptOutcome::returned);
    result(1, CallClass::ok);
    EXPECT_EQ(ended(1).outcome, AttemptOutcome::done) << "what is with the target goes on";
    EXPECT_EQ(calls->gate().mode, GateMode::shut);
    advance(seconds(5));
    EXPECT_EQ(calls->gate().mode, GateMode::open);
}

TEST_F(RemoteCallsTest, AnEndlessPauseIsCut) {
    submit(0);
    answer(0, {CallClass::throttled, true, std::chrono::hours(10), "429"});
    advance(seconds(60));
    EXPECT_EQ(calls->gate().mode, GateMode::open);
}

TEST_F(RemoteCallsTest, DeadTargetOpensTheBreakerAndGivesBackInsteadOfFailing) {
    make(defaults(), 20);
    for (std::uint32_t i = 0; i < 30; ++i) submit(i);
    for (std::uint32_t i = 0; i < 24; ++i) result(i, CallClass::no_connection);
    EXPECT_EQ(calls->breaker().state(), State::open);
    EXPECT_EQ(calls->gate().mode, GateMode::shut);
    EXPECT_EQ(finished.size(), 30U) << "the first four freed places before it opened";
    for (const auto& [slot, done] : finished) {
        EXPECT_EQ(done.outcome, AttemptOutcome::returned) << slot;
        EXPECT_EQ(done.code, ErrorCode::scanner_unavailable) << slot;
        EXPECT_FALSE(done.sentence.empty());
    }
    EXPECT_EQ(notes.size(), 1U);
    submit(40);
    EXPECT_EQ(ended(40).outcome, AttemptOutcome::returned) << "refused at once";
    EXPECT_EQ(exchanges, 24);
}

TEST_F(RemoteCallsTest, DeadTargetIsAskedForItsHealthAndResumesWhenItIsBack) {
    open_breaker();
    const int before = exchanges;
    advance(seconds(30));
    EXPECT_NEAR(probes, 60, 1);
    EXPECT_EQ(exchanges, before) << "no job is spent on it";
    health = ProbeResult::good;
    advance(milliseconds(500));
    EXPECT_EQ(calls->gate().mode, GateMode::trial);
    EXPECT_EQ(calls->gate().slots, 10U);
    for (std::uint32_t i = 0; i < 12; ++i) submit(i);
    EXPECT_EQ(exchanges, before + 10);
    for (std::uint32_t i = 0; i < 10; ++i) result(i, CallClass::ok);
    EXPECT_EQ(calls->breaker().state(), State::closed);
    EXPECT_EQ(calls->gate().mode, GateMode::open);
    EXPECT_EQ(calls->gate().slots, 20U);
    EXPECT_EQ(exchanges, before + 12);
    EXPECT_EQ(notes.size(), 2U) << "one when it opened, one when it closed";
}

TEST_F(RemoteCallsTest, ProbeThatIsNotAnsweredIsAnAnswer) {
    open_breaker();
    health.reset();
    advance(seconds(10));
    EXPECT_EQ(calls->breaker().state(), State::open) << "nobody there: no trial either";
    EXPECT_EQ(calls->counters().probes, 20U);
}

TEST_F(RemoteCallsTest, AnswerOfAnEarlierProbeIsIgnored) {
    open_breaker();
    health.reset();
    advance(seconds(2));
    calls->on_probe(1, ProbeResult::good, now, effects);
    after();
    EXPECT_EQ(calls->breaker().state(), State::open);
}

TEST_F(RemoteCallsTest, TrialThatFailsGoesBackUncharged) {
    open_breaker();
    health = ProbeResult::good;
    advance(milliseconds(500));
    for (std::uint32_t i = 0; i < 10; ++i) submit(i);
    for (std::uint32_t i = 0; i < 10; ++i) result(i, CallClass::retryable);
    EXPECT_EQ(calls->breaker().state(), State::open);
    for (std::uint32_t i = 0; i < 10; ++i) {
        EXPECT_EQ(ended(i).outcome, AttemptOutcome::returned);
    }
}

// A job is tried by a target that says it is well and fails all: it is charged now and then, never
// goes round for ever.
TEST_F(RemoteCallsTest, NoJobCirclesForEver) {
    open_breaker();
    health = ProbeResult::good;
    int returned = 0;
    int rounds = 0;
    while (rounds < 200) {
        if (calls->gate().mode != GateMode::trial) {
            advance(milliseconds(500));
            continue;
        }
        ++rounds;
        submit(0, 77);
        result(0, CallClass::retryable);
        if (calls->gate().mode == GateMode::trial) {  // a first wave lets ten through
            while (calls->gate().mode == GateMode::trial) {
                submit(1, 78);
                result(1, CallClass::retryable);
            }
        }
        if (ended(0).outcome == AttemptOutcome::failed) break;
        EXPECT_EQ(ended(0).outcome, AttemptOutcome::returned);
        ++returned;
    }
    EXPECT_EQ(returned, 3);
    EXPECT_EQ(ended(0).outcome, AttemptOutcome::failed);
    EXPECT_EQ(ended(0).code, ErrorCode::scanner_error);
    EXPECT_NE(ended(0).sentence.find("too often"), std::string::npos);
}

// Each time this job is sent the target dies: it is charged at every other of them.
TEST_F(RemoteCallsTest, JobThatKillsTheTargetIsCharged) {
    int returned = 0;
    int failed = 0;
    health = ProbeResult::good;
    for (int i = 0; i < 10; ++i) {
        submit(0, 77);
        for (std::uint32_t other = 1; other < 6; ++other) submit(other, 1000 + other + 10U * i);
        for (std::uint32_t slot = 0; slot < 6; ++slot) {
            if (finished.count(slot) == 0) result(slot, CallClass::no_connection);
        }
        ASSERT_EQ(calls->breaker().state(), State::open);
        if (finished.count(0) == 0) FAIL();
        (ended(0).outcome == AttemptOutcome::failed ? failed : returned) += 1;
        health = ProbeResult::unreachable;
        advance(milliseconds(500));
        health = ProbeResult::good;
        advance(milliseconds(500));
        for (std::uint32_t slot = 100; slot < 110; ++slot) submit(slot);
        for (std::uint32_t slot = 100; slot < 110; ++slot) result(slot, CallClass::ok);
        ASSERT_EQ(calls->breaker().state(), State::closed);
    }
    EXPECT_EQ(failed, 5);
    EXPECT_EQ(returned, 5);
}

TEST_F(RemoteCallsTest, HungTargetOpensTheBreakerByItsTimeOuts) {
    for (std::uint32_t i = 0; i < 20; ++i) submit(i);
    advance(seconds(10));
    EXPECT_EQ(calls->breaker().state(), State::open);
    EXPECT_EQ(calls->gate().mode, GateMode::shut);
}

TEST_F(RemoteCallsTest, ATargetThatBecameSlowOpensTheBreakerUntilThatIsUsual) {
    const auto call = [this](Duration takes) {
        submit(0);
        now += takes;
        result(0, CallClass::ok);
        EXPECT_EQ(ended(0).outcome, AttemptOutcome::done) << "slow, but done";
    };
    for (int i = 0; i < 50; ++i) call(milliseconds(20));
    for (int i = 0; i < 5; ++i) call(seconds(5));
    EXPECT_EQ(calls->breaker().state(), State::open);
    EXPECT_EQ(calls->counters().slow, 5U);
    health = ProbeResult::good;
    int more = 0;
    while (calls->breaker().state() != State::closed && more < 100) {
        if (calls->gate().mode != GateMode::trial) {
            advance(milliseconds(500));
            continue;
        }
        ++more;
        call(seconds(5));
    }
    EXPECT_LT(more, 25) << "it is so now, and used as it is";
    EXPECT_GT(more, 8);
}

TEST_F(RemoteCallsTest, ScansThatAlwaysTakeLongAreNotSlow) {
    for (int i = 0; i < 50; ++i) {
        submit(0);
        now += seconds(8);
        result(0, CallClass::ok);
    }
    EXPECT_EQ(calls->breaker().state(), State::closed);
    EXPECT_EQ(calls->counters().slow, 0U);
}

// Whatever happens: each call is finished once, nothing is sent while the breaker is open, no more than
// the slots are under way, and in the end nothing is left.
TEST_F(RemoteCallsTest, EveryCallIsFinishedOnce) {
    Rng rng(11);
    for (int round = 0; round < 20; ++round) {
        RemoteOptions options = defaults();
        options.seed = rng.next();
        options.calls_max = 40;
        LimiterOptions limits = remote_limiter_options();
        limits.slots_max = 30;
        if (rng.below(2) == 0) limits.rate = RateKind::token_bucket;
        limits.rate_per_s = 200.0;
        if (rng.below(2) == 0) limits.concurrency = ConcurrencyKind::aimd;
        calls = std::make_unique<RemoteCalls>(options, std::move(make_limiter(limits)).value());
        std::map<std::uint32_t, std::uint32_t> generations;
        std::map<ExchangeId, AttemptId> under_way;
        std::map<std::uint32_t, bool> open;  // by slot
        std::uint64_t submitted = 0;
        std::uint64_t over = 0;
        const auto take_in = [&] {
            for (const ExchangeId id : effects.aborts) EXPECT_EQ(under_way.erase(id), 1U);
            for (const SendCall& send : effects.sends) {
                under_way.emplace(send.exchange, send.attempt);
                EXPECT_GT(send.timeout, Duration{});
            }
            for (const FinishCall& done : effects.finishes) {
                EXPECT_TRUE(open[done.attempt.slot]);
                open[done.attempt.slot] = false;
                ++over;
            }
            EXPECT_EQ(under_way.size(), calls->in_flight());
            EXPECT_LE(under_way.size(), 30U);
            if (calls->breaker().state() == State::open) {
                EXPECT_TRUE(effects.sends.empty());
                EXPECT_EQ(calls->held(), under_way.size());
            }
            effects.clear();
        };
        int mood = 0;
        for (int step = 0; step < 4000; ++step) {
            if (rng.below(200) == 0) mood = static_cast<int>(rng.below(5));
            now += std::chrono::microseconds(rng.below(5000));
            switch (rng.below(4)) {
                case 0: {
                    const auto slot = static_cast<std::uint32_t>(rng.below(60));
                    if (open[slot]) break;
                    open[slot] = true;
                    ++submitted;
                    CallRequest request;
                    request.attempt = {slot, ++generations[slot]};
                    request.job = rng.below(100);
                    if (rng.below(4) == 0) request.deadline = now + milliseconds(rng.below(100));
                    calls->submit(request, now, effects);
                    break;
                }
                case 1: {
                    if (under_way.empty()) break;
                    auto it = under_way.begin();
                    std::advance(it, static_cast<std::ptrdiff_t>(rng.below(under_way.size())));
                    const ExchangeId exchange = it->first;
                    under_way.erase(it);
                    CallResult result;
                    result.what = mood == 0 || rng.below(10) == 0
                                      ? CallClass::ok
                                      : static_cast<CallClass>(rng.below(8));
                    if (result.what == CallClass::throttled && rng.below(2) == 0) {
                        result.retry_after = milliseconds(rng.below(1500));
                    }
                    result.sent = rng.below(2) == 0;
                    calls->on_result(exchange, result, now, effects);
                    break;
                }
                case 2:
                    if (rng.below(10) == 0) {
                        const auto slot = static_cast<std::uint32_t>(rng.below(60));
                        calls->cancel({slot, generations[slot]}, now, effects);
                    }
                    break;
                default:
                    if (calls->next_deadline() && *calls->next_deadline() <= now) {
                        calls->tick(now, effects);
                    }
                    if (effects.probe && rng.below(3) != 0) {
                        const auto answer = static_cast<ProbeResult>(rng.below(3));
                        calls->on_probe(*effects.probe, answer, now, effects);
                    }
            }
            take_in();
        }
        while (calls->next_deadline() && calls->held() > 0) {
            now = std::max(now, *calls->next_deadline());
            calls->tick(now, effects);
            take_in();
        }
        EXPECT_EQ(calls->held(), 0U);
        EXPECT_EQ(over, submitted);
        EXPECT_GT(submitted, 300U);
    }
}

}  // namespace
}  // namespace scanmq::worker
