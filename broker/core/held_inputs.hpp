#pragma once
// HeldInputs: which workers were given which inputs lately, and so need not fetch and decode them.
//
// Role:      WorkerRing's. A guess: a worker forgets by rules of its own. Only the choice between
//            workers, and two counters, depend on it.
// Threads:   broker loop only. Borrows: the workers; forget() them before they go.
// Keys:      a hash of the inputs' content ids (InternTable::hash). As ids name contents, a key stays
//            true when nobody has a job of it for a while; where two collide, an input is fetched.
// Limits:    kPerWorkerMax inputs a worker, the one given longest ago out; kHoldersMax workers an
//            input, the one that came first out.

#include <cstdint>

#include "broker/core/slab.hpp"
#include "broker/core/slot_index.hpp"

namespace scanmq::broker {

struct Worker;

// A worker's own, in order of their use.
struct HeldList {
    Slot newest = kNoSlot;
    Slot oldest = kNoSlot;
    std::uint32_t size = 0;
};

class HeldInputs {
  public:
    static constexpr std::uint32_t kPerWorkerMax = 256;
    static constexpr std::uint32_t kHoldersMax = 8;

    // Calls see(Worker&) for each that holds them, the newest holder first.
    template <class See>
    void each_holder(std::uint64_t key, See&& see) const {
        for (Slot slot = find(key); slot != kNoSlot; slot = entries_[slot].next) {
            see(*entries_[slot].worker);
        }
    }
    // The worker is given them. True: it holds them already.
    bool give(Worker& worker, std::uint64_t key);
    // It holds nothing.
    void forget(Worker& worker) noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return entries_.bytes() + index_.bytes(); }

  private:
    struct Entry {
        std::uint64_t key = 0;
        Worker* worker = nullptr;
        std::uint32_t next = kNoSlot;  // holder of the same key; and the slab's
        Slot previous = kNoSlot;
        Slot newer = kNoSlot;  // of the same worker
        Slot older = kNoSlot;
    };

    // The first of those that hold them.
    [[nodiscard]] Slot find(std::uint64_t key) const {
        return index_.find(key, [&](Slot slot) { return entries_[slot].key == key; });
    }
    void append(HeldList& list, Slot slot) noexcept;
    void unlink(HeldList& list, Slot slot) noexcept;
    void drop(Slot slot) noexcept;

    Slab<Entry, 8> entries_;
    SlotIndex index_;  // of each key's first entry
};

}  // namespace scanmq::broker
