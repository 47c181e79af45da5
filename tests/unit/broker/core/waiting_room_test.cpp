// WaitingRoom: against a simple model of lists.

#include "broker/core/waiting_room.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <string>

#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;

class WaitingRoomTest : public ::testing::Test {
  protected:
    Slot make(ExecutionState state, std::uint8_t priority, Time due = {}) {
        const Slot slot = table.executions.allocate();
        ExecutionRecord& execution = table.executions[slot];
        execution = ExecutionRecord{};
        execution.number = ++numbers;
        execution.state = state;
        execution.priority = priority & 0xf;
        execution.flow = room.flows().take("a", Time{});
        if (state == ExecutionState::delayed) table.extra_of(slot).due = due;
        return slot;
    }
    Slot add(ExecutionState state, std::uint8_t priority, Time due = {}) {
        const Slot slot = make(state, priority, due);
        room.add(table, slot);
        return slot;
    }
    Slot take(std::uint64_t low_share) {
        const Slot slot = next(low_share);
        if (slot == kNoSlot) return slot;
        room.deliver(table, slot, 1'000, low_share, Time{});
        room.over(table.executions[slot].flow, 1'000, 1'000);
        return slot;
    }
    Slot next(std::uint64_t low_share) {
        return room.next(table, Time{}, low_share, true).execution;
    }
    Slot next_alone() { return room.next_alone(table, Time{}, LaneKind::alone).execution; }
    JobTable table;
    InternTable texts;
    CostTable costs;
    WaitingRoom room{texts, costs, 1};
    std::uint64_t numbers = 0;
};

TEST_F(WaitingRoomTest, AnEmptyRoomHasNoNext) {
    EXPECT_EQ(next(2), kNoSlot);
    EXPECT_EQ(next_alone(), kNoSlot);
    EXPECT_EQ(room.next_due(), Time::max());
    EXPECT_EQ(room.any_before(table, ~0ULL), kNoSlot);
    EXPECT_FALSE(room.wake(table, Time::max(), 10));
}

TEST_F(WaitingRoomTest, WhatIsDueGoesWhereItWaits) {
    const Slot plain = add(ExecutionState::delayed, 3, Time{2s});
    const Slot alone = add(ExecutionState::delayed, 3, Time{1s});
    table.executions[alone].crashes = 1;
    const Slot suspect = add(ExecutionState::delayed, 9, Time{1s});
    table.executions[suspect].suspect = true;
    EXPECT_EQ(room.next_due(), Time{1s});
    EXPECT_EQ(room.delayed(), 3U);
    EXPECT_FALSE(room.wake(table, Time{1s} - 1ns, 10));
    EXPECT_EQ(room.delayed(), 3U);
    EXPECT_FALSE(room.wake(table, Time{1s}, 10));
    EXPECT_EQ(next_alone(), std::min(alone, suspect));
    EXPECT_EQ(room.alone(), 2U);
    EXPECT_FALSE(room.ready());
    EXPECT_FALSE(room.wake(table, Time{2s}, 10));
    EXPECT_EQ(next(16), plain);
    EXPECT_EQ(room.waiting(), 3U);
}

TEST_F(WaitingRoomTest, WakingKeepsItsBudget) {
    for (int i = 0; i < 10; ++i) add(ExecutionState::delayed, 0, Time{1s});
    EXPECT_TRUE(room.wake(table, Time{1s}, 4));
    EXPECT_EQ(room.waiting(), 4U);
    EXPECT_FALSE(room.wake(table, Time{1s}, 6)) << "exactly what there is";
    EXPECT_EQ(room.waiting(), 10U);
}

TEST_F(WaitingRoomTest, TheLastLevelEmptiedIsNotNamedAgain) {
    const Slot only = add(ExecutionState::waiting, 9);
    room.remove(table, only);
    EXPECT_EQ(next(2), kNoSlot);
    EXPECT_FALSE(room.ready());
}

TEST_F(WaitingRoomTest, CountsWhoGoesBefore) {
    const Slot a = add(ExecutionState::waiting, 5);
    const Slot b = add(ExecutionState::waiting, 5);
    add(ExecutionState::waiting, 7);
    add(ExecutionState::waiting, 1);
    const Slot c = add(ExecutionState::alone, 9);
    const Slot d = add(ExecutionState::alone, 0);
    EXPECT_EQ(room.ahead_of(table, a, 100), 1U);
    EXPECT_EQ(room.ahead_of(table, b, 100), 2U);
    EXPECT_EQ(room.ahead_of(table, c, 100), 0U);
    EXPECT_EQ(room.ahead_of(table, d, 100), 1U);
}

// ---- the model

struct Model {
    struct One {
        Slot slot;
        std::uint64_t number;
        Time due;
    };
    std::array<std::deque<One>, WaitingRoom::kLevels> levels;
    std::deque<One> alone;
    std::vector<One> delayed;
    std::uint64_t turn = 0;
    std::size_t last_low = 0;

