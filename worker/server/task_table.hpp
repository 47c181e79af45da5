#pragma once
// TaskTable: the bytes behind the attempts WorkerCore holds: payloads, inputs, results.
//
// Role:      the shell's counterpart of AttemptTable, indexed by the same slots.
// Threads:   the loop's; a pool thread has the one TaskSlot it runs, from post() to its completion.
// Lifetimes: a slot begins with views into the frame that delivered it. It must own its bytes
//            before that frame goes, or before another thread sees it.

#include <algorithm>
#include <chrono>
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
    // Of an attempt with a fingerprint: a result kept under it is the answer.
    bool keyed = false;
    bool kept = false;  // its result is, or need not be
    ContentId fingerprint;
    Duration keep_for{};   // a result answers so long after it was made; 0: the broker did not say
    Duration known_age{};  // of `known`, since it was made
    Time wanted_until{};   // Time{}: no deadline
    std::shared_ptr<const std::string> known;  // the result, found: outcome.body is a view of it

    // Copies what is borrowed, a result that is its payload, too; views stay valid until release().
    void own();
    // The payload came as a blob.
    void set_payload(ByteView bytes);
};

// When so many milliseconds from now have passed.
[[nodiscard]] inline Time deadline_from(Time now, std::uint64_t ms) noexcept {
    constexpr std::uint64_t kLongestMs = 365ULL * 24 * 60 * 60 * 1000;  // no overflow
    return now + std::chrono::milliseconds(std::min(ms, kLongestMs));
}

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
    // How many of those held have a fingerprint.
    [[nodiscard]] std::size_t keyed() const noexcept { return keyed_; }

  private:
    std::size_t keyed_ = 0;
    std::vector<std::unique_ptr<TaskSlot>> slots_;  // stable addresses for the pool's threads
};

}  // namespace scanmq::worker
