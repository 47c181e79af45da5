#include "common/cache/tiered_cache.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "common/base/assert.hpp"
#include "common/cache/memory_cache.hpp"

namespace scanmq::cache {

class TieredCache::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(const TieredCacheOptions& options, Tier& fast, Tier& shared, const Clock& clock)
        : options_(options),
          fast_(fast),
          shared_(shared),
          clock_(clock),
          missing_({.bytes_max = options.negative_max,
                    .count_max = options.negative_max,
                    .ttl_jitter = 0.0}) {}

    void get(std::vector<ContentId> keys, Time deadline, GetDone done) {
        stats_.gets += keys.size();
        const std::uint64_t id = ++last_id_;
        Batch& batch = batches_[id];
        batch.open = keys.size();
        batch.values.resize(keys.size());
        batch.keys = keys;
        batch.deadline = deadline;
        batch.done = std::move(done);
        deadlines_.insert({deadline, id});
        if (keys.empty()) {
            complete(id);
            return answer();
        }
        fast_.get(std::move(keys), deadline, [weak = weak_from_this(), id](Values values) {
            if (const auto self = weak.lock()) self->on_fast(id, std::move(values));
        });
    }
    void put(std::vector<TierPut> items, Time deadline) {
        stats_.puts += items.size();
        for (const TierPut& item : items) {
            SCANMQ_ASSERT(item.value.body != nullptr);
            missing_.erase(item.key);
            settle(item.key, item.value);
        }
        forget_gone();
        fast_.put(items, deadline);
        shared_.put(std::move(items), deadline);
        answer();
    }
    void erase(std::vector<ContentId> keys, Time deadline) {
        stats_.erases += keys.size();
        for (const ContentId& key : keys) settle(key, std::nullopt);
        fast_.erase(keys, deadline);
        shared_.erase(std::move(keys), deadline);
        answer();
    }
    void tick(Time now) {
        while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
            const std::uint64_t id = deadlines_.begin()->second;
            if (const auto asked = asked_.find(id); asked != asked_.end()) {
                const Asked overdue = std::move(asked->second);
                asked_.erase(asked);
                deadlines_.erase(deadlines_.begin());
                for (const ContentId& key : overdue.keys) {
                    const auto lookup = lookups_.find(key);
                    if (lookup == lookups_.end() || lookup->second.asked != id) continue;
                    remember_missing(key);
                    stats_.timeouts += settle(key, std::nullopt);
                }
                continue;
            }
            stats_.timeouts += batches_.at(id).open;
            complete(id);
        }
        forget_gone();
        answer();
    }
    [[nodiscard]] std::optional<Time> next_deadline() const {
        return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.begin()->first);
    }
    [[nodiscard]] TierStats stats() const {
        TierStats out = stats_;
        out.waiting = waiting_;
        return out;
    }
    void close() { closed_ = true; }

  private:
    // One get(): done when no key is open any more.
    struct Batch {
        std::vector<ContentId> keys;
        Values values;
        std::size_t open = 0;
        Time deadline;
        GetDone done;
        bool fast_answered = false;
    };
    struct Waiter {
        std::uint64_t batch;
        std::size_t at;
    };
    // One key that the shared tier was asked for.
    struct Lookup {
        std::uint64_t asked = 0;
        std::vector<Waiter> waiters;
    };
    // One call of the shared tier.
    struct Asked {
        std::vector<ContentId> keys;
        Time deadline;
    };

    void on_fast(std::uint64_t id, Values values) {
        const auto found = batches_.find(id);
        if (found == batches_.end() || std::exchange(found->second.fast_answered, true)) {
            stats_.late += values.size();  // was overdue, or is answered a second time
            return;
        }
        Batch& batch = found->second;
        values.resize(batch.keys.size());
        const Time now = clock_.now();
        Asked ask{{}, batch.deadline};
        const std::uint64_t asked = ++last_id_;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const ContentId& key = batch.keys[i];
            if (values[i]) {
                batch.values[i] = std::move(values[i]);
                --batch.open;
            } else if (missing_.find(key, now) != nullptr) {
                ++stats_.negative;
                --batch.open;
            } else if (waiting_ >= options_.waiting_max) {
                ++stats_.overflow;
                --batch.open;
            } else {
                Lookup& lookup = lookups_[key];
                if (lookup.waiters.empty()) {
                    lookup.asked = asked;
                    ask.keys.push_back(key);
                } else {
                    ++stats_.coalesced;
                }
                lookup.waiters.push_back({id, i});
                ++waiting_;
            }
        }
        forget_gone();
        if (batch.open == 0) complete(id);
        if (!ask.keys.empty()) ask_shared(asked, std::move(ask));
        answer();
    }
    void ask_shared(std::uint64_t asked, Asked ask) {
        const Time deadline = ask.deadline;
        deadlines_.insert({deadline, asked});
        std::vector<ContentId> keys = ask.keys;
        asked_.emplace(asked, std::move(ask));
        shared_.get(std::move(keys), deadline, [weak = weak_from_this(), asked](Values values) {
            if (const auto self = weak.lock()) self->on_shared(asked, std::move(values));
        });
    }
    void on_shared(std::uint64_t asked, Values values) {
        const auto found = asked_.find(asked);
        if (found == asked_.end()) {  // was overdue, or is answered a second time
            stats_.late += values.size();
            return;
        }
        const Asked ask = std::move(found->second);
        asked_.erase(found);
        deadlines_.erase({ask.deadline, asked});
        values.resize(ask.keys.size());
        std::vector<TierPut> fill;
        for (std::size_t i = 0; i < ask.keys.size(); ++i) {
            const ContentId& key = ask.keys[i];
            const auto lookup = lookups_.find(key);
            // A put or erase came before it.
            if (lookup == lookups_.end() || lookup->second.asked != asked) continue;
            if (values[i])
                fill.push_back({key, *values[i], std::min(options_.fill_ttl, values[i]->left)});
            else
                remember_missing(key);
            settle(key, values[i]);
        }
        forget_gone();
        if (!fill.empty()) fast_.put(std::move(fill), ask.deadline);
        answer();
    }
    void remember_missing(const ContentId& key) {
        if (options_.negative_ttl > Duration::zero())
            missing_.put(key, {}, 1, clock_.now(), options_.negative_ttl);
    }
    void forget_gone() { static_cast<void>(missing_.take_gone()); }
    // Ends a key's look-up. The number of those who still waited for it.
    std::size_t settle(const ContentId& key, const std::optional<TierValue>& value) {
        const auto found = lookups_.find(key);
        if (found == lookups_.end()) return 0;
        const std::vector<Waiter> waiters = std::move(found->second.waiters);
        lookups_.erase(found);
        waiting_ -= waiters.size();
        std::size_t waited = 0;
        for (const Waiter& waiter : waiters) {
            const auto batch = batches_.find(waiter.batch);
            if (batch == batches_.end()) continue;  // was overdue
            ++waited;
            batch->second.values[waiter.at] = value;
            if (--batch->second.open == 0) complete(waiter.batch);
        }
        return waited;
    }
    // Callbacks run in answer(), when no state of ours is half changed.
    void complete(std::uint64_t id) {
        const auto found = batches_.find(id);
        Batch& batch = found->second;
        deadlines_.erase({batch.deadline, id});
        for (const auto& value : batch.values) ++(value ? stats_.hits : stats_.misses);
        ready_.emplace_back(std::move(batch.done), std::move(batch.values));
        batches_.erase(found);
    }
    void answer() {
        const auto self = shared_from_this();
        while (!ready_.empty() && !closed_) {
            auto ready = std::exchange(ready_, {});
            for (auto& [done, values] : ready)
                if (!closed_) done(std::move(values));
        }
    }

    TieredCacheOptions options_;
    Tier& fast_;
    Tier& shared_;
    const Clock& clock_;
    struct Nothing {};
    MemoryCache<Nothing> missing_;
    std::unordered_map<std::uint64_t, Batch> batches_;
    std::unordered_map<ContentId, Lookup> lookups_;
    std::unordered_map<std::uint64_t, Asked> asked_;
    std::set<std::pair<Time, std::uint64_t>> deadlines_;  // of batches and of what was asked
    std::vector<std::pair<GetDone, Values>> ready_;
    std::size_t waiting_ = 0;
    std::uint64_t last_id_ = 0;
    bool closed_ = false;
    TierStats stats_;
};

TieredCache::TieredCache(const TieredCacheOptions& options, Tier& fast, Tier& shared,
                         const Clock& clock)
    : impl_(std::make_shared<Impl>(options, fast, shared, clock)) {}
TieredCache::~TieredCache() { impl_->close(); }

void TieredCache::get(std::vector<ContentId> keys, Time deadline, GetDone done) {
    impl_->get(std::move(keys), deadline, std::move(done));
}
void TieredCache::put(std::vector<TierPut> items, Time deadline) {
    impl_->put(std::move(items), deadline);
}
void TieredCache::erase(std::vector<ContentId> keys, Time deadline) {
    impl_->erase(std::move(keys), deadline);
}
TierStats TieredCache::stats() const { return impl_->stats(); }
void TieredCache::tick(Time now) { impl_->tick(now); }
std::optional<Time> TieredCache::next_deadline() const { return impl_->next_deadline(); }

}  // namespace scanmq::cache
