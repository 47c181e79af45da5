// LogThread: the log with its threads, on the real file system.

#include "broker/store/log_thread.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/support/temp_dir.hpp"
#include "tests/unit/broker/store/log_harness.hpp"

namespace scanmq::broker {
namespace {

// What a wake-up means to the loop: look again.
class Bell {
  public:
    void ring() {
        {
            const std::lock_guard lock(mutex_);
            ++rings_;
        }
        rung_.notify_all();
    }
    // Waits until `done` says so, looking again at every ring.
    template <class Done>
    void wait(const Done& done) {
        std::unique_lock lock(mutex_);
        for (;;) {
            const std::uint64_t seen = rings_;
            lock.unlock();
            if (done()) return;
            lock.lock();
            rung_.wait(lock, [&] { return rings_ != seen; });
        }
    }

  private:
    std::mutex mutex_;
    std::condition_variable rung_;
    std::uint64_t rings_ = 0;
};

class LogThreads : public testing::Test {
  protected:
    std::unique_ptr<FileLog> open(FileLogOptions::Mode mode, LogPosition checkpoint) {
        FileLogOptions options;
        options.folder = folder_.path().string();
        options.mode = mode;
        options.segment_bytes = 64U << 10;
        options.record_bytes_max = 4096;
        options.reserve_segments = 3;
        options.spare_segments_max = 4;
        options.buffer_bytes_max = 100'000;
        options.async_interval = std::chrono::milliseconds(1);
        options.checkpoint = checkpoint;
        auto log = FileLog::open(files_, options);
        EXPECT_TRUE(log.ok()) << log.error().sentence;
        (*log)->set_wake([this] { bell_.ring(); });
        return std::move(*log);
    }

    const tests::TempDir folder_;
    PosixFileSystem files_;
    SystemClock clock_;
    SyncGap gap_;
    Bell bell_;
};

TEST_F(LogThreads, AnAppendBecomesDurableByItself) {
    for (const auto mode : {FileLogOptions::Mode::sync, FileLogOptions::Mode::async}) {
        auto log = open(mode, 0);
        LogThread thread(*log, clock_, gap_);
        const BodyStore bodies;
        const LogPosition start = log->durable();
        for (LogPosition i = 1; i <= 20; ++i) {
            const auto position = log->append(std::vector{record_of(i)}, bodies);
            ASSERT_TRUE(position.ok());
            ASSERT_EQ(*position, start + i);
            bell_.wait([&] { return log->durable() >= *position; });
        }
    }
}

TEST_F(LogThreads, TellsWhenTheLogWasBusy) {
    class Still final : public Clock {
      public:
        [[nodiscard]] Time now() const override { return Time() + std::chrono::hours(1); }
        [[nodiscard]] WallMillis wall_millis() const override { return 0; }
    };
    const Still clock;
    auto log = open(FileLogOptions::Mode::sync, 0);
    EXPECT_EQ(gap_.look_again(clock.now(), clock.now()), std::nullopt);
    {
        LogThread thread(*log, clock, gap_);
        ASSERT_TRUE(log->append(std::vector{record_of(1)}, BodyStore()).ok());
        bell_.wait([&] { return log->durable() == 1; });
    }
    EXPECT_EQ(gap_.look_again(clock.now(), clock.now()), clock.now() + SyncGap::kSilence);
}

TEST_F(LogThreads, StoppingMakesEverythingDurable) {
    auto log = open(FileLogOptions::Mode::sync, 0);
    const BodyStore bodies;
    {
        LogThread thread(*log, clock_, gap_);
        for (LogPosition i = 1; i <= 500; ++i)
            ASSERT_TRUE(log->append(std::vector{record_of(i)}, bodies).ok());
    }
    EXPECT_EQ(log->durable(), 500U);
    log = open(FileLogOptions::Mode::sync, 0);
    EXPECT_EQ(log->durable(), 500U);
}

// The loop appends, the log's threads write and allocate, the checkpoint's reads and releases.
TEST_F(LogThreads, AppendingReadingAndReleasingGoOnTogether) {
    constexpr LogPosition kRecords = 20'000;
    auto log = open(FileLogOptions::Mode::sync, 0);
    const BodyStore bodies;
    LogPosition checkpoint = 0;
    {
        LogThread threads(*log, clock_, gap_);
        std::thread reader([&] {
            while (checkpoint < kRecords) {
                bell_.wait([&] { return log->durable() > checkpoint || log->error(); });
                if (log->error()) return;
                const auto read =
                    log->read(checkpoint, [&](const RecordView& record) -> Result<void, LogError> {
                        if (record.position != checkpoint + 1 ||
                            record.changes != content_of(record.position)) {
                            return fail(LogError{"not what was appended"});
                        }
                        checkpoint = record.position;
                        return {};
                    });
                EXPECT_TRUE(read.ok()) << read.error().sentence;
                const auto released = log->release(checkpoint);
                EXPECT_TRUE(released.ok()) << released.error().sentence;
                if (!read || !released) return;
            }
        });
        std::vector<CommitRecord> batch;
        LogPosition last = 0;
        while (last < kRecords) {
            batch.clear();
            const LogPosition count = std::min<LogPosition>(1 + last % 40, kRecords - last);
            for (LogPosition i = 1; i <= count; ++i) batch.push_back(record_of(last + i));
            const auto position = log->append(batch, bodies);
            ASSERT_TRUE(position.ok()) << position.error().sentence;
            last = *position;
            bell_.wait([&] { return !log->backlogged() || log->error(); });
            (void)log->room();
            (void)log->stats();
        }
        reader.join();
    }
    EXPECT_FALSE(log->error());
    EXPECT_EQ(checkpoint, kRecords);
    EXPECT_GT(log->stats().recycled, 20U);
    log = open(FileLogOptions::Mode::sync, checkpoint);
    EXPECT_EQ(log->durable(), kRecords);
}

}  // namespace
}  // namespace scanmq::broker
