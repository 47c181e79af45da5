#include "broker/core/job_table.hpp"

namespace scanmq::broker {

ExecutionExtra& JobTable::extra_of(Slot execution) {
    Slot& extra = executions[execution].extra;
    if (extra == kNoSlot) {
        extra = execution_extras.allocate();
        execution_extras[extra] = ExecutionExtra{};
    }
    return execution_extras[extra];
}

void WaitingList::push_back(JobTable& table, Slot execution) {
    ExecutionRecord& record = table.executions[execution];
    record.next = kNoSlot;
    record.previous = tail_;
    (tail_ == kNoSlot ? head_ : table.executions[tail_].next) = execution;
    tail_ = execution;
    ++size_;
}

void WaitingList::push_front(JobTable& table, Slot execution) {
    ExecutionRecord& record = table.executions[execution];
    record.previous = kNoSlot;
    record.next = head_;
    (head_ == kNoSlot ? tail_ : table.executions[head_].previous) = execution;
    head_ = execution;
    ++size_;
}

void WaitingList::insert_before(JobTable& table, Slot execution, Slot other) {
    const Slot previous = table.executions[other].previous;
    if (previous == kNoSlot) return push_front(table, execution);
    table.executions[execution].previous = previous;
    table.executions[execution].next = other;
    table.executions[previous].next = execution;
    table.executions[other].previous = execution;
    ++size_;
}

void WaitingList::erase(JobTable& table, Slot execution) {
    const ExecutionRecord& record = table.executions[execution];
    SCANMQ_ASSERT(size_ > 0);
    (record.previous == kNoSlot ? head_ : table.executions[record.previous].next) = record.next;
    (record.next == kNoSlot ? tail_ : table.executions[record.next].previous) = record.previous;
    --size_;
}

}  // namespace scanmq::broker
