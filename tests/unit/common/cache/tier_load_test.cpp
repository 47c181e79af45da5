// TierLoad, in virtual time: against a server that answers so many keys a millisecond, in order.

#include "common/cache/tier_load.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>

namespace scanmq::cache {
namespace {

using std::chrono::milliseconds;

constexpr Duration kWait = milliseconds(20);
const Time kStart{std::chrono::hours(1)};

TierLoad::Asked asked(Time at, std::size_t under_way) { return {at, at + kWait, under_way}; }

TEST(TierLoad, ShrinksOncePerRoundAndGrowsByWhatComesInTime) {
    TierLoad load({100, 1'000});
    EXPECT_EQ(load.room(0), 1'000u);
    EXPECT_EQ(load.room(1'200), 0u);
    load.answered(asked(kStart, 500), 10, kStart + milliseconds(11));
    EXPECT_EQ(load.bound(), 750u) << "later than half its time";
    load.answered(asked(kStart, 500), 10, kStart + milliseconds(12));
    EXPECT_EQ(load.bound(), 750u) << "of the same round";
    load.answered(asked(kStart + milliseconds(12), 500), 8, kStart + milliseconds(14));
    EXPECT_EQ(load.bound(), 751u);
    for (int i = 0; i < 8; ++i) {
        load.answered(asked(kStart + milliseconds(15), 500), 1, kStart + milliseconds(16));
    }
    EXPECT_EQ(load.bound(), 752u) << "small gets add up";
    for (int i = 0; i < 20; ++i) {
        const Time at = kStart + milliseconds(100 + 20 * i);
        load.answered(asked(at, 500), 10, at + kWait);
    }
    EXPECT_EQ(load.bound(), 100u) << "never less";
}

TEST(TierLoad, ALateGetIsTheServersFaultUnlessItAnswersAndHadMuchToDo) {
    TierLoad load({100, 1'000});
    const Time at = kStart + milliseconds(5);
    EXPECT_TRUE(load.late(asked(at, 900), kStart, at + kWait)) << "it answered nothing";
    EXPECT_TRUE(load.late(asked(at, 100), at + milliseconds(19), at + kWait))
        << "few were asked for";
    EXPECT_EQ(load.bound(), 1'000u);
    EXPECT_FALSE(load.late(asked(at, 101), at + milliseconds(19), at + kWait));
    EXPECT_EQ(load.bound(), 750u);
}

// Whoever asks always has more keys than there is room for.
struct Outcome {
    std::size_t answered = 0, late = 0, failures = 0;
};
Outcome run(TierLoad& load, std::size_t keys_per_ms, Time& now, int ms) {
    struct Get {
        TierLoad::Asked asked;
        std::size_t keys = 0, left = 0;
        bool over = false;
    };
    Outcome out;
    std::deque<Get> line;
    std::size_t under_way = 0;
    for (int i = 0; i < ms; ++i) {
        now += milliseconds(1);
        std::size_t budget = keys_per_ms;
        while (budget > 0 && !line.empty()) {
            Get& first = line.front();
            const std::size_t some = std::min(budget, first.left);
            budget -= some;
            first.left -= some;
            if (first.left > 0) break;
            if (!first.over) {
                load.answered(first.asked, first.keys, now);
                under_way -= first.keys;
                out.answered += first.keys;
            }
            line.pop_front();
        }
        for (Get& get : line) {
            if (get.over || get.asked.deadline > now) continue;
            get.over = true;
            under_way -= get.keys;
            out.late += get.keys;
            out.failures += load.late(get.asked, now, now) ? 1 : 0;
        }
        for (std::size_t room = load.room(under_way); room > 0; room = load.room(under_way)) {
            const std::size_t keys = std::min<std::size_t>(room, 256);
            under_way += keys;
            line.push_back({asked(now, under_way), keys, keys});
        }
    }
    return out;
}

TEST(TierLoad, AServerThatIsAskedForMoreThanItCanIsNeitherShutOutNorIdle) {
    TierLoad load({256, 16'384});
    Time now = kStart;
    EXPECT_EQ(run(load, 400, now, 300).failures, 0u) << "until the bound is found";
    const Outcome steady = run(load, 400, now, 2'000);
    EXPECT_EQ(steady.failures, 0u);
    EXPECT_EQ(steady.late, 0u);
    EXPECT_GT(steady.answered, 400u * 2'000 * 9 / 10);
    // It becomes four times as slow, and as fast again.
    EXPECT_EQ(run(load, 100, now, 300).failures, 0u);
    EXPECT_EQ(run(load, 100, now, 1'000).late, 0u);
    run(load, 400, now, 300);
    EXPECT_GT(run(load, 400, now, 1'000).answered, 400u * 1'000 * 9 / 10);
}

TEST(TierLoad, OneThatIsTooSlowForTheLeastFails) {
    TierLoad load({256, 16'384});
    Time now = kStart;
    run(load, 5, now, 1'000);
    EXPECT_EQ(load.bound(), 256u);
    EXPECT_GT(run(load, 5, now, 1'000).failures, 10u);
}

}  // namespace
}  // namespace scanmq::cache
