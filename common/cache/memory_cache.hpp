#pragma once
// MemoryCache: values by ContentId, for a time each, within bytes and a number.
//
// Role:      the broker's results, and whatever else is kept in memory (docs/adr/0004-cache.md).
// Threads:   its owner's. No clock: time is passed in.
// Values:    any movable type: a handle, a shared_ptr, bytes. It does not know what "nothing" is: who wants
//            to remember that there is none (a negative entry) puts a value that says so, for a short time.
// Leaving:   whatever leaves (its time over, pushed out, replaced, erased, rejected) is moved to the list
//            `gone`, exactly once, so that the owner can release what it holds. The owner takes the list
//            after the calls that may let something go, or it grows.
// Eviction:  S3Fifo (common/cache/s3_fifo.hpp).
// Cost:      find(): one probe and one counter. Beside Value: 72 bytes an entry and about 11 of index.
// Limits:    MemoryCacheOptions: bytes_max of what put() was told, count_max entries.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/cache/chunks.hpp"
#include "common/cache/key_index.hpp"
#include "common/cache/s3_fifo.hpp"

namespace scanmq::cache {

struct MemoryCacheOptions {
    std::uint64_t bytes_max;  // 0: nothing is kept
    std::uint32_t count_max;  // 0: nothing is kept
    // Each entry's time is shortened by a share of it between 0 and this, by key and seed: what was made
    // together does not end together. In [0, 1].
    double ttl_jitter = 0.1;
    std::uint64_t seed = 1;
};

struct MemoryCacheStats {
    std::uint64_t hits{};
    std::uint64_t misses{};    // with those whose time was over
    std::uint64_t expired{};   // entries whose time was over
    std::uint64_t puts{};      // all of them, with those rejected
    std::uint64_t replaced{};  // entries that a put of the same key took the place of
    std::uint64_t evicted{};   // entries pushed out by a limit
    std::uint64_t rejected{};  // larger than bytes_max, or without time
    std::uint64_t bytes{};     // now
    std::uint64_t count{};     // now
};

template <class Value>
class MemoryCache {
  public:
    explicit MemoryCache(const MemoryCacheOptions& options)
        : options_(options),
          seed_(mix(options.seed ^ 0x9e3779b97f4a7c15ULL)),
          policy_(options.bytes_max, options.count_max) {
        SCANMQ_ASSERT(options.ttl_jitter >= 0 && options.ttl_jitter <= 1);
    }
    ~MemoryCache() {
        for_each_slot([&](Slot slot) { std::destroy_at(&entries_[slot].value); });
    }
    MemoryCache(const MemoryCache&) = delete;
    MemoryCache& operator=(const MemoryCache&) = delete;

    // nullptr: not there, or its time is over (then it is moved to `gone`). The pointer is valid until the
    // next call that is not const.
    [[nodiscard]] Value* find(const ContentId& key, Time now) {
        const Slot slot = slot_of(key);
        if (slot == S3Fifo::kNone) {
            ++stats_.misses;
            return nullptr;
        }
        Entry& entry = entries_[slot];
        if (now >= entry.expires) {
            ++stats_.misses;
            end_of_time(slot);
            return nullptr;
        }
        ++stats_.hits;
        policy_.touch(slot);
        return &entry.value;
    }
    // The same without effect on statistics or eviction.
    [[nodiscard]] const Value* peek(const ContentId& key, Time now) const {
        const Slot slot = slot_of(key);
        return slot == S3Fifo::kNone || now >= entries_[slot].expires ? nullptr
                                                                      : &entries_[slot].value;
    }
    // Keeps the value under the key for ttl, less the jitter. What it replaces or pushes out goes to
    // `gone`. False: larger than bytes_max, or ttl <= 0; nothing is kept under the key, and the value goes
    // to `gone`.
    bool put(const ContentId& key, Value value, std::uint64_t bytes, Time now, Duration ttl) {
        ++stats_.puts;
        const std::uint64_t hash = hash_of(key);
        S3Fifo::Place place;
        if (const Slot old = slot_of(key); old != S3Fifo::kNone) {
            ++stats_.replaced;
            place = policy_.erase(old, false);
            release(old);
        }
        if (bytes > policy_.bytes_max() || bytes > S3Fifo::kBytesMax || policy_.bytes_max() == 0 ||
            options_.count_max == 0 || ttl <= Duration::zero()) {
            ++stats_.rejected;
            gone_.push_back(std::move(value));
            return false;
        }
        while (!policy_.fits(bytes)) evict_one();
        const Slot slot = free_slot();
        Entry& entry = entries_[slot];
        entry.key = key;
        std::construct_at(&entry.value, std::move(value));
        const Duration time = shortened(ttl, hash);
        entry.expires = time > Time::max() - now ? Time::max() : now + time;
        index_.insert(hash, slot);
        policy_.insert(slot, hash, bytes, place);
        return true;
    }
    // Its value goes to `gone`. False: not there.
    bool erase(const ContentId& key) {
        const Slot slot = slot_of(key);
        if (slot == S3Fifo::kNone) return false;
        policy_.erase(slot, false);
        release(slot);
        return true;
    }
    // Every value goes to `gone`.
    void clear() {
        for_each_slot([&](Slot slot) {
            policy_.erase(slot, false);
            release(slot);
        });
    }
    // Looks at the next `budget` places, in turns, and lets go those whose time is over. Their number.
    std::size_t expire(Time now, std::size_t budget) {
        std::size_t ended = 0;
        if (budget > entries_.size()) budget = entries_.size();
        for (; budget > 0; --budget) {
            if (hand_ >= entries_.size()) hand_ = 0;
            const Slot slot = hand_++;
            if (!policy_.holds(slot) || now < entries_[slot].expires) continue;
            end_of_time(slot);
            ++ended;
        }
        return ended;
    }
    // Evicts at once what is over it.
    void set_bytes_max(std::uint64_t bytes_max) {
        policy_.set_bytes_max(bytes_max);
        while (policy_.over() || (bytes_max == 0 && policy_.count() > 0)) evict_one();
    }
    // Values that left since the last call; the owner releases them.
    [[nodiscard]] std::vector<Value> take_gone() { return std::exchange(gone_, {}); }
    [[nodiscard]] const MemoryCacheStats& stats() const noexcept {
        stats_.bytes = policy_.bytes();
        stats_.count = policy_.count();
        return stats_;
    }
    // f(key, value, bytes, expires), in no order that means anything; with those whose time is over.
    template <class F>
    void for_each(F&& f) const {
        for_each_slot([&](Slot slot) {
            const Entry& entry = entries_[slot];
            f(entry.key, entry.value, policy_.bytes_of(slot), entry.expires);
        });
    }

