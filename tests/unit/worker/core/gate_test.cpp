// A worker whose remote target comes and goes: what it starts, gives back, and grants.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "common/base/rng.hpp"
#include "tests/unit/worker/core/worker_harness.hpp"

namespace scanmq::worker::test {
namespace {

constexpr std::string_view kAway = "the scanner at http://x cannot be reached";

GateEvent gate(GateMode mode, std::uint32_t slots = 0) {
    GateEvent event;
    event.mode = mode;
    event.slots = slots;
    event.reason = kAway;
    return event;
}

class WorkerGate : public testing::Test {
  protected:
    // Opened with four slots, `n` attempts delivered.
    void open(std::size_t n) {
        h.event(gate(GateMode::open, 4));
        h.open();
        ASSERT_EQ(h.limit.items, 8U);
        if (n > 0) h.deliver(n);
    }
    void credit_is(std::uint64_t items) { EXPECT_EQ(h.limit.items, items); }

    WorkerHarness h{WorkerHarness::with_threads(1)};
};

TEST_F(WorkerGate, SlotsAreTheTargetsNotTheThreads) {
    open(8);
    EXPECT_EQ(h.effects.starts.size(), 4U);
    h.event(gate(GateMode::open, 6));
    EXPECT_EQ(h.effects.starts.size(), 2U);
}

TEST_F(WorkerGate, ShutGivesBackWhatHasNotStartedAndTheCredit) {
    h.answers_reclaim = false;
    open(6);
    h.event(gate(GateMode::shut));
    ASSERT_EQ(h.effects.sends.size(), 2U);
    ASSERT_TRUE(std::holds_alternative<protocol::Reclaim>(h.effects.sends[0].message))
        << "before the outcomes: the broker must not send those back at once";
    EXPECT_EQ(std::get<protocol::Reclaim>(h.effects.sends[0].message).queue, "");
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 2U);
    for (const auto& outcome : outcomes) {
        EXPECT_EQ(outcome.outcome, AttemptOutcome::returned);
        EXPECT_EQ(outcome.code, ErrorCode::scanner_unavailable);
        EXPECT_EQ(outcome.sentence, kAway);
    }
    EXPECT_EQ(h.sent<protocol::Done>().at(0).limit.items, 6U) << "raises nothing";
    EXPECT_EQ(h.core.held(), 4U) << "what runs goes on";
    EXPECT_EQ(h.core.counters().gate_shut, 1U);
    EXPECT_EQ(h.core.counters().gate_returned, 2U);
    EXPECT_EQ(h.core.counters().reclaims, 1U);
}

TEST_F(WorkerGate, WhatIsStillDeliveredGoesBackAtOnce) {
    h.answers_reclaim = false;
    open(4);
    h.event(gate(GateMode::shut));
    h.deliver(3);  // was under way
    EXPECT_TRUE(h.effects.starts.empty());
    ASSERT_EQ(h.outcomes().size(), 3U);
    EXPECT_EQ(h.outcomes()[0].code, ErrorCode::scanner_unavailable);
    h.answer_reclaim();
    credit_is(7);
    h.finish(4, seconds(1));
    EXPECT_EQ(h.outcomes().size(), 4U);
    credit_is(7);
    EXPECT_EQ(h.core.credit().unanswered(), 0U);
}

TEST_F(WorkerGate, ShutWithNothingUnusedAsksForNothing) {
    open(8);
    h.event(gate(GateMode::shut));
    EXPECT_TRUE(h.sent<protocol::Reclaim>().empty());
    EXPECT_EQ(h.outcomes().size(), 4U);
    credit_is(8);
    h.finish(4, seconds(1));
    credit_is(8);
}

TEST_F(WorkerGate, TrialAsksForAsManyAsItMay) {
    open(4);
    h.event(gate(GateMode::shut));
    h.finish(4, milliseconds(1));
    credit_is(4);
    h.event(gate(GateMode::trial, 10));
    credit_is(14);
    h.deliver(10);
    EXPECT_EQ(h.effects.starts.size(), 10U);
    // Each trial that went well is one less to come: nothing is asked for until it is open again.
    for (std::uint32_t left = 10; left-- > 1;) {
        h.event(gate(GateMode::trial, left));
        h.finish(1, milliseconds(1));
        credit_is(14);
    }
    h.event(gate(GateMode::open, 4));
    h.finish(1, milliseconds(1));
    EXPECT_GE(h.limit.items, 14U + 4U);
}

TEST_F(WorkerGate, OpensBeforeTheBrokerHasAnswered) {
    h.answers_reclaim = false;
    open(4);
    h.finish(4, seconds(1));
    h.event(gate(GateMode::shut));
    ASSERT_TRUE(h.reclaim_asked);
    h.event(gate(GateMode::open, 4));
    EXPECT_TRUE(h.sent<protocol::CreditGrant>().empty()) << "what the limit is, is not known yet";
    h.answer_reclaim();
    credit_is(8);
    EXPECT_EQ(h.sent<protocol::CreditGrant>().size(), 1U);
}

TEST_F(WorkerGate, HoldStartsNothingAndKeepsAll) {
    open(6);
    h.event(gate(GateMode::hold));
    EXPECT_TRUE(h.effects.sends.empty());
    h.finish(2, seconds(1));
    EXPECT_TRUE(h.effects.starts.empty());
    h.event(gate(GateMode::open, 4));
    EXPECT_EQ(h.effects.starts.size(), 2U);
}

TEST_F(WorkerGate, NewSessionWhileShutHasNoCredit) {
    open(6);
    h.event(gate(GateMode::shut));
    h.lose_and_greet({});
    credit_is(0);
    EXPECT_TRUE(h.sent<protocol::CreditGrant>().empty());
    h.advance(seconds(2));
    credit_is(0);
    h.event(gate(GateMode::trial, 10));
    EXPECT_EQ(h.limit.items, 10U - 4U) << "four threads are still busy for nobody";
}

TEST_F(WorkerGate, ShutWithoutASessionGivesBackWhatIsAdopted) {
    open(6);
    h.event(DisconnectedEvent{});
    h.event(gate(GateMode::shut));
    EXPECT_TRUE(h.effects.sends.empty());
    h.lose_and_greet({{WorkerHarness::kEpoch, 1}, {WorkerHarness::kEpoch, 5}});
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].counter, 5U);
    EXPECT_EQ(outcomes[0].code, ErrorCode::scanner_unavailable);
    EXPECT_EQ(h.core.held(), 4U) << "one goes on, three run for nobody";
}

