#pragma once
// BlobInfo, BlobHead: what a durable blob is, and the bytes that say so in front of it.
//
// Role:      shared by BlobFiles (a file of its own each) and BlobSegments (many in one).
// Format:    magic, the length of what follows, version, type, label, size, id, encoding, checksum.
//            Version 1: of raw ones; 2: of encoded ones; 3: a segment's. A release that does not
//            know a version refuses to start rather than take the blob for damaged.

#include <cstdint>
#include <string>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::broker {

struct BlobInfo {
    ContentId id;
    protocol::BlobType type{};
    std::string label;
    std::uint64_t bytes{};
    protocol::BlobEncoding encoding{};
    std::uint64_t encoded_bytes{};  // of another encoding than raw
    Duration idle{};                // when listed: used so long before the one used last, at most

    [[nodiscard]] std::uint64_t held_bytes() const noexcept {
        return encoding == protocol::BlobEncoding::raw ? bytes : encoded_bytes;
    }
};

// Whether the bytes, as they are held, are those of its id.
[[nodiscard]] bool holds_its_bytes(const BlobInfo& info, ByteView held);

inline constexpr std::uint64_t kRawBlobVersion = 1;
inline constexpr std::uint64_t kEncodedBlobVersion = 2;
inline constexpr std::uint64_t kSegmentVersion = 3;

struct BlobHead {
    std::uint64_t version = kRawBlobVersion;
    BlobInfo info;  // but for idle
};

// Of the version that fits the encoding.
[[nodiscard]] std::string encode_blob_head(const BlobInfo& info);
// A segment's.
[[nodiscard]] std::string encode_segment_head();
// The head that `file` begins with: its length, or 0 when there is none that makes sense. One of
// kSegmentVersion or later is read as far as its version.
[[nodiscard]] std::size_t decode_blob_head(ByteView file, BlobHead& head);

// What stands behind a head or an entry, to know damage.
inline constexpr std::size_t kBlobChecksumBytes = 8;
[[nodiscard]] std::string blob_checksum(ByteView bytes);

}  // namespace scanmq::broker
