// Attempts beyond their session or their time: kept, adopted, revoked, wedged, reported.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/worker/core/worker_harness.hpp"

namespace scanmq::worker::test {
namespace {

using protocol::Token;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using Held = protocol::WorkerInfo::Held;

constexpr std::uint64_t kEpoch = WorkerHarness::kEpoch;

// Printable, so that a failing test says which.
std::vector<std::string> texts(const std::vector<Held>& held) {
    std::vector<std::string> out;
    for (const Held& each : held) {
        out.push_back(std::to_string(each.token.epoch) + "/" + std::to_string(each.token.counter) +
                      (each.started ? " started" : ""));
    }
    return out;
}

// An attempt whose inputs have to be fetched.
AttemptId deliver_with_input(WorkerHarness& h) {
    static const std::string input(32, 'i');
    protocol::Deliver deliver{kEpoch, "scans", {}};
    deliver.attempts.push_back({++h.counter, {}, "SPY", {"p", 0}, input});
    h.frame(std::move(deliver), h.core.session().value);
    return h.effects.fetches.at(0);
}

TEST(WorkerLeases, FirstHelloHoldsNothing) {
    WorkerHarness h;
    h.event(ConnectedEvent{});
    EXPECT_TRUE(h.sent<protocol::Hello>().at(0).worker->held.empty());
}

TEST(WorkerLeases, HelloListsWhatIsHeldAndWhetherItStarted) {
    WorkerHarness h(WorkerHarness::with_threads(3));
    h.open();
    h.deliver(2);
    deliver_with_input(h);
    const std::string large(protocol::kLimits.inline_bytes_max + 1, 'x');
    h.deliver(1);
    h.tell_result(h.started.back(), large);
    h.started.pop_back();
    h.deliver(2);  // one of them runs, one waits
    h.event(DisconnectedEvent{});
    EXPECT_TRUE(h.effects.cancels.empty());
    EXPECT_TRUE(h.effects.releases.empty());
    h.finish(1, seconds(1));
    EXPECT_TRUE(h.effects.sends.empty());
    EXPECT_THAT(texts(h.lose_and_greet({})),
                UnorderedElementsAre("5/1 started", "5/2 started", "5/4 started", "5/5 started",
                                     "5/3", "5/6"));
}

TEST(WorkerLeases, UnknownSessionKeepsThemToo) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.frame(protocol::Error{4, protocol::Kind::heartbeat, ErrorCode::unknown_session, "HELLO"}, 0);
    EXPECT_TRUE(h.effects.cancels.empty());
    EXPECT_THAT(texts(h.sent<protocol::Hello>().at(0).worker->held), ElementsAre("5/1 started"));
}

TEST(WorkerLeases, AdoptedScanGoesOnAndIsAnsweredUnderItsOldToken) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.lose_and_greet({{kEpoch, 1}}, 72, kEpoch + 1);
    EXPECT_TRUE(h.effects.cancels.empty());
    EXPECT_EQ(h.core.counters().adopted, 1U);
    h.finish(1, seconds(1), "result");
    const auto done = h.sent<protocol::Done>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].epoch, kEpoch);
    EXPECT_EQ(done[0].outcomes.at(0).counter, 1U);
    EXPECT_EQ(done[0].outcomes.at(0).body.bytes, "result");
    EXPECT_EQ(h.effects.sends[0].header.session.value, 72U);
    EXPECT_EQ(h.core.held(), 0U);
}

TEST(WorkerLeases, WhatIsNotAdoptedIsStoppedAndDropped) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(3);
    h.lose_and_greet({});
    EXPECT_EQ(h.effects.cancels.size(), 2U);
    EXPECT_EQ(h.effects.releases.size(), 1U) << "the one that had not started";
    EXPECT_EQ(h.core.counters().dropped, 3U);
    EXPECT_EQ(h.limit.items, 0U) << "both threads are still busy for nobody";
    h.finish(1, seconds(1));
    EXPECT_TRUE(h.outcomes().empty());
    EXPECT_EQ(h.core.counters().orphaned_results, 1U);
    EXPECT_EQ(h.limit.items, 2U) << "one thread is back, nothing measured yet";
    h.finish(1, seconds(1));
    EXPECT_EQ(h.limit.items, 4U);
    EXPECT_EQ(h.core.held(), 0U);
}

