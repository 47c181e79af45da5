#pragma once
// What the exit code of `scanmq` says; docs/CLI.md#exit-codes is the contract.

namespace scanmq::cli {

enum class ExitCode : int {
    ok = 0,
    failed = 1,     // the operation was refused or failed
    usage = 2,      // the command line, the configuration or a request cannot be understood
    no_broker = 3,  // no broker answered
    partial = 4,    // some jobs did not end `done`, or some input was left out
    timed_out = 5,  // --timeout passed first
};

}  // namespace scanmq::cli
