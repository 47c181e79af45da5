#pragma once
// FileLog: the `file` engine of CommitLog: preallocated, recycled segments and group commit.
//
// Role:      owned by the broker's shell. append() puts records into a buffer; step() writes the
//            whole buffer and syncs once. LogThread (log_thread.hpp) calls step() whenever there is
//            something; tests and the simulator call it themselves.
// Threads:   append(), backlogged() on the loop's thread; step(), next_deadline(), finish() on one
//            thread at a time; provide() on any one; read(), release() on one (the checkpoint's);
//            durable(), error(), room(), stats() on any.
// Owns:      the files of its folder: <number>.log are segments in use, spare-<n>.log allocated ones
//            without use. See log_format.hpp for their bytes, segment_pool.hpp for their way,
//            log_recovery.hpp for what open() does with what it finds.
// Invariant: durable() never goes beyond what a crash would leave, in mode sync; a record that was
//            durable is found by the next open(), or open() fails.
// Limits:    buffer_bytes_max: append() takes more than that, as what it is told has happened already,
//            but backlogged() says so, and the loop must then read no more input until it no longer
//            does. record_bytes_max: a longer record is refused, which is a defect of the broker.
// Errors:    a write or sync that fails is final: error() is set, nothing more is written, and
//            nothing is tried again. A full disk is none as long as there is room in what is
//            allocated (room()).

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/store/commit_log.hpp"
#include "broker/store/file.hpp"
#include "broker/store/log_recovery.hpp"
#include "broker/store/segment_pool.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

struct FileLogOptions {
    enum class Mode : std::uint8_t {
        sync,   // durable() follows the sync
        async,  // durable() follows the write; a sync at most every async_interval
    };
    std::string folder;  // must be there
    Mode mode = Mode::sync;
    // The position up to which the state's checkpoint holds everything; at least what release() was
    // ever told. Records up to it need not be readable, and the log goes on behind it.
    LogPosition checkpoint = 0;
    std::uint64_t segment_bytes = 64U << 20;             // a multiple of 4096
    std::size_t record_bytes_max = 2 * kRecordBytesMax;  // with its bodies; two fit into a segment
    std::uint32_t reserve_segments = 4;                  // allocated beyond the one in use
    std::uint32_t spare_segments_max = 8;  // released ones that are kept; at least reserve_segments
    std::uint64_t buffer_bytes_max = 64U << 20;
    Duration async_interval = std::chrono::milliseconds(50);
    std::uint64_t seed = 0;  // of the incarnation; 0: from the operating system
};

struct LogRoom {
    // Frames (frame_bytes() of each record) that are certain to find a place in allocated segments,
    // what is in the buffer already taken off.
    std::uint64_t bytes{};
    // Less than reserve_segments are allocated, and no more could be had. `reason` says why.
    bool low{};
    std::string reason;
};

struct LogStats {
    std::uint64_t records{};  // appended
    std::uint64_t bytes{};    // written, frames with their heads
    std::uint64_t writes{};
    std::uint64_t syncs{};
    std::uint64_t segments{};   // in use
    std::uint64_t spares{};     // allocated without use
    std::uint64_t allocated{};  // files made since the start
    std::uint64_t recycled{};   // files that got a later number since the start
};

class FileLog final : public CommitLog {
  public:
    // Finds what is there, cuts the torn tail, allocates the reserve (a full disk is no error).
    // Error: acknowledged records are damaged or missing, a newer format, or the files cannot be read
    // or written; the sentence says what to do. `files` must outlive the log.
    [[nodiscard]] static Result<std::unique_ptr<FileLog>, LogError> open(FileSystem& files,
                                                                         FileLogOptions options);
    // Everything that is not written is lost: finish() first. No other thread may be in it.
    ~FileLog() override;
    FileLog(const FileLog&) = delete;
    FileLog& operator=(const FileLog&) = delete;

    [[nodiscard]] Result<LogPosition, LogError> append(std::span<const CommitRecord> records,
                                                       const BodyStore& bodies) override;
    [[nodiscard]] LogPosition durable() const override {
        return durable_.load(std::memory_order_acquire);
    }
    [[nodiscard]] std::optional<LogError> error() const override;
    void set_wake(std::function<void()> wake) override { wake_ = std::move(wake); }
    [[nodiscard]] Result<void, LogError> read(LogPosition after, const Visit& visit) override;
    [[nodiscard]] Result<void, LogError> release(LogPosition up_to) override;

