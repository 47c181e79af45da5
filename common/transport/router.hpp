#pragma once
// Router: the broker's end, many peers on one socket.
//
// Role:      owns a ZeroMQ ROUTER (MANDATORY: a send to a peer that is gone or full says so).
// Peers:     named by the number ZeroMQ gave their connection; a reconnect is a new number. Peers
//            that choose their own routing id are refused: a duplicate would be a silent black
//            hole.
// Marks:     those of SocketOptions hold for connections to come; lower_marks() lowers them for those
//            that are there. They are never raised again: libzmq 4.3.4 wakes a writer that waits at
//            its mark only by the marks it began with.
// Threads:   one.

#include <cstdint>
#include <string>
#include <unordered_set>

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

    // Takes in which connections came and went. Those that never sent a frame count, too.
    struct Moved {
        bool came = false;
        bool went = false;
    };
    Moved poll_connections();
    [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
    // For every connection there is: messages that wait in ZeroMQ, as in SocketOptions. At least 1.
    // Precondition: of none that went is ZeroMQ still taking leave, it would use what it has freed
    // (libzmq 4.3.4, pipe_t::send_hwms_to_peer). Its leave takes a turn of this socket, a turn of
    // ZeroMQ's thread and another one of this socket after poll_connections() told of it.
    void lower_marks(int send_mark, int receive_mark);

    [[nodiscard]] bool readable();
    // Tells that poll_connections() has something.
    [[nodiscard]] int monitor_fd() const noexcept { return monitor_fd_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    [[nodiscard]] SendStatus send_to(const void* id, std::size_t id_bytes, ByteView frame);

    zmq::socket_t socket_;
    zmq::socket_t monitor_;
    zmq::message_t peer_;                            // routing id of the last message
    std::unordered_set<std::uint32_t> connections_;  // their files
    int fd_ = -1;
    int monitor_fd_ = -1;
};

}  // namespace scanmq::transport
