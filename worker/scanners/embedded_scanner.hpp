#pragma once
// EmbeddedScanner: the options engine in the worker's own process.
//
// Payload:   a scan request, JSON or msgpack (docs/SCAN_REQUEST.md). Inputs: the snapshots to scan,
//            one or more (docs/SNAPSHOT.md); the best of several are merged.
// Clock:     the request's as_of_ms; where it has none, the job's as_of_ns, in whole milliseconds;
//            where that is absent, too, each snapshot's own moment.
// Progress:  in steps of one expiry and strategy, over all snapshots.
// Result:    a scan result in msgpack.
// Errors:    rejected: the request cannot be read or does not fit the chain, a snapshot is not one.
//            failed: what may go well elsewhere (out of memory), or a cancelled run.
// Threads:   stateless; decoded and priced chains are shared through the task's inputs.

#include "worker/scanners/scanner.hpp"

namespace scanmq::worker {

class EmbeddedScanner final : public Scanner {
  public:
    [[nodiscard]] std::string version() const override;
    [[nodiscard]] bool reads_inputs() const override { return true; }
    [[nodiscard]] bool on_loop() const override { return false; }
    void run(const Task& task, Outcome& out) const noexcept override;
};

}  // namespace scanmq::worker
