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

// Where results of pure attempts are kept to answer later ones.
struct ResultCacheOptions {
    std::string where =
        "memory";  // off, or redis://..., tcp://...: memory, and a tier that is read
    std::uint64_t bytes_max = 32U << 20;
    Duration wait = std::chrono::milliseconds(20);  // for the tier
    std::string prefix = "scanmq:";                 // of every key in a Redis
};

struct ResultCacheCounters {
    std::uint64_t asked{};      // attempts looked for
    std::uint64_t hits{};       // answered without being run
    std::uint64_t misses{};     // run, for whatever reason
    std::uint64_t late{};       // of these: no answer in time
    std::uint64_t forgotten{};  // cancelled meanwhile
    std::uint64_t kept{};       // results put into memory
};

struct Settings {
    std::vector<std::string> brokers{"tcp://127.0.0.1:5701"};  // tried in turn
    WorkerOptions
        core;  // instance, seed, scanner_version, run_on_loop and fetch_inputs are filled in
    std::uint64_t cache_bytes = 512U << 20;  // decoded inputs kept
    ResultCacheOptions results;
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
    [[nodiscard]] ResultCacheCounters result_cache() const noexcept;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace scanmq::worker
