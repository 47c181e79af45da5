#pragma once
// What every ZeroMQ socket here has in common: the context, the options, how sending and receiving
// ends.
//
// Role:     adapter over cppzmq; its exceptions end here.
// Threads:  a socket belongs to one thread; the context may be shared.
// Silence:  half-open connections are found by the sessions' own heartbeats and by TCP's keep-alive. ZMTP's
//           heartbeats stay off: in libzmq 4.3.4 their timer writes to a connection that broke while
//           its reader was stopped at its mark, which ends the process by an assertion.
// See:      docs/PROTOCOL.md, section 1.

#include <cstdint>
#include <string>
#include <zmq.hpp>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::transport {

struct Error {
    std::string sentence;  // names the endpoint, says what failed and what to do
};

enum class SendStatus : std::uint8_t {
    sent,
    full,  // the peer's pipe is at its mark, or (Dealer) there is no connection: try again later
    unreachable,  // Router: no such peer any more
};

enum class ReceiveStatus : std::uint8_t {
    frame,      // one frame was read
    empty,      // nothing is waiting
    multipart,  // a message of several frames was read and dropped: answer `malformed`
    chosen_id,  // Router: from a peer that chose its own routing id, dropped: Router::refuse()
                // answers it
};

struct SocketOptions {
    std::uint32_t frame_bytes_max =
        protocol::kLimits.frame_bytes_max;  // ZMQ_MAXMSGSIZE is twice that
    int send_mark = 1000;  // messages per peer that wait in ZeroMQ before send() says full (HWM)
    int receive_mark =
        1000;  // messages per peer that wait in ZeroMQ before it stops reading from TCP
    // Of a Dealer for large frames: to a peer on its own machine they leave in short bursts, so that
    // others get the processor between them.
    bool bulk = false;
    Duration linger = std::chrono::milliseconds(200);  // how long close() may go on sending
    Duration handshake = std::chrono::seconds(5);
    Duration reconnect_min = std::chrono::milliseconds(100);
    Duration reconnect_max = std::chrono::seconds(5);
};

// Owns a ZeroMQ IO thread. Sockets must be destroyed before it. One per process (or test), but for bulk
// that others must not wait behind.
class Context {
  public:
    enum class IoThread : std::uint8_t {
        usual,       // as the thread that makes the first socket
        background,  // run_in_background()
    };
    explicit Context(IoThread thread = IoThread::usual);
    [[nodiscard]] zmq::context_t& zmq() noexcept { return context_; }

  private:
    zmq::context_t context_;
};

// Raises the soft limit of open files to the hard one: every peer is a file. Returns the limit in
// force.
std::uint64_t raise_open_file_limit() noexcept;

// Applies SocketOptions; the parts that Dealer and Router share.
void apply(zmq::socket_t& socket, const SocketOptions& options);

// Switches IPv6 on for endpoints that need it ("tcp://[::1]:5701"); with it on, IPv4 addresses read
// back as mapped ones.
void allow_ipv6(zmq::socket_t& socket, const std::string& endpoint);

// Reads one message that must be one frame; `empty` when nothing waits. Further parts are read and
// dropped.
[[nodiscard]] ReceiveStatus receive_single(zmq::socket_t& socket, zmq::message_t& frame);

// A name for the inproc endpoint of a socket's monitor, of its own in the process.
[[nodiscard]] std::string monitor_name();
struct MonitorEvent {
    std::uint16_t what{};
    std::uint32_t value{};  // the connection's file, for what ZeroMQ says it for
};
// The next event that a monitor's PAIR has; false: none.
[[nodiscard]] bool receive_event(zmq::socket_t& monitor, MonitorEvent& event);

// ZMQ_EVENTS has POLLIN. Asking runs the socket's pending commands: see watcher.hpp.
[[nodiscard]] bool readable(zmq::socket_t& socket);

}  // namespace scanmq::transport
