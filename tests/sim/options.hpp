#pragma once
// Options of one simulated cluster: its size, its work, its faults.
//
// Role:   draw(seed) gives each seed its own mixture (swarm testing): a fault that is always on hides
//         what only shows without it. Every number can be set by a flag of scanmq-sim.
// Rates:  `every`: mean virtual time between two of a kind, zero: never. `share`: of jobs, 0 to 1.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.hpp"

namespace scanmq::sim {

struct FaultOptions {
    Duration break_every{};      // one connection, what was in flight loses a suffix
    double silent_share = 0.2;   // of breaks: neither side is told
    Duration partition_every{};  // one peer hears and says nothing for a while
    Duration spike_every{};      // one connection's delay rises to partition_max at most
    Duration partition_max = std::chrono::seconds(12);
    Duration worker_crash_every{};
    Duration worker_suspend_every{};
    Duration worker_drain_every{};  // told to leave in order, started anew
    Duration producer_crash_every{};
    double forget_share =
        0.5;  // of producer crashes: its memory of what is unanswered is gone, too
    Duration subscriber_crash_every{};
    Duration broker_suspend_every{};
    Duration broker_crash_every{};  // durable store only
    Duration suspend_max = std::chrono::seconds(15);
    Duration wall_jump_every{};  // one process's wall clock, by up to an hour
    Duration cancel_every{};     // needs Features::cancel
    Duration pause_every{};      // needs Features::pause
    Duration dead_every{};       // dead letters are retried or dropped
    Duration delete_every{};     // a queue, by force; made again a little later
    Duration alter_every{};      // a queue's room
    Duration alias_every{};      // an alias moves, or goes
    Duration standing_every{};   // a standing scan is set or dropped
    Duration version_every{};    // a queue's scanner version is set, or follows its workers
    Duration release_every{};    // workers that start are of another version
    Duration flow_every{};       // limits of a flow of a queue are set, or taken away
    // Of the store:
    Duration sync_slow_every{};
    Duration disk_full_every{};
    Duration sync_fail_every{};  // the broker stops and is started anew
    // Of the target that workers call, if they do:
    Duration target_fault_every{};
    Duration target_fault_max = std::chrono::seconds(10);
    // Of jobs:
    double fail_share{};    // fails once or twice, or always
    double reject_share{};  // rejected by the scanner
    double slow_share{};    // seconds instead of milliseconds
    double wedge_share{};   // never returns, the first time
    double poison_share{};  // kills its worker, each time
    double again_share{};   // submitted again some time after its answer
    double option_share{};  // with priority, delay ... as Features allow
    double pure_share{};    // same payload as another
    double alias_share{};   // over aliases
    double fresh_share{};   // of those: not answered out of a cache
    double flow_share{};    // of one of a few flows, instead of their producer's
    double large_share{};   // up to 100 KiB
    double sheddable_share{};
    // Of the tier that keeps results:
    double cache_lose_share{};  // of questions and of what is to be kept
    double cache_late_share{};  // of answers: too late for most
    double
        cache_lie_share{};  // of values: damaged, another's, gone; half as many answers come twice
    // Of durable subscribers:
    Duration stuck_every{};  // one acknowledges nothing for up to suspend_max
};

// What the cores under test support; see tests/sim/README.md, "Features".
struct Features {
    bool cancel = false;
    bool pause = false;
    bool priority = false;
    bool delay = false;
    bool deadline = false;
    bool conflate = false;
    bool pure = false;
    bool max_run = false;       // a wedged attempt is taken away from its worker
    bool crash_budget = false;  // what only waited in a lost worker is not charged
    bool durable = false;       // the broker can be crashed and comes back
    // Found by the simulator, not yet mended; off: what leads there is left out with a durable store.
    bool retries_cold = true;  // the payload of a dead letter that is retried may be cold
    bool wall_jumps = true;    // ids outlive a jump of the broker's wall clock over a restart
};
[[nodiscard]] Features supported();

struct Options {
    std::uint64_t seed = 1;
    bool trace = false;
    std::uint32_t producers = 2;
    std::uint32_t workers = 3;
    std::uint32_t subscribers = 2;
    std::uint32_t queues = 2;
    std::uint32_t jobs = 600;                              // in all
    Duration busy = std::chrono::seconds(30);              // jobs are submitted, faults happen
    Duration heal = std::chrono::seconds(240);             // then all has to drain
    Duration heartbeat = std::chrono::milliseconds(2500);  // dead after three
    Duration group_ttl = std::chrono::seconds(60);
    double group_share = 0.3;      // of submissions
    std::uint32_t max_jobs = 400;  // a queue's room
    std::uint32_t max_attempts = 4;
    std::uint32_t jobs_per_execution_max = 1'024;  // few: many executions follow others
    std::uint32_t max_crashes = 3;
    std::uint32_t retry_base_ms = 50;
    std::uint32_t dead_max = 10'000;
    std::uint32_t low_share = 16;
    std::uint32_t pure = 0;  // the queues are
    Duration max_run = std::chrono::seconds(30);
    std::uint32_t submit_window = 64;
    std::uint64_t stream_max_bytes = 256U << 20;
    std::uint32_t subscriber_credit = 256;
    bool durable = false;
    bool remote = false;  // workers call one scanner service
    std::uint32_t durable_subscribers = 0;
    std::uint32_t lossless = 0;  // the streams are
    std::uint32_t overload = 0;  // of the queues
    std::uint32_t shed_target_ms = 1'000;
    std::uint32_t cache = 0;  // 0 none, 1 the broker's own, 2 with a tier that is asked
    std::uint32_t cache_ttl_ms = 300'000;
    std::uint64_t cache_bytes = 64U << 20;
    std::uint32_t versions = 0;  // of scanners; 0: they tell none
    double version_share = 0.0;  // of workers that start: of any version
    bool worker_cache = false;   // workers keep results, too
    std::uint32_t aliases = 0;
    std::uint32_t snapshots = 8;        // that there are
    std::uint32_t snapshots_held = 50;  // room for so many
    std::uint32_t standing = 0;         // names of standing scans
    std::uint32_t stale_ms = 0;
    std::uint32_t degraded_ms = 0;
    FaultOptions faults;
    Features features = supported();
};

// Of a lossless queue: so small that a small room holds many.
[[nodiscard]] std::uint64_t max_result_bytes(const Options& options);

// The mixture of this seed.
[[nodiscard]] Options draw(std::uint64_t seed);

// One number of Options or FaultOptions by name, for flags and for the list of what a seed drew.
struct Knob {
    std::string name;
    enum class Kind : std::uint8_t { count, bytes, share, duration, flag } kind;
    void* value;
};
// Of this object; the pointers live as long as it.
[[nodiscard]] std::vector<Knob> knobs(Options& options);
// Durations in ms.
void set(const Knob& knob, double value);
// "name=value" of every knob that is not zero.
[[nodiscard]] std::string describe(const Options& options);

}  // namespace scanmq::sim