TEST(WorkerLeases, OrphansAreNotListedAgain) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.lose_and_greet({});
    EXPECT_TRUE(h.lose_and_greet({}, 73).empty());
}

TEST(WorkerLeases, AdoptedAttemptsAreOutsideTheCreditButTakeUpItsPlaces) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    h.open();
    h.deliver(3);
    h.finish(1, seconds(1));  // measured: the window is the threads
    h.lose_and_greet({{kEpoch, 2}, {kEpoch, 3}});
    EXPECT_EQ(h.limit.items, 2U) << "4 threads, 2 adopted";
    h.finish(1, seconds(1));
    EXPECT_EQ(h.limit.items, 3U);
    h.finish(1, seconds(1));
    EXPECT_EQ(h.limit.items, 4U) << "answers of adopted ones were never counted";
    h.deliver(4);
    EXPECT_EQ(h.core.counters().over_credit, 0U);
    EXPECT_EQ(h.effects.starts.size(), 4U);
    EXPECT_EQ(h.core.credit().unanswered(), 4U);
}

TEST(WorkerLeases, AdoptedOnesThatFillTheWindowLeaveNoCredit) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    h.deliver(1);
    h.finish(1, seconds(1));
    h.deliver(1);
    h.lose_and_greet({{kEpoch, 2}});
    EXPECT_EQ(h.limit.items, 0U);
    h.finish(1, seconds(1));
    EXPECT_EQ(h.limit.items, 1U) << "the DONE brings the credit back";
}

TEST(WorkerLeases, NothingStartsWithoutASession) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    h.deliver(2);
    h.event(DisconnectedEvent{});
    h.finish(1, seconds(1));
    EXPECT_TRUE(h.effects.starts.empty()) << "no heartbeat would have listed it";
    h.lose_and_greet({{kEpoch, 2}});
    EXPECT_EQ(h.effects.starts.size(), 1U);
}

TEST(WorkerLeases, ResultThatFinishedWithoutASessionIsAnsweredAfterAdoption) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.event(DisconnectedEvent{});
    const AttemptId id = h.started.front();
    h.finish(1, seconds(1), "result");
    EXPECT_TRUE(h.effects.releases.empty()) << "the shell keeps it";
    EXPECT_THAT(texts(h.lose_and_greet({{kEpoch, 1}})), ElementsAre("5/1 started"));
    EXPECT_THAT(h.effects.results, ElementsAre(id));
    h.tell_result(id, "result");
    EXPECT_EQ(h.outcomes().at(0).body.bytes, "result");
    EXPECT_THAT(h.effects.releases, ElementsAre(id));
}

TEST(WorkerLeases, ResultThatFinishedWithoutASessionIsDroppedUnlessAdopted) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.event(DisconnectedEvent{});
    h.finish(1, seconds(1), "result");
    h.lose_and_greet({});
    EXPECT_TRUE(h.effects.results.empty());
    EXPECT_EQ(h.effects.releases.size(), 1U);
    EXPECT_TRUE(h.effects.cancels.empty());
    EXPECT_EQ(h.core.held(), 0U);
}

// Found by reading: outcomes of the batch in which the session ended were forgotten, though their
// DONE never left.
TEST(WorkerLeases, AnswerThatDidNotLeaveIsKept) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    const AttemptId id = h.started.front();
    h.started.clear();
    h.events({FinishedEvent{id, AttemptOutcome::done, "r", ErrorCode::none, {}, seconds(1)},
              DisconnectedEvent{}});
    EXPECT_TRUE(h.effects.sends.empty());
    EXPECT_TRUE(h.effects.releases.empty());
    EXPECT_THAT(texts(h.lose_and_greet({{kEpoch, 1}})), ElementsAre("5/1 started"));
    EXPECT_THAT(h.effects.results, ElementsAre(id));
}

TEST(WorkerLeases, AnswerThatLeftIsOver) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.finish(1, seconds(1));
    EXPECT_TRUE(h.lose_and_greet({}).empty());
}

