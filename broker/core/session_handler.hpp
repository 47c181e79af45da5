#pragma once
// SessionHandler: HELLO, heartbeats, BYE, and the end of sessions, whatever ends them.
//
// Threads:   broker loop only. Borrows: CoreState, Runner, Publisher (outlive this).
// Invariant: a session that closes leaves nothing: attempts run again, grants and subscriptions are
//            gone.
// See:       docs/PROTOCOL.md, section 6

#include "broker/core/core_state.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/runner.hpp"

namespace scanmq::broker {

class SessionHandler {
  public:
    SessionHandler(CoreState& state, Leases& leases, Runner& runner, Publisher& publisher)
        : state_(&state), leases_(&leases), runner_(&runner), publisher_(&publisher) {}

    void hello(ConnectionId from, const protocol::Header& header, const protocol::Hello& message);
    void heartbeat(Session& session, const protocol::Heartbeat& message);
    void bye(Session& session);
    // The shell cannot reach it any more.
    void disconnected(ConnectionId from);
    // Closes what was silent for dead_after, with a BYE.
    void close_silent();
    // BYE shutting_down to everyone.
    void say_shutting_down();

  private:
    // Nothing stands against this HELLO, but for the number of sessions.
    [[nodiscard]] bool acceptable(ConnectionId from, const protocol::Header& header,
                                  const protocol::Hello& message);
    void open_worker(Session& session, const protocol::Hello& message);
    void welcome(Session& session, const protocol::Header& header,
                 std::vector<protocol::Token> adopted);
    // Why a session closes: what its worker held was lost with it, or handed back.
    enum class Close : std::uint8_t { lost, left };
    void close(Session& session, Close why);

    CoreState* state_;
    Leases* leases_;
    Runner* runner_;
    Publisher* publisher_;
};

}  // namespace scanmq::broker
