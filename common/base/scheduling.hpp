#pragma once
// What threads ask of the system's scheduler: jobs are in a hurry, hashing and bulk loads are not.
//
// A lower priority alone does not do it: by Linux' scheduler (EEVDF, since 6.6) a thread that wakes
// up may have to wait for the end of another's slice, 3 ms by default, which is longer than a job
// takes, whatever their priorities. Since 6.12 a thread may ask for a slice of its own, and one that
// wakes up with a shorter one need not wait; shares of a busy processor stay as they were. Older
// systems ignore it.
// Threads:   any. Each call is about the calling thread and those it begins later; what the system
//            refuses, and a policy that the operator chose (chrt), is left as it was.

namespace scanmq {

// A slice of 0.1 ms: for a process, at its start, through whose threads jobs go.
void run_promptly() noexcept;
// A smaller share of a busy processor (nice 10, which cannot be undone), in slices of 20 ms, and nobody
// makes way when it wakes up (SCHED_BATCH).
void run_in_background() noexcept;
// Others that want the processor get it first. For pieces of some 0.1 ms; costs less than 1 us when
// nobody does.
void give_way() noexcept;

}  // namespace scanmq
