#include "broker/store/segment_reader.hpp"

#include <algorithm>

namespace scanmq::broker {

FileResult<ByteView> SegmentReader::view(std::uint64_t offset, std::uint64_t bytes) {
    const std::uint64_t left = offset < limit_ ? limit_ - offset : 0;
    bytes = std::min(bytes, left);
    if (offset < window_at_ || offset + bytes > window_at_ + window_bytes_) {
        const auto wanted = std::min(std::max<std::uint64_t>(bytes, kWindowBytes), left);
        if (window_.size() < wanted) window_.resize(wanted);
        window_bytes_ = 0;
        auto read = file_.pread(offset, window_.data(), wanted);
        if (!read) return fail(std::move(read).error());
        window_at_ = offset;
        window_bytes_ = *read;
    }
    return ByteView(window_).substr(0, window_bytes_).substr(offset - window_at_, bytes);
}

FileResult<std::optional<SegmentReader::Frame>> SegmentReader::at(std::uint64_t offset) {
    auto bytes = view(offset, kFrameHeadBytes);
    if (!bytes) return fail(std::move(bytes).error());
    if (bytes->size() < kFrameHeadBytes) return std::optional<Frame>();
    const auto head = peek_frame(bytes->data(), key_);
    if (!head || head->bytes > limit_ - offset) return std::optional<Frame>();
    bytes = view(offset, head->bytes);
    if (!bytes) return fail(std::move(bytes).error());
    const auto record = read_frame(*bytes, key_);
    if (!record) return std::optional<Frame>();
    return std::optional<Frame>(Frame{*head, *record});
}

FileResult<SegmentReader::Finding> SegmentReader::search(std::uint64_t offset,
                                                         LogPosition position) {
    Finding out;
    while (offset + kFrameHeadBytes <= limit_) {
        auto bytes = view(offset, kWindowBytes);
        if (!bytes) return fail(std::move(bytes).error());
        if (bytes->size() < kFrameHeadBytes) break;
        // Within what has been read, to the next place with a mark that fits.
        const std::uint64_t end = offset + bytes->size() - kFrameHeadBytes;
        const char* place = bytes->data();
        while (offset <= end && !peek_frame(place, key_)) {
            offset += kFrameAlign;
            place += kFrameAlign;
        }
        if (offset > end) continue;
        auto frame = at(offset);
        if (!frame) return fail(std::move(frame).error());
        if (!*frame) {
            offset += kFrameAlign;
            continue;
        }
        ++out.frames;
        const FrameHead& head = (*frame)->head;
        if (head.synced >= position) {
            out.acknowledging = Found{offset, head.position, head.synced};
            break;
        }
        offset += head.bytes;
    }
    return out;
}

}  // namespace scanmq::broker
