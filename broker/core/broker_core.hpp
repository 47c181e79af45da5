#pragma once
// BrokerCore: the broker's decisions: sessions, queues, executions, credit, streams, groups.
//
// Role:      the one state machine of a broker; the shell (broker/server) feeds and obeys it.
// Threads:   broker loop only. No IO, no clock, no randomness but what is passed in.
// Owns:      all job state. Bodies stay with the shell (BodyHandle). Borrows: BlobTable,
//            BodySource (outlive this).
// Invariant: every accepted job gets exactly one final entry; no sender is granted room that is not
//            there; an execution has at most one live attempt.
// Limits:    BrokerOptions; each refusal has a wire code and a counter.
// See:       docs/PROTOCOL.md, docs/adr/0001-core-and-shell.md

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/core/blob_table.hpp"
#include "broker/core/events.hpp"
#include "broker/core/memory_budget.hpp"
#include "common/base/id.hpp"

namespace scanmq::broker {

struct BrokerOptions {
    std::string name = "scanmq";
    std::uint64_t epoch{};      // stored before the socket is bound; rises with every start
    std::uint64_t seed{};       // session ids, incarnations
    bool records = true;        // whether anybody keeps commit records; without, none are made
    std::string blob_endpoint;  // told in WELCOME
    Duration heartbeat = std::chrono::milliseconds(2500);
    Duration dead_after = std::chrono::milliseconds(7500);
    MemoryPlan memory;  // what it may hold; by default there is no budget
    std::uint32_t sessions_max = 1024;
    std::uint32_t blob_bytes_max = protocol::kLimits.blob_bytes_max;  // told in WELCOME
    std::uint32_t queues_max = 256;
    std::uint32_t subscriptions_per_session_max = 64;
    std::uint32_t cursors_per_queue_max = 10'000;  // durable subscriptions
    std::uint32_t flow_limits_max = 10'000;        // flows of a queue that have limits
    std::uint32_t aliases_max = 100'000;
    std::uint32_t alias_history_max =
        64;  // former versions of one alias, for open groups; 1,024 at most
    std::uint32_t standing_max = 10'000;           // standing scans of the broker
    std::uint64_t standing_bytes_max = 64U << 20;  // their payloads that are no blobs
    std::uint32_t groups_per_queue_max = 100'000;
    Duration group_ttl = std::chrono::hours(24);
    std::uint64_t submit_window_items = 16'384;  // most that one WANT is granted at once
    std::uint64_t submit_window_bytes = 16U << 20;
    std::uint64_t id_window_jobs = 1'000'000;  // finished ids remembered, at most
    Duration id_window_ttl = std::chrono::minutes(10);
    // Jobs of one execution; 1,024 at most: what one commit record holds of their ends.
    std::uint32_t jobs_per_execution_max = 1'024;
    Duration max_run = std::chrono::minutes(15);       // of one attempt
    Duration adopt_window = std::chrono::seconds(10);  // for workers to come back after a restart
    Duration delay_max = std::chrono::hours(24 * 30);  // of a job's delay and deadline
    std::uint32_t batch_bytes = 256U << 10;            // target size of an outgoing batch
    Duration reclaim_idle =
        std::chrono::milliseconds(100);           // unused credit is asked back after that
    std::string version = "0.1.0";                // told in the broker's row
    std::uint64_t cache_bytes_max = 64ULL << 20;  // results kept to answer later jobs; 0: none
    bool cache_shared = false;                    // the shell asks a tier: Effects::cache_asks
    Duration cache_wait = std::chrono::milliseconds(20);  // for its answer
    std::uint32_t look_ups_max = 16'384;                  // that wait for it
    Id128
        cache_instance;  // the shell's, where it says HELLO to a tier: this broker is none of its own
    bool cache_peers = false;                          // other brokers may keep results here
    std::uint64_t cache_peer_bytes_max = 64ULL << 20;  // of those
    WallMillis
        wall_offset_ms{};  // wall clock minus `now`, for WELCOME's clock_ms; ids need it only
                           // when a HELLO told no clock
};

class Restorer;

class BrokerCore {
  public:
    BrokerCore(const BrokerOptions& options, BlobTable& blobs, BodySource& bodies);
    ~BrokerCore();
    BrokerCore(const BrokerCore&) = delete;
    BrokerCore& operator=(const BrokerCore&) = delete;

    // Applies the events in order, then dispatches and publishes once. Appends to effects.
    void handle(std::span<const Event> events, Time now, Effects& effects);
    // Does what is due: dead sessions, expired ids and groups. Call at next_deadline() or later.
    void tick(Time now, Effects& effects);
    // When tick() has something to do; nullopt: nothing is scheduled.
    [[nodiscard]] std::optional<Time> next_deadline() const;

    // After a restart, before anything else: takes the rows of the store back. `now` is that of the
    // first event or before. Only until restored(). See restorer.hpp.
    [[nodiscard]] Restorer& restore(Time now);
    // `sequence` is of the last broker-wide record, `last_partition` the highest a queue ever had.
    void restored(std::uint64_t sequence, PartitionId last_partition);

    // Creates a queue with default settings unless it exists: the shell's configured queues.
    void ensure_queue(const std::string& queue, const protocol::Settings& settings, Time now,
                      Effects& effects);
    // Says BYE shutting_down to every session; no event is handled afterwards.
    void shut_down(Time now, Effects& effects);

    // The store has no room for more jobs, or has it again: no grants, WANT is answered store_full.
    void set_store_full(bool full);

    // What the shell holds for it, before each handle() and tick(): bodies in memory, frames for peers.
    void set_memory(std::uint64_t body_bytes, std::uint64_t outgoing_bytes);
    // The process's resident anonymous memory; `trimmed`: just after the allocator gave back what it
    // could. True: it should.
    bool set_resident(std::uint64_t bytes, bool trimmed);
    // Something is held for lack of memory: tick() when there may be more.
    [[nodiscard]] bool memory_held() const;
    // Most of the connection's outgoing queue is full, or has room again: no results to it meanwhile.
    void set_slow(ConnectionId connection, bool slow);

    // Which open session a main-socket connection has, and back: for the blob socket's core.
    [[nodiscard]] bool session_open(protocol::SessionId session) const;
    // What the shell knows for the answers to queries.
    using Gauge = std::pair<std::string, std::uint64_t>;
    struct Gauges {
        std::vector<Gauge> broker;    // rss_bytes ...
        std::vector<Gauge> counters;  // dropped frames ...
        std::string durability;       // topic store
        std::vector<Gauge> store;
        // Topic cache: a row for each tier of the shell's, by its name.
        std::vector<std::pair<std::string, std::vector<Gauge>>> tiers;
    };
    void set_gauges(Gauges gauges);

    // For tests and metrics: a counter by name, 0 when it never moved.
    [[nodiscard]] std::uint64_t counter(std::string_view name) const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace scanmq::broker
