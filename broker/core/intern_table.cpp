#include "broker/core/intern_table.hpp"

namespace scanmq::broker {
namespace {

std::uint64_t hash_text(std::string_view text) noexcept {
    // The index uses the upper bits for the shard and the lower ones for the place: mix once more.
    std::uint64_t h = std::hash<std::string_view>{}(text)*0x9e3779b97f4a7c15ULL;
    return h ^ (h >> 32);
}

}  // namespace

Slot InternTable::intern_known(std::string_view text) {
    if (text.empty()) return kNoSlot;
    const Slot slot =
        index_.find(hash_text(text), [&](Slot s) { return records_[s].text == text; });
    if (slot != kNoSlot) ++records_[slot].references;
    return slot;
}

Slot InternTable::intern(std::string_view text) {
    if (text.empty()) return kNoSlot;
    const std::uint64_t hash = hash_text(text);
    Slot slot = index_.find(hash, [&](Slot s) { return records_[s].text == text; });
    if (slot == kNoSlot) {
        slot = records_.allocate();
        Record& record = records_[slot];
        record.text.assign(text);
        record.hash = hash;
        record.references = 0;
        record.stamp = ++stamps_;
        index_.insert(hash, slot);
    }
    ++records_[slot].references;
    return slot;
}

bool InternTable::release(Slot slot) {
    if (slot == kNoSlot) return false;
    Record& record = records_[slot];
    SCANMQ_ASSERT(record.references > 0);
    if (--record.references > 0) return false;
    index_.erase(record.hash, slot);
    unused_.push_back(slot);
    return true;
}

void InternTable::collect() {
    for (const Slot slot : unused_) {
        Record& record = records_[slot];
        // A long text's memory is given back; a short one's is inside the string.
        record.text = std::string();
        records_.free(slot);
    }
    unused_.clear();
}

}  // namespace scanmq::broker
