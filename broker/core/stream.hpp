#pragma once
// Stream: the newest entries of one queue, by offset, and when each was appended.
//
// Threads:   broker loop only. Owns: the entries' records; what they refer to is released by the
//            caller, which gets each dropped record back.
// Invariant: offsets first() .. next() are there, without gaps, within one incarnation; times never
//            fall from one offset to the next.
// Memory:    44 bytes an entry; an entry keeps its time in ms since its era began, a new era begins
//            when 32 bits are too few (49 days).
// See:       docs/PROTOCOL.md, section 9

#include <algorithm>
#include <cstdint>
#include <deque>

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
    std::uint32_t era_ms = 0;  // set by Stream::append()
};
static_assert(sizeof(StreamEntry) <= 44);

class Stream {
  public:
    explicit Stream(const Id128& incarnation) : incarnation_(incarnation) {}

    // Takes a stream up again, before its entries are appended once more: the next offset is `first`.
    // Precondition: nothing was appended.
    void begin_at(std::uint64_t first, const Id128& incarnation) {
        entries_.begin_at(first);
        incarnation_ = incarnation;
    }
    // Returns the entry's offset. `at`: when that was; earlier than the entry before: as then.
    // `text_bytes`: what is kept for it beside its body and overhead.
    std::uint64_t append(const StreamEntry& entry, WallMillis at, std::uint64_t text_bytes = 0) {
        bytes_ += entry.bytes + text_bytes;
        latest_ = std::max(latest_, at);
        if (eras_.empty() || latest_ - era_begin_ > kEraMax) {
            era_begin_ = latest_;
            eras_.push_back({entries_.end(), latest_});
        }
        StreamEntry timed = entry;
        timed.era_ms = static_cast<std::uint32_t>(latest_ - era_begin_);
        return entries_.push(timed);
    }
    // Takes the oldest entry away and returns it. Preconditions: first() < next(); `text_bytes` as for its
    // append().
    StreamEntry drop_oldest(std::uint64_t text_bytes = 0) {
        const StreamEntry oldest = entries_.front();
        bytes_ -= oldest.bytes + text_bytes;
        entries_.pop();
        if (eras_.size() > 1 && eras_[1].first <= entries_.begin()) eras_.pop_front();
        return oldest;
    }
    [[nodiscard]] const StreamEntry& at(std::uint64_t offset) const noexcept {
        return entries_[offset];
    }
    // When it was appended. Precondition: first() <= offset < next().
    [[nodiscard]] WallMillis time_of(std::uint64_t offset) const noexcept {
        std::size_t era = eras_.size() - 1;
        while (eras_[era].first > offset) --era;
        return eras_[era].begin + entries_[offset].era_ms;
    }
    // The first entry appended at that time or later; next() when there is none.
    [[nodiscard]] std::uint64_t first_since(WallMillis time) const noexcept {
        std::uint64_t low = first();
        std::uint64_t high = next();
        while (low < high) {
            const std::uint64_t middle = low + (high - low) / 2;
            if (time_of(middle) < time) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }
    [[nodiscard]] std::uint64_t first() const noexcept { return entries_.begin(); }
    [[nodiscard]] std::uint64_t next() const noexcept { return entries_.end(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] const Id128& incarnation() const noexcept { return incarnation_; }

  private:
    struct Era {
        std::uint64_t first = 0;  // offset
        WallMillis begin = 0;
    };
    static constexpr WallMillis kEraMax = 0xffffffff;

    Id128 incarnation_;
    ChunkFifo<StreamEntry> entries_;
    std::deque<Era> eras_;
    WallMillis latest_ = 0;
    WallMillis era_begin_ = 0;  // of the last era
    std::uint64_t bytes_ = 0;
};

}  // namespace scanmq::broker
