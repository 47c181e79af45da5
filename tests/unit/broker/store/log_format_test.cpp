// The bytes of the log, and every way to damage a small one.

#include "broker/store/log_format.hpp"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "broker/store/log_recovery.hpp"
#include "broker/store/segment_reader.hpp"
#include "tests/unit/broker/store/log_harness.hpp"

namespace scanmq::broker {
namespace {

using testing::HasSubstr;

std::string sealed(const CommitRecord& record, LogPosition position, const FrameKey& key) {
    std::string out;
    append_frame(out, position, record, BodyStore());
    seal_frame(out.data(), key, position / 2);
    return out;
}

// As a later version would write it.
std::string newer_head(const SegmentHead& head, char version) {
    std::string out = encode_segment_head(head);
    out[8] = version;
    const std::uint64_t checksum = XXH3_64bits(out.data(), 56);
    std::memcpy(out.data() + 56, &checksum, sizeof checksum);
    return out;
}

TEST(LogFormat, AHeadReadsBackAsItWasWritten) {
    const SegmentHead head{12, 64U << 20, 0x1122334455667788, 99};
    const auto decoded = decode_segment_head(encode_segment_head(head));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, head);
}

TEST(LogFormat, EveryChangedByteOfAHeadIsNoticed) {
    const std::string bytes = encode_segment_head({12, 64U << 20, 5, 99});
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string changed = bytes;
        changed[i] ^= 0x10;
        const auto decoded = decode_segment_head(changed);
        ASSERT_FALSE(decoded.ok()) << i;
        EXPECT_EQ(decoded.error().what, "has a damaged head");
    }
}

TEST(LogFormat, AFrameReadsBackAsItWasWritten) {
    const FrameKey key(7, 3);
    for (std::uint64_t serial = 1; serial < 50; ++serial) {
        const CommitRecord record = record_of(serial);
        const std::string frame = sealed(record, serial, key);
        EXPECT_EQ(frame.size(), frame_bytes(record.bytes.size()));
        EXPECT_EQ(frame.size() % kFrameAlign, 0U);
        const auto head = peek_frame(frame.data(), key);
        ASSERT_TRUE(head);
        EXPECT_EQ(head->position, serial);
        EXPECT_EQ(head->synced, serial / 2);
        EXPECT_EQ(head->bytes, frame.size());
        const auto view = read_frame(frame, key);
        ASSERT_TRUE(view);
        EXPECT_EQ(view->position, serial);
        EXPECT_EQ(view->partition, record.partition);
        EXPECT_EQ(view->epoch, record.epoch);
        EXPECT_EQ(view->previous, record.previous);
        EXPECT_EQ(view->sequence, record.sequence);
        EXPECT_EQ(view->changes, record.bytes);
    }
}

TEST(LogFormat, AFrameOfAnotherIncarnationSegmentOrPositionIsNone) {
    const std::string frame = sealed(record_of(1), 10, FrameKey(7, 3));
    EXPECT_FALSE(peek_frame(frame.data(), FrameKey(8, 3)));
    EXPECT_FALSE(read_frame(frame, FrameKey(8, 3)));
    EXPECT_FALSE(peek_frame(frame.data(), FrameKey(7, 4)));
    EXPECT_FALSE(read_frame(frame, FrameKey(7, 4)));
    std::string moved = frame;
    moved[16] = 11;
    EXPECT_FALSE(peek_frame(moved.data(), FrameKey(7, 3)));
    EXPECT_FALSE(read_frame(moved, FrameKey(7, 3)));
}

TEST(LogFormat, SegmentNamesSortAndReadBack) {
    EXPECT_EQ(segment_name(12), "0000000000000012.log");
    EXPECT_EQ(segment_number(segment_name(12)), 12U);
    for (const char* name : {"12.log", "spare-1.log", "making-1.log", "000000000000001x.log", ""}) {
        EXPECT_FALSE(segment_number(name)) << name;
    }
}

