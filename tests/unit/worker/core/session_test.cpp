// WorkerCore's session: greeting, heartbeats, losing it, leaving it.
#include <gmock/gmock.h>

#include "tests/unit/worker/core/worker_harness.hpp"

namespace scanmq::worker::test {
namespace {

using Phase = WorkerCore::Phase;

TEST(WorkerSession, HelloSaysWhatTheWorkerIs) {
    WorkerOptions options = WorkerHarness::with_threads(6);
    options.name = "w1";
    options.scanner_version = "embedded-1";
    options.queues = {"a", "b"};
    options.instance.bytes[0] = 9;
    WorkerHarness h(options);
    h.event(ConnectedEvent{});
    ASSERT_EQ(h.effects.sends.size(), 1U);
    const auto hello = h.sent<protocol::Hello>().at(0);
    EXPECT_EQ(h.effects.sends[0].header.roles, protocol::kWorker);
    EXPECT_EQ(h.effects.sends[0].header.session.value, 0U);
    EXPECT_EQ(h.effects.sends[0].header.seq, 1U);
    EXPECT_EQ(hello.name, "w1");
    EXPECT_EQ(hello.instance, options.instance);
    ASSERT_TRUE(hello.worker.has_value());
    EXPECT_EQ(hello.worker->threads, 6U);
    EXPECT_EQ(hello.worker->scanner_version, "embedded-1");
    EXPECT_EQ(hello.worker->queues, options.queues);
}

TEST(WorkerSession, WelcomeIsAnsweredWithCredit) {
    WorkerHarness h(WorkerHarness::with_threads(3));
    h.open();
    const auto credit = h.sent<protocol::CreditGrant>();
    ASSERT_EQ(credit.size(), 1U);
    EXPECT_EQ(credit[0].link, protocol::Link::deliver);
    EXPECT_EQ(credit[0].limit.items, 6U);
    EXPECT_GE(credit[0].limit.bytes, protocol::kLimits.inline_bytes_max);
    EXPECT_EQ(h.effects.sends[0].header.session.value, WorkerHarness::kSession);
    EXPECT_EQ(h.effects.sends[0].header.seq, 1U) << "sequence numbers begin anew with the session";
}

TEST(WorkerSession, HeartbeatsListWhatRuns) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(3);
    ASSERT_EQ(h.started.size(), 2U);
    h.advance(milliseconds(2500));
    const auto beats = h.sent<protocol::Heartbeat>();
    ASSERT_EQ(beats.size(), 1U);
    EXPECT_NE(beats[0].ping, 0U);
    const std::vector<protocol::Token> expected{{WorkerHarness::kEpoch, 1},
                                                {WorkerHarness::kEpoch, 2}};
    EXPECT_EQ(beats[0].running, expected);
}

TEST(WorkerSession, HeartbeatsTellWhatTheCacheDidSinceTheSessionBegan) {
    WorkerHarness h;
    h.open();
    h.advance(milliseconds(2500));
    EXPECT_FALSE(h.sent<protocol::Heartbeat>().at(0).cache) << "it keeps no results";
    h.frame(protocol::Heartbeat{0, h.sent<protocol::Heartbeat>().at(0).ping, {}});
    protocol::CacheFigures figures{10, 20, 1, 5, 15, 2, 7, 700};
    h.core.note_cache(figures);
    h.advance(milliseconds(2500));
    EXPECT_EQ(h.sent<protocol::Heartbeat>().at(0).cache, figures);
    h.frame(protocol::Heartbeat{5, 0, {}});
    EXPECT_FALSE(h.sent<protocol::Heartbeat>().at(0).cache) << "an answer to a ping is short";
    // Three more hits, which this session is not told any more.
    figures.hits = 13;
    h.core.note_cache(figures);
    h.lose_and_greet({});
    figures.hits = 14;
    figures.shared_timeouts = 3;
    figures.results = 6;
    h.core.note_cache(figures);
    h.advance(milliseconds(2500));
    const protocol::CacheFigures since{4, 0, 0, 0, 0, 1, 6, 700};
    EXPECT_EQ(h.sent<protocol::Heartbeat>().at(0).cache, since) << "each is told once";
}

TEST(WorkerSession, PongsMeasureTheRoundTrip) {
    WorkerHarness h;
    h.open();
    ASSERT_EQ(h.core.credit().round_trip(), milliseconds(1)) << "HELLO to WELCOME";
    h.advance(milliseconds(2500));
    const auto ping = h.sent<protocol::Heartbeat>().at(0).ping;
    h.now += milliseconds(9);
    h.frame(protocol::Heartbeat{0, ping + 1, {}});
    EXPECT_EQ(h.core.credit().round_trip(), milliseconds(1)) << "a pong never asked for";
    h.frame(protocol::Heartbeat{0, ping, {}});
    EXPECT_EQ(h.core.credit().round_trip(), milliseconds(3));  // 1 + (9 - 1) / 4
    h.frame(protocol::Heartbeat{0, ping, {}});
    EXPECT_EQ(h.core.credit().round_trip(), milliseconds(3)) << "a pong counts once";
}

TEST(WorkerSession, PingIsAnsweredWithPong) {
    WorkerHarness h;
    h.open();
    h.frame(protocol::Heartbeat{77, 0, {}});
    const auto beats = h.sent<protocol::Heartbeat>();
    ASSERT_EQ(beats.size(), 1U);
    EXPECT_EQ(beats[0].pong, 77U);
    EXPECT_EQ(beats[0].ping, 0U);
}

TEST(WorkerSession, SilentBrokerIsLeft) {
    WorkerHarness h;
    h.answers_reclaim = false;
    h.open();
    h.deliver(1);
    h.advance(milliseconds(7499));
    EXPECT_EQ(h.core.phase(), Phase::open);
    h.advance(milliseconds(1));
    EXPECT_EQ(h.core.phase(), Phase::offline);
    EXPECT_TRUE(h.effects.reconnect);
    EXPECT_TRUE(h.effects.cancels.empty()) << "its attempt may be adopted";
}

TEST(WorkerSession, AnyFrameKeepsTheBrokerAlive) {
    WorkerHarness h;
    h.open();
    for (int i = 0; i < 10; ++i) {
        h.advance(seconds(5));
        h.frame(protocol::Ok{1});
    }
    EXPECT_EQ(h.core.phase(), Phase::open);
}

TEST(WorkerSession, UnknownSessionMeansHelloOnTheSameConnection) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.frame(protocol::Error{4, protocol::Kind::heartbeat, ErrorCode::unknown_session, "say HELLO"},
            0);
    EXPECT_FALSE(h.effects.reconnect);
    const auto hello = h.sent<protocol::Hello>();
    ASSERT_EQ(hello.size(), 1U);
    EXPECT_EQ(hello[0].resume, "resume");
    // The answers to frames that were still under way do not start another round.
    h.frame(protocol::Error{5, protocol::Kind::done, ErrorCode::unknown_session, "say HELLO"}, 0);
    EXPECT_TRUE(h.effects.sends.empty());
    h.frame(WorkerHarness::welcome(72), 0);
    EXPECT_EQ(h.core.phase(), Phase::open);
    EXPECT_EQ(h.core.session().value, 72U);
}

