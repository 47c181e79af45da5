// WaitingRoom's shares: random flows, weights and costs against what weights promise.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "broker/core/waiting_room.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

class FairSharesTest : public ::testing::Test {
  protected:
    Slot add(const std::string& flow, std::uint8_t priority = 5) {
        const Slot slot = table.executions.allocate();
        ExecutionRecord& execution = table.executions[slot];
        execution = ExecutionRecord{};
        execution.number = ++numbers;
        execution.state = ExecutionState::waiting;
        execution.priority = priority & 0xf;
        execution.flow = room.flows().take(flow, now);
        room.add(table, slot);
        return slot;
    }
    // Delivers the next one, which was taken to cost `estimate`; its flow's name, "" for none.
    std::string take(std::int64_t estimate = 1'000) {
        const Slot slot = room.next(table, now, 16, true).execution;
        if (slot == kNoSlot) return "";
        room.deliver(table, slot, estimate, 16, now);
        last = slot;
        return std::string(room.flows().name(table.executions[slot].flow));
    }
    // The attempt of the last one ended.
    void end(std::int64_t estimate = 1'000, std::int64_t took = 1'000) {
        end(last, estimate, took);
    }
    void end(Slot slot, std::int64_t estimate, std::int64_t took) {
        const Slot flow = table.executions[slot].flow;
        room.over(flow, estimate, took);
        room.flows().release(flow, now);
        table.executions.free(slot);
    }
    void limit(const std::string& name, const FlowLimits& limits) {
        const Slot flow = room.flows().take(name, now);
        room.set_limits(flow, limits, now);
        room.flows().release(flow, now);
    }

    JobTable table;
    InternTable texts;
    CostTable costs;
    WaitingRoom room{texts, costs, 1};
    Time now{std::chrono::hours(1)};
    std::uint64_t numbers = 0;
    Slot last = kNoSlot;
};

TEST_F(FairSharesTest, TimeGoesByWeightWhateverAttemptsCostAndWereTakenToCost) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        struct Model {
            std::uint64_t weight = 1;
            std::int64_t cost = 0;
            std::int64_t estimate = 0;
            double spent = 0;
        };
        std::map<std::string, Model> flows;
        std::uint64_t weights = 0;
        const auto prefix = "s" + std::to_string(seed) + ".";
        for (auto left = 2 + rng.below(8); left > 0; --left) {
            Model one;
            one.weight = 1 + rng.below(5);
            one.cost = static_cast<std::int64_t>(200 + rng.below(20'000));
            // Off by up to a factor of two, at first and for good.
            one.estimate =
                one.cost / 2 +
                static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(one.cost) * 3 / 2));
            const std::string name = prefix + std::to_string(left);
            FlowLimits limits;
            limits.weight = one.weight;
            limit(name, limits);
            weights += one.weight;
            flows[name] = one;
        }
        for (const auto& [name, one] : flows) {
            for (int i = 0; i < 3; ++i) add(name);
        }
        double all = 0;
        struct Running {
            Slot slot;
            std::int64_t estimate, took;
        };
        std::vector<Running> running;
        for (int i = 0; i < 60'000; ++i) {
            const std::string name = take(1);
            ASSERT_NE(name, "");
            Model& one = flows.at(name);
            // take() charged 1: the rest of the estimate follows as if charged then.
            const auto took =
                static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(one.cost) * 2) + 1);
            room.learn(static_cast<float>(took));
            Flow& flow = room.flows()[table.executions[last].flow];
            flow.balance -= one.estimate - 1;
            running.push_back({last, one.estimate, took});
            one.spent += static_cast<double>(took);
            all += static_cast<double>(took);
            add(name);  // it always has more
            if (running.size() > 4) {
                const auto at = rng.below(running.size());
                end(running[at].slot, running[at].estimate, running[at].took);
                running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
            }
        }
        for (const auto& [name, one] : flows) {
            const double share = one.spent / all;
            const double promised = static_cast<double>(one.weight) / static_cast<double>(weights);
            EXPECT_NEAR(share / promised, 1.0, 0.05) << name << " weight " << one.weight;
        }
        for (const Running& one : running) end(one.slot, one.estimate, one.took);
        while (!take().empty()) end();
        EXPECT_EQ(room.size(), 0U);
        for (const auto& [name, one] : flows) {
            const Slot flow = room.flows().take(name, now);
            room.drop_limits(flow);
            room.flows().release(flow, now);
        }
        EXPECT_EQ(room.flows().size(), 0U) << "nothing is left of flows that have nothing";
    }
}

