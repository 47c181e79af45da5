#pragma once
// ClientConnection: one socket of a Client: connects, sends one request at a time, reads its answer.
//
// Role:     private to client*.cpp.
// Threads:  the loop. Shared with the operations that are under way, so that it outlives them.
// Order:    connect(), then begin() for each request; connected() and ended() answer them. After
//           close() nothing is called any more.
// Reading:  begins with the request, not after it: a server that refuses a large body answers before
//           it has read it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/http/client.hpp"
#include "common/http/response_reader.hpp"

namespace scanmq::http {

class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
  public:
    struct Owner {
        // Empty: it is connected. Else a sentence.
        std::function<void(ClientConnection&, std::string)> connected;
        std::function<void(ClientConnection&, ClientResult)> ended;
    };

    ClientConnection(boost::asio::io_context& io, const ClientOptions& options, ClientStats& stats,
                     Owner owner);

    void connect(const Endpoint& endpoint);
    // Precondition: connected, and nothing under way. `head` and `body` live until ended() or close().
    void begin(std::string_view head, ByteView body, bool head_only);
    // Idle: the server has neither closed it nor sent what nobody asked for.
    [[nodiscard]] bool usable();
    // After ended(): another request may be sent on it.
    [[nodiscard]] bool reusable() const noexcept { return reusable_; }
    // Bytes of the current answer have come.
    [[nodiscard]] bool answering() const noexcept { return answering_; }
    void close();

    // The pool's notes.
    std::uint64_t request = 0;  // under way on it, or waiting for it to be connected
    bool is_connected = false;
    bool was_kept = false;  // the request under way is not its first
    Time deadline{};        // of connecting, or of being idle

  private:
    void connect_to(const boost::asio::ip::tcp::resolver::results_type& addresses);
    void on_connect(const boost::system::error_code& error);
    void read();
    void on_read(const boost::system::error_code& error, std::size_t bytes);
    void on_step(ResponseReader::Step step);
    void end(ClientResult result);
    void end(ClientError error, std::string sentence);

    boost::asio::ip::tcp::socket socket_;
    boost::asio::ip::tcp::resolver resolver_;
    const ClientOptions& options_;
    ClientStats& stats_;
    Owner owner_;
    bool closed_ = false;

    ResponseReader reader_;
    std::vector<char> buffer_;  // of one read
    bool written_ = false;
    bool answering_ = false;
    bool reusable_ = false;
};

}  // namespace scanmq::http
