#pragma once
// SegmentPool: the segments that are allocated and not yet written to.
//
// Role:      gives FileLog its next segment and takes back those that were released.
// Threads:   any; take() on one, provide() on one, retire() on one.
// Names:     making-<n>.log   being allocated; removed at start-up
//            spare-<n>.log    allocated and synced; its bytes have no meaning
//            <number>.log     a segment: 16 digits
// Invariant: a file has the name of a segment only when its head is durable, and the name of a
//            segment is durable before a record is written to it. So a segment without a valid head is
//            a damaged one, never a torn one.
// Limits:    reserve_segments are kept allocated (the one got ready for take() included) as long as
//            the file system has room; spare_segments_max are kept at most, others are removed.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/store/file.hpp"
#include "broker/store/log_format.hpp"

namespace scanmq::broker {

// A segment's file. Shared by the thread that writes it, the one that reads and releases it, and
// the pool, whichever is last.
struct LogSegment {
    std::uint64_t number{};
    std::shared_ptr<File> file;
    FrameKey key;
};

[[nodiscard]] std::string segment_name(std::uint64_t number);
// The number of a segment's name; nullopt for other names.
[[nodiscard]] std::optional<std::uint64_t> segment_number(const std::string& name);

struct SegmentPoolOptions {
    std::string folder;
    std::uint64_t segment_bytes{};
    std::uint64_t room_bytes{};  // what a segment without use counts for in room()
    std::uint32_t reserve_segments{};
    std::uint32_t spare_segments_max{};
    std::uint64_t incarnation{};
    LogPosition base{};
    std::uint64_t next_number{};
};

class SegmentPool {
  public:
    SegmentPool(FileSystem& files, SegmentPoolOptions options);

    // Takes the spares that are in the folder, removes those that are half made or of another size.
    [[nodiscard]] FileResult<void> find_spares();
    // The next segment, ready for records. Allocates when there is none. `full`: there is no room.
    [[nodiscard]] FileResult<LogSegment> take();
    // Gets the next segment ready and allocates up to the reserve. A full disk is no error, but low().
    [[nodiscard]] FileResult<void> provide();
    // Segments whose records are no longer needed become spares, or are removed. On an error those
    // that were not yet renamed keep their names.
    [[nodiscard]] FileResult<void> retire(const std::vector<LogSegment>& segments);

    [[nodiscard]] std::uint64_t room_bytes() const noexcept {
        return count_.load(std::memory_order_relaxed) * options_.room_bytes;
    }
    [[nodiscard]] std::uint64_t count() const noexcept {
        return count_.load(std::memory_order_relaxed);
    }
    // Why there are less than reserve_segments; empty when there are enough, or that is not yet known.
    [[nodiscard]] std::string low() const;
    [[nodiscard]] std::uint64_t allocated() const noexcept { return allocated_; }
    [[nodiscard]] std::uint64_t recycled() const noexcept { return recycled_; }

  private:
    struct Spare {
        std::string path;
        std::shared_ptr<File> file;
        bool used{};  // has been a segment
    };
    [[nodiscard]] FileResult<void> allocate();
    [[nodiscard]] FileResult<void> get_ready();
    void add(Spare spare);
    [[nodiscard]] std::string path(const std::string& name) const {
        return options_.folder + "/" + name;
    }
    [[nodiscard]] std::string new_name(const char* kind);

    FileSystem& files_;
    const SegmentPoolOptions options_;

    // Order: ready_mutex_, allocate_mutex_, mutex_. The first two are held during input and output.
    std::mutex ready_mutex_;
    std::optional<LogSegment> ready_;  // guarded by ready_mutex_
    std::uint64_t next_number_;        // guarded by ready_mutex_
    std::mutex allocate_mutex_;
    mutable std::mutex mutex_;
    std::vector<Spare> spares_;             // guarded by mutex_
    std::uint64_t next_spare_ = 1;          // guarded by mutex_
    std::string low_;                       // guarded by mutex_
    std::atomic<std::uint64_t> count_ = 0;  // spares and the ready one
    std::atomic<std::uint64_t> allocated_ = 0;
    std::atomic<std::uint64_t> recycled_ = 0;
};

}  // namespace scanmq::broker
