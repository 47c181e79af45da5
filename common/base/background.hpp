#pragma once
// How work that may take its time gives way to work that may not: hashing and bulk loads to jobs.
//
// A lower priority alone does not do it: by Linux' scheduler (EEVDF, since 6.6) a thread that wakes up
// may have to wait for the end of another's slice, which is longer than a job takes, whatever their
// priorities.
// Threads:   any.

namespace scanmq {

// The calling thread, and those it begins, get a smaller share of a busy processor (nice 10). It
// cannot be undone; what the system refuses is left as it was.
void run_in_background() noexcept;
// Others that want the processor get it first. For pieces of some 0.1 ms; costs less than 1 us when
// nobody does.
void give_way() noexcept;

}  // namespace scanmq
