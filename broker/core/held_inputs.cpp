#include "broker/core/held_inputs.hpp"

#include "broker/core/worker_ring.hpp"

namespace scanmq::broker {

bool HeldInputs::give(Worker& worker, std::uint64_t key) {
    const Slot first = find(key);
    Slot last = kNoSlot;
    std::uint32_t holders = 0;
    for (Slot slot = first; slot != kNoSlot; slot = entries_[slot].next) {
        if (entries_[slot].worker == &worker) {
            if (worker.held.newest != slot) {
                unlink(worker.held, slot);
                append(worker.held, slot);
            }
            return true;
        }
        last = slot;
        ++holders;
    }
    if (holders == kHoldersMax) drop(last);
    if (worker.held.size == kPerWorkerMax) drop(worker.held.oldest);
    const Slot slot = entries_.allocate();
    Entry& entry = entries_[slot];
    entry.key = key;
    entry.worker = &worker;
    entry.next = first;
    entry.previous = kNoSlot;
    if (first == kNoSlot) {
        index_.insert(key, slot);
    } else {
        entries_[first].previous = slot;
        index_.replace(key, first, slot);
    }
    append(worker.held, slot);
    return false;
}

void HeldInputs::forget(Worker& worker) noexcept {
    while (worker.held.newest != kNoSlot) drop(worker.held.newest);
}

void HeldInputs::append(HeldList& list, Slot slot) noexcept {
    Entry& entry = entries_[slot];
    entry.newer = kNoSlot;
    entry.older = list.newest;
    (list.newest == kNoSlot ? list.oldest : entries_[list.newest].newer) = slot;
    list.newest = slot;
    ++list.size;
}

void HeldInputs::unlink(HeldList& list, Slot slot) noexcept {
    const Entry& entry = entries_[slot];
    (entry.newer == kNoSlot ? list.newest : entries_[entry.newer].older) = entry.older;
    (entry.older == kNoSlot ? list.oldest : entries_[entry.older].newer) = entry.newer;
    --list.size;
}

void HeldInputs::drop(Slot slot) noexcept {
    const Entry& entry = entries_[slot];
    unlink(entry.worker->held, slot);
    if (entry.next != kNoSlot) entries_[entry.next].previous = entry.previous;
    if (entry.previous != kNoSlot) {
        entries_[entry.previous].next = entry.next;
    } else if (entry.next != kNoSlot) {
        index_.replace(entry.key, slot, entry.next);
    } else {
        index_.erase(entry.key, slot);
    }
    entries_.free(slot);
}

}  // namespace scanmq::broker
