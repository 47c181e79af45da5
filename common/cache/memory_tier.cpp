#include "common/cache/memory_tier.hpp"

#include <utility>

namespace scanmq::cache {

void MemoryTier::get(std::vector<ContentId> keys, Time /*deadline*/, GetDone done) {
    const Time now = clock_.now();
    Values values(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i)
        if (const TierValue* const found = cache_.find(keys[i], now)) values[i] = *found;
    static_cast<void>(cache_.take_gone());
    done(std::move(values));
}

void MemoryTier::put(std::vector<TierPut> items, Time /*deadline*/) {
    const Time now = clock_.now();
    for (TierPut& item : items) {
        const std::uint64_t bytes = item.value.body->size() + kValueBytes;
        cache_.put(item.key, std::move(item.value), bytes, now, item.ttl);
    }
    static_cast<void>(cache_.take_gone());
}

void MemoryTier::erase(std::vector<ContentId> keys, Time /*deadline*/) {
    erases_ += keys.size();
    for (const ContentId& key : keys) cache_.erase(key);
    static_cast<void>(cache_.take_gone());
}

TierStats MemoryTier::stats() const {
    const MemoryCacheStats& of = cache_.stats();
    TierStats out;
    out.gets = of.hits + of.misses;
    out.hits = of.hits;
    out.misses = of.misses;
    out.puts = of.puts;
    out.erases = erases_;
    out.evicted = of.evicted;
    out.expired = of.expired;
    out.rejected = of.rejected;
    out.bytes = of.bytes;
    out.count = of.count;
    return out;
}

std::size_t MemoryTier::expire(std::size_t budget) {
    const std::size_t ended = cache_.expire(clock_.now(), budget);
    static_cast<void>(cache_.take_gone());
    return ended;
}

void MemoryTier::set_bytes_max(std::uint64_t bytes_max) {
    cache_.set_bytes_max(bytes_max);
    static_cast<void>(cache_.take_gone());
}

}  // namespace scanmq::cache
