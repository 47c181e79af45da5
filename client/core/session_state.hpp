#pragma once
// SessionState: which broker, which connection, which session; HELLO, heartbeats, silence.
//
// Role:    owned by ClientCore. Says by Change when a session began or ended; the rest of the core
//          acts.
// Threads: the core's.
// Waiting: ZeroMQ backs off between connection attempts; this class only between HELLOs that were
//          refused and between brokers of the list.
// See:     docs/PROTOCOL.md, section 6

#include <cstdint>
#include <string>
#include <vector>

#include "client/core/outbox.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::client {

struct SessionOptions {
    std::vector<std::string> brokers;  // not empty
    std::string name;
    std::string agent;
    Id128 instance;
    Duration connect_timeout = std::chrono::seconds(3);
};

struct SessionInfo {
    bool open{};
    protocol::SessionId session;
    std::uint64_t epoch{};            // of the broker; a new one means it was restarted
    std::string broker;               // the endpoint in use
    protocol::ErrorCode last_code{};  // why the last session ended or could not be opened
    std::string last_sentence;
};

class SessionState {
  public:
    enum class Change : std::uint8_t { none, opened, lost };

    SessionState(SessionOptions options, Outbox& outbox);

    void start(Now now);
    Change connected(Now now);  // the main socket's connection was made (anew)
    Change on_welcome(const protocol::Welcome& welcome, Now now);
    Change on_bye(const protocol::Bye& bye, Now now);
    // An ERROR that answers HELLO, or unknown_session for any frame of this session.
    Change on_error(const protocol::Error& error, Now now);
    Change renew(Now now);  // ends the session and says HELLO on the same connection
    Change tick(Now now);
    [[nodiscard]] Time next_deadline() const noexcept;
    void close();  // BYE, when open

    void heard(Time now) noexcept { heard_ = now; }
    // Sends a HEARTBEAT now; its pong proves that everything sent before was handled.
    std::uint64_t ping();

    [[nodiscard]] bool open() const noexcept { return phase_ == Phase::open; }
    [[nodiscard]] bool is_hello(std::uint64_t seq) const noexcept {
        return phase_ == Phase::greeting && seq == hello_seq_;
    }
    [[nodiscard]] const SessionInfo& info() const noexcept { return info_; }
    [[nodiscard]] const protocol::Limits& limits() const noexcept { return limits_; }
    [[nodiscard]] const std::string& blob_endpoint() const noexcept { return blob_endpoint_; }
    [[nodiscard]] Duration dead_after() const noexcept { return dead_after_; }

  private:
    enum class Phase : std::uint8_t { idle, connecting, greeting, open, closed };

    void hello(Now now);
    void connect(std::size_t broker, Now now);
    void next_broker(Now now) { connect((broker_ + 1) % options_.brokers.size(), now); }
    Change end(protocol::ErrorCode code, std::string sentence);
    void wait_before_hello(Now now);
    void adopt(const protocol::Welcome& welcome);

    SessionOptions options_;
    Outbox& outbox_;
    Phase phase_ = Phase::idle;
    std::size_t broker_ = 0;
    bool connected_ = false;
    std::uint64_t hello_seq_ = 0;
    std::uint64_t ping_ = 0;
    std::string resume_;
    std::string blob_endpoint_;
    protocol::Limits limits_;
    Duration heartbeat_ = std::chrono::milliseconds(2500);
    Duration dead_after_ = std::chrono::milliseconds(7500);
    Duration backoff_ = kBackoffMin;
    Time attempt_until_{};  // connecting, greeting
    Time next_heartbeat_{};
    Time heard_{};
    Time last_tick_{};
    SessionInfo info_;

    static constexpr Duration kBackoffMin = std::chrono::milliseconds(100);
    static constexpr Duration kBackoffMax = std::chrono::seconds(5);
};

}  // namespace scanmq::client