TEST(WorkerLeases, LargeResultIsPutAgainInTheNewSession) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    const std::string large(protocol::kLimits.inline_bytes_max + 1, 'x');
    h.finish(1, seconds(1), large);
    const AttemptId id = h.effects.puts.at(0);
    h.lose_and_greet({{kEpoch, 1}});
    EXPECT_THAT(h.effects.puts, ElementsAre(id));
    StoredEvent stored;
    stored.attempt = id;
    stored.size = large.size();
    h.event(stored);
    EXPECT_EQ(h.outcomes().at(0).body.blob_size, large.size());
}

TEST(WorkerLeases, InputsThatArriveMeanwhileStartTheAdopted) {
    WorkerHarness h;
    h.open();
    const AttemptId id = deliver_with_input(h);
    h.event(DisconnectedEvent{});
    h.event(InputsEvent{id, ErrorCode::none, {}, false});
    EXPECT_TRUE(h.effects.starts.empty());
    h.lose_and_greet({{kEpoch, 1}});
    EXPECT_THAT(h.effects.starts, ElementsAre(id));
}

TEST(WorkerLeases, InputsOfADroppedAttemptStartNothing) {
    WorkerHarness h;
    h.open();
    const AttemptId id = deliver_with_input(h);
    h.lose_and_greet({});
    EXPECT_EQ(h.effects.releases.size(), 1U);
    h.event(InputsEvent{id, ErrorCode::none, {}, false});
    EXPECT_TRUE(h.effects.starts.empty());
}

TEST(WorkerLeases, AdoptedButDroppedMeanwhileIsHandedBack) {
    WorkerHarness h;
    h.open();
    const AttemptId id = deliver_with_input(h);
    h.event(DisconnectedEvent{});
    h.event(ConnectedEvent{});
    ASSERT_EQ(h.sent<protocol::Hello>().at(0).worker->held.size(), 1U);
    h.event(InputsEvent{id, ErrorCode::unknown_snapshot, "gone", true});
    EXPECT_EQ(h.core.held(), 0U);
    auto welcome = WorkerHarness::welcome(72);
    welcome.adopted = {{kEpoch, 1}, {kEpoch, 1}};
    h.frame(std::move(welcome), 0);
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 1U) << "the broker must not wait for it";
    EXPECT_EQ(outcomes[0].outcome, AttemptOutcome::returned);
    EXPECT_EQ(outcomes[0].counter, 1U);
}

TEST(WorkerLeases, OutcomesOfSeveralEpochsAreSeveralDones) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    h.open();
    h.deliver(2);
    h.lose_and_greet({{kEpoch, 1}, {kEpoch, 2}}, 72, kEpoch + 1);
    protocol::Deliver deliver{kEpoch + 1, "scans", {}};
    deliver.attempts.push_back({1, {}, "SPY", {"p", 0}, {}});  // the counter may repeat
    deliver.attempts.push_back({2, {}, "SPY", {"p", 0}, {}});
    h.frame(std::move(deliver), 72);
    std::rotate(h.started.begin(), h.started.begin() + 1, h.started.end());  // mixed
    h.finish(4, seconds(1));
    const auto done = h.sent<protocol::Done>();
    ASSERT_EQ(done.size(), 2U);
    for (const auto& frame : done) {
        ASSERT_EQ(frame.outcomes.size(), 2U);
        EXPECT_NE(frame.outcomes[0].counter, frame.outcomes[1].counter);
    }
    EXPECT_EQ(done[0].epoch, kEpoch);
    EXPECT_EQ(done[1].epoch, kEpoch + 1);
    EXPECT_EQ(done[0].limit, done[1].limit);
}

TEST(WorkerLeases, HeartbeatsListAdoptedScansByTheirTokens) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(1);
    h.lose_and_greet({{kEpoch, 1}}, 72, kEpoch + 1);
    h.advance(milliseconds(2500));
    EXPECT_THAT(h.sent<protocol::Heartbeat>().at(0).running, ElementsAre(Token{kEpoch, 1}));
}

