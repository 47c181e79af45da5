// FileLog's behaviour, on the model file system and without threads.

#include "broker/store/file_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/store/log_harness.hpp"

namespace scanmq::broker {
namespace {

using testing::HasSubstr;

TEST(FileLog, AnEmptyLogIsDurableUpToNothing) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    EXPECT_EQ(harness.log->durable(), 0U);
    EXPECT_FALSE(harness.log->step(harness.now)) << "nothing to do";
    EXPECT_EQ(harness.wakes, 0);
    EXPECT_EQ(harness.log->findings().last, 0U);
}

TEST(FileLog, ARecordIsDurableAfterTheStepAndNotBefore) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.append(3);
    EXPECT_EQ(harness.log->durable(), 0U);
    harness.step();
    EXPECT_EQ(harness.log->durable(), 3U);
    EXPECT_EQ(harness.wakes, 1);
    EXPECT_TRUE(harness.verify());
}

TEST(FileLog, BodiesAreReadBackInTheirPlaces) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    CommitRecord record;
    record.partition = 9;
    change::Accepted accepted;
    accepted.execution = 5;
    accepted.payload.handle = harness.bodies.put({"the payload", 0});
    write_change(accepted, record.bytes, record.bodies);
    ASSERT_EQ(record.bodies.size(), 1U);
    ASSERT_TRUE(harness.log->append(std::vector{record}, harness.bodies).ok());
    harness.bodies.release(accepted.payload.handle);
    harness.log->step(harness.now);

    int visits = 0;
    const auto read = harness.log->read(0, [&](const RecordView& view) -> Result<void, LogError> {
        ++visits;
        EXPECT_EQ(view.partition, 9U);
        ArchiveReader reader(view.changes);
        change::Any any;
        EXPECT_TRUE(read_change(reader, any));
        EXPECT_EQ(std::get<change::Accepted>(any).payload.body.bytes, "the payload");
        return {};
    });
    EXPECT_TRUE(read.ok());
    EXPECT_EQ(visits, 1);
}

TEST(FileLog, OneStepIsOneWriteAndOneSyncHoweverManyRecords) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(1);
    const LogStats before = harness.log->stats();
    for (int i = 0; i < 10; ++i) harness.append(1);
    harness.step();
    const LogStats after = harness.log->stats();
    EXPECT_EQ(after.writes - before.writes, 1U);
    EXPECT_EQ(after.syncs - before.syncs, 1U);
    EXPECT_EQ(after.records - before.records, 10U);
}

TEST(FileLog, PositionsGoOnAcrossRestarts) {
    LogHarness harness;
    for (int life = 0; life < 5; ++life) {
        ASSERT_TRUE(harness.open());
        EXPECT_EQ(harness.log->findings().last, static_cast<LogPosition>(life * 20));
        harness.write(20);
        EXPECT_EQ(harness.log->durable(), static_cast<LogPosition>((life + 1) * 20));
    }
    ASSERT_TRUE(harness.open());
}

TEST(FileLog, PositionsGoOnBehindTheCheckpointWhenTheLogIsGone) {
    LogHarness harness;
    harness.options.checkpoint = 500;
    auto log = FileLog::open(harness.files, harness.options);
    ASSERT_TRUE(log.ok());
    EXPECT_EQ(*(*log)->append(std::vector{record_of(1)}, harness.bodies), 501U);
    EXPECT_TRUE((*log)->step(harness.now));
    log = FileLog::open(harness.files, harness.options);
    ASSERT_TRUE(log.ok()) << log.error().sentence;
    EXPECT_EQ((*log)->durable(), 501U);
}

TEST(FileLog, ReadGivesWhatIsDurableBehindThePosition) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(50);
    harness.append(5);
    std::vector<LogPosition> seen;
    const auto collect = [&](const RecordView& view) -> Result<void, LogError> {
        seen.push_back(view.position);
        return {};
    };
    ASSERT_TRUE(harness.log->read(47, collect).ok());
    EXPECT_THAT(seen, testing::ElementsAre(48, 49, 50));
    seen.clear();
    ASSERT_TRUE(harness.log->read(50, collect).ok());
    EXPECT_TRUE(seen.empty());
}

