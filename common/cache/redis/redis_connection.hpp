#pragma once
// RedisConnection: one connection to a Redis, made again whenever it is lost.
//
//   waiting ──backoff over──> connecting (name, TCP, AUTH, SELECT) ──> ready
//      ^────────────────── failed, lost, too slow ─────────┴────────────┘
//
// Role:      hiredis on an Asio loop. Owned by RedisTier, which gives it ticks.
// Threads:   the loop's.
// Lifetime:  make it with std::make_shared; close() before the end of its owner. Handlers hold it.
// Callbacks: an owner's functions are called from the loop, never from within a function of this; replies'
//            callbacks run inside hiredis and must not call the owner's users: after_io() follows them.
// Errors:    sentences for on_lost(), without the password.
// Limits:    RedisConnectionOptions. A reply beyond them ends the connection.

#include <hiredis/async.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/rng.hpp"
#include "common/base/time.hpp"
#include "common/cache/redis/redis_url.hpp"

namespace scanmq::cache {

struct RedisConnectionOptions {
    RedisUrl url;
    Duration connect_timeout = std::chrono::seconds(1);       // until SELECT is answered
    Duration backoff_first = std::chrono::milliseconds(100);  // doubled, with jitter
    Duration backoff_max = std::chrono::seconds(5);
    std::uint32_t elements_max = 256;           // of one reply
    std::uint64_t reply_bytes_max = 64U << 20;  // of one reply
    std::uint64_t seed = 1;                     // of the jitter
};

class RedisConnection : public std::enable_shared_from_this<RedisConnection> {
  public:
    class Owner {
      public:
        virtual ~Owner() = default;
        virtual void on_ready() = 0;
        // Also when it could not be made. refused: by the password, the user or the database.
        virtual void on_lost(const std::string& problem, bool refused) = 0;
        // Replies were given out.
        virtual void after_io() = 0;
    };

    RedisConnection(boost::asio::io_context& io, RedisConnectionOptions options);
    ~RedisConnection();
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;

    // Once, before anything else.
    void start(const std::shared_ptr<Owner>& owner, Time now);
    // Replies that are out get their callback with nullptr, from within.
    void close();
    [[nodiscard]] bool ready() const noexcept { return state_ == State::ready; }
    // Precondition: ready(). The callback is called once, with nullptr when the connection is lost. False:
    // it cannot be sent, and the callback is not called.
    bool send(std::string_view command, redisCallbackFn* done, void* context);
    // Ends the connection because of the problem, and makes it again.
    void drop(const std::string& problem);
    // Takes in replies that are there. Precondition: ready().
    void read_now();
    // A reply was as it should be: the next backoff begins anew.
    void works() noexcept { backoff_ = {}; }

    void tick(Time now);
    [[nodiscard]] std::optional<Time> next_deadline() const noexcept;

  private:
    enum class State : std::uint8_t { closed, waiting, connecting, ready };
    struct Hooks;   // what hiredis calls
    struct Reader;  // what its reader calls
    friend struct Hooks;

    void resolve();
    void connect(const std::string& address);
    void on_greeted(const redisReply* reply, bool last);
    void watch_read();
    void watch_write();
    template <class Handle>
    void run(Handle&& handle);
    void lose();

    boost::asio::io_context& io_;
    RedisConnectionOptions options_;
    std::weak_ptr<Owner> owner_;
    boost::asio::ip::tcp::resolver resolver_;
    boost::asio::posix::stream_descriptor descriptor_;
    redisAsyncContext* context_ = nullptr;
    std::unique_ptr<Reader> reader_;
    std::uint64_t number_ = 0;  // of the connection: handlers of an earlier one do nothing
    bool wants_read_ = false;
    bool wants_write_ = false;
    bool watches_read_ = false;
    bool watches_write_ = false;

    State state_ = State::closed;
    Time due_{};  // waiting: when to connect; connecting: when to give up
    Duration backoff_{};
    Rng rng_;
    std::string problem_;  // why the connection is lost; empty: what hiredis says
    bool refused_ = false;
};

}  // namespace scanmq::cache