TEST(WorkerLeases, HelloIsBoundedAndPrefersWhatStarted) {
    WorkerOptions options;
    options.window_max = 6'000;
    WorkerHarness h(options);
    h.open();
    h.deliver(1);
    h.finish(1, std::chrono::nanoseconds(100));
    ASSERT_GE(h.limit.items, 5'000U);
    h.deliver(4'000);
    h.deliver(1'000);
    ASSERT_EQ(h.started.size(), 2U);
    const auto held = h.lose_and_greet({});
    ASSERT_EQ(held.size(), protocol::kLimits.items_per_frame_max);
    EXPECT_TRUE(held[0].started && held[1].started);
    EXPECT_FALSE(held[2].started);
    EXPECT_EQ(h.core.held(), 2U) << "what was not listed is not adopted either";
}

// A broker that answers out of turn must not make the worker use what it let go.
TEST(WorkerLeases, TwoWelcomesInOneBatchAreSurvived) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.event(DisconnectedEvent{});
    h.finish(1, seconds(1));
    h.event(ConnectedEvent{});
    protocol::Frame first;
    first.header = {protocol::kBroker, {0}, 1};
    auto welcome = WorkerHarness::welcome(72);
    welcome.adopted = {{kEpoch, 1}};
    first.message = welcome;
    protocol::Frame lost;
    lost.header = {protocol::kBroker, {0}, 2};
    lost.message =
        protocol::Error{1, protocol::Kind::credit, ErrorCode::unknown_session, "HELLO again"};
    protocol::Frame second;
    second.header = {protocol::kBroker, {0}, 3};
    second.message = WorkerHarness::welcome(73);
    h.events({FrameEvent{&first}, FrameEvent{&lost}, FrameEvent{&second}});
    EXPECT_TRUE(h.effects.results.empty());
    EXPECT_EQ(h.effects.releases.size(), 1U);
    EXPECT_EQ(h.core.held(), 0U);
}

TEST(WorkerRevoke, RunningScanIsStoppedAndHandedBack) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    h.deliver(2);
    const AttemptId id = h.started.front();
    h.frame(protocol::Revoke{{{kEpoch, 1}, {kEpoch, 99}, {kEpoch + 1, 2}}});
    EXPECT_THAT(h.effects.cancels, ElementsAre(id));
    EXPECT_TRUE(h.outcomes().empty());
    EXPECT_EQ(h.core.counters().revoked, 1U);
    h.frame(protocol::Revoke{{{kEpoch, 1}}});
    EXPECT_TRUE(h.effects.cancels.empty()) << "asked already";
    h.started.pop_front();
    h.event(FinishedEvent{
        id, AttemptOutcome::failed, {}, ErrorCode::scan_failed, "cancelled", microseconds(1)});
    ASSERT_EQ(h.outcomes().size(), 1U);
    EXPECT_EQ(h.outcomes()[0].outcome, AttemptOutcome::returned);
    EXPECT_TRUE(h.outcomes()[0].sentence.empty());
    EXPECT_FALSE(h.core.credit().measured()) << "a stopped scan is no measure";
    EXPECT_EQ(h.effects.starts.size(), 1U) << "its thread goes on with the next";
    EXPECT_EQ(h.core.counters().returned, 1U);
}

TEST(WorkerRevoke, ScanThatFinishedFirstIsAnsweredWithWhatItHas) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.frame(protocol::Revoke{{{kEpoch, 1}}});
    h.finish(1, seconds(1), "result");
    EXPECT_EQ(h.outcomes().at(0).outcome, AttemptOutcome::done);
    EXPECT_EQ(h.outcomes().at(0).body.bytes, "result");
}

TEST(WorkerRevoke, LargeResultIsNotPutForNobody) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.frame(protocol::Revoke{{{kEpoch, 1}}});
    const std::string large(protocol::kLimits.inline_bytes_max + 1, 'x');
    h.finish(1, seconds(1), large);
    EXPECT_TRUE(h.effects.puts.empty());
    EXPECT_EQ(h.outcomes().at(0).outcome, AttemptOutcome::returned);
}

