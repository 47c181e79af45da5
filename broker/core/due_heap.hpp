#pragma once
// DueHeap: slots in order of the time they are due, any of which can be taken out again.
//
// Threads:   broker loop only.
// Use:       `place` is called with (slot, index + 1) whenever a slot moves, so that its record can
//            name its place for erase(); 0 there means it is not in the heap.
// Order:     by time, then by slot: the same calls give the same order.

#include <cstdint>
#include <utility>
#include <vector>

#include "broker/core/slab.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

class DueHeap {
  public:
    template <class Place>
    void push(Time at, Slot slot, Place&& place) {
        items_.push_back({at, slot});
        rise(items_.size() - 1, place);
    }
    // Precondition: the slot's place is `at_place`, as told.
    template <class Place>
    void erase(std::uint32_t at_place, Place&& place) {
        SCANMQ_ASSERT(at_place > 0 && at_place <= items_.size());
        const std::size_t i = at_place - 1;
        place(items_[i].slot, 0U);
        const Item last = items_.back();
        items_.pop_back();
        if (i == items_.size()) return;
        items_[i] = last;
        if (i > 0 && less(items_[i], items_[(i - 1) / 2])) {
            rise(i, place);
        } else {
            sink(i, place);
        }
    }
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    // Preconditions: not empty; i < size().
    [[nodiscard]] Time next() const noexcept { return items_.front().at; }
    [[nodiscard]] Slot front() const noexcept { return items_.front().slot; }
    [[nodiscard]] Slot at(std::size_t i) const noexcept { return items_[i].slot; }

  private:
    struct Item {
        Time at;
        Slot slot = kNoSlot;
    };
    static bool less(const Item& a, const Item& b) noexcept {
        return a.at != b.at ? a.at < b.at : a.slot < b.slot;
    }
    template <class Place>
    void rise(std::size_t i, Place&& place) {
        const Item item = items_[i];
        while (i > 0 && less(item, items_[(i - 1) / 2])) {
            put(i, items_[(i - 1) / 2], place);
            i = (i - 1) / 2;
        }
        put(i, item, place);
    }
    template <class Place>
    void sink(std::size_t i, Place&& place) {
        const Item item = items_[i];
        for (;;) {
            std::size_t child = 2 * i + 1;
            if (child >= items_.size()) break;
            if (child + 1 < items_.size() && less(items_[child + 1], items_[child])) ++child;
            if (!less(items_[child], item)) break;
            put(i, items_[child], place);
            i = child;
        }
        put(i, item, place);
    }
    template <class Place>
    void put(std::size_t i, const Item& item, Place&& place) {
        items_[i] = item;
        place(item.slot, static_cast<std::uint32_t>(i + 1));
    }

    std::vector<Item> items_;
};

}  // namespace scanmq::broker
