// LookUps: what waits for another tier, and that what was answered takes no room.

#include "broker/core/look_ups.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <utility>

#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;

TEST(LookUps, BehindOneThatIsNotAnsweredTheOthersPlacesAreUsedAgain) {
    LookUps look_ups(4);
    const std::uint64_t stuck = look_ups.add(1, Time{10ms});
    std::uint64_t before = stuck;
    for (Slot execution = 2; execution < 100'000; ++execution) {
        ASSERT_FALSE(look_ups.full());
        const std::uint64_t number = look_ups.add(execution, Time{10ms});
        ASSERT_NE(number, before) << "never used twice";
        ASSERT_EQ(look_ups.take(before == stuck ? 0 : before), kNoSlot);
        ASSERT_EQ(look_ups.take(number), execution);
        before = number;
    }
    EXPECT_EQ(look_ups.size(), 1U);
    EXPECT_EQ(look_ups.next_deadline(), Time{10ms});
    EXPECT_EQ(look_ups.take_late(Time{9ms}), kNoSlot);
    EXPECT_EQ(look_ups.take_late(Time{10ms}), 1U);
    EXPECT_EQ(look_ups.next_deadline(), Time::max());
}

TEST(LookUps, AgreesWithAModelUnderRandomOperations) {
    Rng rng(3);
    LookUps look_ups(50);
    std::map<std::uint64_t, std::pair<Slot, Time>> open;  // by number
    std::deque<std::uint64_t> order;
    Time now{};
    Slot next = 1;
    for (int i = 0; i < 50'000; ++i) {
        now += std::chrono::microseconds(rng.below(50));
        ASSERT_EQ(look_ups.full(), open.size() == 50);
        const std::uint64_t what = rng.below(8);
        if (what < 5 && !look_ups.full()) {
            const Time deadline = now + 1ms;
            const std::uint64_t number = look_ups.add(next, deadline);
            ASSERT_TRUE(open.emplace(number, std::pair(next++, deadline)).second);
            order.push_back(number);
        } else if (what < 7 && !order.empty()) {
            const std::uint64_t number = order[rng.below(order.size())];
            const auto found = open.find(number);
            ASSERT_EQ(look_ups.take(number), found == open.end() ? kNoSlot : found->second.first);
            if (found != open.end()) open.erase(found);
        } else {
            while (!order.empty() && !open.contains(order.front())) order.pop_front();
            const bool late = !order.empty() && open[order.front()].second <= now;
            ASSERT_EQ(look_ups.take_late(now), late ? open[order.front()].first : kNoSlot);
            if (late) open.erase(order.front());
        }
        while (!order.empty() && !open.contains(order.front())) order.pop_front();
        ASSERT_EQ(look_ups.size(), open.size());
        ASSERT_EQ(look_ups.next_deadline(),
                  order.empty() ? Time::max() : open[order.front()].second);
    }
    std::size_t seen = 0;
    look_ups.for_each([&](Slot) { ++seen; });
    EXPECT_EQ(seen, open.size());
}

}  // namespace
}  // namespace scanmq::broker
