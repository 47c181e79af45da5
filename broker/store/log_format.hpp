#pragma once
// The bytes of the commit log: a segment's head, a record's frame.
//
// Role:      pure; used by FileLog to write, by SegmentReader to read.
// Numbers:   little-endian.
//
// A segment is a file of fixed size: a head of kSegmentHeadBytes, then frames, each at a multiple of
// 8 bytes from the start of the file; a frame never goes beyond the segment. What follows the last
// frame has no meaning: zeros, or what the file held before it was recycled.
//
//   segment head                                    | frame
//   0   8  "scanmqlg"                               | 0   8  checksum: XXH3-64 of bytes 8 to the end
//   8   4  log format version (kLogVersion)         |        of the changes, seeded (see below)
//   12  4  version of the records (kRecordVersion)  | 8   4  mark (see below)
//   16  8  segment number, as in its name           | 12  4  size of the changes
//   24  8  size of the segment                      | 16  8  position
//   32  8  incarnation                              | 24  8  epoch
//   40  8  base: the position before the            | 32  8  previous sequence of the partition
//          incarnation's first record               | 40  8  sequence
//   48  8  zero                                     | 48  8  synced: a position known durable when
//   56  8  checksum: XXH3-64 of bytes 0 to 55       |        this frame was written
//   64  .. zeros                                    | 56  4  partition
//                                                   | 60  4  zero
//                                                   | 64  .. the changes, then zeros to a multiple of 8
//
// Bytes 0 to 11 and 56 to 63 of the head are the same in every version, so that a newer log is told
// from a damaged one.
//
// An incarnation is one opening of the log: a random number. Seed and mark are made of incarnation,
// segment number and position: what an earlier opening left behind, what a recycled file held, and a
// frame that is in a wrong place do not pass. The mark lets a search for frames skip most places
// without a checksum.

#include <cstdint>
#include <optional>
#include <string>

#include "broker/store/commit_log.hpp"

namespace scanmq::broker {

inline constexpr std::uint32_t kLogVersion = 1;
inline constexpr std::size_t kSegmentHeadBytes = 4096;
inline constexpr std::size_t kFrameHeadBytes = 64;
inline constexpr std::size_t kFrameAlign = 8;
inline constexpr LogPosition kPositionMax = ~LogPosition{0} >> 1;  // so that sums do not overflow

struct SegmentHead {
    std::uint64_t number{};
    std::uint64_t bytes{};
    std::uint64_t incarnation{};
    LogPosition base{};
    friend bool operator==(const SegmentHead&, const SegmentHead&) = default;
};

// The first 64 bytes of the head; the rest are zeros.
[[nodiscard]] std::string encode_segment_head(const SegmentHead& head);
// Why bytes are not the head of a segment that this version reads.
struct HeadFault {
    bool newer{};      // else damaged
    std::string what;  // a part of a sentence: "has a damaged head", "was written by ..."
};
// Precondition: 64 bytes at least.
[[nodiscard]] Result<SegmentHead, HeadFault> decode_segment_head(ByteView bytes);

// What the frames of one segment are checked against.
class FrameKey {
  public:
    FrameKey() = default;
    FrameKey(std::uint64_t incarnation, std::uint64_t segment_number);
    [[nodiscard]] std::uint64_t seed(LogPosition position) const noexcept {
        return mix(key_ + position * 0x9e3779b97f4a7c15ULL);
    }
    [[nodiscard]] std::uint32_t mark(LogPosition position) const noexcept {
        return static_cast<std::uint32_t>(mix(~key_ + position * 0xd1342543de82ef95ULL) >> 32);
    }

  private:
    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    std::uint64_t key_ = 0;
};

// The bytes that a frame with so many bytes of changes takes in a segment.
[[nodiscard]] constexpr std::uint64_t frame_bytes(std::uint64_t changes) noexcept {
    return (kFrameHeadBytes + changes + kFrameAlign - 1) / kFrameAlign * kFrameAlign;
}

// Appends a frame to `out` but for what seal_frame() adds. Precondition: out's size is a multiple of
// kFrameAlign; a record assembles to less than 4 GiB.
void append_frame(std::string& out, LogPosition position, const CommitRecord& record,
                  const BodyStore& bodies);
// The size of the frame at `frame`, as append_frame() made it.
[[nodiscard]] std::uint64_t appended_frame_bytes(const char* frame) noexcept;
// Adds what depends on where and when the frame is written. Precondition: `frame` is the beginning of
// one that append_frame() made.
void seal_frame(char* frame, const FrameKey& key, LogPosition synced) noexcept;

struct FrameHead {
    LogPosition position{};
    LogPosition synced{};
    std::uint64_t bytes{};  // of the whole frame
};

// A frame's head whose mark fits. Its numbers are not to be trusted before read_frame(). Precondition:
// kFrameHeadBytes.
[[nodiscard]] std::optional<FrameHead> peek_frame(const char* frame, const FrameKey& key) noexcept;
// The record of the frame that `frame` begins with; nullopt when its checksum is wrong or there are
// less bytes than it says.
[[nodiscard]] std::optional<RecordView> read_frame(ByteView frame, const FrameKey& key) noexcept;

}  // namespace scanmq::broker