TEST_F(WorkerGate, InputsUnderWayAreGivenUp) {
    h.event(gate(GateMode::open, 4));
    h.open();
    protocol::Deliver deliver{WorkerHarness::kEpoch, "scans", {}};
    const std::string inputs(32, 'i');
    deliver.attempts.push_back({1, {}, "SPY", {"p", 0}, inputs});
    h.frame(std::move(deliver));
    ASSERT_EQ(h.effects.fetches.size(), 1U);
    const AttemptId fetching = h.effects.fetches[0];
    h.answers_reclaim = false;
    h.event(gate(GateMode::shut));
    EXPECT_EQ(h.outcomes().size(), 1U);
    h.event(InputsEvent{fetching, ErrorCode::none, {}, false});
    h.event(gate(GateMode::open, 4));
    EXPECT_TRUE(h.effects.starts.empty());
}

TEST_F(WorkerGate, AttemptsTheShellReturnsAreReturnedWithTheirCode) {
    open(1);
    h.event(FinishedEvent{h.started.front(),
                          AttemptOutcome::returned,
                          {},
                          ErrorCode::scanner_unavailable,
                          kAway,
                          seconds(9)});
    ASSERT_EQ(h.outcomes().size(), 1U);
    EXPECT_EQ(h.outcomes()[0].outcome, AttemptOutcome::returned);
    EXPECT_EQ(h.outcomes()[0].sentence, kAway);
    EXPECT_FALSE(h.core.credit().measured()) << "says nothing about how long calls take";
}

TEST_F(WorkerGate, BrokerThatDoesNotKnowReclaimIsLivedWith) {
    h.answers_reclaim = false;
    open(4);
    h.event(gate(GateMode::shut));
    ASSERT_TRUE(h.reclaim_asked);
    h.frame(
        protocol::Error{7, protocol::Kind::reclaim, ErrorCode::unknown_kind, "not for workers"});
    EXPECT_EQ(h.core.phase(), WorkerCore::Phase::open);
    h.deliver(4);
    EXPECT_EQ(h.outcomes().size(), 4U);
    h.finish(4, seconds(10));
    h.reclaim_asked = false;
    h.event(gate(GateMode::open, 4));
    credit_is(8 + 4);
    h.event(gate(GateMode::shut));
    EXPECT_FALSE(h.reclaim_asked) << "not asked again";
}

TEST_F(WorkerGate, ReclaimedThatDoesNotAgreeBeginsAnew) {
    for (const std::uint64_t items : {std::uint64_t{3}, std::uint64_t{9}}) {
        WorkerHarness w(WorkerHarness::with_threads(4));
        w.answers_reclaim = false;
        w.open();
        w.deliver(4);
        w.event(gate(GateMode::shut));
        w.frame(protocol::Reclaimed{{}, {items, w.delivered.bytes}});
        EXPECT_TRUE(w.effects.reconnect) << items;
        EXPECT_EQ(w.core.phase(), WorkerCore::Phase::offline);
    }
    open(4);
    h.frame(protocol::Reclaimed{{}, h.delivered});
    EXPECT_TRUE(h.effects.reconnect) << "nobody asked";
}

TEST_F(WorkerGate, DrainWhileShutLeaves) {
    open(6);
    h.event(gate(GateMode::shut));
    h.event(DrainEvent{});
    h.finish(4, seconds(1));
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, 0);
}

