#include "worker/server/program_options.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "client/cache/shared_tier.hpp"
#include "common/config/shared.hpp"
#include "common/config/values.hpp"
#include "common/process/spawn.hpp"
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
    options.choice("scanner", scanner, {"embedded", "noop", "process", "http"},
                   "What runs the jobs: the options engine, nothing at all, for measuring, "
                   "processes of --process, or the scan services of --scanner-url");
    declare_noop(options);
    declare_process(options);
    remote.declare(options);
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
    config::add_cache(options, settings.results.where);
    config::add_cache_prefix(options, settings.results.prefix);
    options.bytes("cache-result-bytes", settings.results.bytes_max, {0, 1ULL << 40},
                  "Memory for results of pure jobs");
    config::add_cache_wait(options, settings.results.wait);
    config::add_log(options, log);
}

void ProgramOptions::declare_noop(config::Options& options) {
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
}

void ProgramOptions::declare_process(config::Options& options) {
    const config::Range<Duration> waits{std::chrono::milliseconds(1), std::chrono::hours(24)};
    options.text("process", process_command,
                 "With --scanner process: the program and its arguments, parted by blanks; quotes "
                 "hold together what has blanks in it");
    options.number("process-count", processes.pool.processes, {1, 256}, "processes",
                   "With --scanner process: how many run, each with one scan at a time");
    options.duration("process-timeout", processes.pool.call_timeout, waits,
                     "With --scanner process: how long one scan may take");
    options.duration("process-start-timeout", processes.pool.start_timeout, waits,
                     "With --scanner process: how long one may take to be ready");
    options.duration("process-cancel-grace", processes.pool.cancel_grace, waits,
                     "With --scanner process: how long a scan that was cancelled may go on before "
                     "its process is ended");
    options.duration("process-kill-grace", processes.pool.kill_grace, waits,
                     "With --scanner process: how long a process has to end itself before it is "
                     "killed");
    options.bytes("process-memory-max", processes.memory_max, {0, 1ULL << 40},
                  "With --scanner process: address space of each process; 0 sets no limit");
    options.bytes("process-result-bytes", processes.result_bytes_max,
                  {1U << 10, protocol::kLimits.blob_bytes_max},
                  "With --scanner process: the largest result");
    options.bytes("process-cache-bytes", processes.pool.cache_bytes, {0, 1ULL << 40},
                  "With --scanner process: bytes of snapshots that each process may keep");
}

Result<std::unique_ptr<Scanner>, std::string> ProgramOptions::complete() {
    if (settings.core.name.empty()) settings.core.name = default_name();
    if (settings.core.threads == 0) {
        settings.core.threads = std::max(1U, std::thread::hardware_concurrency());
    }
    settings.core.window_max = std::max(settings.core.window_max, settings.core.threads);
    if (auto wrong = client::check_cache(settings.results.where)) return fail(std::move(*wrong));
    if (scanner == "embedded") return std::unique_ptr<Scanner>(std::make_unique<EmbeddedScanner>());
    if (scanner == "process") return process_scanner();
    if (scanner == "http") return http_scanner();
    return noop_scanner();
}

Result<std::unique_ptr<Scanner>, std::string> ProgramOptions::noop_scanner() const {
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

Result<std::unique_ptr<Scanner>, std::string> ProgramOptions::process_scanner() {
    auto words = process::split_command(process_command);
    if (!words) return fail("--process: " + words.error());
    if (words->empty()) {
        return fail(std::string("--scanner process needs --process \"PROGRAM ARGUMENTS\""));
    }
    auto program = process::find_program(words->front());
    if (!program) return fail("--process: " + program.error());
    words->front() = std::move(program).value();
    processes.command = std::move(words).value();
    auto made = ProcessScanner::create(processes);
    if (!made) return fail("--process: " + made.error());
    return std::unique_ptr<Scanner>(std::move(made).value());
}

Result<std::unique_ptr<Scanner>, std::string> ProgramOptions::http_scanner() const {
    auto options = remote.complete();
    if (!options) return fail(options.error());
    auto made = HttpScanner::create(std::move(options).value());
    if (!made) return fail(made.error());
    return std::unique_ptr<Scanner>(std::move(made).value());
}

bool ProgramOptions::wait_for_scanner(Scanner& made) const {
    auto* http = dynamic_cast<HttpScanner*>(&made);
    return http == nullptr || http->find_version();
}

}  // namespace scanmq::worker
