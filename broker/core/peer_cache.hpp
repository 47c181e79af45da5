#pragma once
// PeerCache: results that other brokers keep here (CACHE_PUT), by fingerprint, for each other and their
//            workers.
//
// Role:      part of CoreState. This broker's own jobs are never answered out of it: who may put here may
//            mislead only those who ask here.
// Threads:   broker loop only. Owns: the bytes; in memory only, gone with a restart.
// Limits:    bytes_max, with kOverheadBytes for each; what has to go is chosen by S3-FIFO.
// See:       docs/PROTOCOL.md, section 8, "Cache"; docs/adr/0004-cache.md

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/base/checksum.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/cache/memory_cache.hpp"

namespace scanmq::broker {

struct PeerResult {
    std::string bytes;
    Checksum check;  // the putter's: whether it is right is the getter's to find out
    Time made{};
    Time expires{};
};

class PeerCache {
  public:
    static constexpr std::uint64_t kOverheadBytes = 256;  // of a result beside its bytes

    PeerCache(std::uint64_t bytes_max, std::uint64_t seed)
        : bytes_max_(bytes_max),
          results_({bytes_max,
                    static_cast<std::uint32_t>(
                        std::min<std::uint64_t>(bytes_max / kOverheadBytes, 1U << 28)),
                    0.1, seed}) {}

    // nullptr: it is not there. Good until the next call.
    [[nodiscard]] const PeerResult* find(const ContentId& key, Time now) {
        const PeerResult* const found = results_.find(key, now);
        forget_gone();
        return found;
    }
    // False: larger than bytes_max, or its time is over.
    bool keep(const ContentId& key, PeerResult result, Time now) {
        const std::uint64_t bytes = result.bytes.size() + kOverheadBytes;
        const Duration left = result.expires - now;
        const bool kept = results_.put(key, std::move(result), bytes, now, left);
        forget_gone();
        return kept;
    }
    // How many there were.
    std::size_t drop(const ContentId& key) {
        const std::size_t dropped = results_.erase(key) ? 1 : 0;
        forget_gone();
        return dropped;
    }
    std::size_t drop_all() {
        const std::size_t all = results_.stats().count;
        results_.clear();
        forget_gone();
        return all;
    }
    // Lets go of what is past its time, at most `budget` looked at.
    void expire(Time now, std::size_t budget) {
        results_.expire(now, budget);
        forget_gone();
    }
    [[nodiscard]] const cache::MemoryCacheStats& stats() const noexcept { return results_.stats(); }
    [[nodiscard]] std::uint64_t bytes_max() const noexcept { return bytes_max_; }

  private:
    // They hold nothing that somebody else has to release.
    void forget_gone() { static_cast<void>(results_.take_gone()); }

    std::uint64_t bytes_max_;
    cache::MemoryCache<PeerResult> results_;
};

}  // namespace scanmq::broker