// A log of two incarnations and four segments. Steps: the last two have 3 records each.
class DamagedLog : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(harness_.open());
        for (int i = 0; i < 12; ++i) harness_.write(4);
        first_life_ = harness_.acknowledged;
        ASSERT_TRUE(harness_.open());
        for (int i = 0; i < 12; ++i) harness_.write(4);
        harness_.write(3);
        proven_ = harness_.acknowledged;  // the last step's records say that it was synced
        harness_.write(3);
        end_ = harness_.acknowledged;
        harness_.log.reset();
        auto found = find_log(harness_.files, "log", 0);
        ASSERT_TRUE(found.ok()) << found.error().sentence;
        found_ = std::move(*found);
        ASSERT_EQ(found_.end, end_);
        ASSERT_GE(found_.segments.size(), 4U);
    }

    // What is found has to be refused or everything that is proven, in order.
    void check(const std::string& what) {
        const auto found = find_log(harness_.files, "log", 0);
        if (!found) {
            ASSERT_THAT(found.error().sentence, HasSubstr("log/")) << what;
            ++refused_;
            return;
        }
        ASSERT_GE(found->end, proven_) << what;
        ASSERT_LE(found->end, end_) << what;
        if (found->end < end_) ++cut_;
        LogPosition expected = 0;
        for (const FoundSegment& segment : found->segments) {
            if (segment.first == 0) continue;
            ASSERT_EQ(segment.first, expected + 1) << what;
            expected = segment.last;
        }
        ASSERT_EQ(expected, found->end) << what;
    }

    LogHarness harness_;
    FoundLog found_;
    LogPosition first_life_ = 0;
    LogPosition proven_ = 0;
    LogPosition end_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t cut_ = 0;
};

TEST_F(DamagedLog, EveryChangedByteIsHarmlessOrCutOrRefused) {
    std::uint64_t used = 0;
    for (const FoundSegment& segment : found_.segments) {
        std::string bytes = harness_.files.contents(segment.path);
        used += segment.end - kSegmentHeadBytes + 64;
        // Of the head's unused part and of what is behind the end a few bytes tell all.
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            const bool unused = (i >= 80 && i < kSegmentHeadBytes - 16) || i >= segment.end + 100;
            if (unused && i % 97 != 0) continue;
            bytes[i] ^= 0x41;
            harness_.files.set_contents(segment.path, bytes);
            check(segment.path + " byte " + std::to_string(i));
            if (HasFatalFailure()) return;
            bytes[i] ^= 0x41;
        }
        harness_.files.set_contents(segment.path, bytes);
    }
    EXPECT_GT(refused_ + cut_, used * 95 / 100) << "all but the bytes that fill up to 8";
    EXPECT_GT(cut_, 100U) << "of the last step there is no proof";
}

TEST_F(DamagedLog, EveryTruncationIsCutOrRefused) {
    for (const FoundSegment& segment : found_.segments) {
        const bool last = segment.path == found_.segments.back().path;
        const std::string bytes = harness_.files.contents(segment.path);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            if (size > 100 && size < kSegmentHeadBytes - 8) continue;
            if (size > segment.end + 100 && size % 97 != 0) continue;
            harness_.files.set_contents(segment.path, bytes.substr(0, size));
            const std::uint64_t before = refused_;
            const auto found = find_log(harness_.files, "log", 0);
            if (found && last) {
                // The proof may be gone, too; but what is there is a prefix.
                ASSERT_GE(found->end, found_.segments.back().first - 1) << size;
                ASSERT_LE(found->end, end_) << size;
            } else {
                check(segment.path + " of " + std::to_string(size));
                if (HasFatalFailure()) return;
                if (!last && size < segment.end - 8) {
                    ASSERT_EQ(refused_, before + 1) << segment.path << " " << size;
                }
            }
        }
        harness_.files.set_contents(segment.path, bytes);
    }
}