    [[nodiscard]] int highest(int below) const {
        for (int i = below - 1; i >= 0; --i) {
            if (!levels[static_cast<std::size_t>(i)].empty()) return i;
        }
        return -1;
    }
    // The level whose turn it is; -1: none.
    [[nodiscard]] int level(std::uint64_t low_share) const {
        const int top = highest(WaitingRoom::kLevels);
        if (top < 0 || highest(top) < 0 || (turn + 1) % low_share != 0) return top;
        const int below = highest(std::min(top, static_cast<int>(last_low)));
        return below >= 0 ? below : highest(top);
    }
    [[nodiscard]] std::size_t waiting() const {
        std::size_t n = alone.size();
        for (const auto& list : levels) n += list.size();
        return n;
    }
};

TEST_F(WaitingRoomTest, AgreesWithAModelUnderRandomOperations) {
    for (std::uint64_t seed = 1; seed <= 15; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        room = WaitingRoom(texts, costs, seed);
        Model model;
        std::map<Slot, std::size_t> where;  // 0-9 level, 10 alone, 11 delayed
        const std::uint64_t low_share = 2 + rng.below(6);
        Time now{};
        const auto same = [](Slot slot) {
            return [slot](const Model::One& one) { return one.slot == slot; };
        };
        const auto forget = [&](Slot slot) {
            const std::size_t place = where.at(slot);
            if (place < 10) std::erase_if(model.levels[place], same(slot));
            if (place == 10) std::erase_if(model.alone, same(slot));
            if (place == 11) std::erase_if(model.delayed, same(slot));
            where.erase(slot);
        };
        for (int step = 0; step < 6'000; ++step) {
            now += std::chrono::milliseconds(rng.below(3));
            const std::uint64_t dice = where.size() > 60 ? 40 + rng.below(60) : rng.below(100);
            if (dice < 50) {
                const std::size_t kind = rng.below(4);
                const auto priority = static_cast<std::uint8_t>(rng.below(4) * 3);
                const bool front = rng.below(4) == 0;
                const Time due = now + std::chrono::milliseconds(1 + rng.below(40));
                const Slot slot = make(kind == 0   ? ExecutionState::alone
                                       : kind == 1 ? ExecutionState::delayed
                                                   : ExecutionState::waiting,
                                       priority, due);
                if (kind == 1) table.executions[slot].crashes = rng.below(3) == 0 ? 1 : 0;
                const Model::One one{slot, numbers, due};
                if (kind == 1) {
                    room.add(table, slot);
                    model.delayed.push_back(one);
                    where[slot] = 11;
                } else {
                    auto& list = kind == 0 ? model.alone : model.levels[priority];
                    where[slot] = kind == 0 ? 10 : priority;
                    if (kind > 1 && !list.empty() && rng.below(3) == 0) {
                        const std::size_t at = rng.below(list.size());
                        room.add_at(table, slot, list[at].slot);
                        list.insert(list.begin() + static_cast<std::ptrdiff_t>(at), one);
                    } else {
                        room.add(table, slot, front);
                        front ? list.push_front(one) : list.push_back(one);
                    }
                }
            } else if (dice < 65) {
                const int level = model.level(low_share);
                const Slot slot = take(low_share);
                ASSERT_EQ(slot, level < 0 ? kNoSlot
                                          : model.levels[static_cast<std::size_t>(level)][0].slot);
                if (level >= 0) {
                    ++model.turn;
                    if (model.turn % low_share == 0) {
                        model.last_low = static_cast<std::size_t>(level);
                    }
                    forget(slot);
                    table.executions.free(slot);
                }
            } else if (dice < 75 && !where.empty()) {
                auto it = where.begin();
                std::advance(it, static_cast<std::ptrdiff_t>(rng.below(where.size())));
                const Slot slot = it->first;
                room.remove(table, slot);
                forget(slot);
                table.executions.free(slot);
            } else if (dice < 95) {
                const std::size_t budget = rng.below(5);
                std::sort(model.delayed.begin(), model.delayed.end(),
                          [](const auto& a, const auto& b) {
                              return a.due != b.due ? a.due < b.due : a.slot < b.slot;
                          });
                const bool more = room.wake(table, now, budget);
                std::size_t woken = 0;
                for (; woken < budget && !model.delayed.empty() && model.delayed[0].due <= now;
                     ++woken) {
                    const Model::One one = model.delayed.front();
                    model.delayed.erase(model.delayed.begin());
                    const ExecutionRecord& execution = table.executions[one.slot];
                    where[one.slot] = execution.crashes > 0 ? 10 : execution.priority;
                    (execution.crashes > 0 ? model.alone : model.levels[execution.priority])
                        .push_back(one);
                }
                ASSERT_EQ(more, !model.delayed.empty() && model.delayed[0].due <= now);
            } else {
                // A purge of some that came before.
                const std::uint64_t before =
                    numbers - rng.below(std::min<std::uint64_t>(numbers, 30) + 1);
                for (std::size_t left = rng.below(20); left > 0; --left) {
                    const Slot slot = room.any_before(table, before);
                    const bool there =
                        std::any_of(where.begin(), where.end(), [&](const auto& one) {
                            return table.executions[one.first].number < before;
                        });
                    ASSERT_EQ(slot != kNoSlot, there);
                    if (!there) break;
                    ASSERT_LT(table.executions[slot].number, before);
                    room.remove(table, slot);
                    forget(slot);
                    table.executions.free(slot);
                }
            }
            ASSERT_EQ(room.waiting(), model.waiting());
            ASSERT_EQ(room.alone(), model.alone.size());
            ASSERT_EQ(room.delayed(), model.delayed.size());
            ASSERT_EQ(room.size(), where.size());
            ASSERT_EQ(room.ready(), model.level(low_share) >= 0);
            ASSERT_EQ(next_alone(), model.alone.empty() ? kNoSlot : model.alone[0].slot);
            Time due = Time::max();
            for (const auto& one : model.delayed) due = std::min(due, one.due);
            ASSERT_EQ(room.next_due(), due);
        }
        while (!where.empty()) {
            room.remove(table, where.begin()->first);
            table.executions.free(where.begin()->first);
            forget(where.begin()->first);
        }
        ASSERT_EQ(room.size(), 0U);
    }
}

}  // namespace
}  // namespace scanmq::broker
