#pragma once
// Tier: a place where values are kept by key, and that may take its time to answer, or fail.
//
// Role:      MemoryTier, RedisTier and BrokerTier are tiers; TieredCache is one made of two.
// Threads:   one loop; calls and callbacks are on it.
// Promise:   each get() is answered exactly once, with one value or nothing for each key, in their order,
//            at its deadline plus one tick of the owner's timer at the latest. The answer may come from
//            within get(). A tier that fails, is away or is full answers "nothing", and counts it.
//            The destructor answers nothing any more.
// Believe:   values of another tier were checked by it (Envelope, value_check), but not for what they mean.
// Limits:    a tier's own; beyond them get() answers nothing and put() keeps nothing, both counted in
//            TierStats.
// See:       docs/adr/0004-cache.md

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace scanmq::cache {

struct TierValue {
    std::shared_ptr<const std::string> body;  // shared: tiers and askers hold the same bytes
    WallMillis made{};                        // when the value was made
    Duration left = Duration::max();  // it may be served for so long; max: the tier does not say

    friend bool operator==(const TierValue& a, const TierValue& b) {
        return a.made == b.made && *a.body == *b.body;
    }
};

struct TierPut {
    ContentId key;
    TierValue value;  // body != nullptr
    Duration ttl{};
};

// Counters since the start, by key; but for the last five, which are of now.
struct TierStats {
    std::uint64_t gets{};        // keys asked for
    std::uint64_t hits{};        // keys answered with a value
    std::uint64_t misses{};      // keys answered with nothing, for whatever reason
    std::uint64_t puts{};        // values to keep
    std::uint64_t erases{};      // keys to forget
    std::uint64_t timeouts{};    // misses because there was no answer by the deadline
    std::uint64_t late{};        // answers that came after it; they are dropped
    std::uint64_t errors{};      // misses because the tier failed
    std::uint64_t put_errors{};  // values not kept because it failed
    std::uint64_t unreadable{};  // misses because the value was damaged, of another format or key
    std::uint64_t overflow{};    // keys and values that were beyond a limit
    std::uint64_t held{};  // keys and values that were not sent: not connected, or breaker open
    std::uint64_t coalesced{};  // keys that shared another one's look-up
    std::uint64_t negative{};   // misses known from a look-up a moment ago
    std::uint64_t evicted{};    // values pushed out by a limit
    std::uint64_t expired{};    // values whose time was over
    std::uint64_t rejected{};   // values too large to keep
    std::uint64_t connects{};   // connections made
    std::uint64_t refused{};    // connections that ended because of the password or database
    std::uint64_t breaker_opened{};
    std::uint64_t bytes{};    // kept
    std::uint64_t count{};    // kept
    std::uint64_t waiting{};  // keys being looked up
    bool connected{};         // what asks a server: has a connection
    bool breaker_open{};      // and asks nothing until a probe goes well
};

class Tier {
  public:
    using Values = std::vector<std::optional<TierValue>>;
    using GetDone = std::function<void(Values)>;

    Tier() = default;
    virtual ~Tier() = default;
    Tier(const Tier&) = delete;
    Tier& operator=(const Tier&) = delete;

    // keys may repeat.
    virtual void get(std::vector<ContentId> keys, Time deadline, GetDone done) = 0;
    // Not answered: whether a value is kept shows when it is asked for. What cannot be sent by the
    // deadline is dropped.
    virtual void put(std::vector<TierPut> items, Time deadline) = 0;
    virtual void erase(std::vector<ContentId> keys, Time deadline) = 0;
    [[nodiscard]] virtual TierStats stats() const = 0;
};

}  // namespace scanmq::cache
