#include "broker/core/memory_budget.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "common/base/rng.hpp"
#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::Credit;

constexpr std::uint64_t kMiB = 1U << 20;

MemoryPlan small_plan() { return MemoryPlan::of(200 * kMiB); }

TEST(MemoryPlan, SharesNeverAddUpToMoreThanTheBudget) {
    for (std::uint64_t bytes = MemoryPlan::kBytesMin; bytes < (1ULL << 44); bytes += bytes / 3) {
        const MemoryPlan plan = MemoryPlan::of(bytes);
        const std::uint64_t sum = MemoryPlan::kBaseBytes + plan.receive_pipes + plan.blob_pipes +
                                  plan.send_pipes + plan.blob_send_pipes + plan.outgoing +
                                  plan.blob_outgoing + plan.blobs + plan.log_buffer +
                                  plan.checkpoint + plan.traffic;
        EXPECT_LE(sum, bytes);
        EXPECT_GT(plan.traffic, 8 * kMiB) << bytes;
    }
}

TEST(MemoryBudget, WithoutALimitNothingIsHeld) {
    MemoryBudget budget(MemoryPlan{});
    budget.count({1ULL << 50, 1ULL << 50, 1ULL << 40, 0, 0, 1ULL << 50});
    budget.resident(1ULL << 50, true);
    EXPECT_FALSE(budget.grants_held());
    EXPECT_FALSE(budget.sessions_held());
    EXPECT_FALSE(budget.outgoing_held());
    EXPECT_FALSE(budget.wants_trim());
    EXPECT_FALSE(budget.stream_too_large(1ULL << 50, 1));
    EXPECT_GT(budget.attempts(1'000'000, kMiB), 1ULL << 60);
    EXPECT_GT(budget.pool().free(), 1ULL << 60);
}

TEST(MemoryBudget, GrantsStopAtTheHighMarkAndGoOnAtTheLowOne) {
    MemoryBudget budget(small_plan());
    EXPECT_FALSE(budget.count({budget.high_mark() - 1}));
    EXPECT_FALSE(budget.grants_held());
    EXPECT_EQ(budget.pool().free(), 1U);
    budget.count({budget.high_mark()});
    EXPECT_TRUE(budget.grants_held());
    EXPECT_EQ(budget.pool().free(), 0U);
    EXPECT_FALSE(budget.count({budget.low_mark()}));
    EXPECT_TRUE(budget.grants_held()) << "not before it fell below";
    EXPECT_EQ(budget.pool().free(), 0U);
    EXPECT_TRUE(budget.count({budget.low_mark() - 1})) << "tells that work may be possible again";
    EXPECT_FALSE(budget.grants_held());
    EXPECT_EQ(budget.holds(), 1U);
}