TEST(WorkerRevoke, WhatHasNotStartedIsHandedBackAtOnce) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(3);
    const AttemptId fetching = deliver_with_input(h);
    h.frame(protocol::Revoke{{{kEpoch, 3}, {kEpoch, 4}}});
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_EQ(outcomes[0].outcome, AttemptOutcome::returned);
    EXPECT_EQ(outcomes[1].outcome, AttemptOutcome::returned);
    EXPECT_EQ(h.effects.releases.size(), 2U);
    EXPECT_TRUE(h.effects.cancels.empty());
    h.event(InputsEvent{fetching, ErrorCode::none, {}, false});
    h.finish(2, seconds(1));
    EXPECT_TRUE(h.effects.starts.empty());
    EXPECT_EQ(h.core.counters().revoked, 2U);
}

TEST(WorkerRevoke, RevokedScanIsNotHeldByTheNextSession) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.frame(protocol::Revoke{{{kEpoch, 1}}});
    EXPECT_TRUE(h.lose_and_greet({}).empty());
    h.finish(1, seconds(1));
    EXPECT_TRUE(h.outcomes().empty());
    EXPECT_EQ(h.core.held(), 0U);
}

TEST(WorkerRevoke, DeliveredAndRevokedInOneBatchNeverStarts) {
    WorkerHarness h;
    h.open();
    protocol::Frame deliver;
    deliver.header = {protocol::kBroker, {WorkerHarness::kSession}, ++h.broker_seq};
    protocol::Deliver one{kEpoch, "scans", {}};
    one.attempts.push_back({1, {}, "SPY", {"p", 0}, {}});
    deliver.message = std::move(one);
    protocol::Frame revoke;
    revoke.header = {protocol::kBroker, {WorkerHarness::kSession}, ++h.broker_seq};
    revoke.message = protocol::Revoke{{{kEpoch, 1}}};
    h.events({FrameEvent{&deliver}, FrameEvent{&revoke}});
    EXPECT_TRUE(h.effects.starts.empty());
    EXPECT_EQ(h.outcomes().at(0).outcome, AttemptOutcome::returned);
}

class WorkerMaxRun : public testing::Test {
  protected:
    // With a max_run of a minute.
    static void open(WorkerHarness& h) {
        h.event(ConnectedEvent{});
        auto welcome = WorkerHarness::welcome();
        welcome.limits = {{"max_run_ms", 60'000}};
        h.frame(std::move(welcome), 0);
    }
    // Time passes with the broker alive; the effects are those of the last step.
    static void pass(WorkerHarness& h, Duration time) {
        while (time > Duration{}) {
            const Duration step = std::min<Duration>(time, seconds(5));
            h.frame(protocol::Ok{1});
            h.advance(step);
            time -= step;
        }
    }
};

TEST_F(WorkerMaxRun, OutlivedScanIsStoppedAndItsSlotGetsNoCredit) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    open(h);
    h.deliver(1);
    h.finish(1, seconds(1));
    h.deliver(1);
    EXPECT_EQ(h.limit.items, 8U) << "the first window";
    pass(h, seconds(59));
    EXPECT_TRUE(h.effects.cancels.empty());
    EXPECT_EQ(h.core.wedged(), 0U);
    pass(h, seconds(1));
    EXPECT_EQ(h.effects.cancels.size(), 1U);
    EXPECT_EQ(h.core.wedged(), 1U);
    EXPECT_EQ(h.core.counters().wedged, 1U);
    ASSERT_FALSE(h.effects.notes.empty());
    EXPECT_THAT(h.effects.notes.back().sentence, HasSubstr("60 s"));
    EXPECT_EQ(h.core.credit().unanswered(), 0U) << "its lease is the broker's again";
    EXPECT_EQ(h.limit.items, 5U) << "what was granted beyond four slots was asked back";
    h.deliver(3);
    EXPECT_EQ(h.effects.starts.size(), 3U) << "three threads are left";
    h.started.pop_front();  // the wedged one stays
    h.finish(3, seconds(1));
    EXPECT_EQ(h.limit.items, 5U + 3U) << "5 answered or given up, and three slots";
}

TEST_F(WorkerMaxRun, EndOfAWedgedScanGivesItsSlotBackAndAnswersNothing) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    open(h);
    h.deliver(1);
    pass(h, seconds(60));
    ASSERT_EQ(h.core.wedged(), 1U);
    h.finish(1, seconds(61));
    EXPECT_TRUE(h.outcomes().empty());
    EXPECT_EQ(h.core.wedged(), 0U);
    EXPECT_EQ(h.core.counters().orphaned_results, 1U);
    EXPECT_EQ(h.core.held(), 0U);
    EXPECT_EQ(h.core.counters().wedged, 1U) << "a count, not a level";
}

