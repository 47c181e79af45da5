// BodyStore: bodies that are in the state only.

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "broker/store/body_layout.hpp"
#include "broker/store/body_reader.hpp"
#include "broker/store/body_store.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

// A key in 8 bytes: in wide_ (1 bit), result (1), partition (20), number (42). Partitions begin at 1,
// so that 0 is no key.
constexpr std::uint64_t kWide = 1ULL << 63;
constexpr std::uint64_t kResult = 1ULL << 62;
constexpr unsigned kNumberBits = 42;
constexpr std::uint64_t kNumberMask = (1ULL << kNumberBits) - 1;
constexpr std::uint64_t kPartitionMax = (1ULL << 20) - 1;

}  // namespace

std::uint64_t BodyStore::Keys::pack(const BodyKey& key) {
    SCANMQ_ASSERT(key.kind != BodyKey::Kind::none && key.partition != 0);
    if (key.number <= kNumberMask && key.partition <= kPartitionMax) {
        return (key.kind == BodyKey::Kind::result ? kResult : 0) |
               std::uint64_t{key.partition} << kNumberBits | key.number;
    }
    if (spare_.empty()) {
        spare_.push_back(wide_.size());
        wide_.emplace_back();
    }
    const std::uint64_t place = spare_.back();
    spare_.pop_back();
    wide_[place] = key;
    return kWide | place;
}

BodyKey BodyStore::Keys::unpack(std::uint64_t packed) const {
    if ((packed & kWide) != 0) return wide_[packed & ~kWide];
    return {(packed & kResult) != 0 ? BodyKey::Kind::result : BodyKey::Kind::payload,
            static_cast<PartitionId>((packed & ~kResult) >> kNumberBits), packed & kNumberMask};
}

void BodyStore::Keys::free(std::uint64_t packed) {
    if ((packed & kWide) != 0) spare_.push_back(packed & ~kWide);
}

std::uint32_t BodyStore::blocks_of(const Segment& segment) noexcept {
    if (segment.size_class == kNone) return 1;
    return static_cast<std::uint32_t>(kSegmentBytes / segment.block_bytes);
}

void BodyStore::drop_key(Segment& segment, std::uint32_t block) {
    std::uint64_t& key = segment.keys[block];
    if (key == 0) return;
    keys_.free(key);
    key = 0;
    --segment.keyed;
}

void BodyStore::drop_keys(Segment& segment) {
    if (!segment.keys) return;
    memory_ -= blocks_of(segment) * sizeof(std::uint64_t);
    segment.keys.reset();
    segment.keyed = 0;
    segment.position = 0;
}

void BodyStore::set_key(BodyHandle handle, const BodyKey& key, LogPosition position) {
    if (handle.value == 0) return;
    Segment& segment = segment_of(handle);
    if (segment.is_cold) {
        new_keys_.push_back({handle, key, position});
        return;
    }
    if (!segment.keys) {
        segment.keys = std::make_unique<std::uint64_t[]>(blocks_of(segment));
        memory_ += blocks_of(segment) * sizeof(std::uint64_t);
    }
    const std::uint32_t block = handle.value & kBlockMask;
    drop_key(segment, block);
    segment.keys[block] = keys_.pack(key);
    ++segment.keyed;
    segment.position = std::max(segment.position, position);
}

BodyHandle BodyStore::put_cold(const BodyKey& key) {
    if (key.kind == BodyKey::Kind::none) return {};
    if (filling_ == kNone) {
        filling_ = loose_index();
        Segment& fresh = segments_[filling_];
        fresh.is_cold = true;
        fresh.size_class = 0;
        fresh.block_bytes = static_cast<std::uint32_t>(kSegmentBytes / kColdBlocks);
        fresh.keys = std::make_unique<std::uint64_t[]>(kColdBlocks);
        memory_ += kColdBlocks * sizeof(std::uint64_t);
    }
    Segment& segment = segments_[filling_];
    const std::uint32_t block = segment.fresh++;
    segment.keys[block] = keys_.pack(key);
    ++segment.keyed;
    ++segment.used;
    ++count_;
    ++cold_count_;
    const BodyHandle handle{((filling_ + 1) << kBlockBits) | block};
    if (segment.fresh == kColdBlocks) filling_ = kNone;
    return handle;
}

