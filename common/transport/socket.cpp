#include "common/transport/socket.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "common/base/scheduling.hpp"

namespace scanmq::transport {
namespace {

// A Dealer is three sockets with its monitor; peers of a Router are none.
constexpr int kSocketsMax = 8192;

int milliseconds(Duration duration) {
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

std::uint64_t raise_open_file_limit() noexcept {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
    return limit.rlim_cur;
}

Context::Context(IoThread thread) {
    context_.set(zmq::ctxopt::max_sockets, kSocketsMax);
    if (thread == IoThread::usual) return;
    // The first socket begins ZeroMQ's threads, which are as the thread that makes it.
    std::thread([this] {
        run_in_background();
        const zmq::socket_t first(context_, zmq::socket_type::pair);
    }).join();
}

void apply(zmq::socket_t& socket, const SocketOptions& options) {
    namespace opt = zmq::sockopt;
    socket.set(opt::linger, milliseconds(options.linger));
    socket.set(opt::maxmsgsize, std::int64_t{2} * options.frame_bytes_max);
    socket.set(opt::sndhwm, options.send_mark);
    socket.set(opt::rcvhwm, options.receive_mark);
    socket.set(opt::handshake_ivl, milliseconds(options.handshake));
    socket.set(opt::reconnect_ivl, milliseconds(options.reconnect_min));
    socket.set(opt::reconnect_ivl_max, milliseconds(options.reconnect_max));
    socket.set(opt::tcp_keepalive, 1);
    socket.set(opt::tcp_keepalive_idle, 60);
    socket.set(opt::tcp_keepalive_intvl, 10);
    socket.set(opt::tcp_keepalive_cnt, 3);
}

void allow_ipv6(zmq::socket_t& socket, const std::string& endpoint) {
    socket.set(zmq::sockopt::ipv6, endpoint.find('[') != std::string::npos);
}

ReceiveStatus receive_single(zmq::socket_t& socket, zmq::message_t& frame) {
    if (zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) < 0)
        return ReceiveStatus::empty;
    if (!frame.more()) return ReceiveStatus::frame;
    // ZeroMQ delivers a message whole, so that its other parts are there already.
    zmq::message_t rest;
    do {
        if (zmq_msg_recv(rest.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) break;
    } while (rest.more());
    return ReceiveStatus::multipart;
}

std::string monitor_name() {
    static std::atomic<std::uint64_t> next{1};
    return "inproc://scanmq-monitor-" + std::to_string(next.fetch_add(1));
}

bool receive_event(zmq::socket_t& monitor, MonitorEvent& event) {
    zmq::message_t head;
    zmq::message_t address;
    while (zmq_msg_recv(head.handle(), monitor.handle(), ZMQ_DONTWAIT) >= 0) {
        if (!head.more()) continue;
        if (zmq_msg_recv(address.handle(), monitor.handle(), ZMQ_DONTWAIT) < 0) return false;
        if (head.size() != sizeof event.what + sizeof event.value) continue;
        std::memcpy(&event.what, head.data(), sizeof event.what);
        std::memcpy(&event.value, head.data<char>() + sizeof event.what, sizeof event.value);
        return true;
    }
    return false;
}

bool readable(zmq::socket_t& socket) {
    int events = 0;
    std::size_t size = sizeof events;
    if (zmq_getsockopt(socket.handle(), ZMQ_EVENTS, &events, &size) != 0) return false;
    return (events & ZMQ_POLLIN) != 0;
}

}  // namespace scanmq::transport