TEST_F(WorkerMaxRun, WedgedScanIsNeitherAliveNorHeld) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    open(h);
    h.deliver(1);
    pass(h, seconds(60));
    pass(h, seconds(5));
    for (const auto& beat : h.sent<protocol::Heartbeat>()) EXPECT_TRUE(beat.running.empty());
    EXPECT_TRUE(h.lose_and_greet({}).empty());
    EXPECT_EQ(h.core.wedged(), 1U) << "its thread is still lost";
}

TEST_F(WorkerMaxRun, HalfTheSlotsWedgedDrainsAndExitsWithASentence) {
    WorkerHarness h(WorkerHarness::with_threads(3));
    open(h);
    h.deliver(2);
    pass(h, seconds(30));
    h.deliver(1);
    pass(h, seconds(30));
    ASSERT_EQ(h.core.wedged(), 2U) << "of three";
    EXPECT_TRUE(h.core.draining());
    EXPECT_FALSE(h.effects.exit.has_value()) << "the third scan may finish";
    h.event(FinishedEvent{h.started.back(), AttemptOutcome::done, "r", ErrorCode::none, {}, {}});
    EXPECT_EQ(h.sent<protocol::Bye>().size(), 1U);
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, kExitWedged);
    EXPECT_THAT(h.effects.exit->sentence, HasSubstr("2 of 3 threads"));
    EXPECT_THAT(h.effects.exit->sentence, HasSubstr("max_run"));
}

TEST_F(WorkerMaxRun, OneOfThreeWedgedGoesOn) {
    WorkerHarness h(WorkerHarness::with_threads(3));
    open(h);
    h.deliver(1);
    pass(h, seconds(60));
    EXPECT_EQ(h.core.wedged(), 1U);
    EXPECT_FALSE(h.core.draining());
}

TEST_F(WorkerMaxRun, DrainTimeoutOfAWedgedWorkerKeepsItsExitCode) {
    WorkerOptions options = WorkerHarness::with_threads(2);
    options.drain_timeout = seconds(4);
    WorkerHarness h(options);
    open(h);
    h.deliver(1);
    pass(h, seconds(58));
    h.deliver(1);
    pass(h, seconds(6));
    ASSERT_TRUE(h.effects.exit.has_value());
    EXPECT_EQ(h.effects.exit->code, kExitWedged);
    EXPECT_THAT(h.effects.exit->sentence, HasSubstr("drain timeout"));
}

TEST_F(WorkerMaxRun, IsFifteenMinutesUnlessToldAndCountsAcrossSessions) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    h.open();
    h.deliver(1);
    for (int i = 0; i < 14 * 12; ++i) {
        h.frame(protocol::Ok{1});
        h.advance(seconds(5));
    }
    h.lose_and_greet({{kEpoch, 1}});
    for (int i = 0; i < 11; ++i) {
        h.frame(protocol::Ok{1}, WorkerHarness::kSession + 1);
        h.advance(seconds(5));
    }
    EXPECT_EQ(h.core.wedged(), 0U);
    h.frame(protocol::Ok{1}, WorkerHarness::kSession + 1);
    h.advance(seconds(5));
    EXPECT_EQ(h.core.wedged(), 1U);
}

