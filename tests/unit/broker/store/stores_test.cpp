#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/blob_store.hpp"
#include "broker/store/body_store.hpp"
#include "broker/store/memory_log.hpp"

namespace scanmq::broker {
namespace {

TEST(BlobStore, KeepsWhatIsWrittenInPieces) {
    BlobStore store;
    const ContentId id = content_id("hello world");
    store.begin(id, 11);
    store.write(id, 0, "hello ");
    store.write(id, 6, "world");
    EXPECT_EQ(store.view(id), "hello world");
    EXPECT_EQ(store.bytes(), 11U);
    store.drop(id);
    EXPECT_EQ(store.bytes(), 0U);
    EXPECT_TRUE(store.view(id).empty());
}

TEST(BlobStore, BeginningAgainReplaces) {
    BlobStore store;
    const ContentId id = content_id("x");
    store.begin(id, 100);
    store.begin(id, 2);
    store.write(id, 0, "ab");
    EXPECT_EQ(store.view(id), "ab");
    EXPECT_EQ(store.bytes(), 2U);
}

TEST(BlobStoreDeathTest, WritingPastTheEndIsOurMistake) {
    BlobStore store;
    const ContentId id = content_id("x");
    store.begin(id, 4);
    EXPECT_DEATH(store.write(id, 3, "ab"), "assertion failed");
}

CommitRecord record(PartitionId partition, std::uint64_t previous, std::uint64_t sequence) {
    CommitRecord out;
    out.partition = partition;
    out.previous = previous;
    out.sequence = sequence;
    return out;
}

TEST(MemoryLog, IsDurableAtOnce) {
    MemoryLog log;
    const BodyStore bodies;
    EXPECT_EQ(log.durable(), 0U);
    const std::vector<CommitRecord> batch = {record(1, 0, 1), record(2, 0, 1), record(1, 1, 2)};
    const auto position = log.append(batch, bodies);
    ASSERT_TRUE(position.ok());
    EXPECT_EQ(*position, 3U);
    EXPECT_EQ(log.durable(), 3U);
}

TEST(MemoryLog, RefusesARecordThatDoesNotFollow) {
    MemoryLog log;
    const BodyStore bodies;
    ASSERT_TRUE(log.append(std::vector{record(1, 0, 1)}, bodies).ok());
    const auto gap = log.append(std::vector{record(1, 2, 3)}, bodies);
    ASSERT_FALSE(gap.ok());
    EXPECT_THAT(gap.error().sentence, testing::HasSubstr("the log ends at 1"));
}

}  // namespace
}  // namespace scanmq::broker
