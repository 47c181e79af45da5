#pragma once
// Settings: what scanmq-scanner can be told.
//
// Threads: a value.
// See:     docs/CONFIG.md

#include <cstdint>
#include <string>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/config/options.hpp"
#include "scanner/server/fault.hpp"

namespace scanmq::scand {

struct Settings {
    std::string http = "127.0.0.1:8702";
    bool insecure = false;
    std::string chains;             // file or directory; empty: none
    std::uint32_t threads = 0;      // 0: one for each processor
    std::uint32_t concurrency = 0;  // scans at once; 0: as many as threads
    std::uint32_t queue = 64;       // scans that wait
    std::uint32_t connections_max = 1024;
    std::uint64_t body_bytes_max = 1U << 20;
    std::uint64_t snapshot_bytes_max = 64U << 20;
    std::uint64_t cache_bytes = 1ULL << 30;  // of chains that were put
    std::uint32_t results_max = 1000;        // scans that are remembered for GET
    std::uint64_t results_bytes = 64U << 20;
    Duration scan_timeout = std::chrono::minutes(5);
    Duration read_timeout = std::chrono::seconds(10);
    Duration write_timeout = std::chrono::seconds(30);
    Duration idle_timeout = std::chrono::seconds(60);
    Duration drain_timeout = std::chrono::seconds(30);
    Duration progress_interval = std::chrono::milliseconds(250);
    std::string fault_text = "none";
    bool debug = false;
    std::string log = "info";

    Fault fault;  // of fault_text, by complete()
};

void declare(config::Options& options, Settings& settings);
// Works out what follows from the machine and checks what options alone cannot. Error: a sentence.
[[nodiscard]] Result<void, std::string> complete(Settings& settings);

}  // namespace scanmq::scand
