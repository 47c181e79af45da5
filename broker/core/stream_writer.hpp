#pragma once
// StreamWriter: appends final entries and group completions, and keeps a stream within its bytes.
//
// Threads: broker loop only. Borrows: CoreState (outlives this).

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class StreamWriter {
  public:
    explicit StreamWriter(CoreState& state) : state_(&state) {}

    // Appends; the entry's references (subject, text, group, body) pass to the stream. Then drops the oldest
    // entries until the stream keeps no more than stream_max_bytes, but never the newest one.
    void append(Queue& queue, const StreamEntry& entry);
    // The completion entry of a group that just ended.
    void append_completion(Queue& queue, Slot group);
    // An entry that the store has, as the next one.
    void restore(Queue& queue, const EntryRow& row, BodyHandle body, bool is_blob);
    // Drops the oldest `count` entries, for the end of the queue.
    void drop(Queue& queue, std::uint64_t count);

  private:
    void drop_oldest(Queue& queue);
    CoreState* state_;
};

}  // namespace scanmq::broker
