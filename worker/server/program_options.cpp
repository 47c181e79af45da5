#include "worker/server/program_options.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "common/config/shared.hpp"
#include "common/config/values.hpp"
#include "worker/scanners/embedded_scanner.hpp"
#include "worker/scanners/noop_scanner.hpp"

namespace scanmq::worker {

namespace {

// Unique enough for people to tell workers apart; a name may be shared, the broker goes by
// instance.
std::string default_name() {
    std::array<char, 64> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) return "worker-" + std::to_string(getpid());
    return std::string(host.data()) + "-" + std::to_string(getpid());
}

}  // namespace

void ProgramOptions::declare(config::Options& options) {
    settings.core.threads = 0;
    settings.core.name.clear();
    settings.take_signals = true;
    config::add_broker(options, settings.brokers);
    options.text(
        "name", settings.core.name,
        "Name told to peers and shown to operators; empty takes the host's and the process's");
    // Not config::add_threads: a worker's default is the machine's.
    options.number("threads", settings.core.threads, {0, 1024}, "threads",
                   "Threads that do the work; 0 takes one for each processor");
    options.list("queues", settings.core.queues, ',',
                 "Queues to take jobs from; all when none is named");
    options.choice("scanner", scanner, {"embedded", "noop"},
                   "What runs the jobs: the options engine, or nothing at all, for measuring");
    options.text(
        "noop-result", noop_result,
        "With --scanner noop, the size of each result, or 'payload' to give the payload back");
    options.duration("noop-service", noop_service, {Duration{}, std::chrono::hours(24)},
                     "For tests, with --scanner noop: how long each job takes its thread");
    options.number("noop-fail-rate", noop_fail_rate, {0.0, 1.0}, "share",
                   "For tests, with --scanner noop: the share of runs that fail");
    options.text("noop-poison", noop_poison,
                 "For tests, with --scanner noop: a job whose payload holds this text crashes the "
                 "worker; empty: none");
    options.number("window-max", settings.core.window_max, {1, 65'536}, "jobs",
                   "Most jobs asked for ahead of their answers");
    options.bytes("window-bytes", settings.core.window_bytes, {1U << 20, 1ULL << 30},
                  "Most bytes of payloads asked for ahead of their answers");
    options.duration("drain-timeout", settings.core.drain_timeout,
                     {Duration{}, std::chrono::hours(24)},
                     "How long running scans may go on after SIGTERM before they are given up");
    options.duration("progress-interval", settings.core.progress_interval,
                     {Duration{}, std::chrono::hours(24)},
                     "Scans that run longer than this tell the broker how far they are, at most "
                     "once in it; 0 tells nothing");
    options.duration("connect-timeout", settings.core.connect_timeout,
                     {Duration{}, std::chrono::hours(24)},
                     "Leave with an error when no broker answered in this time; 0 keeps trying");
    options.bytes("cache-bytes", settings.cache_bytes, {1U << 20, 1ULL << 40},
                  "Memory for decoded and priced chains");
    config::add_log(options, log);
}

Result<std::unique_ptr<Scanner>, std::string> ProgramOptions::complete() {
    if (settings.core.name.empty()) settings.core.name = default_name();
    if (settings.core.threads == 0) {
        settings.core.threads = std::max(1U, std::thread::hardware_concurrency());
    }
    settings.core.window_max = std::max(settings.core.window_max, settings.core.threads);
    if (scanner == "embedded") return std::unique_ptr<Scanner>(std::make_unique<EmbeddedScanner>());
    NoopScanner::Options noop;
    noop.service = noop_service;
    noop.fail_rate = noop_fail_rate;
    noop.poison = noop_poison;
    noop.seed = Rng::random_seed();
    if (noop_result != "payload") {
        const auto bytes = config::parse_bytes(noop_result);
        if (!bytes) return fail("--noop-result: " + bytes.error());
        if (*bytes > protocol::kLimits.blob_bytes_max) {
            return fail(std::string("--noop-result: more than a result may be (64MiB); give less"));
        }
        noop.result_bytes = static_cast<std::size_t>(*bytes);
    }
    return std::unique_ptr<Scanner>(std::make_unique<NoopScanner>(std::move(noop)));
}

}  // namespace scanmq::worker