TEST(WorkerSession, ReconnectedSocketGreetsAnew) {
    WorkerHarness h;
    h.open();
    h.event(DisconnectedEvent{});
    EXPECT_EQ(h.core.phase(), Phase::offline);
    h.event(ConnectedEvent{});
    EXPECT_EQ(h.sent<protocol::Hello>().size(), 1U);
    h.frame(WorkerHarness::welcome(72), 0);
    EXPECT_EQ(h.core.phase(), Phase::open);
    EXPECT_GT(h.limit.items, 0U) << "credit from zero, granted again";
    h.frame(protocol::Ok{1}, WorkerHarness::kSession);
    EXPECT_EQ(h.core.counters().foreign_frames, 1U);
}

TEST(WorkerSession, BackOffGrowsAndIsBounded) {
    WorkerHarness h;
    int reconnects = 0;
    Duration last{};
    Time before = h.now;
    for (int i = 0; i < 12; ++i) {
        ASSERT_TRUE(h.core.next_deadline().has_value());
        h.advance(*h.core.next_deadline() - h.now);
        ASSERT_TRUE(h.effects.reconnect);
        ASSERT_EQ(h.effects.notes.size(), 1U) << "one line for each step";
        last = h.now - before;
        before = h.now;
        EXPECT_GE(last, milliseconds(400));
        EXPECT_LE(last, seconds(6));
        ++reconnects;
    }
    EXPECT_GE(last, seconds(4));
    EXPECT_EQ(h.core.counters().reconnects, static_cast<std::uint64_t>(reconnects));
}