TEST_F(DamagedLog, AMissingSegmentIsRefused) {
    for (const FoundSegment& segment : found_.segments) {
        if (segment.path == found_.segments.back().path) continue;  // that one leaves no trace
        const std::string bytes = harness_.files.contents(segment.path);
        ASSERT_TRUE(harness_.files.remove(segment.path));
        const auto found = find_log(harness_.files, "log", 0);
        ASSERT_FALSE(found.ok()) << segment.path;
        EXPECT_THAT(found.error().sentence, HasSubstr("records between them are missing"));
        harness_.files.set_contents(segment.path, bytes);
    }
}

TEST_F(DamagedLog, TheSentenceNamesFileOffsetAndRemedy) {
    const FoundSegment& segment = found_.segments[0];
    std::string bytes = harness_.files.contents(segment.path);
    bytes[kSegmentHeadBytes + 70] ^= 1;
    harness_.files.set_contents(segment.path, bytes);
    const auto found = find_log(harness_.files, "log", 0);
    ASSERT_FALSE(found.ok());
    EXPECT_THAT(found.error().sentence,
                HasSubstr("log/0000000000000001.log at offset 4096 is damaged: record 1 cannot"));
    EXPECT_THAT(found.error().sentence, HasSubstr("restore the data directory from a backup"));
}

TEST_F(DamagedLog, DamageThatTheCheckpointCoversDoesNotMatter) {
    const FoundSegment& segment = found_.segments[0];
    std::string bytes = harness_.files.contents(segment.path);
    bytes[kSegmentHeadBytes + 70] ^= 1;
    harness_.files.set_contents(segment.path, bytes);
    EXPECT_FALSE(find_log(harness_.files, "log", first_life_ - 1).ok());
    const auto found = find_log(harness_.files, "log", first_life_);
    ASSERT_TRUE(found.ok()) << found.error().sentence;
    EXPECT_EQ(found->end, end_);
}

TEST_F(DamagedLog, DamageOfWhatWasNeverAcknowledgedIsCut) {
    // A step whose sync never came: its first record is torn, the others are whole.
    ASSERT_TRUE(harness_.open());
    harness_.write(3);
    const LogPosition before = harness_.acknowledged;
    harness_.append(6);
    harness_.files.faults.failing_syncs = 1;
    harness_.step();
    ASSERT_EQ(harness_.acknowledged, before);
    harness_.log.reset();

    auto found = find_log(harness_.files, "log", 0);
    ASSERT_TRUE(found.ok());
    ASSERT_EQ(found->end, before + 6) << "written, and nothing has been lost yet";
    const FoundSegment& segment = found->segments.back();
    ASSERT_EQ(segment.first, before - 2);
    std::uint64_t at = kSegmentHeadBytes;
    for (LogPosition p = segment.first; p <= before; ++p)
        at += frame_bytes(content_of(harness_.serials[p]).size());
    std::string bytes = harness_.files.contents(segment.path);
    bytes[at + 66] ^= 1;
    harness_.files.set_contents(segment.path, bytes);
    found = find_log(harness_.files, "log", 0);
    ASSERT_TRUE(found.ok()) << found.error().sentence;
    EXPECT_EQ(found->end, before);
    EXPECT_THAT(found->findings.cut, HasSubstr("5 later ones had not been acknowledged"));
    EXPECT_THAT(found->findings.cut, HasSubstr("offset " + std::to_string(at)));
}

TEST_F(DamagedLog, ANewerFormatIsRefusedWithItsNumber) {
    const FoundSegment& segment = found_.segments.back();
    std::string bytes = harness_.files.contents(segment.path);
    tests::SimFileSystem& files = harness_.files;
    bytes.replace(0, 64, newer_head(segment.head, 2));
    files.set_contents(segment.path, bytes);
    const auto found = find_log(files, "log", 0);
    ASSERT_FALSE(found.ok());
    const std::string records = std::to_string(kRecordVersion);
    EXPECT_THAT(found.error().sentence,
                HasSubstr("written by a newer scanmq-broker (log format 2, records " + records +
                          "; this one reads up to 1 and " + records + "); start that version"));
}

}  // namespace
}  // namespace scanmq::broker
