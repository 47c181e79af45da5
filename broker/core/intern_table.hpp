#pragma once
// InternTable: each distinct run of bytes once, counted by its users: subjects, inputs, sentences.
//
// Threads:   broker loop only.
// Owns:      the bytes. A view stays good until collect() after the last reference was released:
//            effects of one call may show a text whose last user ended in that same call.
// Invariant: "" is slot 0 and is not counted.

#include <string>
#include <string_view>
#include <vector>

#include "broker/core/slab.hpp"
#include "broker/core/slot_index.hpp"

namespace scanmq::broker {

class InternTable {
  public:
    // The text's slot, with one reference more.
    [[nodiscard]] Slot intern(std::string_view text);
    // The same for a text that is known already; kNoSlot when it is not (or is empty).
    [[nodiscard]] Slot intern_known(std::string_view text);
    void retain(Slot slot) noexcept {
        if (slot != kNoSlot) ++records_[slot].references;
    }
    // True when this was the last reference.
    bool release(Slot slot);
    [[nodiscard]] std::string_view text(Slot slot) const noexcept {
        return slot == kNoSlot ? std::string_view{} : std::string_view(records_[slot].text);
    }
    void prefetch(Slot slot) const noexcept { records_.prefetch(slot); }
    [[nodiscard]] std::uint32_t references(Slot slot) const noexcept {
        return records_[slot].references;
    }
    // Tells two texts that had the same slot one after the other apart.
    [[nodiscard]] std::uint32_t stamp(Slot slot) const noexcept {
        return slot == kNoSlot ? 0 : records_[slot].stamp;
    }
    // The same for the same text at any time; 0 is only kNoSlot's.
    [[nodiscard]] std::uint64_t hash(Slot slot) const noexcept {
        return slot == kNoSlot ? 0 : records_[slot].hash | 1;
    }
    // Frees what nobody refers to any more.
    void collect();
    // Distinct texts in use.
    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }

  private:
    struct Record {
        std::string text;
        std::uint64_t hash = 0;
        std::uint32_t references = 0;
        std::uint32_t stamp = 0;
        std::uint32_t next = 0;
    };

    Slab<Record, 8> records_;
    SlotIndex index_;
    std::vector<Slot> unused_;  // released for the last time since collect()
    std::uint32_t stamps_ = 0;
};

}  // namespace scanmq::broker