  private:
    using Slot = S3Fifo::Slot;

    // Its key and value are there while the policy holds its slot.
    struct Entry {
        ContentId key;
        Time expires;
        union {
            Value value;
        };
        Entry() {}   // NOLINT(modernize-use-equals-default): the union has no value yet
        ~Entry() {}  // NOLINT(modernize-use-equals-default): MemoryCache ends it
    };

    static std::uint64_t mix(std::uint64_t x) noexcept {
        x = (x ^ (x >> 32)) * 0xff51afd7ed558ccdULL;
        return x ^ (x >> 29);
    }
    std::uint64_t hash_of(const ContentId& key) const noexcept {
        return mix(std::hash<ContentId>{}(key) ^ seed_);
    }
    Slot slot_of(const ContentId& key) const {
        static_assert(KeyIndex::kNone == S3Fifo::kNone);
        return index_.find(hash_of(key), [&](Slot slot) { return entries_[slot].key == key; });
    }
    Duration shortened(Duration ttl, std::uint64_t hash) const noexcept {
        const double share = options_.ttl_jitter * static_cast<double>(mix(hash) >> 11) * 0x1.0p-53;
        const double cut = share * static_cast<double>(ttl.count());
        // At least a nanosecond is left; a cut of all of a very long time rounds up in a double.
        return cut >= static_cast<double>(ttl.count() - 1)
                   ? Duration(1)
                   : ttl - Duration(static_cast<Duration::rep>(cut));
    }
    Slot free_slot() {
        if (!free_.empty()) {
            const Slot slot = free_.back();
            free_.pop_back();
            return slot;
        }
        const Slot slot = entries_.size();
        entries_.grow_to(slot);
        return slot;
    }
    // Precondition: the policy has let the slot go.
    void release(Slot slot) {
        Entry& entry = entries_[slot];
        gone_.push_back(std::move(entry.value));
        std::destroy_at(&entry.value);
        index_.erase(hash_of(entry.key), slot);
        free_.push_back(slot);
    }
    void end_of_time(Slot slot) {
        ++stats_.expired;
        policy_.erase(slot, true);
        release(slot);
    }
    void evict_one() {
        const Slot slot = policy_.evict();
        SCANMQ_ASSERT(slot != S3Fifo::kNone);
        ++stats_.evicted;
        release(slot);
    }
    template <class F>
    void for_each_slot(F&& f) const {
        for (Slot slot = 0; slot < entries_.size(); ++slot)
            if (policy_.holds(slot)) f(slot);
    }

    MemoryCacheOptions options_;
    std::uint64_t seed_;
    S3Fifo policy_;
    KeyIndex index_;
    Chunks<Entry> entries_;
    std::vector<Slot> free_;
    Slot hand_ = 0;
    std::vector<Value> gone_;
    mutable MemoryCacheStats stats_;  // bytes and count are filled in when asked for
};

}  // namespace scanmq::cache
