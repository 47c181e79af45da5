// Results that a worker need not compute: out of its memory and a real Redis, against a broker played by the
// test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <thread>

#include "common/cache/envelope.hpp"
#include "tests/integration/worker/fake_broker.hpp"
#include "tests/support/redis_server.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::worker::test {
namespace {

using namespace std::chrono_literals;
using protocol::AttemptOutcome;

// Counts its runs. A payload "fail" fails; others say which run it was.
class CountingScanner final : public Scanner {
  public:
    CountingScanner(std::atomic<int>& runs, bool on_loop) : runs_(runs), on_loop_(on_loop) {}
    std::string version() const override { return "counting/1"; }
    bool reads_inputs() const override { return false; }
    bool on_loop() const override { return on_loop_; }
    void run(const Task& task, Outcome& out) const noexcept override {
        const int run = ++runs_;
        if (task.payload == "fail") return out.failed("it failed");
        out.storage = "run " + std::to_string(run) + " of " + std::string(task.payload);
        out.body = out.storage;
    }

  private:
    std::atomic<int>& runs_;
    bool on_loop_;
};

ContentId key(int i) { return content_id("key " + std::to_string(i)); }

class KnownResultsTest : public testing::Test {
  protected:
    KnownResultsTest() { spdlog::set_level(spdlog::level::off); }
    ~KnownResultsTest() override {
        if (!thread_.joinable()) return;
        server_->abort();
        thread_.join();
    }
    void start(const ResultCacheOptions& results = {}, bool on_loop = false) {
        Settings settings;
        settings.brokers = {broker.main.endpoint()};
        settings.core.threads = 2;
        settings.results = results;
        server_ = std::make_unique<WorkerServer>(settings,
                                                 std::make_unique<CountingScanner>(runs, on_loop));
        thread_ = std::thread([this] { exit = server_->run(); });
        broker.dead_after_ms = 60'000;
        broker.gives_back = true;
        broker.welcome(50, 50);
    }
    void drain() {
        server_->drain();
        thread_.join();
        EXPECT_EQ(exit.code, 0) << exit.sentence;
    }
    std::string run(const std::string& payload, const ContentId& fingerprint,
                    std::uint64_t deadline_ms = 0) {
        broker.deliver_pure(++counter, payload, fingerprint, deadline_ms);
        return broker.answers(1)[counter].body;
    }
    // Another session, which adopts what it is told.
    void greet_again(bool adopts) {
        broker.main.send(broker.peer, 0,
                         protocol::Error{1, protocol::Kind::credit,
                                         protocol::ErrorCode::unknown_session, "HELLO again"});
        broker.read_hello();
        ASSERT_EQ(broker.held.size(), 1U);
        std::vector<protocol::Token> adopted;
        if (adopts) adopted.push_back(broker.held[0].token);
        broker.answer_hello(51, adopted, 50);
    }
    ResultCacheCounters cache() const { return server_->result_cache(); }
    const WorkerCounters& counters() const { return server_->counters(); }

    FakeBroker broker;
    std::atomic<int> runs{0};
    std::uint64_t counter = 0;
    Exit exit;

  private:
    std::unique_ptr<WorkerServer> server_;
    std::thread thread_;

