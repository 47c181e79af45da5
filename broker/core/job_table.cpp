#include "broker/core/job_table.hpp"

namespace scanmq::broker {

void WaitingList::push_back(JobTable& table, Slot execution) {
    table.executions[execution].next = kNoSlot;
    if (tail_ == kNoSlot) {
        head_ = execution;
    } else {
        table.executions[tail_].next = execution;
    }
    tail_ = execution;
    ++size_;
}

void WaitingList::push_front(JobTable& table, Slot execution) {
    table.executions[execution].next = head_;
    head_ = execution;
    if (tail_ == kNoSlot) tail_ = execution;
    ++size_;
}

Slot WaitingList::pop_front(JobTable& table) {
    SCANMQ_ASSERT(!empty());
    const Slot slot = head_;
    head_ = table.executions[slot].next;
    if (head_ == kNoSlot) tail_ = kNoSlot;
    --size_;
    return slot;
}

void RunningList::push_back(JobTable& table, Slot execution) {
    ExecutionRecord& record = table.executions[execution];
    record.next = kNoSlot;
    record.previous = tail_;
    if (tail_ == kNoSlot) {
        head_ = execution;
    } else {
        table.executions[tail_].next = execution;
    }
    tail_ = execution;
    ++size_;
}

void RunningList::erase(JobTable& table, Slot execution) {
    const ExecutionRecord& record = table.executions[execution];
    SCANMQ_ASSERT(size_ > 0);
    if (record.previous == kNoSlot) {
        head_ = record.next;
    } else {
        table.executions[record.previous].next = record.next;
    }
    if (record.next == kNoSlot) {
        tail_ = record.previous;
    } else {
        table.executions[record.next].previous = record.previous;
    }
    --size_;
}

}  // namespace scanmq::broker
