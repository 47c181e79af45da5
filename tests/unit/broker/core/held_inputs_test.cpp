// HeldInputs and the choice between workers that it leads to; see locality_test.cpp for the broker.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <deque>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "broker/core/worker_ring.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

constexpr std::uint64_t key(std::uint64_t number) {
    return (number + 1) * 0x9e3779b97f4a7c15ULL | 1;
}

std::vector<const Worker*> holders(const HeldInputs& held, std::uint64_t of) {
    std::vector<const Worker*> out;
    held.each_holder(of, [&](const Worker& worker) { out.push_back(&worker); });
    return out;
}

TEST(HeldInputs, WhatAWorkerWasGivenItHolds) {
    HeldInputs held;
    Worker a;
    Worker b;
    EXPECT_FALSE(held.give(a, key(1)));
    EXPECT_TRUE(held.give(a, key(1)));
    EXPECT_FALSE(held.give(b, key(1)));
    EXPECT_FALSE(held.give(b, key(2)));
    EXPECT_EQ(holders(held, key(1)), (std::vector<const Worker*>{&b, &a}));
    EXPECT_EQ(holders(held, key(2)), (std::vector<const Worker*>{&b}));
    EXPECT_TRUE(holders(held, key(3)).empty());
    held.forget(b);
    EXPECT_EQ(holders(held, key(1)), (std::vector<const Worker*>{&a}));
    EXPECT_TRUE(holders(held, key(2)).empty());
    held.forget(a);
    EXPECT_EQ(held.size(), 0U);
}

TEST(HeldInputs, TheOneUsedLongestAgoGoesFirst) {
    HeldInputs held;
    Worker a;
    for (std::uint64_t i = 0; i < HeldInputs::kPerWorkerMax; ++i) held.give(a, key(i));
    EXPECT_TRUE(held.give(a, key(0)));
    EXPECT_FALSE(held.give(a, key(HeldInputs::kPerWorkerMax)));
    EXPECT_TRUE(held.give(a, key(0)));
    EXPECT_TRUE(holders(held, key(1)).empty());
    EXPECT_EQ(holders(held, key(2)).size(), 1U);
}

TEST(HeldInputs, AnInputOfManyWorkersIsRememberedOfTheLastOnes) {
    HeldInputs held;
    std::deque<Worker> workers(HeldInputs::kHoldersMax + 2);
    for (Worker& worker : workers) EXPECT_FALSE(held.give(worker, key(1)));
    const auto all = holders(held, key(1));
    EXPECT_EQ(all.size(), HeldInputs::kHoldersMax);
    EXPECT_EQ(all.front(), &workers.back());
    EXPECT_FALSE(held.give(workers.front(), key(1))) << "forgotten";
}

