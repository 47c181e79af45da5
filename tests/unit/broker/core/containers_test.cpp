// The flat containers: slab, chunked queue, slot index, interned texts, waiting and running lists.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/chunk_fifo.hpp"
#include "broker/core/intern_table.hpp"
#include "broker/core/job_table.hpp"
#include "broker/core/slab.hpp"
#include "broker/core/slot_index.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

struct Record {
    std::uint64_t value = 0;
    std::uint32_t next = 0;
};

TEST(Slab, FreedSlotsAreUsedAgainAndRecordsStay) {
    Slab<Record, 2> slab;
    std::vector<Slot> slots;
    for (std::uint64_t i = 0; i < 11; ++i) {
        slots.push_back(slab.allocate());
        slab[slots.back()].value = i;
    }
    for (std::uint64_t i = 0; i < 11; ++i) {
        EXPECT_NE(slots[i], kNoSlot);
        EXPECT_EQ(slab[slots[i]].value, i);
    }
    slab.free(slots[3]);
    slab.free(slots[7]);
    EXPECT_EQ(slab.size(), 9U);
    EXPECT_EQ(slab.allocate(), slots[7]);
    EXPECT_EQ(slab.allocate(), slots[3]);
    const Slot fresh = slab.allocate();
    EXPECT_EQ(std::count(slots.begin(), slots.end(), fresh), 0);
}

TEST(ChunkFifo, PositionsRiseAcrossChunksAndEmptyChunksGo) {
    ChunkFifo<std::uint64_t, 2> fifo;
    std::deque<std::uint64_t> model;
    std::uint64_t base = 0;
    Rng rng(1);
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        if (rng.below(100) < 52 || model.empty()) {
            EXPECT_EQ(fifo.push(i), base + model.size());
            model.push_back(i);
        } else {
            ASSERT_EQ(fifo.front(), model.front());
            fifo.pop();
            model.pop_front();
            ++base;
        }
        ASSERT_EQ(fifo.size(), model.size());
        ASSERT_EQ(fifo.begin(), base);
    }
    for (std::size_t i = 0; i < model.size(); ++i) ASSERT_EQ(fifo[base + i], model[i]);
    while (!fifo.empty()) fifo.pop();
    EXPECT_LE(fifo.bytes(), 2 * 4 * sizeof(std::uint64_t));
}

TEST(SlotIndex, AgreesWithAMapUnderRandomOperations) {
    Rng rng(2);
    SlotIndex index;
    std::unordered_map<std::uint64_t, Slot> model;  // key to slot
    std::unordered_map<Slot, std::uint64_t> keys;
    // Few distinct hashes: long runs of collisions, within one shard and at the end of its table.
    const auto hash = [](std::uint64_t key) { return (key % 3) << 62 | (key % 50) * 7; };
    Slot next_slot = 1;
    for (int i = 0; i < 50'000; ++i) {
        const std::uint64_t key = rng.below(400);
        const auto known = model.find(key);
        const Slot found = index.find(hash(key), [&](Slot s) { return keys.at(s) == key; });
        ASSERT_EQ(found, known == model.end() ? kNoSlot : known->second);
        if (known == model.end()) {
            keys[next_slot] = key;
            index.insert(hash(key), next_slot);
            model[key] = next_slot++;
        } else if (rng.below(4) == 0) {
            keys[next_slot] = key;
            index.replace(hash(key), known->second, next_slot);
            keys.erase(known->second);
            known->second = next_slot++;
        } else {
            index.erase(hash(key), known->second);
            keys.erase(known->second);
            model.erase(known);
        }
        ASSERT_EQ(index.size(), model.size());
    }
}

TEST(SlotIndex, AMillionSlotsStayWithinTwentyBytesEach) {
    SlotIndex index;
    for (Slot slot = 1; slot <= 1'000'000; ++slot) {
        index.insert(slot * 0x9e3779b97f4a7c15ULL ^ slot, slot);
    }
    EXPECT_LE(index.bytes(), 20'000'000U);
    EXPECT_EQ(index.find(77 * 0x9e3779b97f4a7c15ULL ^ 77, [](Slot s) { return s == 77; }), 77U);
}

TEST(InternTable, SameTextSameSlotUntilTheLastUserIsGone) {
    InternTable table;
    const Slot a = table.intern("SPY.vertical");
    EXPECT_EQ(table.intern(std::string("SPY.vertical")), a);
    EXPECT_EQ(table.intern_known("QQQ"), kNoSlot);
    EXPECT_EQ(table.intern(""), kNoSlot);
    EXPECT_EQ(table.text(kNoSlot), "");
    EXPECT_FALSE(table.release(a));
    EXPECT_TRUE(table.release(a));
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.text(a), "SPY.vertical");  // until collect()
    const Slot again = table.intern("SPY.vertical");
    EXPECT_NE(again, a);
    table.collect();
    const Slot other = table.intern("IWM");
    EXPECT_EQ(other, a);
    EXPECT_EQ(table.text(other), "IWM");
    EXPECT_NE(table.stamp(other), table.stamp(again));
}

TEST(JobTable, WaitingListTakesAndGivesAnywhere) {
    JobTable table;
    WaitingList waiting;
    std::vector<Slot> slots;
    for (int i = 0; i < 4; ++i) slots.push_back(table.executions.allocate());
    const auto order = [&] {
        std::vector<Slot> out;
        for (Slot at = waiting.front(); at != kNoSlot; at = table.executions[at].next) {
            out.push_back(at);
        }
        EXPECT_EQ(waiting.size(), out.size());
        return out;
    };
    waiting.push_back(table, slots[1]);
    waiting.push_back(table, slots[3]);
    waiting.push_front(table, slots[0]);
    waiting.insert_before(table, slots[2], slots[3]);
    EXPECT_EQ(order(), slots);
    waiting.erase(table, slots[0]);
    waiting.insert_before(table, slots[0], slots[1]);
    EXPECT_EQ(order(), slots);
    waiting.erase(table, slots[3]);
    waiting.erase(table, slots[1]);
    EXPECT_EQ(order(), (std::vector<Slot>{slots[0], slots[2]}));
    waiting.erase(table, slots[0]);
    waiting.erase(table, slots[2]);
    EXPECT_TRUE(waiting.empty());
}

TEST(JobTable, RunningListErasesAnywhere) {
    JobTable table;
    RunningList running;
    std::vector<Slot> slots;
    for (int i = 0; i < 5; ++i) {
        slots.push_back(table.runs.allocate());
        running.push_back(table, slots.back());
    }
    running.erase(table, slots[2]);
    running.erase(table, slots[0]);
    running.erase(table, slots[4]);
    EXPECT_EQ(running.size(), 2U);
    EXPECT_EQ(running.back(), slots[3]);
    running.erase(table, slots[3]);
    EXPECT_EQ(running.back(), slots[1]);
    running.erase(table, slots[1]);
    EXPECT_TRUE(running.empty());
}

}  // namespace
}  // namespace scanmq::broker