  protected:
    WorkerServer& server() { return *server_; }
};

TEST_F(KnownResultsTest, WhatIsInMemoryIsNotRunAgain) {
    start();
    EXPECT_EQ(run("a", key(1)), "run 1 of a");
    EXPECT_EQ(run("a", key(1)), "run 1 of a");
    EXPECT_EQ(run("b", key(2)), "run 2 of b") << "another fingerprint";
    EXPECT_EQ(run("a", key(1)), "run 1 of a");
    drain();
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(cache().hits, 2U);
    EXPECT_EQ(cache().misses, 2U);
    EXPECT_EQ(cache().kept, 2U);
    EXPECT_EQ(counters().cached, 2U);
    EXPECT_EQ(counters().done, 4U);
}

TEST_F(KnownResultsTest, ScansOnTheLoopToo) {
    start({}, true);
    EXPECT_EQ(run("a", key(1)), "run 1 of a");
    // One frame of attempts with and without fingerprints.
    const std::string one(key(1).view());
    const std::string two(key(2).view());
    protocol::Deliver deliver{FakeBroker::kEpoch, "scans", {}};
    deliver.attempts.push_back({2, {}, "S", {"a", 0}, {}, std::nullopt, 0, one});
    deliver.attempts.push_back({3, {}, "S", {"plain", 0}, {}});
    deliver.attempts.push_back({4, {}, "S", {"b", 0}, {}, std::nullopt, 0, two});
    broker.gives_back = false;
    broker.main.send(broker.peer, broker.session, deliver);
    auto answers = broker.answers(3);
    EXPECT_EQ(answers[2].body, "run 1 of a");
    EXPECT_EQ(answers[3].body, "run 2 of plain");
    EXPECT_EQ(answers[4].body, "run 3 of b");
    drain();
    EXPECT_EQ(cache().asked, 3U);
}

TEST_F(KnownResultsTest, FailuresAndPlainAttemptsAreNotKept) {
    start();
    for (int i = 0; i < 2; ++i) {
        broker.deliver_pure(++counter, "fail", key(1));
        EXPECT_EQ(broker.answers(1)[counter].outcome, AttemptOutcome::failed);
    }
    broker.deliver({"plain"}, ++counter);
    EXPECT_EQ(broker.answers(1)[counter].body, "run 3 of plain");
    broker.deliver({"plain"}, ++counter);
    EXPECT_EQ(broker.answers(1)[counter].body, "run 4 of plain");
    drain();
    EXPECT_EQ(cache().kept, 0U);
}

TEST_F(KnownResultsTest, SwitchedOffEverythingRuns) {
    start({.where = "off"});
    EXPECT_EQ(run("a", key(1)), "run 1 of a");
    EXPECT_EQ(run("a", key(1)), "run 2 of a");
    drain();
    EXPECT_EQ(cache().asked, 0U);
}

TEST_F(KnownResultsTest, ABrokerThatLostItsCacheIsAnsweredOutOfMemory) {
    start();
    EXPECT_EQ(run("a", key(1)), "run 1 of a");
    broker.main.send(broker.peer, 0,
                     protocol::Error{1, protocol::Kind::credit,
                                     protocol::ErrorCode::unknown_session, "HELLO again"});
    broker.welcome(51, 50);
    EXPECT_EQ(run("a", key(1)), "run 1 of a");
    drain();
    EXPECT_EQ(runs, 1);
}

// ---- with a Redis: what is put there, and one that does not answer

class RedisResultsTest : public KnownResultsTest {
  protected:
    // On the loop: on threads, attempts that take long make the worker ask for its credit back.
    void start_with(Duration wait, bool on_loop = true) {
        start({.where = redis.url(), .wait = wait, .prefix = "test:"}, on_loop);
        // Connected, once something of it was found.
        for (int i = 1'000; runs == found_ && i < 3'000; ++i) {
            put(key(i), "from afar");
            if (run("warm", key(i)) == "from afar") return;
            ++found_;
        }
        FAIL() << "nothing was found in the Redis";
    }
    void put(const ContentId& fingerprint, const std::string& body) {
        const std::string value =
            cache::encode_envelope(fingerprint, SystemClock().wall_millis(), body);
        ASSERT_EQ(redis.command({"SET", "test:" + fingerprint.hex(), value}), "+OK\r\n");
    }
    // How often the scanner ran since the Redis was found.
    int runs_since() const { return runs - found_; }

    tests::RedisServer redis;

