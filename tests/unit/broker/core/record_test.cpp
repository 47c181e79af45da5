#include "broker/core/record.hpp"

#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

Id128 id(std::uint8_t n) {
    Id128 out;
    out.bytes.fill(n);
    return out;
}

change::Accepted accepted() {
    change::Accepted out;
    out.execution = 300;
    out.job.id = id(1);
    out.job.digest = ~0ULL;
    out.job.subject = "SPY.vertical";
    out.job.group = id(2);
    out.job.bytes = 264;
    out.job.priority = 9;
    out.job.accepted = 1'700'000'000'000;
    out.job.due = -5;
    out.job.conflate_key = "key";
    out.inputs = "inputs";
    out.as_of_ns = -9;
    out.payload = {BodyHandle{7}, {BodyKey::Kind::payload, 3, 300}, {}};
    return out;
}

change::Ended ended() {
    change::Ended out;
    out.execution = 300;
    out.over = true;
    out.outcome = protocol::FinalOutcome::done;
    out.first_offset = 41;
    out.jobs.push_back({id(1), 5, "SPY", id(2)});
    out.jobs.push_back({id(3), 6, "QQQ", {}});
    out.body = {BodyHandle{8}, {BodyKey::Kind::result, 3, 41}, {}};
    return out;
}

protocol::Body body_of(BodyHandle handle) {
    static const std::string kHash(32, 'h');
    if (handle.value == 7) return {"payload", 0};
    return {kHash, 1'000'000};
}

std::string both() {
    CommitRecord record;
    write_change(accepted(), record.bytes, record.bodies);
    write_change(ended(), record.bytes, record.bodies);
    EXPECT_EQ(record.bodies.size(), 2U);
    std::string bytes;
    assemble(record, body_of, bytes);
    return bytes;
}

TEST(Record, ChangesComeBackWithTheirBodies) {
    const std::string bytes = both();
    ArchiveReader reader(bytes);
    change::Any any;
    ASSERT_TRUE(read_change(reader, any));
    const auto& first = std::get<change::Accepted>(any);
    EXPECT_EQ(first.execution, 300U);
    EXPECT_EQ(first.job.id, id(1));
    EXPECT_EQ(first.job.digest, ~0ULL);
    EXPECT_EQ(first.job.subject, "SPY.vertical");
    EXPECT_EQ(first.job.group, id(2));
    EXPECT_EQ(first.job.priority, 9U);
    EXPECT_EQ(first.job.due, -5);
    EXPECT_EQ(first.job.conflate_key, "key");
    EXPECT_EQ(first.inputs, "inputs");
    EXPECT_EQ(first.as_of_ns, -9);
    EXPECT_TRUE(first.fingerprint.is_zero());
    EXPECT_EQ(first.payload.body, (protocol::Body{"payload", 0}));
    ASSERT_TRUE(read_change(reader, any));
    const auto& second = std::get<change::Ended>(any);
    EXPECT_TRUE(second.over);
    ASSERT_EQ(second.jobs.size(), 2U);
    EXPECT_EQ(second.jobs[1].subject, "QQQ");
    EXPECT_TRUE(second.jobs[1].group.is_zero());
    EXPECT_TRUE(second.body.body.is_blob());
    EXPECT_EQ(second.body.body.blob_size, 1'000'000U);
    EXPECT_TRUE(reader.at_end());
}

TEST(Record, ARowOfAnEarlierVersionEndsBeforeWhatWasAddedSince) {
    QueueRow row;
    row.name = "q";
    row.scanner_version = "7";
    row.sequence = 300;
    row.version_pinned = true;
    row.version_since = 5;
    std::string bytes;
    {
        ArchiveWriter writer(bytes, nullptr);
        row.fields(writer);
    }
    QueueRow read;
    ArchiveReader whole(bytes);
    read.fields(whole);
    EXPECT_TRUE(whole.ok() && whole.at_end());
    EXPECT_TRUE(read.version_pinned);
    EXPECT_EQ(read.version_since, 5U);
    ArchiveReader before(ByteView(bytes).substr(0, bytes.size() - 2));
    read.fields(before);
    EXPECT_TRUE(before.ok() && before.at_end());
    EXPECT_EQ(read.sequence, 300U);
    EXPECT_FALSE(read.version_pinned);
    EXPECT_EQ(read.version_since, 0U);
}

TEST(Record, EveryTruncationIsAnErrorAndReadsNothingBeyond) {
    const std::string bytes = both();
    std::size_t whole = 0;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const std::string cut = bytes.substr(0, size);  // of its own: a sanitizer sees the end
        ArchiveReader reader(cut);
        change::Any any;
        while (!reader.at_end() && read_change(reader, any)) {
        }
        whole += reader.ok() && size > 0 ? 1 : 0;
    }
    EXPECT_EQ(whole, 1U);  // just between the two changes
}

TEST(Record, UnknownKindAndOverlongCountsAreRefused) {
    change::Any any;
    for (const std::string& bytes :
         {std::string("\x7f"), std::string("\xff\xff\xff\xff\xff\xff"),
          // Started with a list of 2^35 attempts
          "\x01\x01w" + std::string(16, 'i') + "\x80\x80\x80\x80\x80\x01"}) {
        ArchiveReader reader(bytes);
        EXPECT_FALSE(read_change(reader, any));
    }
}

TEST(Record, NegativeAndLargeNumbersComeBack) {
    for (const std::int64_t value : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
        std::string bytes;
        { ArchiveWriter(bytes, nullptr).sint(value); }
        std::int64_t back = 1;
        ArchiveReader reader(bytes);
        reader.sint(back);
        EXPECT_TRUE(reader.ok());
        EXPECT_EQ(back, value);
    }
}

}  // namespace
}  // namespace scanmq::broker
