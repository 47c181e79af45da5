#pragma once
// SlotIndex: a hash index of 32-bit slots; the records, and so the keys, are somewhere else.
//
// Threads:   broker loop only. Why so:    a cell keeps 32 bits of the hash beside the slot, so that
//            a probe seldom looks at a record and growing never does. The table is 64 tables that
//            grow one by one: a million slots are moved 16,000 at a time (well below a
//            millisecond), not at once.
// See:       linear probing with deletion by shifting back (Knuth, vol. 3, 6.4, algorithm R).

#include <array>
#include <cstdint>
#include <memory>

#include "broker/core/slab.hpp"

namespace scanmq::broker {

class SlotIndex {
  public:
    // The slot stored under this hash for which match(slot) holds; kNoSlot when there is none.
    template <class Match>
    [[nodiscard]] Slot find(std::uint64_t hash, Match&& match) const {
        const Shard& shard = shards_[shard_of(hash)];
        if (shard.used == 0) return kNoSlot;
        const std::uint32_t tag = tag_of(hash);
        for (std::uint32_t i = tag & shard.mask;; i = (i + 1) & shard.mask) {
            const std::uint64_t cell = shard.cells[i];
            if (cell == 0) return kNoSlot;
            if (static_cast<std::uint32_t>(cell >> 32) == tag && match(slot_of(cell)))
                return slot_of(cell);
        }
    }
    // Precondition: slot != kNoSlot, and not yet stored under this hash.
    void insert(std::uint64_t hash, Slot slot);
    // Precondition of both: the slot is stored under this hash.
    void erase(std::uint64_t hash, Slot slot);
    void replace(std::uint64_t hash, Slot from, Slot to);
    // Brings the place of this hash near, for a find() a little later.
    void prefetch(std::uint64_t hash) const noexcept {
        const Shard& shard = shards_[shard_of(hash)];
        if (shard.cells) scanmq::prefetch(&shard.cells[tag_of(hash) & shard.mask]);
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t bytes() const noexcept;

  private:
    struct Shard {
        std::unique_ptr<std::uint64_t[]>
            cells;  // tag in the upper half, slot in the lower; 0: empty
        std::uint32_t mask = 0;
        std::uint32_t used = 0;
    };

    static std::size_t shard_of(std::uint64_t hash) noexcept {
        return static_cast<std::size_t>(hash >> 58);
    }
    static std::uint32_t tag_of(std::uint64_t hash) noexcept {
        return static_cast<std::uint32_t>(hash);
    }
    static Slot slot_of(std::uint64_t cell) noexcept { return static_cast<Slot>(cell); }
    static void put(Shard& shard, std::uint64_t cell) noexcept;
    static void grow(Shard& shard);
    // The cell's place; asserts that it is there.
    static std::uint32_t locate(const Shard& shard, std::uint64_t hash, Slot slot);

    std::array<Shard, 64> shards_;
    std::size_t size_ = 0;
};

}  // namespace scanmq::broker
