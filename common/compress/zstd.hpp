#pragma once
// Compression of blobs: one zstd frame, where it pays.
//
// Role:    what puts and gets of the blob socket share (docs/PROTOCOL.md, section 9). The content id
//          of a blob is always that of its raw bytes.
// Threads: any; each keeps the contexts that it used. Work of milliseconds: not for a loop.
// Limits:  nothing takes more memory than the raw size that was declared, whatever the bytes say
//          of themselves; content_id_of_zstd() takes kWindowMax at most, and keeps it.

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"

namespace scanmq::compress {

inline constexpr std::uint64_t kZstdFrom = 4096;      // smaller blobs stay raw
inline constexpr std::uint64_t kZstdSavesTenths = 1;  // and so do those that would save less
inline constexpr int kZstdLevel = 1;
inline constexpr std::uint64_t kWindowMax = 8U << 20;  // of a frame; RFC 8878, section 3.1.1.1.2

// The frame, or nullopt when the bytes should stay as they are: too few, too little saved, no memory.
[[nodiscard]] std::optional<std::string> zstd_if_it_pays(ByteView raw);

// The raw bytes; nullopt unless `frame` is one zstd frame of exactly `size` bytes, to its last byte, or
// without memory for them.
[[nodiscard]] std::optional<std::string> unzstd(ByteView frame, std::uint64_t size);

// The content id of the raw bytes, which are never held as a whole; nullopt as above, or when the
// frame needs a window beyond kWindowMax.
[[nodiscard]] std::optional<ContentId> content_id_of_zstd(ByteView frame, std::uint64_t size);

}  // namespace scanmq::compress
