#pragma once
// ResultCache: results of pure executions by fingerprint, and of each request the newest one.
//
// Role:      part of CoreState; admission asks it, the end of an execution fills it.
// Threads:   broker loop only. Borrows: Bodies (outlives this).
// Holds:     one holder of each body, no bytes: a result's body is its entry's. With a store, a body
//            can be read while the stream keeps an entry that has it; find() sees to that.
// Limits:    Options; what has to go is chosen by S3-FIFO. What is larger than that is not kept.
// See:       docs/PROTOCOL.md, section 8, "Cache"; docs/adr/0004-cache.md

#include <chrono>
#include <cstdint>
#include <optional>

#include "broker/core/bodies.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/cache/memory_cache.hpp"

namespace scanmq::broker {

struct CachedResult {
    BodyHandle body;
    std::uint32_t inline_bytes = 0;
    bool body_is_blob = false;
    PartitionId partition = 0;
    std::uint64_t offset = 0;  // of the newest entry with that body
    Time made{};               // when its execution ended
};

// Where a queue's stream stands: which entries are there.
struct StreamPlace {
    PartitionId partition = 0;
    std::uint64_t first = 0;
};

class ResultCache {
  public:
    struct Options {
        std::uint64_t bytes_max = 64ULL << 20;
        std::uint64_t seed = 1;
        bool bodies_stay = false;  // whatever the stream drops: they are in memory only
    };
    static constexpr std::uint64_t kOverheadBytes = 160;  // of a result beside its body
    static constexpr std::uint64_t kRequestBytes = 160;

    ResultCache(const Options& options, Bodies& bodies);

    // nullptr: it is not known, or cannot be read any more. Good until the next call.
    [[nodiscard]] CachedResult* find(const ContentId& fingerprint, const StreamPlace& stream,
                                     Time now, Effects& effects);
    // The same for a job, which counts: once for each.
    [[nodiscard]] CachedResult* look_up(const ContentId& fingerprint, const StreamPlace& stream,
                                        Time now, Effects& effects) {
        CachedResult* const found = find(fingerprint, stream, now, effects);
        ++(found != nullptr ? hits_ : misses_);
        return found;
    }
    // Whose result is kept under it, if one is.
    [[nodiscard]] std::optional<PartitionId> partition_of(const ContentId& fingerprint,
                                                          Time now) const {
        const CachedResult* const found = results_.peek(fingerprint, now);
        return found == nullptr ? std::nullopt : std::optional(found->partition);
    }
    // The result of an execution: takes a holder of its body. `bytes`: what the body takes.
    void keep(const ContentId& fingerprint, const CachedResult& result, std::uint64_t bytes,
              Duration ttl, Time now, Effects& effects);

    // The request's newest result is that of this execution (by its number, which rises), for `keep`.
    void note_newest(const ContentId& request, const ContentId& fingerprint,
                     std::uint64_t execution, Duration keep, Time now);
    // Its fingerprint.
    [[nodiscard]] std::optional<ContentId> newest(const ContentId& request, Time now);

    // A job was answered with a result of that age.
    void note_hit(Duration age) noexcept {
        mean_hit_age_ += (std::chrono::duration<double>(age).count() - mean_hit_age_) / 32;
    }
    // Of late, in seconds.
    [[nodiscard]] double mean_hit_age() const noexcept { return mean_hit_age_; }

    // How many there were.
    std::size_t drop(const ContentId& fingerprint, Time now, Effects& effects);
    std::size_t drop_all(PartitionId partition, Time now, Effects& effects);
    std::size_t drop_all(Time now, Effects& effects);
    // Lets go of what is past its time, at most `budget` looked at.
    void expire(Time now, std::size_t budget, Effects& effects);

    // fingerprint, result, bytes, when its time is over.
    template <class Visit>
    void for_each(Visit&& visit) const {
        results_.for_each(visit);
    }
    [[nodiscard]] const cache::MemoryCacheStats& stats() const noexcept { return results_.stats(); }
    [[nodiscard]] std::uint64_t bytes_max() const noexcept { return options_.bytes_max; }
    [[nodiscard]] bool enabled() const noexcept { return options_.bytes_max > 0; }
    // Of look-ups of jobs.
    [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }
    [[nodiscard]] std::uint64_t misses() const noexcept { return misses_; }
    // Results that the stream had dropped when they were asked for.
    [[nodiscard]] std::uint64_t unreadable() const noexcept { return unreadable_; }

  private:
    struct Newest {
        ContentId fingerprint;
        std::uint64_t execution = 0;
    };
    void release_gone(Time now, Effects& effects);

    const Options options_;
    Bodies* bodies_;
    cache::MemoryCache<CachedResult> results_;
    cache::MemoryCache<Newest> requests_;
    std::uint64_t unreadable_ = 0;
    std::uint64_t hits_ = 0;
    std::uint64_t misses_ = 0;
    double mean_hit_age_ = 0;
};

}  // namespace scanmq::broker
