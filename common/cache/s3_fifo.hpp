#pragma once
// S3Fifo: which entry of a cache has to go. Yang, Zhang, Qiu, Yue, Rashmi: FIFO queues are all you need
//         for cache eviction, SOSP 2023.
//
//   new ──> small (10 %) ──hit──> main ──hit since its last turn──> main again
//              └──else──> out, remembered by hash (ghost)    └──else──> out
//   new, and remembered ──> main
//
// What is asked for once, a scan's entries, leaves through the small queue and pushes out nothing of the
// main one.
//
// Role:      owned by MemoryCache. Knows slots, hashes and sizes; keys and values live with the owner.
// Threads:   its owner's. Deterministic.
// Cost:      a hit changes one counter. insert(), erase(): O(1); evict(): O(1) amortised, as each turn of a
//            queue uses up a hit. 24 bytes a slot, and 16 to 32 for what is remembered.
// Limits:    bytes_max and count_max: the owner evicts until fits() before it inserts.

#include <cstdint>
#include <vector>

#include "common/cache/chunks.hpp"

namespace scanmq::cache {

// Hashes of what went lately. A hash counts as remembered until `window` others were added. Its cells are
// in sets of eight, of which the oldest is overwritten: now and then one is forgotten early, and one in
// four thousand million is taken for another; neither does harm.
class Ghost {
  public:
    void add(std::uint64_t hash, std::uint32_t window);
    // Whether it is remembered; forgets it.
    bool take(std::uint64_t hash, std::uint32_t window) noexcept;

  private:
    static constexpr std::uint32_t kSet = 8;
    struct Cell {
        std::uint32_t tag = 0;
        std::uint32_t added = 0;  // 0: empty
    };
    [[nodiscard]] Cell* set_of(std::uint32_t tag) noexcept;

    std::vector<Cell> cells_;
    std::uint32_t clock_ = 0;  // hashes added; wraps around
};

class S3Fifo {
  public:
    using Slot = std::uint32_t;
    static constexpr Slot kNone = ~Slot{0};
    static constexpr std::uint64_t kBytesMax = (1ULL << 60) - 1;  // of one entry

    enum class Queue : std::uint8_t { none, small, main };
    // Where an entry was, for one that takes its place.
    struct Place {
        Queue queue = Queue::none;
        std::uint8_t frequency = 0;
    };

    S3Fifo(std::uint64_t bytes_max, std::uint32_t count_max) noexcept
        : bytes_max_(bytes_max), count_max_(count_max) {}

    // Whether an entry of so many bytes may be inserted now; evict() until it may. Never true when
    // bytes > bytes_max, or nothing may be kept at all.
    [[nodiscard]] bool fits(std::uint64_t bytes) const noexcept {
        return bytes <= bytes_max_ && this->bytes() <= bytes_max_ - bytes && count() < count_max_;
    }
    // Preconditions: fits(bytes), the slot is free. place: of the entry that this one replaces.
    void insert(Slot slot, std::uint64_t hash, std::uint64_t bytes, Place place);
    // Precondition of these: the slot is not free.
    void touch(Slot slot) noexcept;
    // What is erased because its time was over is remembered if it was worth keeping, so that its
    // successor need not prove itself again.
    Place erase(Slot slot, bool time_over);
    [[nodiscard]] std::uint64_t bytes_of(Slot slot) const noexcept { return nodes_[slot].bytes; }
    // The entry to go next; its slot is free now. kNone: there is none.
    [[nodiscard]] Slot evict();

    // Effect: fits() and over() decide by it from now on.
    void set_bytes_max(std::uint64_t bytes_max) noexcept { bytes_max_ = bytes_max; }
    [[nodiscard]] std::uint64_t bytes_max() const noexcept { return bytes_max_; }
    [[nodiscard]] bool over() const noexcept { return bytes() > bytes_max_; }
    [[nodiscard]] bool holds(Slot slot) const noexcept {
        return slot < nodes_.size() && nodes_[slot].queue != 0;
    }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return small_.bytes + main_.bytes; }
    [[nodiscard]] std::uint32_t count() const noexcept { return small_.count + main_.count; }

  private:
    struct Node {
        Slot newer = kNone;
        Slot older = kNone;
        std::uint64_t hash = 0;
        std::uint64_t bytes : 60 = 0;
        std::uint64_t frequency : 2 = 0;
        std::uint64_t queue : 2 = 0;
    };
    struct List {
        Slot newest = kNone;
        Slot oldest = kNone;
        std::uint32_t count = 0;
        std::uint64_t bytes = 0;
    };

    [[nodiscard]] List& list_of(const Node& node) noexcept {
        return node.queue == static_cast<std::uint64_t>(Queue::small) ? small_ : main_;
    }
    void link(Slot slot, Queue queue) noexcept;
    void unlink(Slot slot) noexcept;
    [[nodiscard]] bool small_has_its_share() const noexcept;
    [[nodiscard]] std::uint32_t ghost_window() const noexcept;

    std::uint64_t bytes_max_;
    std::uint32_t count_max_;
    Chunks<Node> nodes_;
    List small_;
    List main_;
    Ghost ghost_;
};

}  // namespace scanmq::cache
