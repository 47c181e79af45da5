#include "worker/remote/remote_settings.hpp"

namespace scanmq::worker {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr config::Range<Duration> kWait{milliseconds(1), hours(24)};
constexpr config::Range<Duration> kWaitOrNone{Duration{}, hours(24)};

std::vector<std::string> rate_limiters() { return {"off", "token-bucket", "sliding-window"}; }

}  // namespace

RemoteSettings::RemoteSettings() {
    options.target.limiter = remote_limiter_options();
    options.target.client.connect_timeout = milliseconds(500);
}

void RemoteSettings::declare(config::Options& to) {
    RemoteOptions& remote = options.target.remote;
    http::ClientOptions& client = options.target.client;
    to.list("scanner-url", urls, ',',
            "With --scanner http: the scan services, each a target of its own; a call goes to the "
            "least loaded one");
    to.text("scanner-version", version,
            "With --scanner http: the scanners' version; empty asks them, and waits for the first "
            "to answer");
    to.duration("scanner-timeout", remote.call_timeout, kWait,
                "With --scanner http: how long one exchange may take, connecting included");
    to.duration("scanner-attempt-timeout", remote.attempt_timeout, kWait,
                "With --scanner http: how long a job may wait, be tried and tried again in this "
                "worker");
    to.duration("scanner-connect-timeout", client.connect_timeout, kWait,
                "With --scanner http: how long making a connection may take");
    to.duration("scanner-idle-timeout", client.idle_timeout, kWait,
                "With --scanner http: how long an unused connection is kept");
    to.duration("scanner-put-timeout", options.target.put_timeout, kWait,
                "With --scanner http: how long bringing one snapshot to a scanner may take");
    to.bytes("scanner-result-bytes", client.body_bytes_max, {1U << 10, 64U << 20},
             "With --scanner http: the largest answer taken");
    declare_limits(to);
    declare_failures(to);
}

void RemoteSettings::declare_limits(config::Options& to) {
    LimiterOptions& one = options.target.limiter;
    to.number("concurrency", one.slots_max, {1, 4096}, "calls",
              "With --scanner http: most calls at once to one scanner");
    to.choice("limiter", limiter, {"fixed", "aimd", "gradient"},
              "With --scanner http: how many calls at once a scanner gets: --concurrency, or what "
              "proves good for it, up to that");
    to.number("concurrency-min", one.slots_min, {1, 4096}, "calls",
              "With an adaptive --limiter: least calls at once");
    to.number("concurrency-start", one.slots_start, {0, 4096}, "calls",
              "With an adaptive --limiter: where it begins; 0 takes its own value (10 for aimd, 20 "
              "for gradient)");
    to.choice("rate-limiter", rate_limiter, rate_limiters(),
              "With --scanner http: how often one scanner may be called");
    to.number("call-rate", one.rate_per_s, {0.001, 1e6}, "calls/s",
              "With a --rate-limiter: calls per second");
    to.number("call-rate-burst", one.burst, {1.0, 1e6}, "calls",
              "With --rate-limiter token-bucket: calls that may come at once");
    to.duration("call-rate-window", one.rate_window, kWait,
                "With --rate-limiter sliding-window: over what time the rate holds");
    to.number("worker-concurrency", worker_concurrency, {0, 4096}, "calls",
              "With --scanner http: most calls at once to all scanners together; 0 sets no limit");
    to.choice("worker-rate-limiter", worker_rate_limiter, rate_limiters(),
              "With --scanner http: how often all scanners together may be called");
    to.number("worker-rate", worker_rate, {0.001, 1e6}, "calls/s",
              "With a --worker-rate-limiter: calls per second");
    to.number("worker-rate-burst", worker_burst, {1.0, 1e6}, "calls",
              "With --worker-rate-limiter token-bucket: calls that may come at once");
}