TEST_F(WorkerMaxRun, WedgedAfterAdoptionLeavesTheCreditRight) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    open(h);
    h.deliver(1);
    h.finish(1, seconds(1));
    h.deliver(1);
    h.event(DisconnectedEvent{});
    h.event(ConnectedEvent{});
    auto welcome = WorkerHarness::welcome(72);
    welcome.adopted = {{kEpoch, 2}};
    welcome.limits = {{"max_run_ms", 1'000}};
    h.frame(std::move(welcome), 0);
    EXPECT_EQ(h.limit.items, 3U);
    h.advance(seconds(1));
    EXPECT_EQ(h.core.wedged(), 1U);
    EXPECT_EQ(h.limit.items, 3U) << "not adopted any more, but its thread is lost";
    h.finish(1, seconds(2));
    EXPECT_EQ(h.limit.items, 4U);
}

TEST(WorkerProgress, LongScansAreAskedAndReportedOnceASecond) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(1);
    const AttemptId id = h.started.front();
    h.advance(milliseconds(999));
    EXPECT_TRUE(h.effects.polls.empty()) << "most scans end sooner";
    h.advance(milliseconds(1));
    EXPECT_THAT(h.effects.polls, ElementsAre(id));
    h.event(ProgressEvent{id, 10, 50, "scanning"});
    const auto sent = h.sent<protocol::Progress>();
    ASSERT_EQ(sent.size(), 1U);
    ASSERT_EQ(sent[0].reports.size(), 1U);
    EXPECT_EQ(sent[0].reports[0].token, (Token{kEpoch, 1}));
    EXPECT_EQ(sent[0].reports[0].done, 10U);
    EXPECT_EQ(sent[0].reports[0].total, 50U);
    EXPECT_EQ(sent[0].reports[0].note, "scanning");
    h.advance(milliseconds(999));
    EXPECT_TRUE(h.effects.polls.empty());
    h.advance(milliseconds(1));
    EXPECT_THAT(h.effects.polls, ElementsAre(id));
    h.event(ProgressEvent{id, 10, 50, "scanning"});
    EXPECT_TRUE(h.effects.sends.empty()) << "nothing changed";
    EXPECT_EQ(h.core.counters().progress_reports, 1U);
}

TEST(WorkerProgress, ScanThatTellsNothingIsNotReported) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.event(ProgressEvent{h.started.front(), 0, 0, ""});
    EXPECT_TRUE(h.effects.sends.empty());
}

TEST(WorkerProgress, OneFrameForAllThatChanged) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(2);
    h.advance(seconds(1));
    ASSERT_EQ(h.effects.polls.size(), 2U);
    const auto polls = h.effects.polls;
    h.events({ProgressEvent{polls[0], 1, 2, ""}, ProgressEvent{polls[1], 2, 3, ""}});
    ASSERT_EQ(h.sent<protocol::Progress>().size(), 1U);
    EXPECT_EQ(h.sent<protocol::Progress>()[0].reports.size(), 2U);
}

TEST(WorkerProgress, FramesKeepTheBrokersLimits) {
    WorkerHarness h(WorkerHarness::with_threads(8));
    h.event(ConnectedEvent{});
    auto welcome = WorkerHarness::welcome();
    welcome.limits = {{"items_per_frame_max", 3}};
    h.frame(std::move(welcome), 0);
    h.deliver(8);
    std::vector<Event> batch;
    for (const AttemptId id : h.started) batch.push_back(ProgressEvent{id, 1, 2, ""});
    h.events(batch);
    const auto sent = h.sent<protocol::Progress>();
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(sent[0].reports.size(), 3U);
    EXPECT_EQ(sent[2].reports.size(), 2U);
}

TEST(WorkerProgress, AdoptedScanIsReportedAnew) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    h.advance(seconds(1));
    h.event(ProgressEvent{h.started.front(), 1, 2, ""});
    h.lose_and_greet({{kEpoch, 1}});
    h.event(ProgressEvent{h.started.front(), 1, 2, ""});
    EXPECT_EQ(h.sent<protocol::Progress>().size(), 1U) << "the new session has not heard of it";
}

TEST(WorkerProgress, IntervalOfZeroTellsNothing) {
    WorkerOptions options;
    options.progress_interval = {};
    WorkerHarness h(options);
    h.open();
    h.deliver(1);
    h.advance(seconds(5));
    EXPECT_TRUE(h.effects.polls.empty());
}

TEST(WorkerProgress, OrphansAndRevokedOnesAreNotAsked) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(2);
    h.lose_and_greet({{kEpoch, 1}});
    h.frame(protocol::Revoke{{{kEpoch, 1}}}, WorkerHarness::kSession + 1);
    h.advance(seconds(2));
    EXPECT_TRUE(h.effects.polls.empty());
    h.event(ProgressEvent{h.started.front(), 1, 2, ""});
    EXPECT_TRUE(h.effects.sends.empty());
}

}  // namespace
}  // namespace scanmq::worker::test
