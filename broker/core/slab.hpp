#pragma once
// Slab<T>: records in fixed chunks, named by 32-bit slots; freed slots are used again, the newest
// first.
//
// Threads:   broker loop only.
// Invariant: a record never moves; slot 0 is never handed out, so a zero field means none.
// Limits:    2^31 - 1 records (bit 31 is free for the holder's own use); a chunk is never given
//            back.
// Use:       T has a member `std::uint32_t next`, which the slab uses while the record is free.

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/assert.hpp"
#include "common/base/prefetch.hpp"

namespace scanmq::broker {

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0;
inline constexpr Slot kSlotsMax = 1U << 31;

template <class T, std::uint32_t ChunkBits = 12>
class Slab {
  public:
    // A record as a default-constructed T, or as it was left when freed: set every field.
    [[nodiscard]] Slot allocate() {
        ++used_;
        if (free_ != kNoSlot) {
            const Slot slot = free_;
            free_ = (*this)[slot].next;
            return slot;
        }
        if ((top_ & kMask) == 0 || chunks_.empty()) {
            SCANMQ_ASSERT(top_ < kSlotsMax);
            chunks_.push_back(std::make_unique<T[]>(kChunk));
            if (top_ == 0) top_ = 1;
        }
        return top_++;
    }
    void free(Slot slot) {
        SCANMQ_ASSERT(slot != kNoSlot && slot < top_ && used_ > 0);
        --used_;
        (*this)[slot].next = free_;
        free_ = slot;
    }
    [[nodiscard]] T& operator[](Slot slot) noexcept {
        return chunks_[slot >> ChunkBits][slot & kMask];
    }
    [[nodiscard]] const T& operator[](Slot slot) const noexcept {
        return chunks_[slot >> ChunkBits][slot & kMask];
    }
    // Brings the record near, for a look at it a little later; kNoSlot is allowed.
    void prefetch(Slot slot) const noexcept {
        if (slot != kNoSlot) scanmq::prefetch(&(*this)[slot]);
    }
    [[nodiscard]] std::size_t size() const noexcept { return used_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return chunks_.size() * kChunk * sizeof(T); }

  private:
    static constexpr std::uint32_t kChunk = 1U << ChunkBits;
    static constexpr std::uint32_t kMask = kChunk - 1;

    std::vector<std::unique_ptr<T[]>> chunks_;
    Slot free_ = kNoSlot;
    Slot top_ = 0;
    std::size_t used_ = 0;
};

}  // namespace scanmq::broker
