#include "broker/core/store_room.hpp"

#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

class StoreRoomTest : public ::testing::Test {
  protected:
    StoreRoomTest() { figures.disk_free_bytes = 10'000; }
    StoreRoom room{{4'000, 1'000}};
    StoreRoom::Figures figures{{}, {}, 4'000, {}, 100, 1'600, true};
};

TEST_F(StoreRoomTest, WithRoomThereIsNothingToDo) {
    const auto decision = room.judge(figures);
    EXPECT_FALSE(decision.full);
    EXPECT_FALSE(decision.act());
    EXPECT_EQ(room.interval(), std::chrono::seconds(2));
}

TEST_F(StoreRoomTest, ALowDiskIsFullUntilItIsNot) {
    figures.disk_free_bytes = 999;
    const auto decision = room.judge(figures);
    EXPECT_TRUE(decision.full);
    EXPECT_NE(decision.reason.find("disk-low-bytes"), std::string::npos);
    EXPECT_FALSE(decision.act()) << "the reserve is for checkpoints";
    EXPECT_EQ(room.interval(), std::chrono::milliseconds(250));
    figures.disk_free_bytes = 1'000;
    EXPECT_FALSE(room.judge(figures).full);
}

TEST_F(StoreRoomTest, AnUnknownDiskIsNotALowOne) {
    figures.disk_free_bytes.reset();
    EXPECT_FALSE(room.judge(figures).full);
}

TEST_F(StoreRoomTest, ALogWithoutItsReserveIsFull) {
    figures.log_low = "no room for a segment";
    EXPECT_FALSE(room.judge(figures).full) << "it has what it needs";
    figures.log_room_bytes = 3'999;
    EXPECT_EQ(room.judge(figures).reason, "no room for a segment");
}

TEST_F(StoreRoomTest, TheLastPartOfTheMapIsForWhatWasAccepted) {
    figures.state_bytes = 1'500;
    EXPECT_FALSE(room.judge(figures).full);
    figures.state_bytes = 1'501;
    EXPECT_TRUE(room.judge(figures).full);
}

TEST_F(StoreRoomTest, ACheckpointWithoutRoomGetsTheReserve) {
    figures.checkpoint_full = "MDB_MAP_FULL";
    auto decision = room.judge(figures);
    EXPECT_TRUE(decision.full);
    EXPECT_TRUE(decision.free_reserve);
    EXPECT_TRUE(decision.run_checkpoint);
    figures.reserve_held = false;
    decision = room.judge(figures);
    EXPECT_FALSE(decision.free_reserve);
    EXPECT_TRUE(decision.run_checkpoint) << "again, until it has room";
    EXPECT_FALSE(decision.restore_reserve);
    figures.checkpoint_full.reset();
    decision = room.judge(figures);
    EXPECT_FALSE(decision.full);
    EXPECT_TRUE(decision.restore_reserve);
}

TEST_F(StoreRoomTest, TheReserveIsNotAllocatedWhileItIsFull) {
    figures.reserve_held = false;
    figures.disk_free_bytes = 1;
    EXPECT_FALSE(room.judge(figures).restore_reserve);
}

}  // namespace
}  // namespace scanmq::broker