TEST(WorkerSession, UnansweredHelloIsGivenUp) {
    WorkerHarness h;
    h.event(ConnectedEvent{});
    h.advance(milliseconds(4999));
    EXPECT_EQ(h.core.phase(), Phase::greeting);
    h.advance(milliseconds(1));
    EXPECT_TRUE(h.effects.reconnect);
}

TEST(WorkerSession, ConnectTimeoutEndsWithASentence) {
    WorkerOptions options;
    options.connect_timeout = seconds(3);
    WorkerHarness h(options);
    h.advance(milliseconds(2999));
    EXPECT_FALSE(h.effects.exit.has_value());
    h.advance(milliseconds(1));
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, kExitNoBroker);
    EXPECT_THAT(h.effects.exit->sentence, testing::HasSubstr("no broker"));
    EXPECT_FALSE(h.core.next_deadline().has_value());
}

TEST(WorkerSession, ConnectTimeoutDoesNotEndALaterOutage) {
    WorkerOptions options;
    options.connect_timeout = seconds(3);
    WorkerHarness h(options);
    h.open();
    h.event(DisconnectedEvent{});
    h.advance(seconds(60));
    EXPECT_FALSE(h.effects.exit.has_value());
}

TEST(WorkerSession, RefusedNameIsFinalAndTooManySessionsIsNot) {
    WorkerHarness h;
    h.event(ConnectedEvent{});
    h.frame(protocol::Error{1, protocol::Kind::hello, ErrorCode::too_many_sessions, "close some"},
            0);
    EXPECT_FALSE(h.effects.exit.has_value());
    EXPECT_EQ(h.core.phase(), Phase::offline);
    h.advance(seconds(2));
    EXPECT_TRUE(h.effects.reconnect);
    h.event(ConnectedEvent{});
    h.frame(protocol::Error{1, protocol::Kind::hello, ErrorCode::bad_name, "rename"}, 0);
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, kExitRefused);
}

TEST(WorkerSession, ByeOfAStoppingBrokerMeansTryLater) {
    WorkerHarness h;
    h.open();
    h.frame(protocol::Bye{ErrorCode::shutting_down, "stopping"});
    EXPECT_EQ(h.core.phase(), Phase::offline);
    EXPECT_TRUE(h.effects.sends.empty());
    h.advance(seconds(2));
    EXPECT_TRUE(h.effects.reconnect);
}

TEST(WorkerSession, ByeOfATimedOutSessionMeansHello) {
    WorkerHarness h;
    h.open();
    h.frame(protocol::Bye{ErrorCode::session_timed_out, "nothing heard"});
    EXPECT_EQ(h.sent<protocol::Hello>().size(), 1U);
}