TEST(FileLog, TheFirstErrorOfAVisitEndsTheReading) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(10);
    int visits = 0;
    const auto read = harness.log->read(0, [&](const RecordView&) -> Result<void, LogError> {
        if (++visits == 3) return fail(LogError{"enough"});
        return {};
    });
    EXPECT_EQ(read.error().sentence, "enough");
    EXPECT_EQ(visits, 3);
}

TEST(FileLog, WhatWasReleasedCannotBeRead) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(100);
    harness.release(100);
    const auto read =
        harness.log->read(0, [](const RecordView&) { return Result<void, LogError>(); });
    ASSERT_FALSE(read.ok());
    EXPECT_THAT(read.error().sentence, HasSubstr("records from 1 on are asked for"));
    EXPECT_TRUE(harness.verify()) << "behind the checkpoint all is there";
}

TEST(FileLog, ReleasedSegmentsAreRecycledNotAllocatedAgain) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    for (int i = 0; i < 200; ++i) {
        harness.write(5);
        harness.release(harness.acknowledged);
    }
    const LogStats stats = harness.log->stats();
    EXPECT_LE(stats.allocated, 5U);
    EXPECT_GT(stats.recycled, 15U);
    EXPECT_LE(stats.segments, 2U);
    EXPECT_LE(harness.files.used_bytes(), 6 * kTestSegmentBytes);
    ASSERT_TRUE(harness.open());
}

TEST(FileLog, NoMoreThanTheSparesAreKept) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(400);
    EXPECT_GT(harness.log->stats().segments, 8U);
    harness.release(400);
    EXPECT_EQ(harness.log->stats().spares, 3U);
    EXPECT_LE(harness.files.used_bytes(), 4 * kTestSegmentBytes);
}

TEST(FileLog, SegmentsOfAnotherSizeAreReadAndThenReplaced) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(60);
    harness.options.segment_bytes = 2 * kTestSegmentBytes;
    ASSERT_TRUE(harness.open());
    harness.write(60);
    harness.release(120);
    ASSERT_TRUE(harness.open());
    const auto names = harness.files.list("log");
    for (const std::string& name : *names) {
        EXPECT_EQ(harness.files.contents("log/" + name).size(), 2 * kTestSegmentBytes) << name;
    }
}

TEST(FileLog, ARestartWithoutRecordsTakesNoRoom) {
    LogHarness harness;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(harness.open());
    EXPECT_EQ(harness.files.used_bytes(), 2 * kTestSegmentBytes);
}

TEST(FileLog, WhatWasCutDoesNotComeBackBehindNewRecords) {
    // All records have one size, so that old frames lie exactly where new ones end; and the same file
    // becomes the same segment again.
    LogHarness harness;
    harness.options.spare_segments_max = 10;
    ASSERT_TRUE(harness.open());
    const auto append = [&](char fill, int count) {
        CommitRecord record;
        record.bytes.assign(448, fill);
        const std::vector<CommitRecord> batch(static_cast<std::size_t>(count), record);
        EXPECT_TRUE(harness.log->append(batch, harness.bodies).ok());
        EXPECT_TRUE(harness.log->step(harness.now));
    };
    append('a', 40);  // 16 to a segment
    const std::string second = "log/" + segment_name(2);
    std::string bytes = harness.files.contents(second);
    bytes[kSegmentHeadBytes + 100] ^= 1;  // the first record of the second segment
    harness.files.set_contents(second, bytes);

    harness.log.reset();
    for (const LogPosition end : {16, 17, 18}) {
        auto log = FileLog::open(harness.files, harness.options);
        ASSERT_TRUE(log.ok()) << log.error().sentence;
        harness.log = std::move(*log);
        EXPECT_EQ(harness.log->durable(), end);
        if (end == 16) {
            EXPECT_THAT(harness.log->findings().cut, HasSubstr("cut behind record 16, 23 later"));
        }
        append('b', 1);
    }
}

