// What becomes of attempts in WorkerCore: credit, batches, fetches, results.
#include <gmock/gmock.h>

#include <algorithm>

#include "common/base/rng.hpp"
#include "tests/unit/worker/core/worker_harness.hpp"

namespace scanmq::worker::test {
namespace {

WorkerOptions on_loop() {
    WorkerOptions options;
    options.run_on_loop = true;
    return options;
}

TEST(WorkerAttempts, RunsNoMoreThanItsThreads) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(4);
    EXPECT_EQ(h.effects.starts.size(), 2U);
    h.finish(1, seconds(1));
    EXPECT_EQ(h.effects.starts.size(), 1U);
}

TEST(WorkerAttempts, ShortScansAreHandedOneAhead) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    h.deliver(1);
    h.finish(1, microseconds(100));
    h.deliver(4);
    EXPECT_EQ(h.effects.starts.size(), 2U);
}

TEST(WorkerAttempts, DoneCarriesTheLimitAndNoCreditFrameFollows) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    ASSERT_EQ(h.limit.items, 2U);
    h.deliver(1);
    h.finish(1, seconds(10), "body");
    ASSERT_EQ(h.effects.sends.size(), 1U);
    const auto done = h.sent<protocol::Done>().at(0);
    EXPECT_EQ(done.epoch, WorkerHarness::kEpoch);
    ASSERT_EQ(done.outcomes.size(), 1U);
    EXPECT_EQ(done.outcomes[0].counter, 1U);
    EXPECT_EQ(done.outcomes[0].body.bytes, "body");
    EXPECT_EQ(done.limit.items, 2U) << "1 answered + window 1, the limit never falls";
    EXPECT_EQ(h.effects.releases.size(), 1U);
}

TEST(WorkerAttempts, TenSecondScansAreNotHoarded) {
    WorkerHarness h(WorkerHarness::with_threads(4));
    h.open();
    std::uint64_t answered = 0;
    for (int i = 0; i < 8; ++i) {
        h.deliver(h.limit.items - h.counter);
        h.finish(1, seconds(10));
        ++answered;
    }
    EXPECT_EQ(h.limit.items, answered + 4);
}

TEST(WorkerAttempts, TinyScansFillTheWindow) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    EXPECT_EQ(h.limit.items, 2U);
    h.deliver(2);
    h.finish(1, std::chrono::nanoseconds(200));
    EXPECT_EQ(h.limit.items, 1U + 1024U) << "one answer opens it";
}

TEST(WorkerAttempts, ScannerOnTheLoopHasAFullWindowAtOnce) {
    WorkerHarness h(on_loop());
    h.open();
    EXPECT_EQ(h.limit.items, 1024U);
    h.deliver(1);
    h.finish(1, milliseconds(20));  // the loop lost its processor
    EXPECT_EQ(h.limit.items, 1U + 1024U);
}

TEST(WorkerAttempts, OneBatchIsOneDone) {
    WorkerHarness h(on_loop());
    h.open();
    h.deliver(2);
    h.finish(2, microseconds(1));
    h.deliver(300);
    ASSERT_EQ(h.started.size(), 300U);
    h.finish(300, microseconds(1));
    ASSERT_EQ(h.sent<protocol::Done>().size(), 1U);
    EXPECT_EQ(h.outcomes().size(), 300U);
    EXPECT_EQ(h.effects.sends.size(), 1U);
}

TEST(WorkerAttempts, DoneIsCutAtTheFrameLimit) {
    WorkerHarness h(on_loop());
    h.open();
    h.deliver(2);
    h.finish(2, microseconds(1));
    h.deliver(10);
    const std::string body(200'000, 'x');
    h.finish(10, microseconds(1), body);
    const auto frames = h.sent<protocol::Done>();
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0].outcomes.size(), 5U);
    EXPECT_EQ(frames[1].outcomes.size(), 5U);
    EXPECT_EQ(frames[0].limit, frames[1].limit);
    for (const protocol::Done& frame : frames) {
        std::string bytes;
        protocol::encode({protocol::kWorker, {1}, 1}, frame, bytes);
        EXPECT_LE(bytes.size(), protocol::kLimits.frame_bytes_max);
    }
}

