#pragma once
// Checkpoint: moves what the commit log has made durable into the state, and lets the log go.
//
// Role:      one per broker; run by a CheckpointThread, by recover() before the loop starts, or by
//            the simulator.
// Threads:   none inside; one caller. Borrows: CommitLog, StateStore (both outlive this).
// Invariant: a record is released by the log only after the transaction that holds it is durable;
//            a run that was cut short anywhere is repeated from where the state is.
// Limits:    Options::bytes_max, of records in one transaction and so in memory.
// Errors:    full: nothing has happened, make room and run it again. Others: the broker stops.

#include "broker/store/commit_log.hpp"
#include "broker/store/materialiser.hpp"

namespace scanmq::broker {

class Checkpoint {
  public:
    struct Options {
        std::size_t bytes_max = 64U << 20;
    };
    struct Step {
        LogPosition position{};  // everything up to it is in the state
        std::uint64_t records = 0;
        std::size_t bytes = 0;
        bool more = false;  // there was more than one step's worth: run it again
    };

    Checkpoint(CommitLog& log, StateStore& store) : Checkpoint(log, store, Options{}) {}
    Checkpoint(CommitLog& log, StateStore& store, const Options& options)
        : log_(&log), materialiser_(store), options_(options) {}

    // One transaction with the durable records that follow the state's position, at most bytes_max of
    // them, or one record. Then the log may forget them.
    [[nodiscard]] Result<Step, StateError> run_once();
    // run_once() until nothing is left that was durable when it ended.
    [[nodiscard]] Result<Step, StateError> run_all();

  private:
    [[nodiscard]] Result<Step, StateError> collect();

    CommitLog* log_;
    Materialiser materialiser_;
    Options options_;
};

}  // namespace scanmq::broker
