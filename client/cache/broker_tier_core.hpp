#pragma once
// BrokerTierCore: a shared tier that is another broker's cache: what is asked for, put and dropped there, and
//                 what to believe.
//
//   get ──> not connected, breaker open? ──> nothing, at once (`held`)
//            └──> key being asked for? ──> shares that question
//                  └──> waits for a frame ──CACHE_GET──> looked at: value or nothing ──> answered
//                                                  └──> left out, frame full ──> asked for again
//
// Role:      the decisions of BrokerTier (its shell). The session is SessionState's, as a client's is.
// Threads:   one at a time. No IO, no clock, no randomness: time is passed in.
// Use:       every call appends to Effects; carry the actions out before the next call, as they borrow from
//            here or, for a put, from the caller; then give out take_ready() and take_log().
// Promise:   Tier's: each get() is answered once, by min(deadline, now + timeout) and a tick.
// Breaker:   opens when gets time out or fail; while open a HEARTBEAT of the tier's own finds out.
// Believe:   a value whose checksum does not fit, or whose time is over, is a miss (`unreadable`, a miss).
// Lost:      with the connection or session, what was asked for is a miss at once (`errors`), and what was
//            put is not known to be kept (`put_errors`): no put is sent twice.
// Limits:    BrokerTierOptions; beyond them: misses, or values not kept, counted (`overflow`, `rejected`).
// See:       docs/PROTOCOL.md, section 8, "Cache"; docs/adr/0004-cache.md

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/core/effects.hpp"
#include "client/core/outbox.hpp"
#include "client/core/session_state.hpp"
#include "common/cache/tier.hpp"
#include "common/cache/tier_breaker.hpp"
#include "common/cache/tier_log.hpp"
#include "common/cache/tier_requests.hpp"
#include "common/cache/tier_window.hpp"

namespace scanmq::client {

struct BrokerTierOptions {
    std::string endpoint;  // tcp://HOST:PORT, the main socket
    std::string name;      // told in HELLO
    std::string agent;
    Id128 instance;
    // Puts and drops, too: the broker has to allow it (its --cache-peers). Without, they are refused here.
    bool writes = true;
    Duration timeout = std::chrono::milliseconds(20);
    Duration connect_timeout = std::chrono::seconds(1);
    cache::TierBreaker::Options breaker;
    std::uint32_t keys_per_frame_max = 256;
    std::uint32_t gets_max = 64;              // CACHE_GETs not answered; other keys wait
    std::uint32_t keys_waiting_max = 65'536;  // of all gets that are not answered
    std::uint32_t writes_max = 256;           // CACHE_PUTs and CACHE_DROPs not answered
    std::uint64_t write_bytes_max = 32U << 20;
    std::uint64_t put_frame_bytes = 256U << 10;  // what the values of one CACHE_PUT aim at
    std::uint64_t value_bytes_max = protocol::kLimits.inline_bytes_max;  // of a body
    // As RedisTierOptions::log.
    std::function<void(const std::string&)> log;
    Duration log_every = std::chrono::seconds(30);
};

class BrokerTierCore {
  public:
    using Ready = std::pair<cache::Tier::GetDone, cache::Tier::Values>;

    explicit BrokerTierCore(const BrokerTierOptions& options);

    void start(Now now, Effects& effects);
    // Says BYE; answers nothing any more.
    void close(Effects& effects);
    // The connection was made (anew), or was lost.
    void connected(Now now, Effects& effects);
    void disconnected(Now now, Effects& effects);
    void on_frame(const protocol::Frame& frame, Now now, Effects& effects);

    void get(std::vector<ContentId> keys, Time deadline, cache::Tier::GetDone done, Now now,
             Effects& effects);
    void put(const std::vector<cache::TierPut>& items, Time deadline, Now now, Effects& effects);
    void erase(const std::vector<ContentId>& keys, Now now, Effects& effects);

    void tick(Now now, Effects& effects);
    [[nodiscard]] std::optional<Time> next_deadline() const;

    // Gets that were answered since the last call: their callbacks are to be called.
    [[nodiscard]] std::vector<Ready> take_ready() { return std::exchange(ready_, {}); }
    // Sentences for an operator, without the endpoint.
    [[nodiscard]] std::vector<std::string> take_log() { return std::exchange(lines_, {}); }

    [[nodiscard]] bool ready() const noexcept { return linked_ && session_.open(); }
    [[nodiscard]] cache::TierBreaker::State breaker() const noexcept { return breaker_.state(); }
    [[nodiscard]] cache::TierStats stats() const;

  private:
    using Request = cache::TierRequests::Request;
    struct Waiter {
        std::uint64_t request;
        std::size_t at;
    };
    // A key that somebody waits for.
    struct LookUp {
        std::uint64_t asked = 0;  // seq of its CACHE_GET; 0: it waits for a frame
        std::vector<Waiter> waiters;
    };
    // A CACHE_PUT or CACHE_DROP that is not answered.
    struct Write {
        std::uint64_t values = 0;  // 0: a drop
        std::uint64_t bytes = 0;
    };
    // A CACHE_PUT that is being made.
    struct Putting {
        protocol::CachePut frame;
        std::uint64_t bytes = 0;
    };

    [[nodiscard]] bool may_send() const noexcept { return ready() && breaker_.allows(); }
    void apply(SessionState::Change change, Now now);
    void on_main(const protocol::Message& message, Now now);
    void on_error(const protocol::Error& error, Now now);
    void on_values(const protocol::CacheValues& values, Now now);
    void on_written(std::uint64_t re, std::uint64_t results);
    void ask_waiting();
    // What the broker said of a key, or nothing. True: somebody still waited for it.
    bool settle(const ContentId& key, std::uint64_t asked,
                const std::optional<cache::TierValue>& value, bool failed, Now now);
    void settle_known(const ContentId& key, const std::optional<cache::TierValue>& value, Now now);
    std::optional<cache::TierValue> believed(const protocol::CacheValues::One& one, Now now);
    void detach(std::uint64_t request, const Request& of);
    void finish(Request request);
    void send_put(Putting& putting);
    void fail_all(const std::string& problem, Now now);
    void probe(Time now);
    void trouble(const std::string& problem, Time now);

    BrokerTierOptions options_;
    Outbox outbox_;
    SessionState session_;
    bool linked_ = false;
    Time closed_since_{};  // without a session
    cache::TierBreaker breaker_;
    cache::TierLog log_;
    cache::TierRequests requests_;
    std::unordered_map<ContentId, LookUp> look_ups_;
    std::deque<ContentId> queue_;  // keys that wait for a frame, and some that do not any more
    std::unordered_map<std::uint64_t, std::vector<ContentId>> asked_;  // by seq of CACHE_GET
    std::unordered_map<std::uint64_t, Write> writes_;                  // by seq
    cache::TierWindow write_window_;
    std::optional<Time> probe_deadline_;
    std::uint64_t probe_ = 0;
    std::vector<Ready> ready_;
    std::vector<std::string> lines_;
    std::size_t waiting_ = 0;  // keys of requests_
    cache::TierStats stats_;
};

}  // namespace scanmq::client
