#include "scanner/server/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "common/config/shared.hpp"
#include "common/http/server.hpp"

namespace scanmq::scand {

namespace {

constexpr Duration kDay = std::chrono::hours(24);
constexpr Duration kMilli = std::chrono::milliseconds(1);

}  // namespace

void declare(config::Options& options, Settings& settings) {
    config::add_http(options, settings.http);
    config::add_insecure(options, settings.insecure);
    options.text("chains", settings.chains,
                 "File or directory of vendors' files and snapshots to have from the start");
    // Not config::add_threads: the default is the machine's.
    options.number("threads", settings.threads, {0, 1024}, "threads",
                   "Threads that do the work; 0 takes one for each processor");
    options.number("concurrency", settings.concurrency, {0, 1024}, "scans",
                   "Most scans at once; 0 takes as many as there are threads");
    options.number("queue", settings.queue, {0, 100'000}, "scans",
                   "Most scans that wait for a place; beyond it, they are answered 429");
    options.number("connections-max", settings.connections_max, {1, 65'536}, "connections",
                   "Open connections");
    options.bytes("body-bytes-max", settings.body_bytes_max, {1U << 10, 1ULL << 30},
                  "Largest body of a request");
    options.bytes("snapshot-bytes-max", settings.snapshot_bytes_max, {1U << 10, 1ULL << 30},
                  "Largest snapshot that may be put");
    options.bytes("cache-bytes", settings.cache_bytes, {1U << 20, 1ULL << 40},
                  "Memory for decoded and priced chains that were put; those of --chains are kept "
                  "beside it");
    options.number("results-max", settings.results_max, {1, 1'000'000}, "scans",
                   "Finished scans of clients that can be asked for again");
    options.bytes("results-bytes", settings.results_bytes, {1U << 10, 1ULL << 40},
                  "Memory for their results");
    options.duration("scan-timeout", settings.scan_timeout, {kMilli, kDay},
                     "How long a scan may wait and run when its request names no deadline");
    options.duration("read-timeout", settings.read_timeout, {kMilli, kDay},
                     "How long the head of a request, or a pause within its body, may last");
    options.duration("write-timeout", settings.write_timeout, {kMilli, kDay},
                     "How long a client may take to read a piece of its answer");
    options.duration("idle-timeout", settings.idle_timeout, {kMilli, kDay},
                     "How long a connection may be idle between requests");
    options.duration("drain-timeout", settings.drain_timeout, {Duration{}, kDay},
                     "How long scans may go on after SIGTERM before they are cancelled");
    options.duration("progress-interval", settings.progress_interval, {kMilli, kDay},
                     "Time between two lines of progress");
    options.text("fault", settings.fault_text,
                 "For tests: how every scan fails: none, slow:DURATION, status:NUMBER or garbage");
    options.flag("debug", settings.debug,
                 "For tests: let PUT /debug/fault change the fault while running");
    config::add_log(options, settings.log);
}

Result<void, std::string> complete(Settings& settings) {
    if (!settings.insecure && !http::is_loopback(settings.http)) {
        return fail(fmt::format(
            "--http {} is not an address of this machine alone, and clients are neither identified "
            "nor "
            "encrypted. Listen on 127.0.0.1:PORT, or give --insecure if the network is trusted",
            settings.http));
    }
    if (settings.threads == 0) {
        settings.threads = std::max(1U, std::thread::hardware_concurrency());
    }
    if (settings.concurrency == 0) settings.concurrency = settings.threads;
    if (settings.concurrency > settings.threads) {
        return fail(
            fmt::format("--concurrency is {}, but there are {} threads to scan on; give as many "
                        "--threads",
                        settings.concurrency, settings.threads));
    }
    auto fault = parse_fault(settings.fault_text);
    if (!fault) return fail("--fault: " + fault.error());
    settings.fault = *fault;
    return {};
}

}  // namespace scanmq::scand
