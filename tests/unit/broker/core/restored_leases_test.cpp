// Leases and Runner after a restart: leases that were restored, until their workers come back.

#include "broker/core/ending.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/runner.hpp"
#include "broker/core/stream_writer.hpp"
#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::AttemptOutcome;
using protocol::Token;

class RestoredLeasesTest : public ::testing::Test {
  protected:
    RestoredLeasesTest() {
        state.now = Time{1h};
        state.effects = &effects;
        queue = &state.add_queue("q", {});
    }
    ~RestoredLeasesTest() override { state.effects = nullptr; }
    static BrokerOptions options() {
        BrokerOptions out;
        out.epoch = 7;
        out.seed = 1;
        out.adopt_window = 10s;
        out.max_run = 1min;
        return out;
    }
    Slot execution(std::uint64_t number) {
        const Slot job = state.table.jobs.allocate();
        const Slot slot = state.table.executions.allocate();
        state.table.jobs[job] = JobRecord{};
        state.table.jobs[job].id = job_id(number);
        state.table.jobs[job].execution = slot;
        state.table.jobs[job].bytes = 64;
        state.table.executions[slot] = ExecutionRecord{};
        state.table.executions[slot].number = number;
        state.table.executions[slot].first_job = job;
        state.table.executions[slot].flow = queue->room.flows().take("producer", state.now);
        queue->ids.add_live(job);
        queue->credit.occupy(kNoSlot, 64);
        return slot;
    }
    Session& session(const std::string& name, std::uint64_t instance) {
        Session& out = state.sessions.open({++connections}, name, job_id(instance), state.now);
        out.worker = std::make_unique<Worker>();
        out.worker->session = out.slot;
        out.worker->credit.raise({10, 10'000});
        return out;
    }
    BlobTable blobs{{}};
    CoreState state{options(), blobs};
    Effects effects;
    StreamWriter writer{state};
    Leases leases{state};
    Ending ending{state, writer, leases};
    Runner runner{state, leases, ending};
    Queue* queue = nullptr;
    std::uint64_t connections = 0;
};

TEST_F(RestoredLeasesTest, AreAdoptedByTheirWorkerUnderTheirOldToken) {
    const Slot one = execution(1);
    const Slot two = execution(2);
    leases.restore(one, {6, 5}, "w", job_id(100));
    leases.restore(two, {5, 5}, "w", job_id(100));
    EXPECT_EQ(queue->running, 2U);
    EXPECT_EQ(leases.next_abandoned(), state.now + 10s);
    // Of the same name, another process.
    Session& other = session("w", 101);
    EXPECT_TRUE(runner.adopt(nullptr, other, {{{6, 5}, true}}).empty());
    EXPECT_EQ(queue->running, 2U);
    Session& back = session("w", 100);
    EXPECT_EQ(runner.adopt(nullptr, back, {{{6, 5}, true}, {{6, 6}, true}}),
              std::vector<Token>{Token({6, 5})});
    EXPECT_EQ(queue->running, 1U);
    EXPECT_EQ(queue->room.waiting(), 1U) << "the other runs again";
    EXPECT_EQ(state.table.executions[two].crashes, 0);
    EXPECT_EQ(leases.next_abandoned(), Time::max());
    EXPECT_EQ(leases.find(other, {6, 5}), kNoSlot);
    EXPECT_NE(leases.find(back, {6, 5}), kNoSlot);
    protocol::Done message = done({5}, AttemptOutcome::done);
    message.epoch = 6;
    message.outcomes[0].body = {};
    runner.done(back, {protocol::kWorker, back.id, 1}, message, std::vector<BodyIn>(1));
    EXPECT_EQ(queue->ended_as(protocol::FinalOutcome::done), 1U);
    EXPECT_EQ(state.counters.value(Counter::attempts_stale), 0U);
}

TEST_F(RestoredLeasesTest, RunAgainUnchargedWhenNobodyComesBack) {
    const Slot one = execution(1);
    leases.restore(one, {6, 5}, "w", job_id(100));
    state.now += 10s - 1ms;
    EXPECT_FALSE(runner.expire(100));
    EXPECT_EQ(queue->running, 1U);
    state.now += 1ms;
    EXPECT_FALSE(runner.expire(100));
    EXPECT_EQ(queue->running, 0U);
    EXPECT_EQ(queue->room.waiting(), 1U);
    EXPECT_EQ(state.table.executions[one].crashes, 0);
    Session& late = session("w", 100);
    EXPECT_TRUE(runner.adopt(nullptr, late, {{{6, 5}, true}}).empty());
}

TEST_F(RestoredLeasesTest, TheWindowMovesWithAStandstill) {
    leases.restore(execution(1), {6, 5}, "w", job_id(100));
    leases.extend(1min);
    state.now += 1min;
    EXPECT_FALSE(runner.expire(100));
    EXPECT_EQ(queue->running, 1U);
}

TEST_F(RestoredLeasesTest, CanBeCancelledBeforeTheirWorkerIsBack) {
    const Slot one = execution(1);
    const Slot two = execution(2);
    leases.restore(one, {6, 5}, "w", job_id(100));
    leases.restore(two, {6, 6}, "w", job_id(100));
    ending.end(one,
               ending.how(protocol::FinalOutcome::cancelled, protocol::ErrorCode::cancelled, "x"));
    EXPECT_EQ(queue->running, 1U);
    Session& back = session("w", 100);
    EXPECT_EQ(runner.adopt(nullptr, back, {{{6, 5}, true}, {{6, 6}, true}}),
              std::vector<Token>{Token({6, 6})});
}

TEST_F(RestoredLeasesTest, WhatRanAloneRunsAloneStill) {
    const Slot one = execution(1);
    state.table.executions[one].crashes = 1;
    leases.restore(one, {6, 5}, "w", job_id(100));
    Session& back = session("w", 100);
    EXPECT_EQ(runner.adopt(nullptr, back, {{{6, 5}, false}}).size(), 1U);
    EXPECT_TRUE(back.worker->exclusive);
    state.workers.update(*back.worker);
    EXPECT_EQ(state.workers.pick(queue->number, 1, false), nullptr);
    runner.lose(back, true);
    EXPECT_EQ(state.table.executions[one].crashes, 2) << "it was all its worker had";
}

TEST_F(RestoredLeasesTest, HaveMaxRunFromTheRestartOn) {
    BrokerOptions patient = options();
    leases.restore(execution(1), {6, 5}, "w", job_id(100));
    Session& back = session("w", 100);
    ASSERT_EQ(runner.adopt(nullptr, back, {{{6, 5}, true}}).size(), 1U);
    state.now += patient.max_run - 1ms;
    EXPECT_EQ(leases.overdue(), kNoSlot);
    state.now += 1ms;
    EXPECT_NE(leases.overdue(), kNoSlot);
    EXPECT_FALSE(runner.expire(100));
    EXPECT_TRUE(leases.take_revoked(*back.worker, {6, 5}));
    EXPECT_FALSE(leases.take_revoked(*back.worker, {6, 5}));
}

}  // namespace
}  // namespace scanmq::broker
