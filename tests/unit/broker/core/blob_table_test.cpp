#include "broker/core/blob_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

ContentId id_of(std::uint8_t n) {
    ContentId id;
    id.bytes[0] = n;
    return id;
}

BlobRecord blob(std::uint8_t n, std::uint64_t bytes, const char* label = "") {
    BlobRecord record;
    record.id = id_of(n);
    record.bytes = bytes;
    record.label = label;
    return record;
}

// A table for 100 bytes or 4 blobs, with ten seconds of grace; time is what the test says.
class Blobs : public testing::Test {
  protected:
    BlobTable table{{.bytes_max = 100, .count_max = 4, .grace = seconds(10)}};
    std::vector<ContentId> dropped;

    static Time at(int second) { return Time(seconds(second)); }
    bool put(std::uint8_t n, std::uint64_t bytes, int second) {
        if (!table.reserve(blob(n, bytes), at(second), dropped).ok()) return false;
        table.stored(id_of(n), at(second));
        return true;
    }
};

TEST_F(Blobs, IsFoundOnlyOnceStored) {
    ASSERT_TRUE(table.reserve(blob(1, 10, "SPY"), at(0), dropped).ok());
    EXPECT_EQ(table.find(id_of(1)), nullptr);
    ASSERT_NE(table.find_any(id_of(1)), nullptr);
    EXPECT_THAT(table.list(), IsEmpty());
    EXPECT_EQ(table.bytes(), 10U) << "a place is taken from the start";
    table.stored(id_of(1), at(1));
    ASSERT_NE(table.find(id_of(1)), nullptr);
    EXPECT_EQ(table.find(id_of(1))->label, "SPY");
    EXPECT_EQ(table.list().size(), 1U);
}

TEST_F(Blobs, AbandonedPutGivesItsPlaceBack) {
    ASSERT_TRUE(table.reserve(blob(1, 100), at(0), dropped).ok());
    table.abandon(id_of(1));
    EXPECT_EQ(table.bytes(), 0U);
    EXPECT_EQ(table.count(), 0U);
    EXPECT_TRUE(put(2, 100, 0));
}

TEST_F(Blobs, OldestUnpinnedGoesFirstWhenBytesRunOut) {
    ASSERT_TRUE(put(1, 40, 0));
    ASSERT_TRUE(put(2, 40, 1));
    table.touch(id_of(1), at(2));
    ASSERT_TRUE(put(3, 40, 20));
    EXPECT_THAT(dropped, ElementsAre(id_of(2)));
    EXPECT_EQ(table.bytes(), 80U);
}

TEST_F(Blobs, OldestUnpinnedGoesFirstWhenPlacesRunOut) {
    for (std::uint8_t n = 1; n <= 4; ++n) ASSERT_TRUE(put(n, 1, n));
    ASSERT_TRUE(put(5, 1, 20));
    EXPECT_THAT(dropped, ElementsAre(id_of(1)));
}

TEST_F(Blobs, AsManyGoAsTheNewOneNeedsAndNoMore) {
    for (std::uint8_t n = 1; n <= 4; ++n) ASSERT_TRUE(put(n, 25, n));
    ASSERT_TRUE(put(5, 60, 20));
    EXPECT_THAT(dropped, ElementsAre(id_of(1), id_of(2), id_of(3)));
    EXPECT_EQ(table.bytes(), 85U);
}

TEST_F(Blobs, PinnedBlobsStay) {
    ASSERT_TRUE(put(1, 60, 0));
    table.pin(id_of(1), at(0));
    table.pin(id_of(1), at(0));
    table.unpin(id_of(1), at(0));
    EXPECT_FALSE(put(2, 60, 100));
    EXPECT_THAT(dropped, IsEmpty());
    EXPECT_NE(table.find(id_of(1)), nullptr);
    table.unpin(id_of(1), at(100));
    EXPECT_FALSE(put(2, 60, 109)) << "its grace runs from the last use";
    EXPECT_TRUE(put(2, 60, 110));
}

TEST_F(Blobs, NothingIsDroppedWhenItWouldNotBeEnough) {
    ASSERT_TRUE(put(1, 50, 0));
    ASSERT_TRUE(put(2, 50, 0));
    table.pin(id_of(2), at(0));
    EXPECT_FALSE(put(3, 60, 100));
    EXPECT_THAT(dropped, IsEmpty());
    EXPECT_NE(table.find(id_of(1)), nullptr);
}

TEST_F(Blobs, PutsUnderWayAreNeverDropped) {
    ASSERT_TRUE(table.reserve(blob(1, 60), at(0), dropped).ok());
    EXPECT_FALSE(put(2, 60, 1000));
}

TEST_F(Blobs, ABlobLargerThanTheTableIsRefused) {
    ASSERT_TRUE(put(1, 10, 0));
    EXPECT_FALSE(put(2, 101, 1000));
    EXPECT_FALSE(put(3, ~std::uint64_t{0}, 1000)) << "sums do not wrap";
    EXPECT_THAT(dropped, IsEmpty());
}

TEST_F(Blobs, LimitsCountWhatIsHeld) {
    BlobRecord encoded = blob(1, 400);
    encoded.encoding = protocol::BlobEncoding::zstd;
    encoded.encoded_bytes = 60;
    ASSERT_TRUE(table.reserve(encoded, at(0), dropped).ok());
    table.stored(id_of(1), at(0));
    EXPECT_EQ(table.bytes(), 60U);
    EXPECT_EQ(table.raw_bytes(), 400U);
    EXPECT_FALSE(put(2, 41, 0));
    EXPECT_TRUE(put(3, 40, 0));
    EXPECT_TRUE(put(4, 60, 11)) << "the encoded one goes";
    EXPECT_EQ(table.raw_bytes(), 100U);
}

TEST_F(Blobs, WhatWasUsedBeforeARestartKeepsTheRestOfItsGrace) {
    table.restore(blob(1, 40), at(100), seconds(4));
    table.restore(blob(2, 40), at(100), seconds(11));
    EXPECT_TRUE(put(3, 60, 100)) << "the one whose grace was over makes room";
    EXPECT_THAT(dropped, ElementsAre(id_of(2)));
    EXPECT_FALSE(put(4, 10, 105)) << "nine seconds after its last use, and the new one";
    EXPECT_TRUE(put(5, 10, 106));
    EXPECT_THAT(dropped, ElementsAre(id_of(2), id_of(1)));
}

TEST_F(Blobs, ThoseUsedAreToldOnce) {
    ASSERT_TRUE(put(1, 10, 0));
    ASSERT_TRUE(put(2, 10, 0));
    EXPECT_FALSE(table.any_used()) << "when they were put is with what was put";
    table.pin(id_of(2), at(1));
    table.unpin(id_of(2), at(2));
    table.touch(id_of(2), at(3));
    EXPECT_THAT(table.take_used(), ElementsAre(id_of(2)));
    table.touch(id_of(2), at(4));
    EXPECT_THAT(table.take_used(), ElementsAre(id_of(2)));
    EXPECT_THAT(table.take_used(), IsEmpty());
}

}  // namespace
}  // namespace scanmq::broker
