#pragma once
// StreamWriter: appends final entries and group completions, and keeps a stream within its bytes
//               and its age.
//
// Threads: broker loop only. Borrows: CoreState (outlives this).
// Lossless: what a durable subscription needs is not dropped. Entries that its pattern does not match
//          are not needed; each is looked at once per subscription, and only when room is short.
// Limits:  a queue's stream_max_bytes and stream_max_age_ms. What is too much goes at the end of the
//          call that brought it, what is too old within a quarter of a second; at most kSlice entries
//          of a queue in one call, the rest at once in the next ones.

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class StreamWriter {
  public:
    static constexpr std::size_t kSlice = 16'384;

    explicit StreamWriter(CoreState& state) : state_(&state) {}

    // Appends; the entry's references (subject, text, group, body) pass to the stream.
    void append(Queue& queue, const StreamEntry& entry);
    // The completion entry of a group that just ended.
    void append_completion(Queue& queue, Slot group,
                           std::uint64_t own_bytes = CoreState::kChangeBytesMax);
    // Drops the oldest entries of every stream that has too many bytes, but never the newest entry.
    // After publication: who has credit was sent them.
    void trim();
    // Drops what is older than stream_max_age_ms, the newest, too. When it has to be called again;
    // Time::max(): when there is an entry.
    Time expire(Queue& queue);
    // Drops the oldest `count` entries, for the end of the queue.
    void drop(Queue& queue, std::uint64_t count);

    // After a restart: the stream goes on as `incarnation`, its oldest entry is `first`; then its
    // entries in order, each with its body in the row (the result's, where it is kept apart; its bytes
    // are counted, not read) and the shell's handle of it: the same for entries of one execution, none
    // for a group's. Nothing is journalled; blobs are back before.
    // Precondition of the first: the stream is new. False: `offset` is not the next one, and the
    // handle is not taken.
    void begin_at(Queue& queue, std::uint64_t first, const Id128& incarnation);
    [[nodiscard]] bool restore(Queue& queue, std::uint64_t offset, const EntryRow& row,
                               BodyHandle body);

  private:
    [[nodiscard]] bool too_large(const Queue& queue) const noexcept {
        const bool too_much =
            queue.stream.bytes() > queue.settings.stream_max_bytes || memory_short(queue);
        return too_much && queue.stream.size() > 1;
    }
    [[nodiscard]] bool memory_short(const Queue& queue) const noexcept {
        return state_->memory.stream_too_large(state_->stream_memory(queue), state_->queues.size());
    }
    void trim(Queue& queue);
    void trim_lossless(Queue& queue);
    // Whether the oldest entry may go; in a lossless stream, looks for who needs it, at no more than
    // `budget` entries.
    [[nodiscard]] bool droppable(Queue& queue, std::size_t& budget);
    void find_needed(Queue& queue, std::size_t& budget);
    void drop_oldest(Queue& queue);
    CoreState* state_;
};

}  // namespace scanmq::broker
