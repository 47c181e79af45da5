#pragma once
// Stream: the newest entries of one queue, by offset.
//
// Threads:   broker loop only. Owns: the entries' records; what they refer to is released by the
//            caller, which gets each dropped record back.
// Invariant: offsets first() .. next() are there, without gaps, within one incarnation.
// See:       docs/PROTOCOL.md, section 9

#include <cstdint>

#include "broker/core/chunk_fifo.hpp"
#include "broker/core/events.hpp"
#include "broker/core/slab.hpp"

namespace scanmq::broker {

struct StreamEntry {
    Id128 id;                // the job's, or the group's
    Slot subject = kNoSlot;  // in CoreState::subjects
    Slot text = kNoSlot;     // in CoreState::texts: the sentence, or a group entry's body
    Slot group = kNoSlot;    // in CoreState::texts: the group's id, 16 bytes
    BodyHandle body;
    std::uint32_t bytes : 31 = 0;  // credit bytes: inline body and overhead
    bool body_is_blob : 1 = false;
    protocol::ErrorCode code{};
    protocol::EntryKind kind{};
    protocol::FinalOutcome outcome{};
};
static_assert(sizeof(StreamEntry) <= 40);

class Stream {
  public:
    explicit Stream(const Id128& incarnation) : incarnation_(incarnation) {}

    // Returns the entry's offset. `text_bytes`: what is kept for it beside its body and overhead.
    std::uint64_t append(const StreamEntry& entry, std::uint64_t text_bytes = 0) {
        bytes_ += entry.bytes + text_bytes;
        return entries_.push(entry);
    }
    // The next entry has that offset. Precondition: nothing was appended yet.
    void start_at(std::uint64_t offset) { entries_.start_at(offset); }
    // Takes the oldest entry away and returns it. Preconditions: first() < next(); `text_bytes` as for its
    // append().
    StreamEntry drop_oldest(std::uint64_t text_bytes = 0) {
        const StreamEntry oldest = entries_.front();
        bytes_ -= oldest.bytes + text_bytes;
        entries_.pop();
        return oldest;
    }
    [[nodiscard]] const StreamEntry& at(std::uint64_t offset) const noexcept {
        return entries_[offset];
    }
    [[nodiscard]] std::uint64_t first() const noexcept { return entries_.begin(); }
    [[nodiscard]] std::uint64_t next() const noexcept { return entries_.end(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] const Id128& incarnation() const noexcept { return incarnation_; }

  private:
    Id128 incarnation_;
    ChunkFifo<StreamEntry> entries_;
    std::uint64_t bytes_ = 0;
};

}  // namespace scanmq::broker
