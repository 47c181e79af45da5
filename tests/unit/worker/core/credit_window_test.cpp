#include "worker/core/credit_window.hpp"

#include <gtest/gtest.h>

#include "common/base/rng.hpp"

namespace scanmq::worker {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

CreditWindow window_of(std::uint32_t threads, std::uint32_t items_max = 1024) {
    CreditWindow::Options options;
    options.threads = threads;
    options.items_max = items_max;
    return CreditWindow(options);
}

TEST(CreditWindow, BeforeAnythingIsMeasuredTwiceTheThreads) {
    EXPECT_EQ(window_of(4).items(0, {}), 8U);
    EXPECT_EQ(window_of(4, 6).items(0, {}), 6U);
}

TEST(CreditWindow, LongScansAreNotHoarded) {
    CreditWindow window = window_of(4);
    window.add_service(seconds(10));
    window.add_round_trip(milliseconds(80));
    EXPECT_EQ(window.items(0, {}), 4U);
}

TEST(CreditWindow, TinyScansFillTheCap) {
    CreditWindow window = window_of(1, 512);
    window.add_service(nanoseconds(300));
    window.add_round_trip(microseconds(60));
    EXPECT_EQ(window.items(0, {}), 512U);
}

TEST(CreditWindow, RoundTripIsHiddenExactly) {
    CreditWindow window = window_of(4);
    window.add_service(milliseconds(10));
    window.add_round_trip(milliseconds(25));
    EXPECT_EQ(window.items(0, {}), 4U + 10U);  // 4 threads x 25 ms / 10 ms
}

TEST(CreditWindow, ScanUnderWayCountsAsLongAsItRan) {
    CreditWindow window = window_of(2);
    for (int i = 0; i < 1000; ++i) window.add_service(microseconds(1));
    EXPECT_EQ(window.items(0, {}), 1024U);
    EXPECT_EQ(window.items(0, seconds(3)), 2U);
}

TEST(CreditWindow, BusyThreadsTakeNothing) {
    CreditWindow window = window_of(3);
    window.add_service(seconds(1));
    EXPECT_EQ(window.items(1, {}), 2U);
    EXPECT_EQ(window.items(3, {}), 0U);
    EXPECT_EQ(window.items(9, {}), 0U);
}

TEST(CreditWindow, ReceiveBeyondTheAnnouncedLimitCountsNothing) {
    CreditWindow window = window_of(2);
    window.grow(0, {});
    EXPECT_FALSE(window.receive(1, 64)) << "nothing was announced yet";
    ASSERT_EQ(window.announce().items, 4U);
    EXPECT_TRUE(window.receive(3, 300));
    EXPECT_FALSE(window.receive(2, 128));
    EXPECT_FALSE(window.receive(~0ULL, 1)) << "a sum that would wrap";
    EXPECT_FALSE(window.receive(1, ~0ULL));
    EXPECT_EQ(window.unanswered(), 3U);
    EXPECT_TRUE(window.receive(1, 64));
}

TEST(CreditWindow, AnnouncedWhenItGrewByAQuarter) {
    CreditWindow window = window_of(4);
    window.add_service(milliseconds(10));
    window.add_round_trip(milliseconds(40));
    window.grow(0, {});
    ASSERT_EQ(window.announce().items, 20U);
    ASSERT_TRUE(window.receive(20, 20 * 64));
    window.answer(4, 4 * 64);
    window.grow(0, {});
    EXPECT_FALSE(window.worth_announcing());
    window.answer(1, 64);
    window.grow(0, {});
    EXPECT_TRUE(window.worth_announcing());
}

TEST(CreditWindow, SlotsTakeTheThreadsPlace) {
    CreditWindow window = window_of(1);
    window.add_service(milliseconds(10));
    window.add_round_trip(milliseconds(5));
    window.set_slots(20, true);
    EXPECT_EQ(window.items(0, {}), 20U + 10U);
    window.set_slots(10, false);
    EXPECT_EQ(window.items(0, {}), 10U) << "a trial: nothing ahead";
    window.set_slots(2000, true);
    EXPECT_EQ(window.items(0, {}), 2000U) << "never less than the slots";
}

TEST(CreditWindow, AScanUnderWayCountsBeforeAnythingIsMeasured) {
    EXPECT_EQ(window_of(4).items(0, milliseconds(250)), 4U);
}

TEST(CreditWindow, WhatIsAskedBackFallsToWhatWasSent) {
    CreditWindow window = window_of(4);
    window.grow(0, {});
    ASSERT_EQ(window.announce().items, 8U);
    ASSERT_TRUE(window.receive(2, 128));
    EXPECT_FALSE(window.worth_reclaiming(8));
    EXPECT_TRUE(window.worth_reclaiming(4));
    window.ask_back();
    EXPECT_FALSE(window.worth_reclaiming(4)) << "asked already";
    window.answer(2, 128);
    window.grow(0, {});
    EXPECT_EQ(window.announce().items, 2U) << "raises nothing while it is not known what was sent";
    ASSERT_TRUE(window.receive(1, 64)) << "was under way";
    EXPECT_FALSE(window.reclaimed({2, 192})) << "less than came";
    EXPECT_FALSE(window.reclaimed({9, 192})) << "more than was granted";
    ASSERT_TRUE(window.reclaimed({3, 192}));
    EXPECT_FALSE(window.receive(1, 64));
    window.grow(0, {});
    EXPECT_EQ(window.announce().items, 2U + 8U);
    EXPECT_FALSE(window.reclaimed({3, 192})) << "nobody asked";
}

// Whatever the order of deliveries, answers and measurements: what is granted and unanswered stays
// within the largest window of the session, the limit never falls.
TEST(CreditWindow, CreditIsConserved) {
    Rng rng(7);
    CreditWindow window = window_of(3, 200);
    std::uint64_t received = 0;
    std::uint64_t answered = 0;
    std::uint64_t last_limit = 0;
    std::uint32_t largest = 0;
    for (int step = 0; step < 200'000; ++step) {
        switch (rng.below(4)) {
            case 0: {
                const std::uint64_t n = rng.below(20);
                const bool fits = received + n <= window.announced().items;
                ASSERT_EQ(window.receive(n, n * 64), fits);
                if (fits) received += n;
                break;
            }
            case 1:
                if (received > answered) {
                    window.answer(1, 64);
                    ++answered;
                }
                break;
            case 2:
                window.add_service(microseconds(1 + rng.below(100'000)));
                break;
            default: {
                const auto busy = static_cast<std::uint32_t>(rng.below(4));
                largest = std::max(largest, window.items(busy, {}));
                window.grow(busy, {});
                const std::uint64_t limit = window.announce().items;
                ASSERT_GE(limit, last_limit);
                last_limit = limit;
            }
        }
        ASSERT_LE(received, last_limit);
        ASSERT_LE(last_limit - answered, largest);
    }
    EXPECT_GT(answered, 5'000U);
}

}  // namespace
}  // namespace scanmq::worker
