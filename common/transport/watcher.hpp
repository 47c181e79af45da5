#pragma once
// SocketWatcher: runs a ZeroMQ socket on an Asio loop.
//
// Why:      ZMQ_FD is edge-triggered. It says "look again", any call on the socket may swallow
//           that, and frames left unread do not say it anew. So: wait for read on it only; drain
//           until the socket says empty, or until a budget is spent, and then come back through the
//           loop's queue, so that timers and other sockets get their turn.
// Use:      the drain function receives until `empty` and returns Drained::empty, or stops early
//           and returns Drained::more. After sending on the socket outside of drain(), call poke():
//           the send may have swallowed the edge of a frame that came in meanwhile. Sends inside
//           drain() are fine when the last thing it does on the socket is a receive() that said
//           empty.
// Threads:  the loop's only.
// Lifetime: stop() before the socket is closed; the destructor does it.

#include <cstdint>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace scanmq::transport {

enum class Drained : std::uint8_t { empty, more };

class SocketWatcher {
  public:
    // `fd`: Dealer::fd(), Dealer::monitor_fd() or Router::fd(); not owned.
    SocketWatcher(boost::asio::io_context& loop, int fd, std::function<Drained()> drain);
    ~SocketWatcher();
    SocketWatcher(const SocketWatcher&) = delete;
    SocketWatcher& operator=(const SocketWatcher&) = delete;

    // Drains once through the loop, then whenever the socket has something.
    void start();
    // Drains once more through the loop's queue, soon. Cheap when one is queued already.
    void poke();
    // drain() is not called any more.
    void stop();

  private:
    struct State;
    std::shared_ptr<State>
        state_;  // shared with handlers in the loop's queue, which may outlive this
};

}  // namespace scanmq::transport
