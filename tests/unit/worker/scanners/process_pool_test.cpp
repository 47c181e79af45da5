// ProcessPool in virtual time.
#include "worker/scanners/process_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/base/rng.hpp"

namespace scanmq::worker {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;
using testing::HasSubstr;

// The pool and what it asked for, gathered until it is looked at.
class Pool {
  public:
    explicit Pool(ProcessPoolOptions options) : pool_(options) { pool_.begin(now, fx); }

    // Starts it and makes all of them ready.
    static Pool ready(std::uint32_t processes, ProcessPoolOptions options = {}) {
        options.processes = processes;
        Pool pool(options);
        for (std::uint32_t i = 0; i < processes; ++i) pool.pool_.on_ready(i, pool.now, pool.fx);
        pool.fx = {};
        return pool;
    }

    void start(std::uint64_t id, std::vector<SnapshotUse> inputs = {},
               std::optional<Time> deadline = std::nullopt) {
        pool_.start({id, deadline, std::move(inputs)}, now, fx);
    }
    void pass(Duration duration) {
        const Time end = now + duration;
        while (const auto due = pool_.next_deadline()) {
            if (*due > end) break;
            now = std::max(now, *due);
            pool_.tick(now, fx);
        }
        now = end;
    }
    void exits(std::uint32_t process, const std::string& how = "exited with status 1") {
        pool_.on_exited(process, how, now, fx);
    }
    void becomes_ready(std::uint32_t process) { pool_.on_ready(process, now, fx); }
    void answers(std::uint32_t process, ScanStatus status = ScanStatus::done) {
        pool_.on_result(process, status, now, fx);
    }
    PoolEffects take() { return std::exchange(fx, {}); }
    PoolEffects::End only_end() {
        EXPECT_EQ(fx.ends.size(), 1U);
        return fx.ends.empty() ? PoolEffects::End{} : fx.ends.front();
    }