TEST(WorkerAttempts, DoneIsCutAtTheItemLimit) {
    WorkerOptions options = on_loop();
    options.window_max = 10'000;
    WorkerHarness h(options);
    h.open();
    h.deliver(2);
    h.finish(2, std::chrono::nanoseconds(50));
    ASSERT_GE(h.limit.items, 5'000U);
    h.deliver(4'000);
    h.deliver(1'000);
    h.finish(5'000, std::chrono::nanoseconds(50), "");
    const auto frames = h.sent<protocol::Done>();
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0].outcomes.size(), protocol::kLimits.items_per_frame_max);
}

TEST(WorkerAttempts, DeliveryBeyondCreditIsRefusedWhole) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    h.deliver(3);
    const auto seq = h.broker_seq;
    h.deliver(2);
    const auto errors = h.sent<protocol::Error>();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors[0].code, ErrorCode::over_credit);
    EXPECT_EQ(errors[0].re_kind, protocol::Kind::deliver);
    EXPECT_EQ(errors[0].re, seq + 1);
    EXPECT_TRUE(h.effects.taken.empty());
    EXPECT_EQ(h.core.held(), 3U);
    EXPECT_EQ(h.core.counters().over_credit, 1U);
    h.deliver(1);
    EXPECT_EQ(h.core.held(), 4U) << "what credit is left still counts";
}

TEST(WorkerAttempts, DeliveryBeyondCreditInBytesIsRefused) {
    WorkerOptions options = WorkerHarness::with_threads(8);
    options.window_bytes = 0;  // the floor: one largest inline item
    WorkerHarness h(options);
    h.open();
    const std::string large(200'000, 'p');
    h.deliver(1, large);
    h.deliver(1, large);
    EXPECT_EQ(h.core.counters().over_credit, 1U);
    EXPECT_EQ(h.core.held(), 1U);
}

TEST(WorkerAttempts, InputsAreFetchedBeforeTheRun) {
    WorkerHarness h(WorkerHarness::with_threads(2));
    h.open();
    const std::string input(32, 'i');
    protocol::Deliver deliver{WorkerHarness::kEpoch, "scans", {}};
    deliver.attempts.push_back({1, {}, "SPY", {"p", 0}, input});
    deliver.attempts.push_back({2, {}, "SPY", {input, 300'000}, {}});
    deliver.attempts.push_back({3, {}, "SPY", {"p", 0}, {}});
    h.frame(deliver);
    ASSERT_EQ(h.effects.fetches.size(), 2U);
    ASSERT_EQ(h.effects.starts.size(), 1U);
    const AttemptId first = h.effects.fetches[0];
    const AttemptId second = h.effects.fetches[1];
    h.event(InputsEvent{second, ErrorCode::none, {}, false});
    ASSERT_EQ(h.effects.starts.size(), 1U);
    EXPECT_EQ(h.effects.starts[0], second);
    h.event(InputsEvent{first, ErrorCode::unknown_snapshot, "put it again", false});
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].outcome, AttemptOutcome::rejected);
    EXPECT_EQ(outcomes[0].code, ErrorCode::unknown_snapshot);
    EXPECT_EQ(outcomes[0].sentence, "put it again");
    h.event(InputsEvent{first, ErrorCode::none, {}, false});
    EXPECT_TRUE(h.effects.starts.empty()) << "it was answered already";
}

TEST(WorkerAttempts, FetchThatMayWorkLaterIsFailedNotRejected) {
    WorkerHarness h;
    h.open();
    protocol::Deliver deliver{WorkerHarness::kEpoch, "scans", {}};
    const std::string input(32, 'i');
    deliver.attempts.push_back({1, {}, "SPY", {"p", 0}, input});
    h.frame(deliver);
    h.event(InputsEvent{h.effects.fetches.at(0), ErrorCode::scan_failed, "timed out", true});
    EXPECT_EQ(h.outcomes().at(0).outcome, AttemptOutcome::failed);
}

TEST(WorkerAttempts, ScannerThatReadsNoInputsWaitsForNone) {
    WorkerOptions options = on_loop();
    options.fetch_inputs = false;
    WorkerHarness h(options);
    h.open();
    protocol::Deliver deliver{WorkerHarness::kEpoch, "scans", {}};
    const std::string input(32, 'i');
    deliver.attempts.push_back({1, {}, "SPY", {"p", 0}, input});
    h.frame(deliver);
    EXPECT_TRUE(h.effects.fetches.empty());
    EXPECT_EQ(h.effects.starts.size(), 1U);
}

TEST(WorkerAttempts, LargeResultBecomesABlobFirst) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    h.deliver(2);
    const std::string body(protocol::kLimits.inline_bytes_max + 1, 'x');
    h.finish(1, seconds(1), body);
    ASSERT_EQ(h.effects.puts.size(), 1U);
    EXPECT_TRUE(h.outcomes().empty());
    EXPECT_TRUE(h.effects.releases.empty());
    EXPECT_EQ(h.effects.starts.size(), 1U) << "its thread is free meanwhile";
    StoredEvent stored;
    stored.attempt = h.effects.puts[0];
    stored.id.bytes[3] = 1;
    stored.size = body.size();
    const std::vector<Event> batch{stored};
    h.events(batch);
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].outcome, AttemptOutcome::done);
    EXPECT_EQ(outcomes[0].body.blob_size, body.size());
    EXPECT_EQ(h.effects.releases.size(), 1U);
}