TEST_F(FairSharesTest, NothingIsLostOrGivenTwiceUnderRandomOperations) {
    Rng rng(5);
    std::map<Slot, std::string> waiting;
    std::vector<Slot> running;
    for (int step = 0; step < 60'000; ++step) {
        now += std::chrono::microseconds(rng.below(300));
        room.wake(table, now, 100);
        const auto dice = rng.below(100);
        const std::string name = "f" + std::to_string(rng.below(12));
        if (dice < 45 && waiting.size() < 200) {
            waiting[add(name, static_cast<std::uint8_t>(rng.below(10)))] = name;
        } else if (dice < 75) {
            const std::string flow = take(static_cast<std::int64_t>(rng.below(5'000)));
            if (flow.empty()) continue;
            ASSERT_EQ(waiting.at(last), flow);
            waiting.erase(last);
            running.push_back(last);
        } else if (dice < 90 && !running.empty()) {
            const auto at = rng.below(running.size());
            end(running[at], 1'000, static_cast<std::int64_t>(rng.below(9'000)));
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
        } else if (dice < 94 && !waiting.empty()) {
            auto it = waiting.begin();
            std::advance(it, static_cast<std::ptrdiff_t>(rng.below(waiting.size())));
            const Slot flow = table.executions[it->first].flow;
            room.remove(table, it->first);
            room.flows().release(flow, now);
            table.executions.free(it->first);
            waiting.erase(it);
        } else if (dice < 97) {
            FlowLimits limits;
            limits.weight = 1 + rng.below(9);
            limits.rate_per_s = rng.below(3) * 700;
            limits.burst = 1 + rng.below(4);
            limits.in_flight_max = rng.below(4);
            limits.priority_max = rng.below(10);
            limit(name, limits);
        } else if (const Slot flow = room.flows().find(name);
                   flow != kNoSlot && room.flows().limits(flow) != nullptr) {
            room.flows().retain(flow);
            room.drop_limits(flow);
            room.flows().release(flow, now);
        }
        ASSERT_EQ(room.waiting(), waiting.size());
    }
    for (const Slot slot : running) end(slot, 1'000, 1'000);
    // Every flow's limits let all go in the end.
    for (int i = 0; i < 100'000 && !waiting.empty(); ++i) {
        if (take().empty()) {
            now = room.next_due();
            ASSERT_NE(now, Time::max());
            room.wake(table, now, 100);
            continue;
        }
        waiting.erase(last);
        end();
    }
    EXPECT_TRUE(waiting.empty());
    EXPECT_EQ(room.size(), 0U);
}

TEST_F(FairSharesTest, TheFirstOfASmallFlowWaitsForOneTurn) {
    for (int i = 0; i < 10'000; ++i) add("big");
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(take(), "big");
        end();
    }
    add("small");
    int before = 0;
    while (take() == "big") {
        end();
        ++before;
    }
    end();
    EXPECT_LE(before, 2);
}

TEST_F(FairSharesTest, AFlowThatComesAndGoesHasNoMoreTurnsThanOneThatStays) {
    for (int i = 0; i < 3'000; ++i) add("stays");
    std::map<std::string, int> turns;
    for (int i = 0; i < 2'000; ++i) {
        const Slot flow = room.flows().find("comes");
        if (flow == kNoSlot || room.flows()[flow].live == 0) add("comes");
        ++turns[take()];
        end();
    }
    EXPECT_LE(turns["comes"], turns["stays"] + 2);
    EXPECT_GE(turns["comes"], turns["stays"] * 2 / 5);
}

TEST_F(FairSharesTest, WhatAFlowOwesSurvivesAShortTimeOfHavingNothing) {
    add("owes");
    ASSERT_EQ(take(), "owes");
    end(1'000, 21'000);
    // So many others came and went that it was forgotten.
    for (int i = 0; i < 40; ++i) {
        add("other" + std::to_string(i));
        take();
        end();
    }
    ASSERT_EQ(room.flows().find("owes"), kNoSlot);
    now += std::chrono::seconds(1);
    for (int i = 0; i < 100; ++i) add("stays");
    add("owes");
    int before = 0;
    while (take() == "stays") {
        end();
        ++before;
    }
    end();
    EXPECT_GE(before, 15);
    EXPECT_LE(before, 30);
    // Long after, nothing is owed.
    add("owes");
    while (take() != "owes") end();
    end(1'000, 21'000);
    for (int i = 0; i < 40; ++i) {
        add("more" + std::to_string(i));
        while (take() == "stays") end();
        end();
    }
    now += FlowTable::kDebtKept + std::chrono::seconds(1);
    for (int i = 0; i < 100; ++i) add("stays");
    add("owes");
    before = 0;
    while (take() == "stays") {
        end();
        ++before;
    }
    EXPECT_LE(before, 3);
}

TEST_F(FairSharesTest, TwoFlowsInDeepDebtAreServedAtOnceWhenNobodyElseWaits) {
    for (const char* name : {"a", "b"}) {
        add(name);
        take();
        end(1'000, 900'000'000);
        add(name);
    }
    std::string first = take();
    EXPECT_NE(first, "");
    end();
    EXPECT_NE(take(), first);
    end();
    EXPECT_EQ(take(), "");
}

TEST_F(FairSharesTest, APriorityLimitCountsForWhatWaitsAlready) {
    add("low", 5);
    add("high", 9);
    add("high", 7);
    FlowLimits limits;
    limits.priority_max = 3;
    limit("high", limits);
    EXPECT_EQ(take(), "low");
    end();
    EXPECT_EQ(take(), "high");
    EXPECT_EQ(table.executions[last].priority, 9U) << "the older one first, both count as 3";
    end();
    add("low", 5);
    limits.priority_max = 9;
    limit("high", limits);
    EXPECT_EQ(take(), "high");
    end();
    EXPECT_EQ(take(), "low");
    end();
}

}  // namespace
}  // namespace scanmq::broker