TEST_F(WorkerGate, SeveralGatesInOneBatchKeepTheirReasons) {
    h.answers_reclaim = false;
    open(6);
    std::string first = "first reason, long enough to be on the heap";
    GateEvent one = gate(GateMode::shut);
    one.reason = first;
    GateEvent two = gate(GateMode::shut);
    two.reason = "second";
    h.events({one, gate(GateMode::open, 4), two});
    ASSERT_EQ(h.outcomes().size(), 2U);
    EXPECT_EQ(h.outcomes()[0].sentence, first);
}

// Frames take their time both ways, the target comes and goes, limits move: the broker never has to send
// beyond what it was granted, each attempt is answered once, and in the end the whole window is granted.
TEST(WorkerCredit, IsConservedWhateverTheTargetDoes) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        Rng rng(seed);
        WorkerHarness h(WorkerHarness::with_threads(1));
        h.answers_reclaim = false;
        h.event(gate(GateMode::open, 4));
        h.open();
        std::deque<protocol::Message> to_broker;
        std::deque<protocol::Message> to_worker;
        Credit limit;
        Credit sent;
        std::map<std::uint64_t, int> answers;
        std::uint64_t counter = 0;
        std::uint64_t answered = 0;
        const auto collect = [&] {
            for (Send& send : h.effects.sends) to_broker.push_back(std::move(send.message));
            h.effects.sends.clear();
            EXPECT_FALSE(h.effects.reconnect);
        };
        const auto broker = [&] {
            if (to_broker.empty()) return;
            const protocol::Message message = std::move(to_broker.front());
            to_broker.pop_front();
            const auto raise = [&](Credit to) {
                limit = {std::max(limit.items, to.items), std::max(limit.bytes, to.bytes)};
            };
            if (std::holds_alternative<protocol::Reclaim>(message)) {
                limit = sent;
                to_worker.emplace_back(protocol::Reclaimed{{}, sent});
            } else if (const auto* grant = std::get_if<protocol::CreditGrant>(&message)) {
                raise(grant->limit);
            } else if (const auto* done = std::get_if<protocol::Done>(&message)) {
                for (const auto& outcome : done->outcomes) {
                    EXPECT_EQ(++answers[outcome.counter], 1);
                    ++answered;
                }
                raise(done->limit);
            }
        };
        const auto deliver = [&](std::uint64_t most) {
            const std::uint64_t n = std::min(most, limit.items - sent.items);
            if (n == 0) return;
            protocol::Deliver frame{WorkerHarness::kEpoch, "scans", {}};
            for (std::uint64_t i = 0; i < n; ++i) {
                frame.attempts.push_back({++counter, {}, "SPY", {"p", 0}, {}});
            }
            sent.items += n;
            sent.bytes += n * 65;
            to_worker.emplace_back(std::move(frame));
        };
        const auto worker = [&] {
            if (to_worker.empty()) return;
            h.frame(std::move(to_worker.front()));
            to_worker.pop_front();
            collect();
        };
        collect();
        GateMode mode = GateMode::open;
        for (int step = 0; step < 3000; ++step) {
            switch (rng.below(8)) {
                case 0:
                case 1:
                    broker();
                    break;
                case 2:
                    deliver(1 + rng.below(6));
                    break;
                case 3:
                case 4:
                    worker();
                    break;
                case 5: {
                    if (h.started.empty()) break;
                    const bool away = mode == GateMode::shut && rng.below(2) == 0;
                    if (away) {
                        h.event(FinishedEvent{h.started.front(),
                                              AttemptOutcome::returned,
                                              {},
                                              ErrorCode::scanner_unavailable,
                                              kAway,
                                              {}});
                        h.started.pop_front();
                    } else {
                        h.finish(1, rng.below(2) == 0 ? Duration(milliseconds(1)) : seconds(2));
                    }
                    collect();
                    break;
                }
                case 6:
                    if (rng.below(4) != 0) break;
                    mode = static_cast<GateMode>(rng.below(4));
                    h.event(gate(mode, 1 + static_cast<std::uint32_t>(rng.below(20))));
                    collect();
                    break;
                default:
                    h.advance(milliseconds(rng.below(200)));
                    collect();
                    // The broker is alive.
                    to_worker.emplace_back(protocol::Ok{1});
            }
            ASSERT_EQ(h.core.counters().over_credit, 0U);
        }
        h.event(gate(GateMode::open, 4));
        collect();
        for (int i = 0; i < 2000; ++i) {
            broker();
            worker();
            if (!h.started.empty()) {
                h.finish(1, seconds(2));
                collect();
            }
            h.advance(milliseconds(1));
            collect();
            if (i % 1000 == 0) to_worker.emplace_back(protocol::Ok{1});
        }
        EXPECT_EQ(answered, counter);
        EXPECT_EQ(h.core.held(), 0U);
        EXPECT_GE(limit.items, sent.items + 4) << "no credit is lost";
        EXPECT_GT(h.core.counters().reclaims, 5U);
        deliver(4);
        worker();
        EXPECT_EQ(h.started.size(), 4U);
    }
}

}  // namespace
}  // namespace scanmq::worker::test
