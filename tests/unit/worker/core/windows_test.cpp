// What the worker's window promises, with several workers and a broker that sends all it may to the first.
#include <gtest/gtest.h>

#include "common/base/rng.hpp"
#include "tests/unit/worker/core/fleet.hpp"

namespace scanmq::worker::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A look every 250 ms, then the way back and to the other worker.
constexpr Duration kLook = kSurplusAfter + milliseconds(20);

TEST(WorkerWindows, AnIdleWorkerAlwaysGetsTheNextTenSecondJob) {
    Fleet fleet(2, 1, microseconds(100));
    fleet.run(seconds(1));
    for (int i = 0; i < 12; ++i) {
        fleet.submit(seconds(10));
        fleet.submit(seconds(10));
        fleet.run(seconds(10) + milliseconds(300));
    }
    EXPECT_EQ(fleet.done(), 23U + 1U);
    EXPECT_LE(fleet.hoarded_longest(), kLook);
    fleet.reset();
    // Once it is known how long they take, never at all.
    for (int i = 0; i < 12; ++i) {
        fleet.submit(seconds(10));
        fleet.run(seconds(3));
    }
    fleet.run(seconds(60));
    EXPECT_EQ(fleet.done(), 36U);
    EXPECT_EQ(fleet.hoarded_longest(), Duration{});
}

TEST(WorkerWindows, ABacklogOfTenSecondJobsWaitsAtTheBroker) {
    Fleet fleet(2, 1, microseconds(100));
    fleet.run(seconds(1));
    for (int i = 0; i < 40; ++i) fleet.submit(seconds(10));
    fleet.run(seconds(100));
    EXPECT_LE(fleet.hoarded_longest(), kLook);
    EXPECT_EQ(fleet.unbegun(0) + fleet.unbegun(1), 0U);
    EXPECT_EQ(fleet.waiting(), 40U - 2U - fleet.done());
    fleet.reset();
    fleet.run(seconds(80));
    EXPECT_GT(fleet.busy_mean(), 1.99) << "both are kept busy";
}

TEST(WorkerWindows, TinyJobsKeepThePipeFull) {
    for (const Duration service :
         {Duration(microseconds(20)), Duration(microseconds(500)), Duration(milliseconds(1))}) {
        Fleet fleet(1, 4, milliseconds(1));
        fleet.run(seconds(1));
        for (int i = 0; i < 60'000; ++i) fleet.submit(service);
        fleet.run(milliseconds(100));  // to learn how long they take
        fleet.reset();
        const auto half = 25'000 * service / 4;
        fleet.run(std::min<Duration>(half, seconds(2)));
        EXPECT_GT(fleet.waiting(), 0U);
        EXPECT_GT(fleet.busy_mean(), 4 * 0.95) << service.count() << " ns";
    }
}

TEST(WorkerWindows, WhenJobsSuddenlyBecomeLongSurplusGoesBack) {
    Fleet fleet(2, 2, microseconds(100));
    fleet.run(seconds(1));
    for (int i = 0; i < 20'000; ++i) fleet.submit(microseconds(50));
    fleet.run(seconds(10));
    ASSERT_EQ(fleet.done(), 20'000U);
    fleet.reset();
    // The first worker has credit for 42 of them: 2 + 2 x 1 ms / 50 us.
    for (int i = 0; i < 100; ++i) fleet.submit(seconds(10));
    fleet.run(milliseconds(10));
    ASSERT_GT(fleet.unbegun(0), 30U);
    fleet.run(milliseconds(300));
    EXPECT_LE(fleet.hoarded_longest(), kLook);
    EXPECT_EQ(fleet.unbegun(0), 0U) << "what was started one ahead of its thread, too";
    EXPECT_EQ(fleet.unbegun(1), 0U);
    EXPECT_EQ(fleet.busy(0), 2U);
    EXPECT_EQ(fleet.busy(1), 2U);
    EXPECT_EQ(fleet.waiting(), 96U) << "and is not sent straight back";
    EXPECT_GT(fleet.core(0).counters().surplus_returned, 0U);
    fleet.reset();
    fleet.run(seconds(100));
    EXPECT_EQ(fleet.hoarded_longest(), Duration{});
    EXPECT_GT(fleet.busy_mean(), 3.9);
}

TEST(WorkerWindows, TheyBecomeTinyAgain) {
    Fleet fleet(1, 2, milliseconds(1));
    fleet.run(seconds(1));
    for (int i = 0; i < 8; ++i) fleet.submit(seconds(5));
    fleet.run(seconds(30));
    ASSERT_EQ(fleet.done(), 8U);
    for (int i = 0; i < 40'000; ++i) fleet.submit(microseconds(100));
    fleet.run(seconds(1));
    fleet.reset();
    fleet.run(milliseconds(500));
    EXPECT_GT(fleet.waiting(), 0U);
    EXPECT_GT(fleet.busy_mean(), 2 * 0.95);
}

TEST(WorkerWindows, OfARemoteTargetItFollowsTheSlots) {
    Fleet fleet(1, 1, milliseconds(1), 20);
    fleet.run(seconds(1));
    for (int i = 0; i < 20'000; ++i) fleet.submit(milliseconds(20));
    fleet.run(seconds(1));
    fleet.reset();
    fleet.run(seconds(2));
    EXPECT_GT(fleet.busy_mean(), 19.0);
    EXPECT_LE(fleet.busy_mean(), 20.0);
    fleet.set_slots(0, 60);
    fleet.run(seconds(1));
    fleet.reset();
    fleet.run(seconds(2));
    EXPECT_GT(fleet.busy_mean(), 57.0) << "it grew";
    fleet.set_slots(0, 5);
    fleet.run(seconds(1));
    fleet.reset();
    fleet.run(seconds(2));
    EXPECT_GT(fleet.busy_mean(), 4.5) << "it shrank; rounded down, the round trip shows";
    EXPECT_LE(fleet.busy_mean(), 5.0);
    EXPECT_LE(fleet.unbegun(0), 2U) << "and what is too much waits at the broker";
}

TEST(WorkerWindows, MixturesEndAndNothingIsLost) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Rng rng(seed);
        Fleet fleet(3, 1 + static_cast<std::uint32_t>(rng.below(3)), microseconds(500));
        std::uint64_t jobs = 0;
        for (int burst = 0; burst < 20; ++burst) {
            const Duration service = microseconds(10) * (std::uint64_t{1} << rng.below(18));
            const std::uint64_t n = 1 + rng.below(200);
            for (std::uint64_t i = 0; i < n; ++i) fleet.submit(service);
            jobs += n;
            fleet.run(milliseconds(rng.below(2000)));
        }
        fleet.run(seconds(2000));
        EXPECT_EQ(fleet.done(), jobs) << "seed " << seed;
        EXPECT_EQ(fleet.waiting(), 0U);
    }
}

}  // namespace
}  // namespace scanmq::worker::test
