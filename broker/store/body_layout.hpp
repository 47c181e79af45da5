#pragma once
// How BodyStore lays out segments and blocks, for its two sources only.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/base/id.hpp"

namespace scanmq::broker {

inline constexpr std::size_t kSegmentBytes = 64U << 10;
inline constexpr std::uint32_t kBlockBits = 11;  // a handle is (segment + 1, block)
inline constexpr std::uint32_t kBlockMask = (1U << kBlockBits) - 1;
inline constexpr std::uint32_t kColdBlocks =
    1U << kBlockBits;  // bodies of a segment that was never warm

// A block: a head of 4 bytes, then the body, or a blob's size (8 bytes) and id.
inline constexpr std::size_t kHeadBytes = 4;
inline constexpr std::uint32_t kBlobFlag = 1U << 31;
inline constexpr std::uint32_t kFreeFlag = 1U << 30;
inline constexpr std::uint32_t kSizeMask = kFreeFlag - 1;
inline constexpr std::size_t kBlobBytes = sizeof(std::uint64_t) + ContentId::kSize;

[[nodiscard]] inline std::uint32_t head_of(const char* block) {
    std::uint32_t head = 0;
    std::memcpy(&head, block, sizeof head);
    return head;
}

inline void set_head(char* block, std::uint32_t head) { std::memcpy(block, &head, sizeof head); }

}  // namespace scanmq::broker
