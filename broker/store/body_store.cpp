#include "broker/store/body_store.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "broker/store/body_layout.hpp"
#include "common/base/assert.hpp"
#include "common/base/id.hpp"

namespace scanmq::broker {
namespace {

constexpr std::size_t kRegionSegments = 1024;
constexpr std::size_t kWarmSegments = 64;
constexpr std::uint16_t kNoBlock = 0xffff;

// Block sizes: steps of 16 bytes, then what divides a segment into this many.
constexpr std::size_t kBlockMin = 32;
constexpr std::size_t kFineMax = 1024;
constexpr std::size_t kFineClasses = (kFineMax - kBlockMin) / 16 + 1;
constexpr std::array<std::uint32_t, 20> kDivisors = {56, 50, 44, 40, 36, 32, 28, 25, 22, 20,
                                                     18, 16, 14, 12, 10, 8,  7,  6,  5,  4};
constexpr std::size_t kClasses = kFineClasses + kDivisors.size();

constexpr std::uint32_t coarse_bytes(std::size_t i) {
    return static_cast<std::uint32_t>(kSegmentBytes / kDivisors[i] / 16 * 16);
}
constexpr std::size_t kBlockMax = coarse_bytes(kDivisors.size() - 1);
static_assert(kSegmentBytes / kBlockMin <= kBlockMask + 1);

std::size_t class_of(std::size_t block_bytes) {
    if (block_bytes <= kBlockMin) return 0;
    if (block_bytes <= kFineMax) return (block_bytes - kBlockMin + 15) / 16;
    std::size_t i = 0;
    while (coarse_bytes(i) < block_bytes) ++i;
    return kFineClasses + i;
}

std::uint32_t class_bytes(std::size_t size_class) {
    if (size_class < kFineClasses) return static_cast<std::uint32_t>(kBlockMin + 16 * size_class);
    return coarse_bytes(size_class - kFineClasses);
}

}  // namespace

BodyStore::~BodyStore() {
    for (Segment& segment : segments_) {
        if (segment.size_class == kNone && segment.base != nullptr) std::free(segment.base);
    }
    for (void* region : regions_) munmap(region, kSegmentBytes * kRegionSegments);
}

BodyHandle BodyStore::put(const protocol::Body& body) {
    const bool blob = body.is_blob();
    if (body.bytes.empty()) return {};
    const std::size_t bytes = blob ? kBlobBytes : body.bytes.size();
    SCANMQ_ASSERT(bytes <= kSizeMask);
    char* block = nullptr;
    const BodyHandle handle = allocate(kHeadBytes + bytes, block);
    set_head(block, static_cast<std::uint32_t>(bytes) | (blob ? kBlobFlag : 0));
    if (blob) {
        SCANMQ_ASSERT(body.bytes.size() == ContentId::kSize);
        std::memcpy(block + kHeadBytes, &body.blob_size, sizeof body.blob_size);
        std::memcpy(block + kHeadBytes + sizeof body.blob_size, body.bytes.data(),
                    ContentId::kSize);
    } else {
        std::memcpy(block + kHeadBytes, body.bytes.data(), bytes);
    }
    ++count_;
    bytes_ += bytes;
    return handle;
}

protocol::Body BodyStore::view(BodyHandle handle) const {
    if (handle.value == 0) return {};
    const Segment& segment = segment_of(handle);
    if (segment.is_cold) return view_cold(handle);
    const char* block = block_of(segment, handle);
    const std::uint32_t head = head_of(block);
    SCANMQ_ASSERT((head & kFreeFlag) == 0);
    protocol::Body body;
    if ((head & kBlobFlag) != 0) {
        std::memcpy(&body.blob_size, block + kHeadBytes, sizeof body.blob_size);
        body.bytes = {block + kHeadBytes + sizeof body.blob_size, ContentId::kSize};
    } else {
        body.bytes = {block + kHeadBytes, head & kSizeMask};
    }
    return body;
}

void BodyStore::release(BodyHandle handle) {
    if (handle.value == 0) return;
    const std::uint32_t index = (handle.value >> kBlockBits) - 1;
    const std::uint32_t number = handle.value & kBlockMask;
    Segment& segment = segment_of(handle);
    if (segment.is_cold) return release_cold(index, number);
    char* block = block_of(segment, handle);
    const std::uint32_t head = head_of(block);
    SCANMQ_ASSERT((head & kFreeFlag) == 0);
    --count_;
    bytes_ -= head & kSizeMask;

    if (segment.keys) drop_key(segment, number);
    if (segment.size_class == kNone) {
        memory_ -= segment.block_bytes;
        std::free(segment.base);
        drop_keys(segment);
        segment = Segment{};
        loose_.push_back(index);
        return;
    }
    set_head(block, kFreeFlag | segment.free);
    segment.free = static_cast<std::uint16_t>(number);
    const bool was_full = segment.used == kSegmentBytes / segment.block_bytes;
    --segment.used;
    if (segment.used == 0) {
        if (!was_full) unlink(index);
        drop_keys(segment);
        give_back(index);
    } else if (was_full) {
        link(index);
    }
}

const BodyStore::Segment& BodyStore::segment_of(BodyHandle handle) const {
    const std::uint32_t index = (handle.value >> kBlockBits) - 1;
    SCANMQ_ASSERT(index < segments_.size() && segments_[index].used > 0);
    return segments_[index];
}

BodyStore::Segment& BodyStore::segment_of(BodyHandle handle) {
    const std::uint32_t index = (handle.value >> kBlockBits) - 1;
    SCANMQ_ASSERT(index < segments_.size() && segments_[index].used > 0);
    return segments_[index];
}

char* BodyStore::block_of(const Segment& segment, BodyHandle handle) {
    return segment.base + std::size_t{handle.value & kBlockMask} * segment.block_bytes;
}

BodyHandle BodyStore::allocate(std::size_t bytes, char*& block) {
    if (bytes > kBlockMax) return allocate_alone(bytes, block);
    if (with_room_.empty()) with_room_.assign(kClasses, kNone);
    const std::size_t size_class = class_of(bytes);
    if (with_room_[size_class] == kNone) {
        const std::uint32_t index = take_segment();
        Segment& segment = segments_[index];
        segment.size_class = static_cast<std::uint32_t>(size_class);
        segment.block_bytes = class_bytes(size_class);
        segment.used = 0;
        segment.fresh = 0;
        segment.free = kNoBlock;
        link(index);
    }
    const std::uint32_t index = with_room_[size_class];
    Segment& segment = segments_[index];
    std::uint32_t number = segment.free;
    if (number == kNoBlock) {
        number = segment.fresh++;
        block = segment.base + std::size_t{number} * segment.block_bytes;
    } else {
        block = segment.base + std::size_t{number} * segment.block_bytes;
        segment.free = static_cast<std::uint16_t>(head_of(block) & 0xffff);
    }
    ++segment.used;
    if (segment.used == kSegmentBytes / segment.block_bytes) unlink(index);
    return BodyHandle{((index + 1) << kBlockBits) | number};
}

BodyHandle BodyStore::allocate_alone(std::size_t bytes, char*& block) {
    block = static_cast<char*>(std::malloc(bytes));
    if (block == nullptr) throw std::bad_alloc();
    const std::uint32_t index = loose_index();
    Segment& segment = segments_[index];
    segment.base = block;
    segment.size_class = kNone;
    segment.block_bytes = static_cast<std::uint32_t>(bytes);
    segment.used = 1;
    memory_ += bytes;
    return BodyHandle{(index + 1) << kBlockBits};
}

std::uint32_t BodyStore::loose_index() {
    if (loose_.empty()) {
        loose_.push_back(static_cast<std::uint32_t>(segments_.size()));
        segments_.emplace_back();
    }
    const std::uint32_t index = loose_.back();
    SCANMQ_ASSERT(index < (1U << (32 - kBlockBits)) - 1);
    loose_.pop_back();
    return index;
}

std::uint32_t BodyStore::take_segment() {
    if (warm_.empty()) {
        if (bare_.empty()) map_region();
        warm_.push_back(bare_.back());
        bare_.pop_back();
        memory_ += kSegmentBytes;
    }
    const std::uint32_t index = warm_.back();
    warm_.pop_back();
    return index;
}

void BodyStore::give_back(std::uint32_t index) {
    if (warm_.size() < kWarmSegments) {
        warm_.push_back(index);
        return;
    }
    madvise(segments_[index].base, kSegmentBytes, MADV_DONTNEED);
    memory_ -= kSegmentBytes;
    bare_.push_back(index);
}

void BodyStore::map_region() {
    void* region = mmap(nullptr, kSegmentBytes * kRegionSegments, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) throw std::bad_alloc();
    regions_.push_back(region);
    const auto first = static_cast<std::uint32_t>(segments_.size());
    SCANMQ_ASSERT(first + kRegionSegments < (1U << (32 - kBlockBits)));
    for (std::uint32_t i = 0; i < kRegionSegments; ++i) {
        Segment& segment = segments_.emplace_back();
        segment.base = static_cast<char*>(region) + std::size_t{i} * kSegmentBytes;
        bare_.push_back(first + static_cast<std::uint32_t>(kRegionSegments) - 1 - i);
    }
}

void BodyStore::link(std::uint32_t index) {
    Segment& segment = segments_[index];
    std::uint32_t& head = with_room_[segment.size_class];
    segment.previous = kNone;
    segment.next = head;
    if (head != kNone) segments_[head].previous = index;
    head = index;
}

void BodyStore::unlink(std::uint32_t index) {
    Segment& segment = segments_[index];
    if (segment.previous != kNone) {
        segments_[segment.previous].next = segment.next;
    } else {
        with_room_[segment.size_class] = segment.next;
    }
    if (segment.next != kNone) segments_[segment.next].previous = segment.previous;
    segment.previous = segment.next = kNone;
}

}  // namespace scanmq::broker