TEST(WorkerSession, RefusedDoneBeginsANewSession) {
    WorkerHarness h;
    h.open();
    h.frame(protocol::Error{2, protocol::Kind::done, ErrorCode::malformed, "outcomes[0]"});
    EXPECT_TRUE(h.effects.reconnect);
}

TEST(WorkerSession, StaleAnswerIsCountedOnly) {
    WorkerHarness h;
    h.open();
    h.frame(protocol::Error{2, protocol::Kind::done, ErrorCode::stale_attempt, "not held"});
    EXPECT_EQ(h.core.phase(), Phase::open);
    EXPECT_EQ(h.core.counters().stale_answers, 1U);
    EXPECT_TRUE(h.effects.sends.empty());
}

TEST(WorkerSession, FrameForOtherRolesIsRefused) {
    WorkerHarness h;
    h.open();
    h.frame(protocol::Reclaim{"scans"});
    const auto errors = h.sent<protocol::Error>();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors[0].code, ErrorCode::unknown_kind);
    EXPECT_EQ(errors[0].re_kind, protocol::Kind::reclaim);
}

TEST(WorkerSession, BadFrameIsAnsweredAndChangesNothing) {
    WorkerHarness h;
    h.open();
    protocol::DecodeError error{
        ErrorCode::malformed, "epoch is not a uint", {}, protocol::Kind::deliver};
    error.header.seq = 12;
    h.event(BadFrameEvent{&error});
    const auto errors = h.sent<protocol::Error>();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors[0].re, 12U);
    EXPECT_EQ(h.core.phase(), Phase::open);
    error.kind = protocol::Kind::error;
    h.event(BadFrameEvent{&error});
    EXPECT_TRUE(h.effects.sends.empty()) << "an ERROR is never answered";
}

TEST(WorkerSession, NothingBeforeWelcomeCounts) {
    WorkerHarness h;
    h.event(ConnectedEvent{});
    h.deliver(1);
    EXPECT_TRUE(h.started.empty());
    EXPECT_EQ(h.core.counters().foreign_frames, 1U);
    EXPECT_TRUE(h.effects.sends.empty());
}

TEST(WorkerSession, BrokersLimitsAreKept) {
    WorkerHarness h;
    h.event(ConnectedEvent{});
    auto welcome = WorkerHarness::welcome();
    welcome.limits = {
        {"frame_bytes_max", 4096}, {"inline_bytes_max", ~0ULL}, {"some_later_limit", 3}};
    h.frame(welcome, 0);
    EXPECT_EQ(h.core.limits().frame_bytes_max, 4096U);
    EXPECT_EQ(h.core.limits().inline_bytes_max, protocol::kLimits.inline_bytes_max);
}

TEST(WorkerDrain, WithNothingHeldLeavesAtOnce) {
    WorkerHarness h;
    h.open();
    h.event(DrainEvent{});
    EXPECT_EQ(h.sent<protocol::Bye>().size(), 1U);
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, 0);
}

TEST(WorkerDrain, FinishesWhatRunsAndReturnsTheRest) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(4);
    ASSERT_EQ(h.started.size(), 2U);
    const Credit before = h.limit;
    h.event(DrainEvent{});
    const auto returned = h.outcomes();
    ASSERT_EQ(returned.size(), 2U);
    EXPECT_EQ(returned[0].outcome, AttemptOutcome::returned);
    EXPECT_EQ(returned[0].counter, 3U);
    EXPECT_EQ(returned[1].counter, 4U);
    EXPECT_EQ(h.limit, before) << "no more credit";
    EXPECT_FALSE(h.effects.exit.has_value());
    h.finish(1, seconds(1));
    EXPECT_FALSE(h.effects.exit.has_value());
    EXPECT_EQ(h.limit, before);
    h.finish(1, seconds(1));
    ASSERT_EQ(h.effects.sends.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<protocol::Done>(h.effects.sends[0].message));
    EXPECT_TRUE(std::holds_alternative<protocol::Bye>(h.effects.sends[1].message))
        << "after the last DONE";
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, 0);
    EXPECT_EQ(h.core.counters().returned, 2U);
}

