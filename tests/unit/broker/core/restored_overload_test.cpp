// After a restart in the middle of a hold: places, results and needs of a lossless stream are what they
// were, and jobs have waited as long as they have.

#include "broker/core/ending.hpp"
#include "broker/core/group_handler.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/restorer.hpp"
#include "broker/core/runner.hpp"
#include "broker/core/shedding.hpp"
#include "broker/core/stream_hold.hpp"
#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::JobOptions;

constexpr PartitionId kPartition = 3;
constexpr WallMillis kWall = 1'800'000'000'000;

class RestoredOverloadTest : public ::testing::Test {
  protected:
    RestoredOverloadTest() {
        state.now = Time{1h};
        state.effects = &effects;
        QueueRow row;
        row.name = "q";
        row.incarnation = job_id(9);
        row.settings = {{"stream_max_bytes", 20'000},
                        {"max_result_bytes", 1'000},
                        {"lossless", 1},
                        {"overload", 2},
                        {"shed_target_ms", 500}};
        row.next_execution = 100;
        EXPECT_TRUE(restorer.queue(kPartition, row));
        queue = state.find_queue("q");
    }
    ~RestoredOverloadTest() override { state.effects = nullptr; }
    static BrokerOptions options() {
        BrokerOptions out;
        out.epoch = 7;
        out.seed = 1;
        out.wall_offset_ms = kWall - 3'600'000;
        return out;
    }
    // Of so many jobs, accepted so long ago; the attempt that runs, if any.
    Slot execution(std::uint64_t number, std::size_t count, Duration ago, std::uint8_t flags = 0,
                   std::uint64_t attempt = 0) {
        ExecutionRow row;
        for (std::size_t i = 0; i < count; ++i) {
            JobRow job;
            job.id = job_id(number * 100 + i);
            job.bytes = 64;
            job.priority = 5;
            job.flags = flags;
            job.accepted =
                kWall - std::chrono::duration_cast<std::chrono::milliseconds>(ago).count();
            row.jobs.push_back(job);
        }
        RunRow run;
        run.live_epoch = 6;
        run.live_counter = attempt;
        run.worker = "w";
        run.instance = job_id(1);
        const auto done =
            restorer.execution(kPartition, number, row, attempt == 0 ? nullptr : &run, {++handles});
        EXPECT_TRUE(done) << (done ? "" : done.error());
        return state.table.jobs[queue->ids.find(job_id(number * 100)).job].execution;
    }
    void entry(std::uint64_t offset, std::string_view subject, std::string_view body) {
        EntryRow row;
        row.kind = protocol::EntryKind::job;
        row.outcome = protocol::FinalOutcome::done;
        row.id = job_id(50'000 + offset);
        row.subject = subject;
        row.appended = kWall;
        row.body.body.bytes = body;
        EXPECT_TRUE(restorer.entry(kPartition, offset, row, {++handles}));
    }

    BlobTable blobs{{}};
    CoreState state{options(), blobs};
    Effects effects;
    StreamWriter writer{state};
    Leases leases{state};
    Ending ending{state, writer, leases};
    Runner runner{state, leases, ending};
    Publisher publisher{state};
    GroupHandler groups{state, writer};
    Restorer restorer{state, {leases, writer, groups, publisher}};
    Queue* queue = nullptr;
    std::uint32_t handles = 0;
};

TEST_F(RestoredOverloadTest, ReservationsAreRebuilt) {
    GroupRow open;
    open.phase = protocol::GroupPhase::open;
    open.opened = kWall;
    EXPECT_TRUE(restorer.group(kPartition, job_id(7), open));
    GroupRow over = open;
    over.phase = protocol::GroupPhase::complete;
    over.ended = kWall;
    EXPECT_TRUE(restorer.group(kPartition, job_id(8), over));
    execution(1, 1, 0s, 0, 5);
    execution(2, 3, 0s, 0, 6);
    const Slot waits = execution(3, 1, 0s);
    const std::string body(900, 'r');
    for (std::uint64_t i = 0; i < 9; ++i) entry(i, i < 6 ? "QQQ" : "SPY", body);
    EXPECT_TRUE(restorer.cursor(kPartition, "desk", {2, "SPY", 0, false}));
    EXPECT_TRUE(restorer.cursor(kPartition, "lapsed", {0, ">", kWall - 1'000, true}));
    restorer.finish();

    const StreamRoom room = stream_room(*queue);
    EXPECT_EQ(room.jobs, 5U);
    EXPECT_EQ(room.groups, 1U);
    EXPECT_EQ(room.running_jobs, 4U);
    EXPECT_EQ(room.bytes, 9U * 964);
    EXPECT_EQ(room.reserved(), 6U * 64 + 4 * 1'512);
    EXPECT_FALSE(room.acknowledged);
    EXPECT_FALSE(holds(state, *queue, waits)) << "one more fits";
    for (std::uint64_t i = 9; i < 12; ++i) entry(i, "SPY", body);
    EXPECT_TRUE(holds(state, *queue, waits));
    // What matches is kept, what does not goes as soon as room is short.
    writer.trim();
    EXPECT_GT(queue->stream.first(), 0U);
    EXPECT_LE(queue->stream.first(), 6U);
    EXPECT_EQ(queue->cursors.find("desk")->next_offset, 6U) << "over what does not match";
    EXPECT_FALSE(holds(state, *queue, waits));
    // The lost worker's attempts give their reservation back.
    state.now += 1min;
    runner.expire(100);
    EXPECT_EQ(stream_room(*queue).running_jobs, 0U);
    EXPECT_EQ(stream_room(*queue).reserved(), 6U * 64);
}

TEST_F(RestoredOverloadTest, WhatWasDroppedStandsBehindTheCursorThatAllowedIt) {
    for (std::uint64_t i = 0; i < 17; ++i) entry(i, "QQQ", std::string(900, 'r'));
    EXPECT_TRUE(restorer.cursor(kPartition, "desk", {0, "SPY", 0, false}));
    restorer.finish();
    writer.trim();
    EXPECT_GT(queue->stream.first(), 0U);
    state.commit();
    std::vector<std::string> changes;
    for (const CommitRecord& record : effects.commits) {
        ArchiveReader reader(record.bytes);
        while (!reader.at_end()) {
            change::Any any;
            ASSERT_TRUE(read_change(reader, any));
            if (const auto* set = std::get_if<change::CursorSet>(&any)) {
                changes.push_back("cursor " + std::to_string(set->cursor.next_offset));
            } else if (const auto* trimmed = std::get_if<change::StreamTrimmed>(&any)) {
                changes.push_back("first " + std::to_string(trimmed->first));
            }
        }
    }
    EXPECT_EQ(changes, (std::vector<std::string>{
                           "cursor 17", "first " + std::to_string(queue->stream.first())}));
}

TEST_F(RestoredOverloadTest, TimeGoesOnWhileTheBrokerIsDown) {
    const Slot plain = execution(1, 1, 20min);
    const Slot marked = execution(2, 1, 10min, JobOptions::kSheddable);
    const Slot from_the_future = execution(3, 1, -5min, JobOptions::kSheddable);
    restorer.finish();
    const Shedding shedding(state, ending);
    EXPECT_EQ(shedding.waited(*queue, plain), 20min);
    EXPECT_EQ(shedding.waited(*queue, marked), 10min);
    EXPECT_EQ(shedding.waited(*queue, from_the_future), 0s) << "the wall clock was set back";
}

TEST_F(RestoredOverloadTest, WhatIsSheddableStaysSo) {
    const Slot marked = execution(2, 1, 10min, JobOptions::kSheddable);
    const Slot plain = execution(3, 1, 10min);
    restorer.finish();
    Shedding shedding(state, ending);
    EXPECT_FALSE(shedding.ends(*queue, marked)) << "late, but not for long enough";
    state.now += 100ms;
    EXPECT_FALSE(shedding.ends(*queue, plain));
    EXPECT_TRUE(shedding.ends(*queue, marked));
    EXPECT_EQ(queue->ended_as(protocol::FinalOutcome::shed), 1U);
    EXPECT_EQ(queue->room.size(), 1U);
}

}  // namespace
}  // namespace scanmq::broker
