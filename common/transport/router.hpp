#pragma once
// Router: the broker's end, many peers on one socket.
//
// Role:      owns a ZeroMQ ROUTER (MANDATORY: a send to a peer that is gone or full says so).
// Peers:     named by the number ZeroMQ gave their connection; a reconnect is a new number. Peers
//            that choose their own routing id are refused: a duplicate would be a silent black
//            hole.
// Threads:   one.

#include <cstdint>
#include <string>

#include "common/transport/socket.hpp"

namespace scanmq::transport {

class Router {
  public:
    Router(Context& context, const SocketOptions& options);
    ~Router();
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;

    // Returns the endpoint really bound: port 0 becomes the port chosen. Error: in use, not an
    // address ...
    [[nodiscard]] Result<std::string, Error> bind(const std::string& endpoint);

    // Never blocks. `from` is set for frame and multipart.
    [[nodiscard]] ReceiveStatus receive(std::uint32_t& from, zmq::message_t& frame);
    // Copies the frame; never blocks.
    [[nodiscard]] SendStatus send(std::uint32_t to, ByteView frame);
    // After receive() said chosen_id: answers that peer, if it can be reached at once.
    void refuse(ByteView frame);

    [[nodiscard]] bool readable();
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    [[nodiscard]] SendStatus send_to(const void* id, std::size_t id_bytes, ByteView frame);

    zmq::socket_t socket_;
    zmq::message_t peer_;  // routing id of the last message
    int fd_ = -1;
};

}  // namespace scanmq::transport