TEST(WorkerDrain, DeliveriesUnderWayAreReturned) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(1);
    h.event(DrainEvent{});
    h.deliver(2);
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_EQ(outcomes[0].outcome, AttemptOutcome::returned);
    EXPECT_TRUE(h.effects.starts.empty());
    EXPECT_TRUE(h.effects.taken.empty());
}

TEST(WorkerDrain, TimeoutAbortsWithAnExitCode) {
    WorkerOptions options;
    options.drain_timeout = seconds(4);
    WorkerHarness h(options);
    h.open();
    h.deliver(1);
    h.event(DrainEvent{});
    h.advance(seconds(4));
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, kExitAborted);
    EXPECT_EQ(h.effects.cancels.size(), 1U);
}

TEST(WorkerDrain, AskedTwiceAborts) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.event(DrainEvent{});
    h.event(DrainEvent{});
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, kExitAborted);
    const auto bye = h.sent<protocol::Bye>();
    ASSERT_EQ(bye.size(), 1U) << "the attempt runs elsewhere at once";
    EXPECT_EQ(bye[0].code, ErrorCode::shutting_down);
}

TEST(WorkerDrain, WithoutABrokerLeavesAtOnceWhenNothingStarted) {
    WorkerHarness h;
    h.open();
    h.event(DisconnectedEvent{});
    h.event(DrainEvent{});
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, 0);
    EXPECT_TRUE(h.effects.sends.empty());
}

TEST(WorkerDrain, WaitsForTheSessionThatAdoptsWhatRan) {
    WorkerHarness h;
    h.open();
    h.deliver(2);
    h.event(DisconnectedEvent{});
    h.event(DrainEvent{});
    EXPECT_EQ(h.effects.releases.size(), 1U) << "what had not started";
    h.finish(1, seconds(1));
    EXPECT_FALSE(h.effects.exit.has_value()) << "a finished result is worth a session";
    h.event(ConnectedEvent{});
    auto welcome = WorkerHarness::welcome(72);
    welcome.adopted = {{WorkerHarness::kEpoch, 1}};
    h.frame(welcome, 0);
    EXPECT_EQ(h.limit.items, 0U) << "no credit while draining";
    ASSERT_EQ(h.effects.results.size(), 1U);
    h.tell_result(h.effects.results[0], "kept");
    ASSERT_EQ(h.effects.sends.size(), 2U);
    EXPECT_EQ(h.outcomes().at(0).body.bytes, "kept");
    EXPECT_TRUE(std::holds_alternative<protocol::Bye>(h.effects.sends[1].message));
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, 0);
}

// An operator stops the broker, then the workers: that is no failure, and must not take half a
// minute.
TEST(WorkerDrain, DoesNotWaitLongForABrokerThatIsGone) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.event(DisconnectedEvent{});
    h.event(DrainEvent{});
    h.advance(milliseconds(4'999));
    EXPECT_FALSE(h.effects.exit.has_value());
    h.advance(milliseconds(1));
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, 0);
    EXPECT_EQ(h.effects.cancels.size(), 1U);
}

TEST(WorkerDrain, BrokerLostWhileDrainingIsWaitedForAnew) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.event(DrainEvent{});
    h.frame(protocol::Ok{1});
    h.advance(seconds(7));
    EXPECT_FALSE(h.effects.exit.has_value());
    h.lose_and_greet({{WorkerHarness::kEpoch, 1}});
    h.advance(seconds(7));
    EXPECT_FALSE(h.effects.exit.has_value()) << "there is a session, and a scan that runs";
    h.finish(1, seconds(14));
    EXPECT_EQ(h.outcomes().size(), 1U);
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, 0);
}

}  // namespace
}  // namespace scanmq::worker::test
