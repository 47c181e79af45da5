#include "common/transport/router.hpp"

#include <array>
#include <cstring>

#include "common/base/assert.hpp"

namespace scanmq::transport {
namespace {

// What ZeroMQ gives a peer that chose none: a zero byte and a 32-bit number.
constexpr std::size_t kIdBytes = 5;

bool assigned_id(const zmq::message_t& id) {
    return id.size() == kIdBytes && *id.data<char>() == 0;
}

}  // namespace

Router::Router(Context& context, const SocketOptions& options)
    : socket_(context.zmq(), zmq::socket_type::router),
      monitor_(context.zmq(), zmq::socket_type::pair) {
    apply(socket_, options);
    socket_.set(zmq::sockopt::router_mandatory, true);
    const std::string name = monitor_name();
    const int rc = zmq_socket_monitor(
        socket_.handle(), name.c_str(),
        ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED);
    SCANMQ_ASSERT(rc == 0);
    monitor_.set(zmq::sockopt::linger, 0);
    // ZeroMQ's thread would wait at a mark.
    monitor_.set(zmq::sockopt::rcvhwm, 0);
    monitor_.connect(name);
    fd_ = socket_.get(zmq::sockopt::fd);
    monitor_fd_ = monitor_.get(zmq::sockopt::fd);
}

Router::~Router() {
    zmq_socket_monitor(socket_.handle(), nullptr, 0);
    monitor_.close();
    socket_.close();
}

Router::Moved Router::poll_connections() {
    Moved moved;
    // Lets the socket hear of the new ones, options hold for those it knows; and of those that went:
    // their events come before, and are taken in below.
    static_cast<void>(readable());
    MonitorEvent event;
    while (receive_event(monitor_, event)) {
        if (event.what == ZMQ_EVENT_ACCEPTED) {
            connections_.insert(event.value);
        } else if (event.what == ZMQ_EVENT_DISCONNECTED) {
            connections_.erase(event.value);
            moved.went = true;
        } else {
            moved.came = true;
        }
    }
    return moved;
}

void Router::lower_marks(int send_mark, int receive_mark) {
    socket_.set(zmq::sockopt::sndhwm, send_mark);
    socket_.set(zmq::sockopt::rcvhwm, receive_mark);
}

Result<std::string, Error> Router::bind(const std::string& endpoint) {
    allow_ipv6(socket_, endpoint);
    if (zmq_bind(socket_.handle(), endpoint.c_str()) != 0) {
        const int error = zmq_errno();
        std::string sentence =
            "cannot listen on \"" + endpoint + "\": " + zmq_strerror(error) + "; ";
        sentence += error == EADDRINUSE
                        ? "another process holds that port: stop it or choose another port"
                        : "give an endpoint like tcp://127.0.0.1:5701 (port 0 for any free one)";
        return fail(Error{std::move(sentence)});
    }
    return socket_.get(zmq::sockopt::last_endpoint);
}

ReceiveStatus Router::receive(std::uint32_t& from, zmq::message_t& frame) {
    if (zmq_msg_recv(peer_.handle(), socket_.handle(), ZMQ_DONTWAIT) < 0)
        return ReceiveStatus::empty;
    const bool assigned = assigned_id(peer_);
    if (assigned) std::memcpy(&from, peer_.data<char>() + 1, sizeof from);
    const ReceiveStatus status = receive_single(socket_, frame);
    if (status != ReceiveStatus::empty && !assigned) return ReceiveStatus::chosen_id;
    return status;
}

SendStatus Router::send_to(const void* id, std::size_t id_bytes, ByteView frame) {
    constexpr int kNow = ZMQ_DONTWAIT;
    if (zmq_send(socket_.handle(), id, id_bytes, kNow | ZMQ_SNDMORE) < 0) {
        return zmq_errno() == EAGAIN ? SendStatus::full : SendStatus::unreachable;
    }
    if (zmq_send(socket_.handle(), frame.data(), frame.size(), kNow) < 0) {
        return SendStatus::unreachable;
    }
    return SendStatus::sent;
}

SendStatus Router::send(std::uint32_t to, ByteView frame) {
    std::array<char, kIdBytes> id{};
    std::memcpy(id.data() + 1, &to, sizeof to);
    return send_to(id.data(), id.size(), frame);
}

void Router::refuse(ByteView frame) {
    // A peer that cannot take the answer now goes without it.
    [[maybe_unused]] const SendStatus status = send_to(peer_.data(), peer_.size(), frame);
}

bool Router::readable() { return transport::readable(socket_); }

}  // namespace scanmq::transport