    Time now{};
    PoolEffects fx;
    ProcessPool pool_;
};

TEST(ProcessPool, IsAvailableOnceOneIsReady) {
    ProcessPoolOptions options;
    options.processes = 2;
    Pool pool(options);
    EXPECT_THAT(pool.fx.spawns, testing::ElementsAre(0U, 1U));
    ASSERT_TRUE(pool.fx.available.has_value());
    EXPECT_FALSE(pool.fx.available->open);
    pool.take();
    EXPECT_TRUE(pool.pool_.expects_ready(1));
    pool.becomes_ready(1);
    EXPECT_FALSE(pool.pool_.expects_ready(1));
    ASSERT_TRUE(pool.fx.available.has_value());
    EXPECT_TRUE(pool.fx.available->open);
    EXPECT_EQ(pool.fx.available->slots, 1U);
    pool.take();
    pool.becomes_ready(0);
    EXPECT_EQ(pool.fx.available->slots, 2U);
}

TEST(ProcessPool, OneCallEach) {
    Pool pool = Pool::ready(2);
    pool.start(10);
    pool.start(11);
    ASSERT_EQ(pool.fx.scans.size(), 2U);
    EXPECT_NE(pool.fx.scans[0].process, pool.fx.scans[1].process);
    EXPECT_EQ(pool.pool_.call_of(0), 10U);
    pool.take();
    pool.answers(0);
    EXPECT_EQ(pool.only_end().call, 10U);
    EXPECT_FALSE(pool.only_end().status.has_value()) << "as its RESULT said";
    EXPECT_FALSE(pool.pool_.call_of(0).has_value());
    pool.take();
    pool.start(12);
    EXPECT_EQ(pool.fx.scans.at(0).process, 0U);
}

TEST(ProcessPool, PrefersTheProcessThatHasTheSnapshots) {
    Pool pool = Pool::ready(3);
    const SnapshotUse large{content_id("large"), 1000};
    const SnapshotUse small{content_id("small"), 10};
    pool.start(1, {small});
    pool.start(2, {large});
    pool.answers(0);
    pool.answers(1);
    pool.take();
    pool.start(3, {small, large});
    ASSERT_EQ(pool.fx.scans.size(), 1U);
    EXPECT_EQ(pool.fx.scans[0].process, 1U);
    EXPECT_THAT(pool.fx.scans[0].snapshots.send, testing::ElementsAre(small.id));
    pool.exits(1);
    pool.pass(100ms);
    pool.becomes_ready(1);
    pool.take();
    pool.start(4, {large});
    EXPECT_EQ(pool.fx.scans.at(0).snapshots.send.size(), 1U) << "the new process knows nothing";
}

TEST(ProcessPool, ACallWaitsForAProcessThatIsStartedAgain) {
    Pool pool = Pool::ready(1);
    pool.exits(0, "was killed by signal 9");
    EXPECT_FALSE(pool.fx.available.has_value()) << "it will be back in a moment";
    pool.start(1);
    EXPECT_TRUE(pool.fx.scans.empty());
    pool.pass(99ms);
    EXPECT_TRUE(pool.fx.spawns.empty());
    pool.pass(1ms);
    EXPECT_EQ(pool.fx.spawns.size(), 1U);
    pool.becomes_ready(0);
    EXPECT_EQ(pool.fx.scans.size(), 1U);
}

TEST(ProcessPool, ACallDoesNotWaitForLong) {
    Pool pool = Pool::ready(1);
    pool.exits(0, "was killed by signal 9");
    pool.start(1);
    pool.pass(999ms);
    EXPECT_TRUE(pool.fx.ends.empty());
    pool.pass(1ms);
    EXPECT_EQ(pool.only_end().status, ScanStatus::returned);
    EXPECT_EQ(pool.only_end().code, ErrorCode::scanner_unavailable);
    EXPECT_THAT(pool.only_end().sentence, HasSubstr("killed by signal 9"));
    EXPECT_EQ(pool.pool_.counters().returned, 1U);
}

TEST(ProcessPool, ACallOfADeadProcessFails) {
    Pool pool = Pool::ready(2);
    pool.start(1);
    pool.exits(0, "was killed by signal 11 (Segmentation fault): its last words: oh");
    EXPECT_EQ(pool.only_end().status, ScanStatus::failed);
    EXPECT_EQ(pool.only_end().code, ErrorCode::scanner_error);
    EXPECT_EQ(pool.only_end().sentence,
              "process 1 of 2 was killed by signal 11 (Segmentation fault): its last words: oh");
    EXPECT_EQ(pool.pool_.counters().deaths, 1U);
}

TEST(ProcessPool, BacksOffWhileItDiesAndForgetsAfterAResult) {
    ProcessPoolOptions options;
    options.restart_max = 1s;
    Pool pool = Pool::ready(1, options);
    for (const Duration delay : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        pool.exits(0);
        pool.take();
        pool.pass(delay - 1ms);
        EXPECT_TRUE(pool.fx.spawns.empty()) << delay.count();
        pool.pass(1ms);
        EXPECT_EQ(pool.fx.spawns.size(), 1U) << delay.count();
        pool.becomes_ready(0);
    }
    pool.start(1);
    pool.answers(0);
    pool.exits(0);
    pool.take();
    pool.pass(100ms);
    EXPECT_EQ(pool.fx.spawns.size(), 1U) << "a result showed that it works";
    pool.becomes_ready(0);
    pool.exits(0);
    pool.pass(200ms);
    pool.becomes_ready(0);
    pool.take();
    for (int i = 0; i < 11; ++i) {
        pool.pass(1s);
        for (const auto& ping : pool.take().pings) {
            pool.pool_.on_pong(0, ping.number, pool.now, pool.fx);
        }
    }
    pool.exits(0);
    pool.take();
    pool.pass(100ms);
    EXPECT_EQ(pool.fx.spawns.size(), 1U) << "it lived for long enough";
}

TEST(ProcessPool, DeathsAtStartCloseIt) {
    Pool pool = Pool::ready(2);
    pool.start(1);
    pool.start(2);
    pool.exits(0);
    pool.exits(1);
    pool.pass(100ms);
    pool.take();
    pool.start(3);
    pool.exits(0, "exited with status 1: its last words: ImportError");
    ASSERT_TRUE(pool.fx.available.has_value());
    EXPECT_TRUE(pool.fx.available->open);
    EXPECT_EQ(pool.fx.available->slots, 1U);
    pool.take();
    pool.exits(1, "exited with status 1: its last words: ImportError");
    ASSERT_TRUE(pool.fx.available.has_value());
    EXPECT_FALSE(pool.fx.available->open);
    EXPECT_THAT(pool.fx.available->sentence, HasSubstr("process 2 of 2 exited with status 1"));
    EXPECT_EQ(pool.only_end().status, ScanStatus::returned) << "what waits is handed back at once";
    EXPECT_EQ(pool.pool_.counters().start_failures, 2U);
    pool.take();
    pool.pass(200ms);
    EXPECT_EQ(pool.fx.spawns.size(), 2U) << "it goes on trying";
    pool.becomes_ready(0);
    EXPECT_TRUE(pool.fx.available->open);
}

TEST(ProcessPool, ManyDeathsInARowCloseItToo) {
    Pool pool = Pool::ready(1);
    int deaths = 0;
    while (!pool.fx.available && deaths < 20) {
        pool.start(static_cast<std::uint64_t>(++deaths));
        pool.exits(0);
        if (pool.fx.available) break;
        pool.pass(1s);
        pool.take();
        pool.becomes_ready(0);
    }
    EXPECT_EQ(deaths, 5) << "100, 200, 400, 800 ms are waited for, 1,600 are not";
    EXPECT_FALSE(pool.fx.available->open);
    pool.pass(2s);
    pool.take();
    pool.becomes_ready(0);
    EXPECT_TRUE(pool.fx.available && pool.fx.available->open);
}

TEST(ProcessPool, CancelThenTermThenKill) {
    ProcessPoolOptions options;
    options.cancel_grace = 1s;
    options.kill_grace = 2s;
    Pool pool = Pool::ready(1, options);
    pool.start(7);
    pool.take();
    pool.pool_.cancel(7, pool.now, pool.fx);
    pool.pool_.cancel(7, pool.now, pool.fx);
    ASSERT_EQ(pool.fx.cancels.size(), 1U);
    EXPECT_EQ(pool.fx.cancels[0].call, 7U);
    pool.pass(999ms);
    EXPECT_TRUE(pool.fx.signals.empty());
    pool.pass(1ms);
    ASSERT_EQ(pool.fx.signals.size(), 1U);
    EXPECT_FALSE(pool.fx.signals[0].kill);
    pool.pass(2s);
    ASSERT_EQ(pool.fx.signals.size(), 2U);
    EXPECT_TRUE(pool.fx.signals[1].kill);
    EXPECT_TRUE(pool.fx.ends.empty()) << "it keeps its slot as long as its process is there";
    pool.pass(1h);
    EXPECT_EQ(pool.fx.signals.size(), 2U);
    pool.exits(0, "was killed by signal 9");
    EXPECT_EQ(pool.only_end().status, ScanStatus::failed);
    EXPECT_EQ(pool.only_end().code, ErrorCode::none);
    EXPECT_THAT(pool.only_end().sentence, HasSubstr("cancelled"));
}

TEST(ProcessPool, AnswerToCancelKeepsTheProcess) {
    Pool pool = Pool::ready(1);
    pool.start(7);
    pool.pool_.cancel(7, pool.now, pool.fx);
    pool.pass(500ms);
    pool.answers(0, ScanStatus::failed);
    EXPECT_FALSE(pool.only_end().status.has_value());
    pool.pass(5s);
    EXPECT_TRUE(pool.fx.signals.empty());
    pool.take();
    pool.start(8);
    EXPECT_EQ(pool.fx.scans.size(), 1U);
}

TEST(ProcessPool, CancelledWhileItWaited) {
    Pool pool = Pool::ready(1);
    pool.exits(0);
    pool.start(1);
    pool.pool_.cancel(1, pool.now, pool.fx);
    EXPECT_EQ(pool.only_end().status, ScanStatus::returned);
    pool.take();
    pool.pass(100ms);
    pool.becomes_ready(0);
    EXPECT_TRUE(pool.fx.scans.empty());
    pool.pool_.cancel(1, pool.now, pool.fx);
    EXPECT_TRUE(pool.fx.ends.empty()) << "it has ended";
}

TEST(ProcessPool, TimeoutIsToldAsSuch) {
    ProcessPoolOptions options;
    options.call_timeout = 10s;
    Pool pool = Pool::ready(2, options);
    pool.start(1);
    pool.start(2);
    pool.pass(10s);
    EXPECT_EQ(pool.fx.cancels.size(), 2U);
    pool.take();
    pool.answers(0, ScanStatus::failed);
    EXPECT_EQ(pool.only_end().status, ScanStatus::failed);
    EXPECT_EQ(pool.only_end().code, ErrorCode::scanner_timeout);
    pool.take();
    pool.answers(1, ScanStatus::done);
    EXPECT_FALSE(pool.only_end().status.has_value()) << "late, but done";
    pool.take();
    pool.start(3);
    pool.pass(11s);
    EXPECT_EQ(pool.fx.signals.size(), 1U);
    pool.take();
    pool.exits(0, "was killed by signal 15");
    EXPECT_EQ(pool.only_end().code, ErrorCode::scanner_timeout);
    EXPECT_THAT(pool.only_end().sentence, HasSubstr("no result in time; it was killed by"));
    EXPECT_EQ(pool.pool_.counters().timeouts, 3U);
}

TEST(ProcessPool, TheJobsDeadlineComesFirst) {
    Pool pool = Pool::ready(1);
    pool.start(1, {}, pool.now + 3s);
    EXPECT_EQ(pool.fx.scans.at(0).deadline, pool.now + 3s);
    pool.pass(3s);
    EXPECT_EQ(pool.fx.cancels.size(), 1U);
    pool.answers(0, ScanStatus::failed);
    pool.take();
    pool.start(2, {}, pool.now);
    EXPECT_TRUE(pool.fx.scans.empty());
    EXPECT_EQ(pool.only_end().code, ErrorCode::scanner_timeout);
}

TEST(ProcessPool, GarbageEndsTheProcessAndItsCall) {
    Pool pool = Pool::ready(1);
    pool.start(1);
    pool.take();
    pool.pool_.on_garbage(0, "kind is 99", pool.now, pool.fx);
    pool.pool_.on_garbage(0, "more of it", pool.now, pool.fx);
    ASSERT_EQ(pool.fx.signals.size(), 1U);
    EXPECT_TRUE(pool.fx.signals[0].kill);
    pool.exits(0, "was killed by signal 9");
    EXPECT_EQ(pool.only_end().status, ScanStatus::failed);
    EXPECT_EQ(pool.only_end().code, ErrorCode::bad_response);
    EXPECT_THAT(pool.only_end().sentence, HasSubstr("kind is 99"));
    EXPECT_EQ(pool.pool_.counters().garbage, 1U);
    pool.take();
    pool.pass(100ms);
    EXPECT_EQ(pool.fx.spawns.size(), 1U);
}

TEST(ProcessPool, SlowStartIsEnded) {
    ProcessPoolOptions options;
    options.start_timeout = 30s;
    Pool pool(options);
    pool.take();
    pool.pass(30s);
    ASSERT_EQ(pool.fx.signals.size(), 1U);
    EXPECT_FALSE(pool.fx.signals[0].kill);
    pool.becomes_ready(0);
    EXPECT_FALSE(pool.fx.available.has_value()) << "too late";
    pool.exits(0, "was killed by signal 15");
    pool.start(1);
    pool.pass(1s);
    EXPECT_THAT(pool.only_end().sentence, HasSubstr("not READY within 30 s"));
}

TEST(ProcessPool, IdleProcessesArePinged) {
    Pool pool = Pool::ready(1);
    pool.pass(10s);
    ASSERT_EQ(pool.fx.pings.size(), 1U);
    pool.pool_.on_pong(0, pool.fx.pings[0].number, pool.now, pool.fx);
    pool.take();
    pool.pass(10s);
    ASSERT_EQ(pool.fx.pings.size(), 1U);
    pool.start(1);  // a late PONG after that is no harm
    const std::uint64_t number = pool.take().pings[0].number;
    pool.pool_.on_pong(0, number, pool.now, pool.fx);
    pool.answers(0);
    pool.pass(20s);
    EXPECT_EQ(pool.fx.pings.size(), 1U);
    ASSERT_EQ(pool.fx.signals.size(), 1U) << "it did not answer";
    pool.take();
    pool.pool_.on_pong(0, 99, pool.now, pool.fx);
    EXPECT_TRUE(pool.fx.signals.at(0).kill) << "a PONG to no PING is garbage";
}

TEST(ProcessPool, ClosedStreamIsFollowedByAnEnd) {
    Pool pool = Pool::ready(1);
    pool.start(1);
    pool.take();
    pool.pool_.on_closed(0, pool.now);
    pool.pass(2s);
    ASSERT_EQ(pool.fx.signals.size(), 1U);
    EXPECT_TRUE(pool.fx.signals[0].kill);
    pool.exits(0, "was killed by signal 9");
    EXPECT_EQ(pool.only_end().code, ErrorCode::scanner_error);
    EXPECT_THAT(pool.only_end().sentence, HasSubstr("closed a standard stream"));
}

// Whatever happens in whatever order: each call ends once, no process has two, and nothing is asked of one
// that is not there.
TEST(ProcessPool, EveryCallEndsOnce) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Rng rng(seed);
        ProcessPoolOptions options;
        options.processes = 1 + static_cast<std::uint32_t>(rng.below(3));
        options.call_timeout = 2s;
        Pool pool(options);
        std::set<std::uint64_t> open;
        std::map<std::uint32_t, bool> alive;
        std::uint64_t calls = 0;
        const auto check = [&] {
            const PoolEffects fx = pool.take();
            for (const auto& it : fx.scans) {
                ASSERT_TRUE(alive[it.process]) << seed;
                ASSERT_TRUE(open.contains(it.call)) << seed;
            }
            for (const auto& it : fx.cancels) ASSERT_TRUE(alive[it.process]) << seed;
            for (const auto& it : fx.pings) ASSERT_TRUE(alive[it.process]) << seed;
            for (const auto& it : fx.signals) ASSERT_TRUE(alive[it.process]) << seed;
            for (const auto& it : fx.ends) ASSERT_EQ(open.erase(it.call), 1U) << seed;
            for (const std::uint32_t process : fx.spawns) {
                ASSERT_FALSE(alive[process]) << seed;
                alive[process] = true;
            }
        };
        const auto one_step = [&](bool more_calls) {
            const auto process = static_cast<std::uint32_t>(rng.below(options.processes));
            switch (rng.below(8)) {
                case 0:
                    if (more_calls && open.size() < options.processes) {
                        open.insert(++calls);
                        pool.start(calls);
                    }
                    break;
                case 1:
                    if (!open.empty()) pool.pool_.cancel(*open.begin(), pool.now, pool.fx);
                    break;
                case 2:
                    if (alive[process] && pool.pool_.expects_ready(process)) {
                        pool.becomes_ready(process);
                    }
                    break;
                case 3:
                    if (alive[process] && pool.pool_.call_of(process)) {
                        pool.answers(process,
                                     (rng.uniform() < 0.5) ? ScanStatus::done : ScanStatus::failed);
                    }
                    break;
                case 4:
                    if (alive[process] && (rng.uniform() < 0.3)) {
                        pool.pool_.on_garbage(process, "x", pool.now, pool.fx);
                    }
                    break;
                case 5:
                    if (alive[process] && (rng.uniform() < 0.3)) {
                        alive[process] = false;
                        pool.exits(process);
                    }
                    break;
                case 6:
                    if (alive[process] && (rng.uniform() < 0.1)) {
                        pool.pool_.on_closed(process, pool.now);
                    }
                    break;
                default:
                    break;
            }
            check();
            if (const auto due = pool.pool_.next_deadline(); due && (rng.uniform() < 0.5)) {
                pool.now = std::max(pool.now, *due);
                pool.pool_.tick(pool.now, pool.fx);
                check();
            }
        };
        check();
        for (int i = 0; i < 400 && !testing::Test::HasFatalFailure(); ++i) one_step(true);
        for (int i = 0; i < 4000 && !open.empty(); ++i) one_step(false);
        ASSERT_TRUE(open.empty()) << "seed " << seed << ": a call never ended";
    }
}

}  // namespace
}  // namespace scanmq::worker
