#pragma once
// KnownResults: results of pure attempts that need not be run, by fingerprint.
//
// Role:      asked by the worker's loop for what is about to start. In memory, and, where --cache names one,
//            in a shared tier (a Redis, another broker) that is only read: the brokers put there what workers
//            answer (docs/adr/0004-cache.md).
// Threads:   the loop's. Time is passed in.
// Answers:   every attempt asked for, once: with a body, or with none (run it), after `wait` or at its
//            deadline at the latest; not those that were forgotten. From within ask() when memory knows.
//            The destructor answers nothing any more.
// Limits:    bytes_max of results, each for kKeepFor at most; asks are bounded by the core's window.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/cache/memory_tier.hpp"
#include "common/cache/tiered_cache.hpp"
#include "worker/core/look_ups.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::worker {

class KnownResults {
  public:
    // Long enough for an answer that was lost and a broker that starts anew; and what an operator dropped
    // (CACHE_DROP), which no worker hears of, is served no longer than that.
    static constexpr Duration kKeepFor = std::chrono::seconds(60);

    using Body = std::shared_ptr<const std::string>;
    struct Ask {
        AttemptId attempt;
        ContentId fingerprint;
        Time deadline{};      // of its result; Time{}: none
        Duration keep_for{};  // one made longer ago is no answer; 0: whatever is kept
    };
    struct Found {
        AttemptId attempt;
        Body body;       // null: it has to be run
        Duration age{};  // since it was made
    };
    using Answered = std::function<void(std::span<const Found>)>;

    // Precondition: options.where is not "off", and was checked (client::check_cache). `name` is told to
    // a broker that is asked.
    KnownResults(boost::asio::io_context& loop, const std::string& name,
                 const ResultCacheOptions& options, Answered answered);
    KnownResults(const KnownResults&) = delete;
    KnownResults& operator=(const KnownResults&) = delete;

    // All in one batch. Precondition: none of them is being asked for.
    void ask(std::span<const Ask> asks, Time now);
    // Nobody waits for its answer any more: the caller ends it. False: it is not being asked for.
    bool forget(AttemptId attempt);
    // What was computed here, for kKeepFor, or `keep_for` when that is less and not 0.
    void keep(const ContentId& fingerprint, ByteView body, Duration keep_for);

    void tick(Time now);
    [[nodiscard]] std::optional<Time> next_deadline() const;
    [[nodiscard]] const ResultCacheCounters& counters() const noexcept { return counters_; }
    // Of the memory and the shared tier, each by itself.
    [[nodiscard]] protocol::CacheFigures figures() const;

  private:
    void on_values(std::uint64_t batch, cache::Tier::Values values);

    Duration wait_;
    Answered answered_;
    SystemClock clock_;
    ResultCacheCounters counters_;
    LookUps look_ups_;
    cache::MemoryTier memory_;
    std::unique_ptr<cache::Tier> shared_;
    std::optional<cache::TieredCache> tiered_;  // of the two; ends before them
    std::vector<Duration> keep_for_;            // by attempt slot, of what is being asked for
};

}  // namespace scanmq::worker
