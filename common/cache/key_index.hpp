#pragma once
// KeyIndex: a hash index of slots; the records, and so the keys, are somewhere else.
//
// Role:      owned by MemoryCache.
// Threads:   its owner's.
// Why so:    a cell keeps 32 bits of the hash beside the slot, so that a probe seldom looks at a record
//            and growing never does. It is 64 tables that grow one by one: a million slots are moved 16,000
//            at a time.
// See:       linear probing with deletion by shifting back (Knuth, vol. 3, 6.4, algorithm R).

#include <array>
#include <cstdint>
#include <vector>

#include "common/base/assert.hpp"

namespace scanmq::cache {

class KeyIndex {
  public:
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};

    // The slot stored under this hash for which match(slot) holds; kNone when there is none.
    template <class Match>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Match&& match) const {
        const Table& table = tables_[hash >> kShift];
        if (table.used == 0) return kNone;
        const std::uint32_t tag = tag_of(hash);
        for (std::uint32_t i = tag & table.mask();; i = (i + 1) & table.mask()) {
            const Cell& cell = table.cells[i];
            if (cell.slot == kNone) return kNone;
            if (cell.tag == tag && match(cell.slot)) return cell.slot;
        }
    }
    // Precondition: slot != kNone, and not yet stored under this hash.
    void insert(std::uint64_t hash, std::uint32_t slot) {
        Table& table = tables_[hash >> kShift];
        if (4 * (std::size_t{table.used} + 1) > 3 * table.cells.size()) grow(table);
        put(table, {tag_of(hash), slot});
        ++table.used;
    }
    // Precondition: the slot is stored under this hash.
    void erase(std::uint64_t hash, std::uint32_t slot) {
        Table& table = tables_[hash >> kShift];
        const std::uint32_t mask = table.mask();
        std::uint32_t hole = tag_of(hash) & mask;
        while (table.cells[hole].slot != slot) {
            SCANMQ_ASSERT(table.cells[hole].slot != kNone);
            hole = (hole + 1) & mask;
        }
        for (std::uint32_t i = (hole + 1) & mask; table.cells[i].slot != kNone;
             i = (i + 1) & mask) {
            // It may move back into the hole unless that is before the place where its probe begins.
            if (((i - table.cells[i].tag) & mask) < ((i - hole) & mask)) continue;
            table.cells[hole] = table.cells[i];
            hole = i;
        }
        table.cells[hole] = {};
        --table.used;
    }

  private:
    static constexpr unsigned kShift = 58;
    static constexpr std::size_t kCellsMin = 16;

    struct Cell {
        std::uint32_t tag = 0;
        std::uint32_t slot = kNone;
    };
    struct Table {
        std::vector<Cell> cells;  // a power of two, or none
        std::uint32_t used = 0;
        [[nodiscard]] std::uint32_t mask() const noexcept {
            return static_cast<std::uint32_t>(cells.size() - 1);
        }
    };

    static std::uint32_t tag_of(std::uint64_t hash) noexcept {
        return static_cast<std::uint32_t>(hash);
    }
    static void put(Table& table, Cell cell) noexcept {
        std::uint32_t i = cell.tag & table.mask();
        while (table.cells[i].slot != kNone) i = (i + 1) & table.mask();
        table.cells[i] = cell;
    }
    static void grow(Table& table) {
        std::vector<Cell> old(table.cells.empty() ? kCellsMin : 2 * table.cells.size());
        old.swap(table.cells);
        for (const Cell& cell : old)
            if (cell.slot != kNone) put(table, cell);
    }

    std::array<Table, 64> tables_;
};

}  // namespace scanmq::cache