TEST(FileLog, AFullDiskIsNoErrorUntilTheAllocatedRoomIsUsedUp) {
    LogHarness harness;
    harness.files.faults.capacity = 4 * kTestSegmentBytes + 100;
    ASSERT_TRUE(harness.open());
    EXPECT_FALSE(harness.log->room().low);
    LogPosition steps = 0;
    while (!harness.log->room().low) {
        harness.write(1);
        ASSERT_LT(++steps, 1000U);
    }
    EXPECT_THAT(harness.log->room().reason, HasSubstr("bytes are free"));
    EXPECT_FALSE(harness.log->error()) << "it goes on";
    const std::uint64_t promised = harness.log->room().bytes;
    ASSERT_GT(promised, 4000U);
    std::uint64_t used = 0;
    while (!harness.log->error()) {
        const LogPosition before = harness.acknowledged;
        harness.write(1);
        if (harness.acknowledged > before) {
            used += frame_bytes(content_of(harness.serials[harness.acknowledged]).size());
        }
        ASSERT_LT(++steps, 1000U);
    }
    EXPECT_GE(used, promised);
    EXPECT_THAT(harness.log->error()->sentence, HasSubstr("all allocated segments are full"));
    EXPECT_FALSE(harness.append(1));

    // What was acknowledged is there; a checkpoint makes room.
    ASSERT_TRUE(harness.open());
    EXPECT_TRUE(harness.log->room().low);
    harness.release(harness.acknowledged);
    harness.log->provide();
    EXPECT_FALSE(harness.log->room().low);
    harness.write(10);
    EXPECT_FALSE(harness.log->error());
}

TEST(FileLog, WhatFitsIsStillStoredWhenTheRoomEndsWithinABatch) {
    LogHarness harness;
    harness.files.faults.capacity = 2 * kTestSegmentBytes;
    ASSERT_TRUE(harness.open());
    harness.append(300);
    harness.step();
    ASSERT_TRUE(harness.log->error());
    EXPECT_GT(harness.acknowledged, 30U);
    ASSERT_TRUE(harness.open());
}

TEST(FileLog, RoomShrinksByWhatIsAppendedAndWritten) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(1);
    const std::uint64_t before = harness.log->room().bytes;
    const std::uint64_t frame = frame_bytes(content_of(harness.next_serial).size());
    harness.append(1);
    EXPECT_EQ(harness.log->room().bytes, before - frame);
    harness.step();
    EXPECT_EQ(harness.log->room().bytes, before - frame);
}

TEST(FileLog, AFailedSyncStopsItForGood) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(5);
    harness.files.faults.failing_syncs = 1;
    harness.append(5);
    const int wakes = harness.wakes;
    harness.step();
    ASSERT_TRUE(harness.log->error());
    EXPECT_THAT(harness.log->error()->sentence, HasSubstr("cannot be synced: cannot sync log/"));
    EXPECT_EQ(harness.wakes, wakes + 1);
    EXPECT_EQ(harness.log->durable(), 5U);

    const auto counted = harness.files.counters().changes;
    EXPECT_FALSE(harness.log->step(harness.now));
    harness.log->finish(harness.now);
    EXPECT_EQ(harness.files.counters().changes, counted) << "nothing is tried again";
    EXPECT_EQ(harness.log->durable(), 5U);
    EXPECT_FALSE(harness.append(1));
}

TEST(FileLog, AFailedWriteStopsItForGood) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(5);
    harness.files.faults.failing_writes = 1;
    harness.append(5);
    harness.step();
    ASSERT_TRUE(harness.log->error());
    EXPECT_THAT(harness.log->error()->sentence, HasSubstr("cannot be written"));
    const auto counted = harness.files.counters().changes;
    EXPECT_FALSE(harness.log->step(harness.now));
    EXPECT_EQ(harness.files.counters().changes, counted);
    EXPECT_EQ(harness.log->durable(), 5U);
}

