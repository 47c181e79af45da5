#pragma once
// RedisTier: a Tier in a Redis server that brokers and workers share.
//
// Role:      the shared tier. Values are envelopes (common/cache/envelope.hpp): what is damaged, of another
//            format, of another key or of another Redis type is a miss.
// Threads:   the io_context must be run by one thread; everything here is called on it.
// Lifetime:  the io_context outlives the tier. The destructor answers nothing any more.
// Never waits: a get is answered by min(deadline, now + timeout), with what has come by then; what comes later
//            is dropped and counted. Not connected, or the breaker open: misses at once (`held`), from
//            within get().
// Breaker:   opens when calls time out or fail; while open a PING of the tier's own finds out. A connection
//            that has answered nothing for dead_after is made anew.
// Load:      no more keys under way than come in time (TierLoad); beyond, misses at once (`overflow`).
// Pipelined: a get is one MGET per keys_per_command_max keys, a put one SET with PX per value; nothing
//            waits for what was sent before.
// Limits:    RedisTierOptions; beyond them: misses, or values not kept, counted (`overflow`, `rejected`).
// Security:  the password travels as it is: TLS is not available (hiredis 0.14 has none). Who may write to
//            the Redis may write results.
// See:       docs/adr/0004-cache.md

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/cache/redis/redis_url.hpp"
#include "common/cache/tier.hpp"
#include "common/cache/tier_breaker.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::cache {

struct RedisTierOptions {
    RedisUrl url;
    std::string prefix = "scanmq:";  // of every key
    Duration timeout = std::chrono::milliseconds(20);
    Duration dead_after = std::chrono::seconds(2);
    Duration connect_timeout = std::chrono::seconds(1);
    Duration backoff_first = std::chrono::milliseconds(100);
    Duration backoff_max = std::chrono::seconds(5);
    TierBreaker::Options breaker;
    std::uint32_t keys_per_command_max = 256;
    std::uint32_t keys_min = 256;               // TierLoad: asked for at once, whatever happens
    std::uint32_t keys_max = 16'384;            // and at most
    std::uint32_t commands_max = 16'384;        // sent and not answered
    std::uint64_t bytes_max = 32U << 20;        // of those
    std::uint64_t value_bytes_max = 1U << 20;   // of a body
    std::uint64_t reply_bytes_max = 64U << 20;  // of one MGET's values
    std::uint64_t seed = 1;                     // of the reconnect's jitter
    // Gets a sentence when something needs an operator, without secrets: at most one a log_every, and each
    // time a connection is made after trouble was told.
    std::function<void(const std::string&)> log;
    Duration log_every = std::chrono::seconds(30);
};

class RedisTier final : public Tier {
  public:
    // Begins to connect.
    RedisTier(boost::asio::io_context& io, RedisTierOptions options);
    ~RedisTier() override;

    void get(std::vector<ContentId> keys, Time deadline, GetDone done) override;
    void put(std::vector<TierPut> items, Time deadline) override;
    void erase(std::vector<ContentId> keys, Time deadline) override;
    [[nodiscard]] TierStats stats() const override;

    // Connected, and accepted by the server.
    [[nodiscard]] bool ready() const noexcept;
    [[nodiscard]] TierBreaker::State breaker() const noexcept;

  private:
    class Impl;
    std::shared_ptr<Impl>
        impl_;  // shared: the loop's handlers hold it weakly, and a callback may end us
};

}  // namespace scanmq::cache