TEST(MemoryBudget, JobsEntriesAndIdsCountWithTheirRecords) {
    MemoryBudget budget(small_plan());
    budget.count({1'000, 0, 10, 20, 30, 0});
    EXPECT_EQ(budget.counted(), 1'000 + 10 * MemoryBudget::kJobBytes +
                                    20 * MemoryBudget::kEntryBytes + 30 * MemoryBudget::kIdBytes);
}

TEST(MemoryBudget, DeliveriesLeaveRoomForTheLargestResults) {
    MemoryBudget budget(small_plan());
    const std::uint64_t traffic = budget.plan().traffic;
    const std::uint64_t result = kMiB / 4;
    budget.count({});
    EXPECT_EQ(budget.attempts(0, result), traffic / result);
    EXPECT_EQ(budget.attempts(10, result), traffic / result - 10);
    budget.count({traffic - 20 * result});
    EXPECT_EQ(budget.attempts(0, result), 20U);
    EXPECT_EQ(budget.attempts(20, result), 0U);
    budget.count({2 * traffic});
    EXPECT_EQ(budget.attempts(0, result), MemoryBudget::kRunningMin)
        << "what was accepted goes on whatever is held";
    EXPECT_EQ(budget.attempts(MemoryBudget::kRunningMin, result), 0U);
}

TEST(MemoryBudget, WhatTheAllocatorKeepsIsAskedForBeforeItIsBelieved) {
    MemoryBudget budget(small_plan());
    budget.count({});
    budget.resident(190 * kMiB, false);
    EXPECT_FALSE(budget.grants_held());
    EXPECT_TRUE(budget.wants_trim());
    budget.resident(30 * kMiB, true);
    EXPECT_FALSE(budget.grants_held());
    EXPECT_FALSE(budget.wants_trim());
    // It could give nothing back: something takes it that is not counted.
    budget.resident(190 * kMiB, true);
    EXPECT_TRUE(budget.grants_held());
    EXPECT_TRUE(budget.sessions_held());
    EXPECT_EQ(budget.pool().free(), 0U);
    EXPECT_FALSE(budget.resident(160 * kMiB, false));
    EXPECT_TRUE(budget.grants_held());
    EXPECT_TRUE(budget.resident(140 * kMiB, false));
    EXPECT_FALSE(budget.grants_held());
}

TEST(MemoryBudget, SlowPeersHoldBackResultsUntilTheyTookSome) {
    MemoryBudget budget(small_plan());
    const std::uint64_t share = budget.plan().outgoing;
    budget.count({0, share / 2});
    EXPECT_FALSE(budget.outgoing_held());
    EXPECT_EQ(budget.outgoing_room(), 0U);
    budget.count({0, share / 2 + 1});
    EXPECT_TRUE(budget.outgoing_held());
    budget.count({0, share / 4 + 1});
    EXPECT_TRUE(budget.outgoing_held());
    EXPECT_TRUE(budget.count({0, share / 4}));
    EXPECT_FALSE(budget.outgoing_held());
}

TEST(MemoryBudget, AStreamGivesWayWhenAllAreTooLargeAndItHasMoreThanItsPart) {
    MemoryBudget budget(small_plan());
    const std::uint64_t most = budget.plan().traffic / 4;
    budget.count({0, 0, 0, 0, 0, most});
    EXPECT_FALSE(budget.stream_too_large(most, 4)) << "the others leave it";
    budget.count({0, 0, 0, 0, 0, most + 1});
    EXPECT_TRUE(budget.stream_too_large(most / 4 + 1, 4));
    EXPECT_FALSE(budget.stream_too_large(most / 4, 4));
}

// Several queues and producers on one budget: random wants, submissions, ends, sessions that go.
TEST(MemoryBudget, GrantsOfAllQueuesTogetherStayBelowTheHighMark) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Rng rng(seed);
        MemoryBudget budget(MemoryPlan::of(MemoryPlan::kBytesMin));
        constexpr std::size_t kQueues = 3;
        struct Queue {
            explicit Queue(GrantPool& pool) : credit({}, &pool) {
                credit.set_room({1'000'000, 1ULL << 30});
            }
            SubmitCredit credit;
            std::vector<std::uint64_t> jobs;
        };
        std::vector<std::unique_ptr<Queue>> queues;
        for (std::size_t i = 0; i < kQueues; ++i) {
            queues.push_back(std::make_unique<Queue>(budget.pool()));
        }
        std::map<std::pair<std::size_t, Slot>, Credit> sent;
        std::vector<SubmitCredit::Grant> grants;
        Time now{1h};
        const auto count = [&] {
            MemoryBudget::Figures held;
            for (const auto& queue : queues) {
                held.jobs += queue->jobs.size();
                for (const std::uint64_t bytes : queue->jobs) {
                    held.body_bytes += bytes - protocol::kLimits.item_overhead_bytes;
                }
            }
            budget.count(held);
        };
        for (int step = 0; step < 4'000; ++step) {
            now += 1ms;
            const std::size_t at = rng.below(kQueues);
            Queue& queue = *queues[at];
            const auto session = static_cast<Slot>(1 + rng.below(4));
            Credit& mine = sent[{at, session}];
            switch (rng.below(8)) {
                case 0:
                case 1: {
                    const std::uint64_t items = 1 + rng.below(2'000);
                    static_cast<void>(queue.credit.want(
                        session, mine, {items, items * (64 + rng.below(200'000))}, now));
                    break;
                }
                case 2:
                case 3:
                case 4: {
                    const Credit limit = queue.credit.limit(session);
                    const std::uint64_t bytes = 64 + rng.below(200'000);
                    if (mine.items >= limit.items || mine.bytes + bytes > limit.bytes) break;
                    ASSERT_TRUE(queue.credit.take(session, {1, bytes}, now));
                    mine = plus(mine, {1, bytes});
                    queue.credit.occupy(kNoSlot, bytes);
                    queue.jobs.push_back(bytes);
                    break;
                }
                case 5:
                    for (std::uint64_t n = rng.below(5); n > 0 && !queue.jobs.empty(); --n) {
                        queue.credit.vacate(kNoSlot, queue.jobs.back());
                        queue.jobs.pop_back();
                    }
                    break;
                case 6:
                    if (rng.below(10) != 0) break;
                    queue.credit.drop(session);
                    mine = {};
                    break;
                default:
                    count();
            }
            grants.clear();
            queue.credit.serve(now, grants);
            const std::uint64_t counted = budget.counted();
            const std::uint64_t promised = budget.pool().granted + budget.pool().taken;
            if (!budget.grants_held()) {
                ASSERT_LE(counted + promised, budget.high_mark()) << "seed " << seed;
            }
        }
        for (const auto& queue : queues) {
            for (Slot session = 1; session <= 4; ++session) queue->credit.drop(session);
        }
        EXPECT_EQ(budget.pool().granted, 0U) << "all grants came back, seed " << seed;
    }
}

class MemoryTest : public CoreTest {
  protected:
    MemoryTest() : CoreTest({}, options()) {}
    static BrokerOptions options() {
        BrokerOptions out;
        out.memory = small_plan();
        return out;
    }
    const MemoryPlan plan = small_plan();
};

TEST_F(MemoryTest, GrantsWaitForMemoryAndGoOn) {
    Peer& other = h.producer("other");
    h.core.set_memory(plan.traffic, 0);
    other.send(protocol::Want{"q", {}, {10, 10'000}});
    EXPECT_TRUE(other.inbox.empty()) << "the WANT waits, it is not refused";
    EXPECT_TRUE(h.core.memory_held());
    EXPECT_EQ(h.core.counter("memory_holds"), 1U);
    h.core.set_memory(0, 0);
    h.core.tick(h.now, h.effects);
    EXPECT_FALSE(h.core.memory_held());
    other.send(protocol::Heartbeat{});
    EXPECT_EQ(other.next<protocol::CreditGrant>().limit, (Credit{10, 10'000}));
}

TEST_F(MemoryTest, WhatWasAcceptedRunsAFewAtATimeAndSaysWhy) {
    accept(job_range(1, 100));
    h.core.set_memory(2 * plan.traffic, 0);
    Peer& w = worker("w", kPlenty);
    EXPECT_EQ(given(w).size(), MemoryBudget::kRunningMin);
    h.op().send(protocol::Query{"explain", "q/" + job_id(100).hex()});
    std::vector<std::string> reasons;
    for (const auto& row : h.op().next<protocol::Answer>().rows) {
        reasons.push_back(value(row, "reason"));
    }
    EXPECT_NE(std::find(reasons.begin(), reasons.end(), "memory_full"), reasons.end());
    std::size_t ended = 0;
    while (ended < 100 && !counters.empty()) {
        ended += counters.size();
        answer(w, Numbers(counters), AttemptOutcome::done);
        given(w);
    }
    EXPECT_EQ(ended, 100U) << "all of them, though nothing became free";
    EXPECT_EQ(ends().size(), 100U);
}

TEST_F(MemoryTest, SessionsThatOnlyBringWorkAreRefusedTheOthersAreNot) {
    h.core.set_memory(plan.traffic, 0);
    const auto greet = [&](protocol::Roles roles, const std::string& name) {
        Peer& peer = h.peer(roles, name);
        const bool open = peer.hello();
        return open ? ErrorCode::none : peer.error();
    };
    EXPECT_EQ(greet(protocol::kProducer, "p"), ErrorCode::memory_full);
    EXPECT_EQ(greet(protocol::kWorker, "w"), ErrorCode::none);
    EXPECT_EQ(greet(protocol::kSubscriber, "s"), ErrorCode::none);
    EXPECT_EQ(greet(protocol::kOperator, "o"), ErrorCode::none);
    EXPECT_EQ(h.core.counter("memory_refusals"), 1U);
    h.core.set_memory(0, 0);
    EXPECT_EQ(greet(protocol::kProducer, "p2"), ErrorCode::none);
}

TEST_F(MemoryTest, ResultsAndAnswersWaitForSlowPeers) {
    h.core.set_memory(0, plan.outgoing);
    Peer& w = worker("w", kPlenty);
    accept(1);
    EXPECT_TRUE(given(w).empty());
    h.op().send(protocol::Query{"queues", ""});
    EXPECT_EQ(h.op().error(), ErrorCode::memory_full);
    h.core.set_memory(0, 0);
    w.send(protocol::Heartbeat{});
    EXPECT_EQ(given(w), Numbers{1});
    h.core.set_memory(0, plan.outgoing);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_TRUE(ends().empty());
    h.core.set_memory(0, 0);
    keep();
    EXPECT_EQ(ends().size(), 1U);
}

TEST_F(MemoryTest, ASlowPeerGetsNothingUntilItTookSomeAndOthersDo) {
    Peer& slow = worker("slow", kPlenty);
    h.core.set_slow(slow.connection, true);
    accept(1);
    EXPECT_TRUE(given(slow).empty());
    Peer& other = worker("other", kPlenty);
    EXPECT_EQ(given(other), Numbers{1});
    h.core.set_slow(subscriber->connection, true);
    answer(other, counters, AttemptOutcome::done);
    EXPECT_TRUE(ends().empty());
    h.core.set_slow(subscriber->connection, false);
    h.tick();
    EXPECT_EQ(ends().size(), 1U);
    accept(2);
    given(other);
    h.disconnect(other);
    h.core.set_slow(slow.connection, false);
    h.tick();
    accept(3);
    EXPECT_EQ(given(slow), Numbers{3});
}

}  // namespace
}  // namespace scanmq::broker
