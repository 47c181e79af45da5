#pragma once
// TaskTable: the bytes behind the attempts WorkerCore holds: payloads, inputs, results.
//
// Role:      the shell's counterpart of AttemptTable, indexed by the same slots.
// Threads:   the loop's; a pool thread has the one TaskSlot it runs, from post() to its completion.
// Lifetimes: a slot begins with views into the frame that delivered it. It must own its bytes
//            before that frame goes, or before another thread sees it.

#include <memory>
#include <string>
#include <vector>

#include "worker/core/events.hpp"
#include "worker/scanners/scanner.hpp"

namespace scanmq::worker {

struct TaskSlot {
    AttemptId id;
    bool live = false;
    bool borrowed = false;  // task's views belong to the frame
    Task task;
    std::string owned;     // queue, subject, payload
    ContentId payload_id;  // zero: the payload came in the frame
    std::vector<ContentId> input_ids;
    std::vector<std::shared_ptr<Input>> inputs;
    std::uint32_t missing = 0;  // inputs, and the payload, that are still being got
    std::atomic<bool> cancel{false};
    Progress progress;
    Outcome outcome;
    ContentId body_id;  // of a result too large for a frame
    bool body_hashed = false;
    Duration service{};
    // Of an AsyncScanner's call: since when, and whether it is still to be finished.
    Time started{};
    bool under_way = false;

    // Copies what is borrowed, a result that is its payload, too; views stay valid until release().
    void own();
    // The payload came as a blob.
    void set_payload(ByteView bytes);
};

class TaskTable {
  public:
    // Takes an attempt in, with views into its frame.
    void take(const Taken& taken);
    // nullptr when it was released.
    [[nodiscard]] TaskSlot* find(AttemptId id) noexcept {
        if (id.slot >= slots_.size()) return nullptr;
        TaskSlot* slot = slots_[id.slot].get();
        return slot->live && slot->id == id ? slot : nullptr;
    }
    void release(AttemptId id) noexcept;
    // Sets the cancel flag of everything held.
    void cancel_all() noexcept;

  private:
    std::vector<std::unique_ptr<TaskSlot>> slots_;  // stable addresses for the pool's threads
};

}  // namespace scanmq::worker
