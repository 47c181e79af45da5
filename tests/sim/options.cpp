#include "tests/sim/options.hpp"

#include <array>
#include <sstream>

#include "common/base/rng.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;

Features supported() {
    Features f;
    f.max_run = true;
    f.crash_budget = true;
    f.pure = true;
    f.durable = true;
    f.cancel = true;
    f.pause = true;
    f.priority = true;
    f.delay = true;
    f.deadline = true;
    f.conflate = true;
    return f;
}

namespace {

class Draw {
  public:
    explicit Draw(std::uint64_t seed) : rng_(seed * 0x9e3779b97f4a7c15ULL + 0x51a) {}

    bool chance(double p) { return rng_.uniform() < p; }
    std::uint64_t between(std::uint64_t least, std::uint64_t most) {
        return least + rng_.below(most - least + 1);
    }
    std::uint32_t count(std::uint32_t least, std::uint32_t most) {
        return static_cast<std::uint32_t>(between(least, most));
    }
    // On with probability p, then a rate in this range.
    void every(Duration& value, double p, Duration least, Duration most) {
        const bool on = chance(p);
        const auto range = static_cast<std::uint64_t>((most - least).count());
        const Duration drawn = least + Duration(static_cast<Duration::rep>(rng_.below(range)));
        value = on ? drawn : Duration{};
    }
    void share(double& value, double p, double most) {
        const bool on = chance(p);
        const double drawn = rng_.uniform() * most;
        value = on ? drawn : 0.0;
    }

  private:
    Rng rng_;
};

}  // namespace

