// Codel: the control law in virtual time, as docs/PROTOCOL.md, section 8, tells it.

#include "broker/core/codel.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTarget = 50ms;

class CodelTest : public ::testing::Test {
  protected:
    // Turns every ms for so long, each having waited `waited`; the moments when one was shed, in ms.
    std::vector<int> run(Duration by, Duration waited, bool sheddable = true) {
        std::vector<int> out;
        for (const Time end = now + by; now < end; now += 1ms) {
            if (!codel.judge(waited, kTarget, now) || !sheddable) continue;
            codel.shed(now);
            out.push_back(ms());
        }
        return out;
    }
    [[nodiscard]] int ms() const {
        return static_cast<int>(
            std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
    }

    Codel codel;
    Time now{};
};

TEST_F(CodelTest, WhatIsInTimeIsNeverShed) {
    EXPECT_TRUE(run(10s, kTarget).empty()) << "the target itself is in time";
    EXPECT_FALSE(codel.shedding());
    EXPECT_EQ(codel.late_for(now), Duration{});
}

TEST_F(CodelTest, ShedsOnlyAfterAnIntervalOfLateness) {
    EXPECT_TRUE(run(100ms, kTarget + 1ms).empty());
    EXPECT_EQ(codel.late_for(now), 100ms);
    EXPECT_TRUE(codel.judge(kTarget + 1ms, kTarget, now));
}

TEST_F(CodelTest, OneInTimeStartsTheIntervalAnew) {
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(run(99ms, 1s).empty());
        EXPECT_FALSE(codel.judge(kTarget, kTarget, now));
        now += 1ms;
    }
}

TEST_F(CodelTest, TheNextOneComesTheSoonerTheLongerItLasts) {
    // At 100 ms, then 100 ms divided by the roots of 1, 2, 3 ... later, at the next whole ms.
    EXPECT_EQ(run(560ms, 1s), (std::vector<int>{100, 200, 271, 329, 379, 424, 464, 502, 538}));
}

TEST_F(CodelTest, EndsWithTheFirstOneThatIsInTime) {
    EXPECT_EQ(run(201ms, 1s).size(), 2U);
    EXPECT_TRUE(codel.shedding());
    EXPECT_FALSE(codel.judge(10ms, kTarget, now));
    EXPECT_FALSE(codel.shedding());
    EXPECT_TRUE(run(100ms, 1s).empty());
}

TEST_F(CodelTest, ASpellSoonAfterAnotherGoesOnWithItsPace) {
    const std::size_t first = run(2s, 1s).size();
    EXPECT_GT(first, 50U);
    EXPECT_TRUE(run(1ms, 0ms).empty());
    const std::vector<int> second = run(200ms, 1s);
    EXPECT_GT(second.size(), 5U) << "not from the slowest pace on";

    now += 10s;
    EXPECT_TRUE(run(1ms, 0ms).empty());
    EXPECT_LE(run(201ms, 1s).size(), 2U) << "that was long ago";
}

TEST_F(CodelTest, WhatCannotBeShedLetsTheDebtGrowToOneIntervalOnly) {
    EXPECT_TRUE(run(5s, 1s, false).empty());
    std::size_t at_once = 0;
    for (; codel.judge(1s, kTarget, now); ++at_once) codel.shed(now);
    EXPECT_GE(at_once, 1U);
    EXPECT_LE(at_once, 3U) << "five seconds are not made up for";
}

TEST_F(CodelTest, TurnsThatComeSeldomShedAFewEach) {
    std::size_t most = 0;
    for (int turn = 0; turn < 12; ++turn, now += 5s) {
        std::size_t shed = 0;
        for (; codel.judge(3s, kTarget, now); ++shed) codel.shed(now);
        most = std::max(most, shed);
    }
    EXPECT_GE(most, 2U);
    EXPECT_LE(most, 20U) << "a slow queue is not emptied by one turn";
}

TEST_F(CodelTest, ShedsFastEnoughForAnyOverload) {
    std::uint64_t shed = 0;
    // A turn each 10 us, all late: after 20 s the pace is thousands a second.
    for (Time end = now + 20s; now < end; now += 10us) {
        if (!codel.judge(1s, kTarget, now)) continue;
        codel.shed(now);
        ++shed;
    }
    EXPECT_GT(shed, 9'000U);
    EXPECT_LT(shed, 11'000U) << "(20 s / 200 ms) squared";
}

}  // namespace
}  // namespace scanmq::broker
