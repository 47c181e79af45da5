// DueHeap: against std::multimap.

#include "broker/core/due_heap.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

class DueHeapTest : public ::testing::Test {
  protected:
    auto placer() {
        return [this](Slot slot, std::uint32_t place) { places[slot] = place; };
    }
    void push(std::int64_t at, Slot slot) { heap.push(Time{Duration{at}}, slot, placer()); }
    void erase(Slot slot) { heap.erase(places.at(slot), placer()); }
    std::vector<Slot> drain() {
        std::vector<Slot> out;
        while (!heap.empty()) {
            out.push_back(heap.front());
            erase(heap.front());
        }
        return out;
    }
    DueHeap heap;
    std::map<Slot, std::uint32_t> places;
};

TEST_F(DueHeapTest, GivesTheEarliestFirstAndTheSmallerSlotOfTwoAtOnce) {
    push(30, 1);
    push(10, 2);
    push(20, 9);
    push(20, 3);
    EXPECT_EQ(heap.next(), Time{Duration{10}});
    EXPECT_EQ(drain(), (std::vector<Slot>{2, 3, 9, 1}));
}

TEST_F(DueHeapTest, APlaceOfZeroMeansOut) {
    push(1, 5);
    push(2, 6);
    EXPECT_NE(places[5], 0U);
    erase(5);
    EXPECT_EQ(places[5], 0U);
    EXPECT_NE(places[6], 0U);
    erase(6);
    EXPECT_EQ(places[6], 0U);
    EXPECT_TRUE(heap.empty());
}

TEST_F(DueHeapTest, TheSameCallsGiveTheSameOrder) {
    for (const Slot slot : {7U, 3U, 5U, 1U}) push(4, slot);
    EXPECT_EQ(drain(), (std::vector<Slot>{1, 3, 5, 7}));
    for (const Slot slot : {1U, 3U, 5U, 7U}) push(4, slot);
    EXPECT_EQ(drain(), (std::vector<Slot>{1, 3, 5, 7}));
}

TEST_F(DueHeapTest, AgreesWithASortedMapUnderRandomOperations) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        std::multimap<std::pair<std::int64_t, Slot>, Slot> model;
        std::map<Slot, std::int64_t> times;
        Slot next = 1;
        for (int step = 0; step < 5'000; ++step) {
            if (model.empty() || rng.below(100) < 52) {
                const auto at = static_cast<std::int64_t>(rng.below(200));
                push(at, next);
                model.emplace(std::pair(at, next), next);
                times[next++] = at;
            } else {
                // Any of them, or the first.
                Slot slot = heap.front();
                if (rng.below(2) == 0) {
                    auto it = times.begin();
                    std::advance(it, static_cast<std::ptrdiff_t>(rng.below(times.size())));
                    slot = it->first;
                }
                erase(slot);
                ASSERT_EQ(places.at(slot), 0U);
                model.erase(std::pair(times.at(slot), slot));
                times.erase(slot);
                places.erase(slot);
            }
            ASSERT_EQ(heap.size(), model.size());
            if (model.empty()) continue;
            ASSERT_EQ(heap.next(), Time{Duration{model.begin()->first.first}});
            ASSERT_EQ(heap.front(), model.begin()->second);
            if (step % 100 != 0) continue;
            std::set<Slot> all;
            for (std::size_t i = 0; i < heap.size(); ++i) {
                ASSERT_EQ(places.at(heap.at(i)), i + 1) << "each knows its place";
                all.insert(heap.at(i));
            }
            ASSERT_EQ(all.size(), model.size());
        }
        drain();
        places.clear();
    }
}

}  // namespace
}  // namespace scanmq::broker
