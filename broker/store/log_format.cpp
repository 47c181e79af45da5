#include "broker/store/log_format.hpp"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <array>
#include <bit>
#include <cstring>

#include "broker/store/body_store.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they are");

constexpr ByteView kMagic = "scanmqlg";
constexpr std::size_t kHeadUsed = 64;

template <class T>
T get(const char* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template <class T>
void set(char* at, T value) noexcept {
    std::memcpy(at, &value, sizeof value);
}

constexpr std::size_t kChecksum = 0;
constexpr std::size_t kMark = 8;
constexpr std::size_t kSize = 12;
constexpr std::size_t kPosition = 16;
constexpr std::size_t kEpoch = 24;
constexpr std::size_t kPrevious = 32;
constexpr std::size_t kSequence = 40;
constexpr std::size_t kSynced = 48;
constexpr std::size_t kPartition = 56;

std::uint64_t checksum_of(const char* frame, std::size_t changes, std::uint64_t seed) noexcept {
    return XXH3_64bits_withSeed(frame + kMark, kFrameHeadBytes - kMark + changes, seed);
}

}  // namespace

std::string encode_segment_head(const SegmentHead& head) {
    std::string out(kHeadUsed, '\0');
    std::memcpy(out.data(), kMagic.data(), kMagic.size());
    set(out.data() + 8, kLogVersion);
    set(out.data() + 12, std::uint32_t{kRecordVersion});
    set(out.data() + 16, head.number);
    set(out.data() + 24, head.bytes);
    set(out.data() + 32, head.incarnation);
    set(out.data() + 40, head.base);
    set<std::uint64_t>(out.data() + 56, XXH3_64bits(out.data(), 56));
    return out;
}

Result<SegmentHead, HeadFault> decode_segment_head(ByteView bytes) {
    SCANMQ_ASSERT(bytes.size() >= kHeadUsed);
    const char* at = bytes.data();
    if (bytes.substr(0, kMagic.size()) != kMagic ||
        get<std::uint64_t>(at + 56) != XXH3_64bits(at, 56)) {
        return fail(HeadFault{false, "has a damaged head"});
    }
    const auto version = get<std::uint32_t>(at + 8);
    const auto records = get<std::uint32_t>(at + 12);
    if (version > kLogVersion || records > kRecordVersion) {
        return fail(HeadFault{true, "was written by a newer scanmq-broker (log format " +
                                        std::to_string(version) + ", records " +
                                        std::to_string(records) + "; this one reads up to " +
                                        std::to_string(kLogVersion) + " and " +
                                        std::to_string(kRecordVersion) + ")"});
    }
    SegmentHead head;
    head.number = get<std::uint64_t>(at + 16);
    head.bytes = get<std::uint64_t>(at + 24);
    head.incarnation = get<std::uint64_t>(at + 32);
    head.base = get<std::uint64_t>(at + 40);
    return head;
}

FrameKey::FrameKey(std::uint64_t incarnation, std::uint64_t segment_number)
    : key_(mix(incarnation ^ mix(segment_number + 0x9e3779b97f4a7c15ULL))) {}

void append_frame(std::string& out, LogPosition position, const CommitRecord& record,
                  const BodyStore& bodies) {
    const std::size_t start = out.size();
    std::array<char, kFrameHeadBytes> head{};
    set(head.data() + kPosition, position);
    set(head.data() + kEpoch, record.epoch);
    set(head.data() + kPrevious, record.previous);
    set(head.data() + kSequence, record.sequence);
    set(head.data() + kPartition, record.partition);
    out.append(head.data(), head.size());
    if (record.bodies.empty()) {
        out.append(record.bytes);
    } else {
        assemble(
            record, [&](BodyHandle handle) { return bodies.view(handle); }, out);
    }
    const std::size_t changes = out.size() - start - kFrameHeadBytes;
    SCANMQ_ASSERT(changes < UINT32_MAX);
    set(out.data() + start + kSize, static_cast<std::uint32_t>(changes));
    out.append(frame_bytes(changes) - kFrameHeadBytes - changes, '\0');
}

std::uint64_t appended_frame_bytes(const char* frame) noexcept {
    return frame_bytes(get<std::uint32_t>(frame + kSize));
}

void seal_frame(char* frame, const FrameKey& key, LogPosition synced) noexcept {
    const auto position = get<LogPosition>(frame + kPosition);
    set(frame + kMark, key.mark(position));
    set(frame + kSynced, synced);
    set(frame + kChecksum,
        checksum_of(frame, get<std::uint32_t>(frame + kSize), key.seed(position)));
}

std::optional<FrameHead> peek_frame(const char* frame, const FrameKey& key) noexcept {
    const auto position = get<LogPosition>(frame + kPosition);
    if (get<std::uint32_t>(frame + kMark) != key.mark(position)) return std::nullopt;
    if (position > kPositionMax) return std::nullopt;
    return FrameHead{position, get<LogPosition>(frame + kSynced),
                     frame_bytes(get<std::uint32_t>(frame + kSize))};
}

std::optional<RecordView> read_frame(ByteView frame, const FrameKey& key) noexcept {
    if (frame.size() < kFrameHeadBytes) return std::nullopt;
    const char* at = frame.data();
    const auto position = get<LogPosition>(at + kPosition);
    const auto changes = get<std::uint32_t>(at + kSize);
    if (frame.size() < frame_bytes(changes) ||
        get<std::uint64_t>(at + kChecksum) != checksum_of(at, changes, key.seed(position))) {
        return std::nullopt;
    }
    RecordView out;
    out.position = position;
    out.partition = get<PartitionId>(at + kPartition);
    out.epoch = get<std::uint64_t>(at + kEpoch);
    out.previous = get<std::uint64_t>(at + kPrevious);
    out.sequence = get<std::uint64_t>(at + kSequence);
    out.changes = frame.substr(kFrameHeadBytes, changes);
    return out;
}

}  // namespace scanmq::broker
