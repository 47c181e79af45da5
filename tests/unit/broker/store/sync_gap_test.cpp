#include "broker/store/sync_gap.hpp"

#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Time kAsked = Time() + std::chrono::seconds(100);

TEST(SyncGap, ALogThatNeverWroteKeepsNobodyWaiting) {
    EXPECT_EQ(SyncGap().look_again(kAsked, kAsked), std::nullopt);
}

TEST(SyncGap, ASilenceMustHaveLasted) {
    SyncGap gap;
    gap.begins();
    gap.ended(kAsked - microseconds(100));
    EXPECT_EQ(gap.look_again(kAsked, kAsked), kAsked - microseconds(100) + SyncGap::kSilence);
    EXPECT_EQ(gap.look_again(kAsked, kAsked - microseconds(100) + SyncGap::kSilence), std::nullopt);
    gap.begins();
    EXPECT_EQ(gap.look_again(kAsked, kAsked), kAsked + SyncGap::kSilence) << "it is at work";
}

TEST(SyncGap, ABusyLogIsWaitedForOnlySoLong) {
    SyncGap gap;
    gap.begins();
    const Time until = kAsked + SyncGap::kWaitMax;
    EXPECT_EQ(gap.look_again(kAsked, until - microseconds(10)), until);
    EXPECT_EQ(gap.look_again(kAsked, until), std::nullopt);
    gap.ended(until - microseconds(20));
    EXPECT_EQ(gap.look_again(kAsked, until - microseconds(10)), until);
    EXPECT_EQ(gap.look_again(kAsked, until), std::nullopt);
}

TEST(SyncGap, AfterOneThatFoundNoSilenceOthersDoNotWaitForAWhile) {
    SyncGap gap;
    gap.begins();
    gap.begins_sync(kAsked);
    EXPECT_EQ(gap.missed(), 1U);
    const Time end = kAsked + SyncGap::kNoWait;
    EXPECT_EQ(gap.look_again(end - milliseconds(1), end - milliseconds(1)), std::nullopt);
    gap.begins_sync(end - milliseconds(1));
    EXPECT_EQ(gap.missed(), 2U);
    EXPECT_NE(gap.look_again(end, end), std::nullopt) << "that one had not waited";
}

// The waiting thread may be late itself.
TEST(SyncGap, ASilenceThatWasSeenLateIsOne) {
    SyncGap gap;
    gap.begins();
    gap.ended(kAsked - microseconds(100));
    gap.begins_sync(kAsked + 2 * SyncGap::kWaitMax);
    EXPECT_EQ(gap.missed(), 0U);
}

TEST(SyncGap, WaitingEndsBesideABusyLog) {
    SyncGap gap;
    const SystemClock clock;
    gap.wait(clock);
    EXPECT_EQ(gap.missed(), 0U);
    gap.begins();
    const Time before = clock.now();
    gap.wait(clock);
    EXPECT_GE(clock.now() - before, SyncGap::kWaitMax);
    EXPECT_EQ(gap.missed(), 1U);
}

}  // namespace
}  // namespace scanmq::broker
