#pragma once
// LogHarness: a FileLog of small segments over the model file system, and what it ought to hold.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/store/body_store.hpp"
#include "broker/store/file_log.hpp"
#include "tests/support/sim_file.hpp"

namespace scanmq::broker {

inline constexpr std::uint64_t kTestSegmentBytes = 12U << 10;  // 8 KiB of frames
inline constexpr std::size_t kTestRecordMax = 1500;

inline FileLogOptions small_log() {
    FileLogOptions out;
    out.folder = "log";
    out.segment_bytes = kTestSegmentBytes;
    out.record_bytes_max = kTestRecordMax;
    out.reserve_segments = 2;
    out.spare_segments_max = 3;
    out.seed = 42;
    return out;
}

// Every record is unlike every other: `serial` makes its size and content.
inline std::string content_of(std::uint64_t serial) {
    Rng rng(serial);
    std::string out(20 + rng.below(rng.below(4) == 0 ? 1200 : 300), '\0');
    for (std::size_t i = 0; i < out.size(); i += 5) out[i] = static_cast<char>(rng.next());
    return out;
}

inline CommitRecord record_of(std::uint64_t serial) {
    CommitRecord out;
    out.partition = static_cast<PartitionId>(serial % 7);
    out.epoch = 3;
    out.previous = serial;
    out.sequence = serial + 1;
    out.bytes = content_of(serial);
    return out;
}

class LogHarness {
  public:
    LogHarness() { EXPECT_TRUE(files.make_directory("log").ok()); }
    explicit LogHarness(std::unique_ptr<tests::SimFileSystem> from) : owned_(std::move(from)) {}

    // Opens; on success checks that what is found is a prefix of what was appended, with everything
    // acknowledged in it, and forgets the rest.
    [[nodiscard]] testing::AssertionResult open() {
        options.checkpoint = checkpoint;
        log.reset();
        auto opened = FileLog::open(files, options);
        if (!opened) return testing::AssertionFailure() << opened.error().sentence;
        log = std::move(*opened);
        log->set_wake([this] { ++wakes; });
        return verify();
    }

    [[nodiscard]] testing::AssertionResult verify() {
        const LogPosition end = log->durable();
        if (end < acknowledged)
            return testing::AssertionFailure()
                   << "acknowledged up to " << acknowledged << ", found up to " << end;
        if (end > appended)
            return testing::AssertionFailure()
                   << "appended up to " << appended << ", found up to " << end;
        for (LogPosition p = end + 1; p <= appended; ++p) serials.erase(p);
        appended = acknowledged = end;
        LogPosition expected = checkpoint;
        auto read = log->read(checkpoint, [&](const RecordView& record) -> Result<void, LogError> {
            ++expected;
            const auto serial = serials.find(record.position);
            if (record.position != expected || serial == serials.end() ||
                record.changes != content_of(serial->second) ||
                record.sequence != serial->second + 1 || record.epoch != 3 ||
                record.partition != serial->second % 7) {
                return fail(LogError{"record " + std::to_string(record.position) +
                                     " is not what was appended"});
            }
            return {};
        });
        if (!read) return testing::AssertionFailure() << read.error().sentence;
        if (expected != end)
            return testing::AssertionFailure() << "read up to " << expected << " of " << end;
        return testing::AssertionSuccess();
    }

    // False when the log has stopped.
    bool append(std::uint64_t count) {
        std::vector<CommitRecord> batch;
        for (std::uint64_t i = 0; i < count; ++i) {
            serials[++appended] = next_serial;
            batch.push_back(record_of(next_serial++));
        }
        auto position = log->append(batch, bodies);
        EXPECT_TRUE(!position || *position == appended);
        return position.ok();
    }
    void step() {
        log->step(now);
        acknowledged = log->durable();
    }
    void write(std::uint64_t count) {
        append(count);
        step();
    }
    // A checkpoint of everything up to here, and its consequence.
    void release(LogPosition up_to) {
        checkpoint = up_to;
        (void)log->release(up_to);
    }
    void crash(Rng& rng) {
        log.reset();
        files.crash(rng);
    }
    [[nodiscard]] std::vector<std::string> segments() {
        std::vector<std::string> out;
        const auto names = files.list("log");
        for (const std::string& name : *names) {
            if (segment_number(name)) out.push_back("log/" + name);
        }
        return out;
    }

  private:
    std::unique_ptr<tests::SimFileSystem> owned_ = std::make_unique<tests::SimFileSystem>();

  public:
    tests::SimFileSystem& files = *owned_;
    FileLogOptions options = small_log();
    BodyStore bodies;
    std::unique_ptr<FileLog> log;
    Time now{};
    std::map<LogPosition, std::uint64_t> serials;  // what stands at a position
    std::uint64_t next_serial = 1;
    LogPosition appended = 0;
    LogPosition acknowledged = 0;
    LogPosition checkpoint = 0;
    int wakes = 0;
};

}  // namespace scanmq::broker