  private:
    int found_ = 0;
};

TEST_F(RedisResultsTest, WhatIsThereIsNotRunAndIsKeptInMemory) {
    start_with(2s);
    put(key(1), "a result");
    EXPECT_EQ(run("a", key(1)), "a result");
    EXPECT_EQ(redis.command("FLUSHALL"), "+OK\r\n");
    EXPECT_EQ(run("a", key(1)), "a result");
    EXPECT_EQ(runs_since(), 0);
    run("b", key(2));
    EXPECT_EQ(runs_since(), 1);
    EXPECT_EQ(redis.command("DBSIZE"), ":0\r\n") << "the broker puts there, not the worker";
    drain();
}

TEST_F(RedisResultsTest, ADamagedValueIsAMiss) {
    start_with(2s);
    ASSERT_EQ(redis.command({"SET", "test:" + key(1).hex(), "no envelope"}), "+OK\r\n");
    EXPECT_THAT(run("a", key(1)), testing::EndsWith("of a"));
    EXPECT_EQ(runs_since(), 1);
}

TEST_F(RedisResultsTest, AStoppedRedisIsNotWaitedForLongerThanTheWait) {
    start_with(50ms);
    redis.freeze();
    for (int i = 0; i < 12; ++i) {
        const Time begin = std::chrono::steady_clock::now();
        EXPECT_THAT(run("a", key(i)), testing::EndsWith("of a"));
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
    }
    EXPECT_EQ(runs_since(), 12);
    redis.thaw();
    EXPECT_THAT(run("a", key(3)), testing::EndsWith("of a"));
    EXPECT_EQ(runs_since(), 12) << "it was in memory";
    drain();
}

TEST_F(RedisResultsTest, AnAttemptsOwnDeadlineEndsItsLookUp) {
    start_with(10s);
    redis.freeze();
    EXPECT_THAT(run("a", key(1), 100), testing::EndsWith("of a"));
    redis.thaw();
    drain();
    EXPECT_EQ(cache().late, 1U) << "not the tier's time-out";
}

TEST_F(RedisResultsTest, RevokedWhileItIsLookedForItIsHandedBackAndNotRun) {
    start_with(10s);
    redis.freeze();
    broker.deliver_pure(++counter, "a", key(1));
    broker.wait_running(counter);
    broker.main.send(broker.peer, broker.session,
                     protocol::Revoke{{{FakeBroker::kEpoch, counter}}});
    EXPECT_EQ(broker.answers(1)[counter].outcome, AttemptOutcome::returned);
    redis.thaw();
    EXPECT_EQ(runs_since(), 0);
    EXPECT_THAT(run("b", key(2)), testing::EndsWith("of b")) << "its slot is free again";
    drain();
    EXPECT_EQ(runs_since(), 1);
    EXPECT_EQ(cache().forgotten, 1U);
}

// Started ahead of their threads, and slower than usual, they would be handed back: not while they may be known.
TEST_F(RedisResultsTest, RecalledWhileTheyAreLookedForTheyGoOn) {
    start_with(1s, false);
    run("short", key(900));  // what is short is started ahead
    const std::uint64_t first = counter + 1;
    const int before = runs;
    redis.freeze();
    for (int i = 0; i < 4; ++i) broker.deliver_pure(++counter, "a", key(i));
    auto answers = broker.answers(4);
    for (std::uint64_t i = first; i <= counter; ++i)
        EXPECT_EQ(answers[i].outcome, AttemptOutcome::done);
    EXPECT_EQ(runs, before + 4) << "once each";
    redis.thaw();
}

TEST_F(RedisResultsTest, DrainedWhileItIsLookedForItIsStillAnswered) {
    start_with(1s);
    redis.freeze();
    broker.deliver_pure(++counter, "a", key(1));
    broker.wait_running(counter);
    server().drain();
    EXPECT_THAT(broker.answers(1)[counter].body, testing::EndsWith("of a"));
    EXPECT_TRUE(broker.main.expect<protocol::Bye>().has_value());
    drain();
    EXPECT_EQ(runs_since(), 1);
    redis.thaw();
}

TEST_F(RedisResultsTest, ASessionThatEndsMeanwhileAdoptsIt) {
    start_with(1s);
    redis.freeze();
    broker.deliver_pure(++counter, "a", key(1));
    broker.wait_running(counter);
    greet_again(true);
    EXPECT_THAT(broker.answers(1)[counter].body, testing::EndsWith("of a"));
    redis.thaw();
    drain();
    EXPECT_EQ(runs_since(), 1) << "once";
    EXPECT_EQ(counters().adopted, 1U);
}

TEST_F(RedisResultsTest, WhatTheNextSessionDoesNotAdoptIsNotRun) {
    start_with(10s);
    redis.freeze();
    broker.deliver_pure(++counter, "a", key(1));
    broker.wait_running(counter);
    greet_again(false);
    broker.take_credit();
    redis.thaw();
    EXPECT_THAT(run("b", key(2)), testing::EndsWith("of b"));
    drain();
    EXPECT_EQ(runs_since(), 1) << "b alone";
    EXPECT_EQ(cache().forgotten, 1U);
    EXPECT_EQ(counters().dropped, 1U);
}

// Found while nobody was there: kept until the next session takes it.
TEST_F(RedisResultsTest, AResultFoundBetweenSessionsIsAnsweredInTheNext) {
    start_with(10s);
    put(key(1), "a result");
    redis.freeze();
    broker.deliver_pure(++counter, "a", key(1));
    broker.wait_running(counter);
    broker.main.send(broker.peer, 0,
                     protocol::Error{1, protocol::Kind::credit,
                                     protocol::ErrorCode::unknown_session, "HELLO again"});
    broker.read_hello();
    ASSERT_EQ(broker.held.size(), 1U);
    redis.thaw();
    // When its answer has come nobody can see; whenever it does, it is told in the session.
    broker.answer_hello(51, {broker.held[0].token}, 50);
    EXPECT_EQ(broker.answers(1)[counter].body, "a result");
    drain();
    EXPECT_EQ(runs_since(), 0);
}

TEST_F(RedisResultsTest, AbortedWhileItLooksTheWorkerLeaves) {
    start_with(10s);
    redis.freeze();
    broker.deliver_pure(++counter, "a", key(1));
    broker.wait_running(counter);
    server().abort();
}

}  // namespace
}  // namespace scanmq::worker::test