    // More than buffer_bytes_max has not been written yet. durable() rising (wake) ends it.
    [[nodiscard]] bool backlogged() const noexcept {
        return unwritten_.load(std::memory_order_relaxed) > options_.buffer_bytes_max;
    }
    [[nodiscard]] LogRoom room() const;
    [[nodiscard]] LogStats stats() const;
    // Of stats(), without a lock.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        return bytes_.load(std::memory_order_relaxed);
    }
    // What open() found.
    [[nodiscard]] const LogFindings& findings() const noexcept { return findings_; }

    // Writes what has been appended and makes it durable: one write per segment touched (nearly
    // always one), one sync. In mode async also does the sync that is due at `now`. False: there was
    // nothing to do, or error() is set. Calls wake. Unless set_provide_elsewhere() was called, goes on
    // with provide() after a segment was taken.
    bool step(Time now);
    // When step() has something to do without an append: the sync of mode async.
    [[nodiscard]] std::optional<Time> next_deadline() const { return sync_due_; }
    // Allocates segments until there are reserve_segments, and gets the next one ready. Takes long
    // (it writes whole segments); a step() meanwhile waits only when it has none left.
    void provide();
    // step() calls `poke` instead of provide(). Set once, before the first append.
    void set_provide_elsewhere(std::function<void()> poke) { poke_ = std::move(poke); }
    // Writes and syncs everything, in both modes. For an orderly end.
    void finish(Time now);

    // For the thread that calls step(): waits until something was appended, `until` has passed or
    // interrupt() was called. False: interrupted.
    [[nodiscard]] bool wait_for_work(std::optional<Time> until);
    void interrupt();

  private:
    // Written by the step's thread, read by the checkpoint's, under segments_mutex_.
    struct Live {
        LogSegment segment;
        LogPosition first = 0;  // 0: no record yet
        LogPosition last = 0;   // or that of the segment before it
        std::uint64_t end = kSegmentHeadBytes;
    };

    FileLog(FileSystem& files, FileLogOptions options, FoundLog found);
    [[nodiscard]] Result<void, LogError> settle(FoundLog& found);
    [[nodiscard]] bool write_buffer();
    [[nodiscard]] bool write_run(ByteView frames, std::uint64_t count);
    [[nodiscard]] bool take_segment();
    [[nodiscard]] bool sync_written();
    void publish();
    void stop_on(const FileError& error, const char* consequence);
    [[nodiscard]] std::uint64_t rest_room() const noexcept;

    FileSystem& files_;
    const FileLogOptions options_;
    LogFindings findings_;
    std::function<void()> wake_;
    std::function<void()> poke_;

    // The buffer.
    mutable std::mutex buffer_mutex_;
    std::condition_variable work_;
    std::string buffer_;        // guarded by buffer_mutex_
    LogPosition appended_ = 0;  // guarded by buffer_mutex_
    bool waiting_ = false;      // guarded by buffer_mutex_: a thread is in wait_for_work()
    bool interrupted_ = false;  // guarded by buffer_mutex_
    std::atomic<std::uint64_t> unwritten_ = 0;  // bytes appended and not written

    // The step's thread.
    std::string writing_;
    LogSegment current_;
    std::uint64_t current_end_ = 0;  // where the next frame goes; 0: no segment
    LogPosition written_ = 0;
    std::vector<std::shared_ptr<File>> unsynced_;
    std::optional<Time> sync_due_;
    bool took_segment_ = false;
    bool out_of_room_ = false;

    std::atomic<LogPosition> durable_ = 0;
    LogPosition synced_ = 0;               // the step's thread
    std::atomic<std::uint64_t> rest_ = 0;  // room in the current segment

    mutable std::mutex segments_mutex_;
    std::vector<Live> live_;    // guarded by segments_mutex_; in order
    LogPosition released_ = 0;  // guarded by segments_mutex_; not readable up to here
    std::uint64_t in_use_ = 0;  // guarded by segments_mutex_; number of the segment written to

    mutable std::mutex error_mutex_;
    std::optional<LogError> error_;  // guarded by error_mutex_
    std::atomic<bool> failed_ = false;

    std::atomic<std::uint64_t> records_ = 0;
    std::atomic<std::uint64_t> bytes_ = 0;
    std::atomic<std::uint64_t> writes_ = 0;
    std::atomic<std::uint64_t> syncs_ = 0;

    std::unique_ptr<SegmentPool> pool_;  // made once the log knows where it goes on
};

}  // namespace scanmq::broker