void BodyStore::take_new_keys(LogPosition checkpointed) {
    std::erase_if(new_keys_, [&](const NewKey& one) {
        if (one.position > checkpointed) return false;
        std::uint64_t& key = segment_of(one.handle).keys[one.handle.value & kBlockMask];
        keys_.free(key);
        key = keys_.pack(one.key);
        return true;
    });
}

std::uint64_t BodyStore::evict(LogPosition checkpointed, std::uint64_t memory_target) {
    take_new_keys(checkpointed);
    if (memory_ <= memory_target) return 0;
    struct Candidate {
        LogPosition position;
        std::uint32_t index;
    };
    std::vector<Candidate> candidates;
    for (std::uint32_t i = 0; i < segments_.size(); ++i) {
        const Segment& segment = segments_[i];
        if (segment.is_cold || segment.used == 0 || segment.keyed != segment.used) continue;
        if (segment.position <= checkpointed) candidates.push_back({segment.position, i});
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return a.position != b.position ? a.position > b.position : a.index > b.index;
    });
    const std::uint64_t before = cold_count_;
    for (const Candidate& candidate : candidates) {
        if (memory_ <= memory_target) break;
        turn_cold(candidate.index);
    }
    return cold_count_ - before;
}

void BodyStore::turn_cold(std::uint32_t index) {
    Segment& segment = segments_[index];
    if (segment.size_class == kNone) {
        bytes_ -= head_of(segment.base) & kSizeMask;
        memory_ -= segment.block_bytes;
        std::free(std::exchange(segment.base, nullptr));
    } else {
        for (std::uint32_t block = 0; block < segment.fresh; ++block) {
            if (segment.keys[block] == 0) continue;
            bytes_ -= head_of(segment.base + std::size_t{block} * segment.block_bytes) & kSizeMask;
        }
        if (segment.used < blocks_of(segment)) unlink(index);
        madvise(segment.base, kSegmentBytes, MADV_DONTNEED);
        memory_ -= kSegmentBytes;
    }
    segment.is_cold = true;
    cold_count_ += segment.used;
}

void BodyStore::release_cold(std::uint32_t index, std::uint32_t block) {
    Segment& segment = segments_[index];
    if (!new_keys_.empty()) {
        const BodyHandle handle{((index + 1) << kBlockBits) | block};
        std::erase_if(new_keys_, [&](const NewKey& one) { return one.handle == handle; });
    }
    SCANMQ_ASSERT(block < blocks_of(segment) && segment.keys[block] != 0);
    drop_key(segment, block);
    --segment.used;
    --count_;
    --cold_count_;
    if (segment.used > 0 || index == filling_) return;
    drop_keys(segment);
    char* const base = segment.base;
    segment = Segment{};
    segment.base = base;
    (base == nullptr ? loose_ : bare_).push_back(index);
}

protocol::Body BodyStore::view_cold(BodyHandle handle) const {
    const Segment& segment = segment_of(handle);
    const std::uint32_t block = handle.value & kBlockMask;
    SCANMQ_ASSERT(reader_ != nullptr && block < blocks_of(segment) && segment.keys[block] != 0);
    const BodyKey key = keys_.unpack(segment.keys[block]);
    auto found = reader_->read(key);
    if (found && *found) return **found;
    // A checkpoint has moved it, and evict() has not been told yet.
    for (const NewKey& one : new_keys_) {
        if (one.handle != handle) continue;
        auto moved = reader_->read(one.key);
        if (moved && *moved) return **moved;
    }
    if (!read_error_) {
        read_error_ = found ? "body " + std::to_string(key.number) + " of partition " +
                                  std::to_string(key.partition) + " is not in the state"
                            : found.error().sentence;
    }
    return {};
}

}  // namespace scanmq::broker
