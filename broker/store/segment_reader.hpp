#pragma once
// SegmentReader: walks and searches the frames of one segment.
//
// Role:    used by recovery, and by FileLog::read().
// Threads: one; the file may be written behind `limit` meanwhile.
// Memory:  a window of kWindowBytes, or the longest frame.
// Trusts:  nothing that the file says: a frame is one when mark and checksum fit and it ends within
//          `limit`.

#include <cstdint>
#include <optional>
#include <string>

#include "broker/store/file.hpp"
#include "broker/store/log_format.hpp"

namespace scanmq::broker {

class SegmentReader {
  public:
    struct Frame {
        FrameHead head;
        RecordView record;  // lives until the next call
    };
    struct Found {
        std::uint64_t offset{};
        LogPosition position{};
        LogPosition synced{};
    };
    // What search() found.
    struct Finding {
        std::uint64_t frames{};  // valid ones, up to and with `acknowledging`
        std::optional<Found> acknowledging;
    };

    // `limit`: no frame goes beyond this offset. `file` must outlive the reader.
    SegmentReader(File& file, const FrameKey& key, std::uint64_t limit)
        : file_(file), key_(key), limit_(limit) {}

    // The frame at `offset`; nullopt when there is no valid one. Error: the file cannot be read.
    [[nodiscard]] FileResult<std::optional<Frame>> at(std::uint64_t offset);
    // Looks for valid frames at every place from `offset` on, until one that says that `position` had
    // been acknowledged.
    [[nodiscard]] FileResult<Finding> search(std::uint64_t offset, LogPosition position);

  private:
    static constexpr std::size_t kWindowBytes = 1U << 20;
    // `bytes` from `offset` on, or fewer at the limit or the end of the file.
    [[nodiscard]] FileResult<ByteView> view(std::uint64_t offset, std::uint64_t bytes);

    File& file_;
    FrameKey key_;
    std::uint64_t limit_;
    std::string window_;
    std::uint64_t window_at_ = 0;
    std::size_t window_bytes_ = 0;
};

}  // namespace scanmq::broker