TEST(FileLog, AFileThatCannotBeReadIsRefusedNotCut) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    harness.write(5);
    harness.log.reset();
    harness.files.faults.failing_reads = 1;
    const auto opened = FileLog::open(harness.files, harness.options);
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(opened.error().sentence, HasSubstr("cannot be read"));
    EXPECT_TRUE(harness.open());
}

TEST(FileLog, ABacklogIsTakenAndTold) {
    LogHarness harness;
    harness.options.buffer_bytes_max = 10'000;
    ASSERT_TRUE(harness.open());
    EXPECT_FALSE(harness.log->backlogged());
    EXPECT_TRUE(harness.append(200));
    EXPECT_TRUE(harness.log->backlogged());
    EXPECT_TRUE(harness.append(1)) << "what happened has to be taken";
    harness.step();
    EXPECT_FALSE(harness.log->backlogged());
    EXPECT_TRUE(harness.verify());
}

TEST(FileLog, ARecordThatIsTooLongIsRefused) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    CommitRecord record = record_of(1);
    record.bytes.assign(kTestRecordMax + 100, 'x');
    const auto refused = harness.log->append(std::vector{record}, harness.bodies);
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.error().sentence, HasSubstr("at most 1500 are allowed"));
    harness.write(1);
    EXPECT_TRUE(harness.verify());
}

TEST(FileLog, AsyncIsDurableWhenWrittenAndSyncsOnceAnInterval) {
    LogHarness harness;
    harness.options.mode = FileLogOptions::Mode::async;
    ASSERT_TRUE(harness.open());
    harness.write(1);
    EXPECT_EQ(harness.log->durable(), 1U);
    EXPECT_EQ(harness.log->stats().syncs, 0U);
    const auto due = harness.log->next_deadline();
    ASSERT_TRUE(due);
    EXPECT_EQ(*due, harness.now + std::chrono::milliseconds(50));
    harness.now += std::chrono::milliseconds(30);
    harness.write(1);
    EXPECT_EQ(*harness.log->next_deadline(), *due) << "the first write sets it";
    EXPECT_FALSE(harness.log->step(harness.now));
    harness.now = *due;
    EXPECT_TRUE(harness.log->step(harness.now));
    EXPECT_EQ(harness.log->stats().syncs, 1U);
    EXPECT_FALSE(harness.log->next_deadline());
    EXPECT_TRUE(harness.verify());
}

TEST(FileLog, FinishSyncsInBothModes) {
    for (const auto mode : {FileLogOptions::Mode::sync, FileLogOptions::Mode::async}) {
        LogHarness harness;
        ASSERT_TRUE(harness.files.sync_directory(".").ok());
        harness.options.mode = mode;
        ASSERT_TRUE(harness.open());
        harness.append(30);
        harness.log->finish(harness.now);
        harness.acknowledged = harness.log->durable();
        EXPECT_EQ(harness.acknowledged, 30U);
        Rng rng(1);
        harness.crash(rng);
        EXPECT_TRUE(harness.open());
    }
}

TEST(FileLog, TheProviderIsCalledWhenASegmentWasTakenOrReleased) {
    LogHarness harness;
    ASSERT_TRUE(harness.open());
    int pokes = 0;
    harness.log->set_provide_elsewhere([&] { ++pokes; });
    harness.write(1);
    EXPECT_EQ(pokes, 1);
    harness.write(1);
    EXPECT_EQ(pokes, 1);
    EXPECT_EQ(harness.log->stats().spares, 1U);
    harness.log->provide();
    EXPECT_EQ(harness.log->stats().spares, 2U);
    harness.write(60);
    pokes = 0;
    harness.release(harness.acknowledged);
    EXPECT_EQ(pokes, 1);
}

}  // namespace
}  // namespace scanmq::broker