TEST(WorkerAttempts, ResultThatCannotBePutIsFailed) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    const std::string body(protocol::kLimits.inline_bytes_max + 1, 'x');
    h.finish(1, seconds(1), body);
    StoredEvent stored;
    stored.attempt = h.effects.puts.at(0);
    stored.code = ErrorCode::snapshots_full;
    stored.sentence = "full";
    h.event(stored);
    EXPECT_EQ(h.outcomes().at(0).outcome, AttemptOutcome::failed);
    EXPECT_EQ(h.outcomes().at(0).code, ErrorCode::snapshots_full);
}

TEST(WorkerAttempts, ResultBeyondABlobIsRejected) {
    WorkerHarness h;
    h.event(ConnectedEvent{});
    auto welcome = WorkerHarness::welcome();
    welcome.limits = {{"blob_bytes_max", 300'000}};
    h.frame(welcome, 0);
    h.deliver(1);
    const std::string body(300'001, 'x');
    h.finish(1, seconds(1), body);
    EXPECT_EQ(h.outcomes().at(0).outcome, AttemptOutcome::rejected);
    EXPECT_EQ(h.outcomes().at(0).code, ErrorCode::item_too_large);
}

TEST(WorkerAttempts, LongSentenceIsCutBetweenCharacters) {
    WorkerHarness h;
    h.open();
    h.deliver(1);
    std::string sentence(protocol::kLimits.sentence_bytes_max - 1, 'a');
    sentence += "\xC3\xA9tat";  // a two-byte character across the limit
    h.event(FinishedEvent{
        h.started.front(), AttemptOutcome::failed, {}, ErrorCode::scan_failed, sentence, {}});
    EXPECT_EQ(h.outcomes().at(0).sentence.size(), protocol::kLimits.sentence_bytes_max - 1);
}

TEST(WorkerAttempts, WhatWaitsBehindALongScanIsHandedBack) {
    WorkerHarness h(WorkerHarness::with_threads(1));
    h.open();
    h.deliver(1);
    h.finish(1, microseconds(1));
    h.deliver(100);
    ASSERT_EQ(h.started.size(), 2U);
    h.advance(milliseconds(2500));
    const auto outcomes = h.outcomes();
    ASSERT_EQ(outcomes.size(), 98U) << "the first has been running for 2.5 s";
    EXPECT_TRUE(std::all_of(outcomes.begin(), outcomes.end(),
                            [](const auto& o) { return o.outcome == AttemptOutcome::returned; }));
    EXPECT_EQ(h.core.held(), 2U);
}

TEST(WorkerAttempts, ReleasedSlotIsNotReusedInTheSameBatch) {
    WorkerHarness h(on_loop());
    h.open();
    h.deliver(1);
    protocol::Frame frame;
    frame.header = {protocol::kBroker, {WorkerHarness::kSession}, ++h.broker_seq};
    protocol::Deliver deliver{WorkerHarness::kEpoch, "scans", {}};
    deliver.attempts.push_back({2, {}, "SPY", {"p", 0}, {}});
    frame.message = deliver;
    h.events({FinishedEvent{h.started.front(), AttemptOutcome::done, "r", ErrorCode::none, {}, {}},
              FrameEvent{&frame}});
    ASSERT_EQ(h.effects.releases.size(), 1U);
    ASSERT_EQ(h.effects.taken.size(), 1U);
    EXPECT_NE(h.effects.releases[0].slot, h.effects.taken[0].id.slot);
}

TEST(WorkerAttempts, WhatWasNotRunSaysNothingAboutHowLongScansTake) {
    WorkerHarness h;
    h.open();
    h.deliver(2);
    h.finish(1, milliseconds(8));
    const Duration before = h.core.credit().service();
    h.event(FinishedEvent{
        h.started.front(), AttemptOutcome::done, "known", ErrorCode::none, {}, {}, true});
    ASSERT_EQ(h.outcomes().size(), 1U);
    EXPECT_EQ(h.outcomes()[0].body.bytes, "known");
    EXPECT_EQ(h.core.credit().service(), before);
    EXPECT_EQ(h.core.counters().cached, 1U);
    EXPECT_EQ(h.core.counters().done, 2U);
}

// A broker that uses every credit, random service times, reconnects after which some of what is
// held is adopted: each attempt is answered once, by the worker or by not being adopted, and what
// is outstanding never passes the cap.
TEST(WorkerAttempts, EveryAttemptIsAnsweredOnce) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Rng rng(seed);
        WorkerOptions options =
            WorkerHarness::with_threads(1 + static_cast<std::uint32_t>(rng.below(4)));
        options.window_max = 64;
        WorkerHarness h(options);
        std::uint64_t session = 100;
        std::uint64_t epoch = WorkerHarness::kEpoch;
        std::set<protocol::Token> outstanding;
        std::uint64_t delivered = 0;
        std::uint64_t answered = 0;
        std::uint64_t adopted = 0;
        const auto take_outcomes = [&] {
            for (const auto& done : h.sent<protocol::Done>()) {
                for (const protocol::Outcome& outcome : done.outcomes) {
                    ASSERT_EQ(outstanding.erase({done.epoch, outcome.counter}), 1U)
                        << "seed " << seed;
                    ++answered;
                }
            }
            ASSERT_LE(outstanding.size(), 64U + options.threads);
        };
        const auto tell_results = [&] {
            std::vector<Event> again;
            for (const AttemptId id : h.effects.results) {
                again.push_back(
                    FinishedEvent{id, AttemptOutcome::done, "r", ErrorCode::none, {}, {}});
            }
            if (again.empty()) return;
            take_outcomes();
            h.events(again);
        };
        const auto greet = [&] {
            h.event(ConnectedEvent{});
            auto welcome = WorkerHarness::welcome(++session);
            welcome.epoch = epoch += rng.below(2);
            const auto hello = h.sent<protocol::Hello>();
            for (const auto& held : hello.at(0).worker->held) {
                ASSERT_TRUE(outstanding.contains(held.token)) << "seed " << seed;
                if (rng.below(3) != 0) welcome.adopted.push_back(held.token);
            }
            adopted += welcome.adopted.size();
            outstanding = {welcome.adopted.begin(), welcome.adopted.end()};
            delivered = 0;
            // Threads may end between HELLO and WELCOME.
            if (!h.started.empty() && rng.below(2) == 0) h.finish(1, microseconds(500));
            h.frame(std::move(welcome), 0);
            tell_results();
        };
        greet();
        for (int step = 0; step < 2'000; ++step) {
            h.now += microseconds(rng.below(3'000));
            h.effects.clear();
            const std::uint64_t dice = rng.below(100);
            if (dice < 45 && delivered < h.limit.items) {
                protocol::Deliver deliver{epoch, "scans", {}};
                const std::uint64_t n = 1 + rng.below(h.limit.items - delivered);
                for (std::uint64_t i = 0; i < n; ++i) {
                    deliver.attempts.push_back({++h.counter, {}, "SPY", {"p", 0}, {}});
                    outstanding.insert({epoch, h.counter});
                }
                delivered += n;
                h.frame(std::move(deliver), session);
            } else if (dice < 96 && !h.started.empty()) {
                h.finish(1 + rng.below(h.started.size()), microseconds(rng.below(20'000)));
            } else if (dice == 98 && !outstanding.empty()) {
                h.frame(protocol::Revoke{{*outstanding.begin(), *outstanding.rbegin()}}, session);
            } else if (dice == 99) {
                h.event(DisconnectedEvent{});
                if (!h.started.empty()) h.finish(1, microseconds(500));
                greet();
            }
            take_outcomes();
        }
        while (!h.started.empty()) {
            h.finish(h.started.size(), microseconds(10));
            take_outcomes();
        }
        EXPECT_TRUE(outstanding.empty()) << "seed " << seed;
        EXPECT_EQ(h.core.held(), 0U) << "seed " << seed;
        EXPECT_GT(answered, 500U) << "seed " << seed;
        EXPECT_GT(adopted, 0U) << "seed " << seed;
        EXPECT_EQ(h.core.counters().adopted, adopted);
        EXPECT_EQ(h.core.counters().over_credit, 0U);
        EXPECT_EQ(h.core.counters().stale_answers, 0U);
    }
}

}  // namespace
}  // namespace scanmq::worker::test