Options draw(std::uint64_t seed) {
    Draw d(seed);
    Options o;
    o.seed = seed;
    o.producers = d.count(1, 3);
    o.workers = d.count(1, 4);
    o.subscribers = d.count(1, 3);
    o.queues = d.count(1, 3);
    o.jobs = d.count(50, 700);
    o.busy = std::chrono::milliseconds(d.between(5'000, 40'000));
    o.heartbeat = std::chrono::milliseconds(d.chance(0.5) ? 2'500 : d.between(300, 1'500));
    o.group_share = d.chance(0.3) ? 0.0 : 0.4;
    o.max_jobs = d.count(20, 600);
    o.max_attempts = d.count(1, 6);
    o.jobs_per_execution_max = seed % 2 == 1 ? 2 : 1'024;
    o.max_crashes = d.count(1, 3);
    o.retry_base_ms = d.chance(0.2) ? 0 : d.count(1, 500);
    o.dead_max = d.chance(0.3) ? d.count(0, 3) : 10'000;
    o.low_share = d.count(2, 16);
    o.pure = d.chance(0.3) ? 1 : 0;
    o.max_run = std::chrono::milliseconds(d.between(1'000, 30'000));
    o.submit_window = d.count(4, 200);
    o.stream_max_bytes = d.chance(0.2) ? d.between(2'000, 40'000) : 256U << 20;
    o.subscriber_credit = d.count(2, 400);
    o.durable = d.chance(0.7) && o.features.durable;

    FaultOptions& f = o.faults;
    const bool calm = d.chance(0.05);  // no fault at all: what breaks then is no fault's doing
    const double p = calm ? 0.0 : 0.5;
    d.every(f.break_every, p, 500ms, 8s);
    d.share(f.silent_share, 0.5, 0.6);
    d.every(f.partition_every, p, 2s, 15s);
    d.every(f.spike_every, p, 1s, 10s);
    d.every(f.worker_crash_every, p, 1s, 15s);
    d.every(f.worker_suspend_every, p, 2s, 15s);
    d.every(f.worker_drain_every, p * 0.6, 3s, 20s);
    d.every(f.producer_crash_every, p, 2s, 15s);
    d.share(f.forget_share, 0.7, 1.0);
    d.every(f.subscriber_crash_every, p, 1s, 15s);
    d.every(f.broker_suspend_every, p * 0.6, 4s, 20s);
    d.every(f.broker_crash_every, p, 2s, 15s);
    d.every(f.wall_jump_every, p, 2s, 20s);
    d.every(f.cancel_every, p, 100ms, 2s);
    d.every(f.pause_every, p * 0.6, 3s, 15s);
    d.every(f.dead_every, p * 0.6, 1s, 10s);
    d.every(f.delete_every, p * 0.5, 5s, 25s);
    d.every(f.alter_every, p * 0.5, 2s, 15s);
    d.every(f.sync_slow_every, p, 1s, 10s);
    d.every(f.disk_full_every, p * 0.4, 5s, 25s);
    d.every(f.sync_fail_every, p * 0.4, 5s, 25s);
    d.share(f.fail_share, p, 0.3);
    d.share(f.reject_share, p, 0.2);
    d.share(f.slow_share, p, 0.05);
    d.share(f.wedge_share, p * 0.5, 0.01);
    d.share(f.poison_share, p * 0.6, 0.01);
    d.share(f.again_share, p, 0.3);
    d.share(f.option_share, 0.6, 0.5);
    d.share(f.pure_share, 0.5, 0.5);
    d.share(f.large_share, 0.3, 0.05);
    o.remote = d.chance(0.3);
    d.every(f.target_fault_every, p * 1.4, 2s, 12s);
    d.every(f.flow_every, p, 500ms, 5s);
    d.share(f.flow_share, 0.6, 1.0);
    o.durable_subscribers = d.chance(0.5) ? d.count(1, 2) : 0;
    o.lossless = d.chance(0.5) ? 1 : 0;
    if (o.lossless != 0) {
        // Room for a few results at least: one at a time, each acknowledged, takes too long with large ones.
        o.stream_max_bytes = d.between(2'000, 150'000) + (f.large_share > 0.0 ? 1'000'000 : 0);
    }
    o.overload = d.chance(0.4) ? d.count(1, 2) : 0;
    o.shed_target_ms = d.count(1, 2'000);
    d.share(f.sheddable_share, 0.7, 1.0);
    d.every(f.stuck_every, p * 1.4, 2s, 12s);
    o.cache = d.chance(0.7) ? d.count(1, 2) : 0;
    o.cache_ttl_ms = d.chance(0.5) ? 300'000 : d.count(100, 10'000);
    o.cache_bytes = d.chance(0.5) ? 64U << 20 : d.between(2'000, 20'000);
    d.share(f.cache_lose_share, p, 0.5);
    d.share(f.cache_late_share, p, 0.5);
    d.share(f.cache_lie_share, p, 0.5);
    // Without a version nothing is kept.
    o.versions = d.chance(0.6) ? d.count(1, 3) : o.cache == 0 ? 0 : 1;
    d.share(o.version_share, p, 0.6);
    d.every(f.version_every, p, 500ms, 8s);
    d.every(f.release_every, p, 2s, 15s);
    o.worker_cache = d.chance(0.5);
    o.aliases = d.chance(0.6) ? d.count(1, 4) : 0;
    o.snapshots = d.count(2, 12);
    o.snapshots_held = d.chance(0.3) ? d.count(3, 10) : 50;
    o.standing = o.aliases != 0 && d.chance(0.5) ? d.count(1, 4) : 0;
    o.stale_ms = d.chance(0.6) ? d.count(50, 20'000) : 0;
    o.degraded_ms = d.chance(0.4) ? d.count(50, 30'000) : 0;
    f.alias_share = d.chance(0.8) ? 0.6 : 0.1;
    d.share(f.fresh_share, p, 0.3);
    // Aliases that never move are no test.
    d.every(f.alias_every, 0.9, 50ms, 3s);
    d.every(f.standing_every, p, 500ms, 8s);
    if (o.cache != 0 && d.chance(0.5)) {
        o.pure = 1;
        f.pure_share = 0.2 + f.pure_share;
    }
    return o;
}

std::uint64_t max_result_bytes(const Options& options) {
    if (options.lossless == 0) return 64U << 20;
    return options.faults.large_share > 0.0 ? 256U << 10 : 1'000;
}

std::vector<Knob> knobs(Options& o) {
    using Kind = Knob::Kind;
    FaultOptions& f = o.faults;
    std::vector<Knob> out;
    const auto count = [&](const char* name, std::uint32_t& value) {
        out.push_back({name, Kind::count, &value});
    };
    const auto duration = [&](const char* name, Duration& value) {
        out.push_back({name, Kind::duration, &value});
    };
    const auto share = [&](const char* name, double& value) {
        out.push_back({name, Kind::share, &value});
    };
    count("producers", o.producers);
    count("workers", o.workers);
    count("subscribers", o.subscribers);
    count("queues", o.queues);
    count("jobs", o.jobs);
    duration("busy", o.busy);
    duration("heal", o.heal);
    duration("heartbeat", o.heartbeat);
    duration("group-ttl", o.group_ttl);
    share("group-share", o.group_share);
    count("max-jobs", o.max_jobs);
    count("max-attempts", o.max_attempts);
    count("jobs-per-execution-max", o.jobs_per_execution_max);
    count("max-crashes", o.max_crashes);
    count("retry-base-ms", o.retry_base_ms);
    count("dead-max", o.dead_max);
    count("low-share", o.low_share);
    count("pure", o.pure);
    duration("max-run", o.max_run);
    count("submit-window", o.submit_window);
    out.push_back({"stream-max-bytes", Kind::bytes, &o.stream_max_bytes});
    count("subscriber-credit", o.subscriber_credit);
    out.push_back({"durable", Kind::flag, &o.durable});
    count("durable-subscribers", o.durable_subscribers);
    count("lossless", o.lossless);
    count("overload", o.overload);
    count("shed-target-ms", o.shed_target_ms);
    count("cache", o.cache);
    count("cache-ttl-ms", o.cache_ttl_ms);
    out.push_back({"cache-bytes", Kind::bytes, &o.cache_bytes});
    share("cache-lose-share", f.cache_lose_share);
    share("cache-late-share", f.cache_late_share);
    share("cache-lie-share", f.cache_lie_share);
    count("versions", o.versions);
    share("version-share", o.version_share);
    count("aliases", o.aliases);
    count("snapshots", o.snapshots);
    count("snapshots-held", o.snapshots_held);
    count("standing", o.standing);
    count("stale-ms", o.stale_ms);
    count("degraded-ms", o.degraded_ms);
    out.push_back({"worker-cache", Kind::flag, &o.worker_cache});
    out.push_back({"retries-cold", Kind::flag, &o.features.retries_cold});
    out.push_back({"wall-jumps", Kind::flag, &o.features.wall_jumps});
    duration("break-every", f.break_every);
    share("silent-share", f.silent_share);
    duration("partition-every", f.partition_every);
    duration("spike-every", f.spike_every);
    duration("partition-max", f.partition_max);
    duration("worker-crash-every", f.worker_crash_every);
    duration("worker-suspend-every", f.worker_suspend_every);
    duration("worker-drain-every", f.worker_drain_every);
    duration("producer-crash-every", f.producer_crash_every);
    share("forget-share", f.forget_share);
    duration("subscriber-crash-every", f.subscriber_crash_every);
    duration("broker-suspend-every", f.broker_suspend_every);
    duration("broker-crash-every", f.broker_crash_every);
    duration("suspend-max", f.suspend_max);
    duration("wall-jump-every", f.wall_jump_every);
    duration("cancel-every", f.cancel_every);
    duration("pause-every", f.pause_every);
    duration("dead-every", f.dead_every);
    duration("delete-every", f.delete_every);
    duration("alter-every", f.alter_every);
    duration("alias-every", f.alias_every);
    duration("standing-every", f.standing_every);
    duration("version-every", f.version_every);
    duration("release-every", f.release_every);
    duration("flow-every", f.flow_every);
    duration("sync-slow-every", f.sync_slow_every);
    duration("disk-full-every", f.disk_full_every);
    duration("sync-fail-every", f.sync_fail_every);
    out.push_back({"remote", Kind::flag, &o.remote});
    duration("target-fault-every", f.target_fault_every);
    duration("target-fault-max", f.target_fault_max);
    share("fail-share", f.fail_share);
    share("reject-share", f.reject_share);
    share("slow-share", f.slow_share);
    share("wedge-share", f.wedge_share);
    share("poison-share", f.poison_share);
    share("again-share", f.again_share);
    share("option-share", f.option_share);
    share("alias-share", f.alias_share);
    share("fresh-share", f.fresh_share);
    share("flow-share", f.flow_share);
    share("pure-share", f.pure_share);
    share("large-share", f.large_share);
    share("sheddable-share", f.sheddable_share);
    duration("stuck-every", f.stuck_every);
    return out;
}

void set(const Knob& knob, double value) {
    switch (knob.kind) {
        case Knob::Kind::count:
            *static_cast<std::uint32_t*>(knob.value) = static_cast<std::uint32_t>(value);
            break;
        case Knob::Kind::bytes:
            *static_cast<std::uint64_t*>(knob.value) = static_cast<std::uint64_t>(value);
            break;
        case Knob::Kind::share:
            *static_cast<double*>(knob.value) = value;
            break;
        case Knob::Kind::duration:
            *static_cast<Duration*>(knob.value) = Duration(static_cast<Duration::rep>(value * 1e6));
            break;
        case Knob::Kind::flag:
            *static_cast<bool*>(knob.value) = value != 0.0;
            break;
    }
}

std::string describe(const Options& options) {
    Options copy = options;
    std::ostringstream out;
    for (const Knob& knob : knobs(copy)) {
        std::ostringstream text;
        switch (knob.kind) {
            case Knob::Kind::count:
                text << *static_cast<std::uint32_t*>(knob.value);
                break;
            case Knob::Kind::bytes:
                text << *static_cast<std::uint64_t*>(knob.value);
                break;
            case Knob::Kind::share:
                text << *static_cast<double*>(knob.value);
                break;
            case Knob::Kind::duration:
                text << std::chrono::duration_cast<std::chrono::milliseconds>(
                            *static_cast<Duration*>(knob.value))
                            .count();
                break;
            case Knob::Kind::flag:
                text << (*static_cast<bool*>(knob.value) ? 1 : 0);
                break;
        }
        if (text.str() != "0") out << knob.name << '=' << text.str() << ' ';
    }
    return out.str();
}

}  // namespace scanmq::sim
