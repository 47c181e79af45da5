#pragma once
// Dealer: a peer's end of one connection to a broker, main or blob socket.
//
// Role:      owns a ZeroMQ DEALER with its options set and a monitor that tells when the connection
//            was made or lost. Reconnects by itself, with back-off; frames that wait for a lost
//            connection are dropped with it (ZMQ_IMMEDIATE), so that a new session never sends an
//            old one's frames.
// Use:       caller-driven: loop { poll_connection(); receive() until empty; send();
//            wait({&dealer}, t); } on Asio: two SocketWatchers, one on fd() that drains receive(),
//            one on monitor_fd() that calls poll_connection(); after every send() poke the first
//            (watcher.hpp says why).
// Sessions:  say HELLO whenever generation() has changed: each value is one connection.
// Threads:   one.

#include <cstdint>
#include <initializer_list>
#include <string>

#include "common/transport/socket.hpp"

namespace scanmq::transport {

class Dealer {
  public:
    Dealer(Context& context, const SocketOptions& options);
    ~Dealer();
    Dealer(const Dealer&) = delete;
    Dealer& operator=(const Dealer&) = delete;

    // Starts connecting, in the background; leaves the endpoint it had before, dropping what waits
    // there. The same endpoint again makes a new connection: what to do after dead_after_ms of
    // silence. Error: an endpoint that ZeroMQ cannot read.
    [[nodiscard]] Result<void, Error> connect(const std::string& endpoint);
    // Leaves; nothing is sent or received until the next connect().
    void disconnect();
    [[nodiscard]] const std::string& endpoint() const noexcept { return endpoint_; }

    // Copies the frame out; never blocks. `full`: not connected, or at the mark; the frame was not
    // taken.
    [[nodiscard]] SendStatus send(ByteView frame);
    // Never blocks. `frame` keeps its bytes until it is received into again.
    [[nodiscard]] ReceiveStatus receive(zmq::message_t& frame);
    // ZMQ_EVENTS: a frame is waiting.
    [[nodiscard]] bool readable();

    // Takes in what the monitor saw; true when the connection was made or lost since the last call.
    bool poll_connection();
    // As of the last poll_connection(). A hint: silence, not this, proves a peer dead.
    [[nodiscard]] bool connected() const noexcept { return connected_; }
    // Counts connections made; 0 before the first.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    // Edge-triggered (ZMQ_FD): only to be waited on after receive() said empty.
    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] int monitor_fd() const noexcept { return monitor_fd_; }
    [[nodiscard]] bool monitor_readable();

  private:
    bool bulk_;
    zmq::socket_t socket_;
    zmq::socket_t monitor_;
    std::string endpoint_;
    bool connected_ = false;
    std::uint64_t generation_ = 0;
    int fd_ = -1;
    int monitor_fd_ = -1;
};

// Blocks until one of the dealers has a frame or a change of its connection, `extra_fd` (>= 0) is
// readable, or the timeout is over. False: time-out. It may wake for nothing. Costs one poll(2)
// when nothing waits.
bool wait(std::initializer_list<Dealer*> dealers, Duration timeout, int extra_fd = -1);

// Wakeup: lets another thread end a wait(): give its fd() as extra_fd.
// Threads: notify() from any, clear() from the waiting one.
class Wakeup {
  public:
    Wakeup();
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    void notify() noexcept;
    void clear() noexcept;
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    int fd_;
};

}  // namespace scanmq::transport
