#pragma once
// MemoryTier: a Tier in this process's memory.
//
// Role:      the fast tier of a TieredCache.
// Threads:   its loop. Time comes from the Clock (the shell's, or a test's).
// Owns:      the values. Borrows: the Clock, which must outlive it.
// Answers:   from within get(); deadlines are kept by that.
// Limits:    MemoryCacheOptions; a value counts as its body and kValueBytes.

#include <memory>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/cache/memory_cache.hpp"
#include "common/cache/tier.hpp"

namespace scanmq::cache {

class MemoryTier final : public Tier {
  public:
    // What a value takes beside its body: entry, index, string, reference counts.
    static constexpr std::uint64_t kValueBytes = 192;

    MemoryTier(const MemoryCacheOptions& options, const Clock& clock)
        : cache_(options), clock_(clock) {}

    void get(std::vector<ContentId> keys, Time deadline, GetDone done) override;
    void put(std::vector<TierPut> items, Time deadline) override;
    void erase(std::vector<ContentId> keys, Time deadline) override;
    [[nodiscard]] TierStats stats() const override;

    // Lets go values whose time is over; for now and then, as MemoryCache::expire().
    std::size_t expire(std::size_t budget);
    void set_bytes_max(std::uint64_t bytes_max);

  private:
    MemoryCache<TierValue> cache_;
    const Clock& clock_;
    std::uint64_t erases_ = 0;
};

}  // namespace scanmq::cache