void RemoteSettings::declare_failures(config::Options& to) {
    RemoteOptions& remote = options.target.remote;
    CircuitBreaker::Options& breaker = remote.breaker;
    to.number("retry-tries", remote.tries_max, {1, 100}, "tries",
              "With --scanner http: exchanges of one job in this worker, until the broker gets it "
              "back");
    to.number("retry-budget", remote.budget.share, {0.0, 1.0}, "share",
              "With --scanner http: retries per call, so that they cannot multiply the load");
    to.number("retry-budget-max", remote.budget.saved_max, {0.0, 1e6}, "tries",
              "With --scanner http: most retries saved up");
    to.duration("retry-backoff", remote.backoff_first, kWait,
                "With --scanner http: the longest wait before the first retry, doubled with each; "
                "each wait is a random part of it");
    to.duration("retry-backoff-max", remote.backoff_max, kWait,
                "With --scanner http: the longest wait before any retry");
    to.duration(
        "retry-after-max", remote.pause_max, kWait,
        "With --scanner http: a scanner that asks for a longer pause (Retry-After) gets this");
    to.number("breaker-window", breaker.window, {1, 100'000}, "calls",
              "With --scanner http: how many of the last calls its circuit breaker looks at");
    to.number("breaker-calls-min", breaker.calls_min, {1, 100'000}, "calls",
              "With --scanner http: with fewer, their share of failures says nothing");
    to.number("breaker-failure-share", breaker.failure_share, {0.01, 1.0}, "share",
              "With --scanner http: the share of failures that opens the breaker");
    to.number("breaker-failures", breaker.failures_in_row, {1, 100'000}, "calls",
              "With --scanner http: failures in a row that open the breaker");
    to.duration("breaker-open", breaker.open_first, kWait,
                "With --scanner http: how long the breaker stays open at first, doubled each time "
                "that its trial fails");
    to.duration("breaker-open-max", breaker.open_max, kWait,
                "With --scanner http: how long the breaker stays open at most");
    to.duration(
        "breaker-probe-every", breaker.probe_every, kWaitOrNone,
        "With --scanner http: how often an open breaker asks for /healthz, a good answer to "
        "which lets it try at once; 0 never asks");
    to.duration("breaker-probe-timeout", remote.probe_timeout, kWait,
                "With --scanner http: how long /healthz may take");
    to.number("breaker-probes", breaker.probes, {1, 1000}, "calls",
              "With --scanner http: calls that have to go well until the breaker closes");
    to.duration("breaker-slow-after", breaker.slow_after, kWaitOrNone,
                "With --scanner http: a good call that takes so long, and --breaker-slow-factor "
                "times what is usual for its size, counts as failed for the breaker; 0: none does");
    to.number("breaker-slow-factor", breaker.slow_factor, {1.0, 1e6}, "times",
              "With --scanner http: see --breaker-slow-after");
}

Result<HttpScanner::Options, std::string> RemoteSettings::complete() const {
    HttpScanner::Options out = options;
    for (const std::string& url : urls) {
        auto endpoint = http::parse_endpoint(url);
        if (!endpoint) return fail("--scanner-url: " + endpoint.error());
        out.endpoints.push_back(std::move(endpoint).value());
    }
    out.version = version;
    out.target.limiter.concurrency = concurrency_kind(limiter).value_or(ConcurrencyKind::fixed);
    out.target.limiter.rate = rate_kind(rate_limiter).value_or(RateKind::off);
    const RateKind worker_rate_kind = rate_kind(worker_rate_limiter).value_or(RateKind::off);
    if (worker_concurrency > 0 || worker_rate_kind != RateKind::off) {
        LimiterOptions shared;
        shared.concurrency = ConcurrencyKind::fixed;
        shared.slots_max = worker_concurrency > 0 ? worker_concurrency : 4096;
        shared.rate = worker_rate_kind;
        shared.rate_per_s = worker_rate;
        shared.burst = worker_burst;
        shared.rate_window = out.target.limiter.rate_window;
        out.shared = shared;
    }
    return out;
}

}  // namespace scanmq::worker
