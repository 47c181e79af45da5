#include "broker/core/slot_index.hpp"

namespace scanmq::broker {

void SlotIndex::put(Shard& shard, std::uint64_t cell) noexcept {
    std::uint32_t i = static_cast<std::uint32_t>(cell >> 32) & shard.mask;
    while (shard.cells[i] != 0) i = (i + 1) & shard.mask;
    shard.cells[i] = cell;
}

void SlotIndex::grow(Shard& shard) {
    constexpr std::uint32_t kFirst = 8;
    Shard bigger;
    const std::uint32_t capacity = shard.cells ? (shard.mask + 1) * 2 : kFirst;
    bigger.cells = std::make_unique<std::uint64_t[]>(capacity);
    bigger.mask = capacity - 1;
    bigger.used = shard.used;
    if (shard.cells) {
        for (std::uint32_t i = 0; i <= shard.mask; ++i) {
            if (shard.cells[i] != 0) put(bigger, shard.cells[i]);
        }
    }
    shard = std::move(bigger);
}

void SlotIndex::insert(std::uint64_t hash, Slot slot) {
    SCANMQ_ASSERT(slot != kNoSlot);
    Shard& shard = shards_[shard_of(hash)];
    // At most 13/16 full: short probes, and not more than a doubling of memory.
    if (!shard.cells || std::uint64_t{shard.used + 1} * 16 > (std::uint64_t{shard.mask} + 1) * 13) {
        grow(shard);
    }
    put(shard, std::uint64_t{tag_of(hash)} << 32 | slot);
    ++shard.used;
    ++size_;
}

std::uint32_t SlotIndex::locate(const Shard& shard, std::uint64_t hash, Slot slot) {
    SCANMQ_ASSERT(shard.used > 0);
    const std::uint64_t wanted = std::uint64_t{tag_of(hash)} << 32 | slot;
    std::uint32_t i = tag_of(hash) & shard.mask;
    while (shard.cells[i] != wanted) {
        SCANMQ_ASSERT(shard.cells[i] != 0);
        i = (i + 1) & shard.mask;
    }
    return i;
}

void SlotIndex::erase(std::uint64_t hash, Slot slot) {
    Shard& shard = shards_[shard_of(hash)];
    std::uint32_t hole = locate(shard, hash, slot);
    for (std::uint32_t i = hole;;) {
        i = (i + 1) & shard.mask;
        const std::uint64_t cell = shard.cells[i];
        if (cell == 0) break;
        const std::uint32_t home = static_cast<std::uint32_t>(cell >> 32) & shard.mask;
        // The cell may fill the hole unless its home lies behind the hole, on the way to it.
        if (((i - home) & shard.mask) >= ((i - hole) & shard.mask)) {
            shard.cells[hole] = cell;
            hole = i;
        }
    }
    shard.cells[hole] = 0;
    --shard.used;
    --size_;
}

void SlotIndex::replace(std::uint64_t hash, Slot from, Slot to) {
    SCANMQ_ASSERT(to != kNoSlot);
    Shard& shard = shards_[shard_of(hash)];
    shard.cells[locate(shard, hash, from)] = std::uint64_t{tag_of(hash)} << 32 | to;
}

std::size_t SlotIndex::bytes() const noexcept {
    std::size_t total = 0;
    for (const Shard& shard : shards_) {
        if (shard.cells) total += (std::size_t{shard.mask} + 1) * sizeof(std::uint64_t);
    }
    return total;
}

}  // namespace scanmq::broker
