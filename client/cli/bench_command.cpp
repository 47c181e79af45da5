// scanmq bench: what the queue itself costs, measured with jobs that do nothing.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/bench_payload.hpp"
#include "client/cli/bench_run.hpp"
#include "client/cli/command.hpp"
#include "client/cli/table.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

void declare(config::Options& declared, BenchOptions& options, std::uint64_t& fill, bool& json) {
    declared.flag("self-contained", options.self_contained,
                  "Start a broker of its own on a free port");
    declared.choice("durability", options.durability, {"memory", "sync", "async"},
                    "Of that broker: in memory only, synced to disk, or written");
    declared.text(
        "data", options.data,
        "That broker's directory, kept; without it (from the command line only) a temporary one, "
        "removed afterwards");
    declared.choice(
        "mode", options.mode, {"throughput", "closed", "open"},
        "Throughput: as fast as credit allows; closed: one job at a time; open: a fixed rate");
    declared.number("fill", fill, {0U, SeenIds::kIdMax - 1}, "jobs",
                    "Queue so many jobs without workers and tell the broker's memory");
    declared.number("payload-bytes", options.payload_bytes, {std::uint32_t{kStampBytes}, 65'536U},
                    "bytes", "Size of payload and result");
    declared.number(
        "distinct", options.distinct, {0U, 1'000'000U}, "payloads",
        "All jobs share so many payloads and run once each, in the warm-up; the rest comes "
        "out of the cache, and no latency is told. 0: each job has its own");
    declared.number("batch", options.batch, {1U, 4'096U}, "jobs", "Jobs of one submission");
    declared.number("producers", options.producers, {1U, 64U}, "processes", "Producer processes");
    declared.number("workers", options.workers, {0U, 64U}, "processes",
                    "No-op worker processes to start, for the bench's queue only");
    declared.number("worker-threads", options.worker_threads, {1U, 256U}, "threads",
                    "Threads of each worker");
    declared.number("subscribers", options.subscribers, {1U, 64U}, "processes",
                    "Subscriber processes");
    declared.number(
        "window", options.window, {1U, 100'000'000U}, "jobs",
        "Jobs between submission and result, all producers together (the queue's max_jobs)");
    declared.number("rate", options.rate, {0.001, 1e8}, "jobs/s",
                    "Of the open loop, all producers together");
    declared.number("seconds", options.seconds, {0.0, 86'400.0}, "s",
                    "How long to send; 0: until --jobs are sent");
    declared.number("jobs", options.jobs, {std::uint64_t{0}, SeenIds::kIdMax - 1}, "jobs",
                    "How many to send; 0: until --seconds are over, 5000 in the closed loop");
    declared.number("warm-up", options.warm_up, {0U, 1'000'000U}, "jobs",
                    "Jobs before the measurement, one at a time, for each producer");
    add_broker_options(declared, options.broker);
    config::add_json(declared, json);
}

Json describe(const BenchOptions& options, const BenchResult& result) {
    const auto micros = [&](double fraction) {
        return static_cast<double>(result.seen.latency.percentile(fraction).count()) / 1e3;
    };
    Json out;
    out["mode"] = options.mode;
    out["durability"] = options.self_contained ? Json(options.durability) : Json(nullptr);
    out["payload_bytes"] = options.payload_bytes;
    out["distinct"] = options.distinct;
    out["batch"] = options.mode == "closed" ? 1U : options.batch;
    out["producers"] = options.mode == "closed" ? 1U : options.producers;
    out["workers"] = options.mode == "fill" ? 0U : options.workers;
    out["worker_threads"] = options.worker_threads;
    out["subscribers"] = options.mode == "fill"     ? 0U
                         : options.mode == "closed" ? 1U
                                                    : options.subscribers;
    out["window"] = options.window;
    out["rate"] = options.mode == "open" ? Json(options.rate) : Json(nullptr);
    out["jobs"] = result.seen.jobs;
    out["seconds"] = result.seconds;
    out["jobs_per_s"] =
        result.seconds > 0.0 ? static_cast<double>(result.seen.jobs) / result.seconds : 0.0;
    out["latency_us"] = {{"p50", micros(0.50)},
                         {"p90", micros(0.90)},
                         {"p99", micros(0.99)},
                         {"p999", micros(0.999)},
                         {"max", static_cast<double>(result.seen.latency.max().count()) / 1e3}};
    out["late_max_us"] = static_cast<double>(result.sent.late_max_ns) / 1e3;
    out["lost"] = result.seen.lost;
    out["duplicated"] = result.seen.duplicated;
    out["failed"] = result.seen.failed;
    out["refused"] = result.sent.refused;
    out["foreign"] = result.seen.foreign;
    out["broker_rss_bytes"] = result.broker_rss_bytes;
    return out;
}

void print_text(const BenchOptions& options, const BenchResult& result) {
    const double rate =
        result.seconds > 0.0 ? static_cast<double>(result.seen.jobs) / result.seconds : 0.0;
    fmt::print("{} jobs of {} bytes in {:.3f} s: {} jobs/s\n", grouped(result.seen.jobs),
               options.payload_bytes, result.seconds, grouped(static_cast<std::uint64_t>(rate)));
    if (result.seen.latency.count() > 0) {
        const auto micros = [&](double f) {
            return static_cast<double>(result.seen.latency.percentile(f).count()) / 1e3;
        };
        fmt::print("latency us: p50 {:.0f}, p90 {:.0f}, p99 {:.0f}, p99.9 {:.0f}, max {:.0f}\n",
                   micros(0.5), micros(0.9), micros(0.99), micros(0.999), micros(1.0));
    }
    fmt::print("lost {}, duplicated {}, failed {}, refused {}; broker uses {} MiB\n",
               result.seen.lost, result.seen.duplicated, result.seen.failed, result.sent.refused,
               result.broker_rss_bytes / (1024 * 1024));
}

}  // namespace

Outcome bench(Invocation& invocation) {
    BenchOptions options;
    std::uint64_t fill = 0;
    config::Options declared(invocation.program, invocation.summary);
    declare(declared, options, fill, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (fill > 0) {
        options.mode = "fill";
        options.jobs = fill;
        options.seconds = 0.0;
        options.producers = 1;
        options.subscribers = 0;
    } else if (options.mode == "closed" && options.jobs == 0) {
        options.jobs = 5'000;
    }
    // Never a directory that the environment names: it is some other broker's.
    if (!on_command_line(invocation, "data")) options.data.clear();
    if (!options.self_contained &&
        (on_command_line(invocation, "durability") || on_command_line(invocation, "data"))) {
        return fail(
            usage_problem("--durability and --data are for a broker of the bench's own: give "
                          "--self-contained, too"));
    }
    if (!options.data.empty() && options.durability == "memory") {
        return fail(
            usage_problem("--data is for a broker that writes: give --durability sync or "
                          "async, too"));
    }
    if (options.distinct > 0) {
        if (options.mode != "throughput") {
            return fail(usage_problem("--distinct is for --mode throughput"));
        }
        options.warm_up = options.distinct;
    }
    if (options.seconds <= 0.0 && options.jobs == 0) {
        return fail(usage_problem("without --seconds, say how many --jobs to send"));
    }
    const auto result = run_bench(options);
    if (!result) return fail(result.error());
    if (invocation.json) {
        fmt::print("{}\n", describe(options, *result).dump());
    } else {
        print_text(options, *result);
    }
    const bool whole = result->seen.lost == 0 && result->seen.duplicated == 0 &&
                       result->seen.failed == 0 && result->sent.refused == 0;
    return whole ? ExitCode::ok : ExitCode::partial;
}

}  // namespace scanmq::cli
