#pragma once
// JobTable: the records of live jobs and of their executions, and the lists they hang in.
//
// Role:      one per broker; a queue's waiting executions and a worker's running ones are lists
//            through it.
// Threads:   broker loop only.
// Invariant: an execution is in exactly one list: its queue's waiting one, or its worker's running
//            one.
// Memory:    48 bytes a job and 48 an execution.

#include <cstdint>

#include "broker/core/events.hpp"
#include "broker/core/slab.hpp"
#include "common/base/id.hpp"

namespace scanmq::broker {

struct JobRecord {
    Id128 id;
    std::uint64_t digest = 0;
    Slot execution = kNoSlot;
    Slot next = kNoSlot;      // next job of the same execution
    Slot subject = kNoSlot;   // in CoreState::subjects
    Slot group = kNoSlot;     // in the queue's groups
    std::uint32_t bytes = 0;  // what it costs in credit
};
static_assert(sizeof(JobRecord) <= 48);

struct ExecutionRecord {
    std::uint64_t number = 0;   // in its queue, rising; names it in the store
    std::uint64_t attempt = 0;  // the live attempt's counter; 0: waiting
    Slot next = kNoSlot;
    Slot previous = kNoSlot;  // running list only
    Slot first_job = kNoSlot;
    Slot inputs = kNoSlot;  // in CoreState::inputs
    BodyHandle payload;
    Slot holder = kNoSlot;  // session slot of the live attempt
    std::uint16_t queue = 0;
    std::uint8_t attempts = 0;  // charged so far, the live one included
    bool payload_is_blob = false;
};
static_assert(sizeof(ExecutionRecord) <= 48);

struct JobTable {
    Slab<JobRecord> jobs;
    Slab<ExecutionRecord> executions;
};

// First in, first out, through ExecutionRecord::next.
class WaitingList {
  public:
    void push_back(JobTable& table, Slot execution);
    void push_front(JobTable& table, Slot execution);
    // Precondition: !empty().
    Slot pop_front(JobTable& table);
    [[nodiscard]] Slot front() const noexcept { return head_; }
    [[nodiscard]] bool empty() const noexcept { return head_ == kNoSlot; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  private:
    Slot head_ = kNoSlot;
    Slot tail_ = kNoSlot;
    std::uint64_t size_ = 0;
};

// In order of delivery, through next and previous.
class RunningList {
  public:
    void push_back(JobTable& table, Slot execution);
    void erase(JobTable& table, Slot execution);
    [[nodiscard]] Slot back() const noexcept { return tail_; }
    [[nodiscard]] bool empty() const noexcept { return head_ == kNoSlot; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  private:
    Slot head_ = kNoSlot;
    Slot tail_ = kNoSlot;
    std::uint32_t size_ = 0;
};

}  // namespace scanmq::broker
