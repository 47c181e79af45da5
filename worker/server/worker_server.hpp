#pragma once
// WorkerServer: a whole worker: its loop, its sockets, its threads, around a WorkerCore and a
//               Scanner.
//
// Use:      construct, run() on a thread of its own; drain() or abort() from anywhere end it.
// Threads:  run() is the loop. drain() and abort() are safe from any thread, not from signal
//           handlers (the loop takes SIGINT and SIGTERM itself when Settings::take_signals is set).
// Stopping: drain() finishes what runs, hands back the rest and says BYE; abort(), a second signal
//           or drain_timeout leave at once. Scans are told to stop; run() gives them
//           scans_patience. When some do not, Exit::scans_left is set, and the destructor would
//           wait for them: a process that does not want to leaves by std::_Exit.
// See:      docs/PROTOCOL.md, ARCHITECTURE.md

#include <memory>
#include <string>
#include <vector>

#include "worker/core/worker_core.hpp"
#include "worker/scanners/scanner.hpp"

namespace scanmq::worker {

struct Settings {
    std::vector<std::string> brokers{"tcp://127.0.0.1:5701"};  // tried in turn
    WorkerOptions
        core;  // instance, seed, scanner_version, run_on_loop and fetch_inputs are filled in
    std::uint64_t cache_bytes = 512U << 20;             // decoded inputs kept
    Duration scans_patience = std::chrono::seconds(1);  // for scans told to stop, when leaving
    bool take_signals = false;
};

class WorkerServer {
  public:
    WorkerServer(Settings settings, std::unique_ptr<Scanner> scanner);
    ~WorkerServer();
    WorkerServer(const WorkerServer&) = delete;
    WorkerServer& operator=(const WorkerServer&) = delete;

    // Runs until drained, aborted, refused or wedged; call once. Exit::code is for the process: 0,
    // or one of the kExit... codes with a sentence.
    [[nodiscard]] Exit run();
    void drain();
    void abort();

    // After run() returned.
    [[nodiscard]] const WorkerCounters& counters() const noexcept;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace scanmq::worker