TEST(HeldInputs, MemoryIsBoundedWhateverIsGiven) {
    HeldInputs held;
    std::deque<Worker> workers(10);
    Rng rng(1);
    std::size_t bytes = 0;
    for (int i = 0; i < 200'000; ++i) {
        held.give(workers[rng.below(workers.size())], key(rng.below(50'000)));
        if (i == 50'000) bytes = held.bytes();
        if (i % 1'000 == 999) held.forget(workers[rng.below(workers.size())]);
        ASSERT_LE(held.size(), workers.size() * HeldInputs::kPerWorkerMax);
    }
    EXPECT_LE(held.bytes(), bytes + bytes / 4);
    for (Worker& worker : workers) {
        EXPECT_LE(worker.held.size, HeldInputs::kPerWorkerMax);
        held.forget(worker);
    }
    EXPECT_EQ(held.size(), 0U);
}

class LocalityRingTest : public ::testing::Test {
  protected:
    void open(Worker& worker, std::uint32_t threads = 1, std::uint64_t items = 100) {
        worker.info.threads = threads;
        worker.credit.raise({items, 1'000'000});
        ring.update(worker);
    }
    bool give(Worker& worker, std::uint64_t inputs) {
        worker.running.push_back(table, table.runs.allocate());
        worker.credit.send({1, 0});
        ring.update(worker);
        return inputs != 0 && ring.give(worker, inputs);
    }
    void answer(Worker& worker) {
        const Slot run = worker.running.front();
        worker.running.erase(table, run);
        table.runs.free(run);
        worker.credit.raise({worker.credit.limit().items + 1, 1'000'000});
        ring.update(worker);
    }
    [[nodiscard]] Worker* pick(std::uint64_t inputs, bool versioned = false,
                               std::uint64_t bytes = 1) const {
        return ring.pick(0, bytes, versioned, inputs);
    }
    JobTable table;
    WorkerRing ring;
    Worker a, b, c;
};

TEST_F(LocalityRingTest, AnIdleHolderGoesBeforeTheOneWhoseTurnItIs) {
    open(a);
    open(b);
    give(b, key(1));
    answer(b);
    EXPECT_EQ(pick(0), &a);
    EXPECT_EQ(pick(key(2)), &a);
    EXPECT_EQ(pick(key(1)), &b);
}

TEST_F(LocalityRingTest, AnIdleWorkerGoesBeforeAHolderWithoutAThread) {
    open(a);
    open(b);
    give(b, key(1));
    EXPECT_EQ(pick(key(1)), &a) << "it would wait behind what runs there";
    give(a, key(2));
    EXPECT_EQ(pick(key(1)), &b) << "it waits anyway";
}

TEST_F(LocalityRingTest, AHolderWithAThreadGoesBeforeAnIdleWorker) {
    open(a, 2);
    open(b, 2);
    give(b, key(1));
    EXPECT_EQ(pick(key(1)), &b);
    give(b, key(1));
    EXPECT_EQ(pick(key(1)), &a);
    give(a, key(2));
    EXPECT_EQ(pick(0), &a) << "it has a thread, though it is not idle";
    EXPECT_EQ(pick(key(1)), &a);
}

TEST_F(LocalityRingTest, AHolderMayBeBusierByNoMoreThanTheBound) {
    open(a);
    open(b);
    give(a, key(2));
    for (std::uint32_t i = 0; i <= WorkerRing::kBusierMax; ++i) give(b, key(1));
    EXPECT_EQ(pick(key(1)), &b);
    give(b, key(1));
    EXPECT_EQ(pick(key(1)), &a);
    // Of many threads, too: it begins at once, but not all of them in one place.
    open(c, 100);
    for (std::uint32_t i = 0; i <= WorkerRing::kBusierMax; ++i) {
        EXPECT_EQ(pick(key(3)), &c);
        give(c, key(3));
    }
    answer(a);
    EXPECT_EQ(pick(key(3)), &a);
}

TEST_F(LocalityRingTest, TheLeastBusyOfTheHoldersIsTaken) {
    for (Worker* worker : {&a, &b, &c}) {
        open(*worker);
        give(*worker, key(7));
    }
    give(b, key(1));
    give(c, key(1));
    give(c, 0);
    EXPECT_EQ(pick(key(1)), &b);
    answer(c);
    answer(c);
    answer(c);
    EXPECT_EQ(pick(key(1)), &c);
}

TEST_F(LocalityRingTest, AHolderThatMayNotHaveItIsNoHolder) {
    a.info.threads = b.info.threads = 1;
    open(a, 1);
    open(b, 1, 3);
    a.set_current(0, true);
    give(b, key(1));
    answer(b);
    EXPECT_EQ(pick(key(1)), &b);
    EXPECT_EQ(pick(key(1), true), &a) << "another version";
    b.set_current(0, true);
    EXPECT_EQ(pick(key(1), true), &b);
    EXPECT_EQ(pick(key(1), false, 2'000'000), nullptr);
    for (bool Worker::*out : {&Worker::slow, &Worker::exclusive, &Worker::detached}) {
        b.*out = true;
        ring.update(b);
        EXPECT_EQ(pick(key(1)), &a);
        b.*out = false;
        ring.update(b);
        EXPECT_EQ(pick(key(1)), &b);
    }
    ring.reserve(b);
    EXPECT_EQ(pick(key(1)), &a) << "kept for what runs alone";
    ring.release_reserved();
    EXPECT_EQ(pick(key(1)), &b);
    b.credit.give_back();
    ring.update(b);
    EXPECT_EQ(pick(key(1)), &a) << "no credit";
}

TEST_F(LocalityRingTest, AWorkerThatLeavesHoldsNothing) {
    open(a);
    open(b);
    give(b, key(1));
    answer(b);
    ring.leave(b);
    open(b);
    EXPECT_EQ(pick(key(1)), &a);
}

// Eight workers of one thread, a hundred symbols whose snapshots are renewed, ten thousand jobs.
class LocalitySimulation : public LocalityRingTest {
  protected:
    static constexpr std::uint32_t kWorkers = 8;
    static constexpr std::uint64_t kSymbols = 100;
    static constexpr std::uint64_t kJobs = 10'000;
    static constexpr std::uint64_t kRenewedAfter = 20;  // jobs of a symbol
    static constexpr double kScan = 1.0;                // ms
    static constexpr double kFetch = 2.0;
    static constexpr double kNever = 1e99;

    struct Plan {
        bool prefer = true;
        double load = 0;  // of the workers, without fetches; 0: all is there in the beginning
        std::uint64_t in_a_row = 1;
        std::uint64_t credit = 4;
        double pass = 0;  // ms between the broker's passes; 0: one for each thing that happens
    };
    struct Outcome {
        double local = 0;
        double finished = 0;
        std::uint64_t most = 0;
        std::uint64_t fewest = ~0ULL;
        std::uint32_t waited_while_idle = 0;
    };

    Outcome run(const Plan& plan) {
        WorkerRing fresh;
        std::swap(ring, fresh);
        std::deque<Worker> workers(kWorkers);
        for (Worker& worker : workers) open(worker, 1, plan.credit);
        std::array<std::deque<double>, kWorkers> costs;
        std::array<std::uint64_t, kWorkers> delivered{};
        using Answer = std::pair<double, std::uint32_t>;  // when, by whom
        std::priority_queue<Answer, std::vector<Answer>, std::greater<>> answers;
        Rng rng(42);
        std::array<std::uint64_t, kSymbols> used{};
        Outcome out;
        double now = 0;
        double next_job = 0;
        std::uint64_t came = 0;
        std::uint64_t local = 0;
        std::uint64_t symbol = 0;
        std::deque<std::uint64_t> waiting;
        const auto arrive = [&] {
            if (came % plan.in_a_row == 0) symbol = rng.below(kSymbols);
            waiting.push_back(key(symbol * 1'000'000 + used[symbol]++ / kRenewedAfter));
            ++came;
            if (plan.load > 0) {
                next_job -= std::log(1 - rng.uniform()) * kScan / (kWorkers * plan.load);
            }
        };
        const auto deliver = [&] {
            while (!waiting.empty()) {
                const std::uint64_t wanted = waiting.front();
                Worker* const worker = pick(plan.prefer ? wanted : 0);
                if (worker == nullptr) return;
                waiting.pop_front();
                const auto n = static_cast<std::uint32_t>(
                    std::find_if(workers.begin(), workers.end(),
                                 [&](const Worker& one) { return &one == worker; }) -
                    workers.begin());
                if (!worker->has_thread()) {
                    out.waited_while_idle += static_cast<std::uint32_t>(
                        std::count_if(workers.begin(), workers.end(), [&](const Worker& one) {
                            return one.has_thread() && one.credit.available().items > 0;
                        }));
                }
                const bool held = give(*worker, wanted);
                local += held ? 1 : 0;
                ++delivered[n];
                costs[n].push_back(kScan + (held ? 0 : kFetch));
                if (worker->running.size() == 1) answers.emplace(now + costs[n].front(), n);
            }
        };
        double next_pass = 0;
        while (came < kJobs || !answers.empty() || !waiting.empty()) {
            const double event = std::min(came < kJobs ? next_job : kNever,
                                          answers.empty() ? kNever : answers.top().first);
            if (plan.pass > 0 && event > next_pass) {
                now = next_pass;
                next_pass += plan.pass;
                deliver();
                continue;
            }
            if (came < kJobs && (answers.empty() || next_job <= answers.top().first)) {
                now = std::max(now, next_job);
                arrive();
                if (plan.load == 0 && came < kJobs) continue;
            } else {
                const auto [when, n] = answers.top();
                answers.pop();
                now = when;
                answer(workers[n]);
                costs[n].pop_front();
                if (!costs[n].empty()) answers.emplace(now + costs[n].front(), n);
            }
            if (plan.pass == 0) deliver();
        }
        EXPECT_TRUE(waiting.empty());
        out.local = static_cast<double>(local) / kJobs;
        out.finished = now;
        for (const std::uint64_t n : delivered) {
            out.most = std::max(out.most, n);
            out.fewest = std::min(out.fewest, n);
        }
        for (Worker& worker : workers) ring.leave(worker);
        return out;
    }
    // With and without, told in the test's output.
    std::pair<Outcome, Outcome> compare(const char* what, Plan plan) {
        const Outcome with = run(plan);
        plan.prefer = false;
        const Outcome without = run(plan);
        for (const auto& [name, one] : {std::pair("with", with), std::pair("without", without)}) {
            std::printf("%s, %s: %.1f %% local, %.0f ms, %lu to %lu deliveries a worker\n", what,
                        name, one.local * 100, one.finished, one.fewest, one.most);
            EXPECT_EQ(one.waited_while_idle, 0U);
        }
        return {with, without};
    }
};

TEST_F(LocalitySimulation, ABacklogIsWorkedOffWithAThirdOfTheFetches) {
    for (const std::uint64_t in_a_row : {1, 4}) {
        const auto [with, without] =
            compare("backlog", {.in_a_row = in_a_row, .credit = 32, .pass = 10});
        EXPECT_GT(with.local, 0.8);
        EXPECT_LT(without.local, 0.65);
        EXPECT_LT(with.finished, without.finished * 0.8);
        EXPECT_LT(with.most - with.fewest, 100U);
    }
}

TEST_F(LocalitySimulation, WorkersWithTimeToSpareFetchSeldom) {
    const auto [with, without] = compare("a fifth of the load", {.load = 0.2});
    EXPECT_GT(with.local, 0.8);
    EXPECT_LT(without.local, 0.65);
    EXPECT_LT(with.most - with.fewest, 200U);
}

TEST_F(LocalitySimulation, UnderwayItIsSpreadEvenly) {
    const auto [with, without] =
        compare("four tenths of the load", {.load = 0.4, .credit = 32, .pass = 4});
    EXPECT_GT(with.local, without.local + 0.15);
    EXPECT_LT(with.most - with.fewest, 200U);
}

TEST_F(LocalitySimulation, WhereThereIsNoChoiceNothingIsLost) {
    const auto [with, without] = compare("one place at a time", {});
    EXPECT_NEAR(with.local, without.local, 0.03);
    EXPECT_LT(with.finished, without.finished * 1.02);
}

}  // namespace
}  // namespace scanmq::broker
