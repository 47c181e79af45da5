#pragma once
// Client: asynchronous HTTP/1.1 requests to one server, over a pool of kept connections.
//
// Threads:     the io_context must be run by one thread; everything here is called on it.
// Lifetime:    the io_context outlives the client. The destructor closes every connection and calls no
//              callback any more.
// Callbacks:   one for each send(), from the loop, never from within send() or cancel(). It may send,
//              cancel and destroy the client. A cancelled request gets none.
// Connections: the one used last goes first; one that the server closed meanwhile is noticed before
//              it is used. If it breaks all the same before a single byte of the answer has come, the
//              request is sent once more on a new connection: send only what may be done twice.
// Errors:      ClientFailure, with a sentence. Any complete answer is a success, whatever its status.
// Limits:      ClientOptions, each with a counter in ClientStats.
// See:         common/http/endpoint.hpp

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/http/endpoint.hpp"
#include "common/http/message.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::http {

struct ClientOptions {
    std::uint32_t connections_max = 64;
    std::uint32_t waiting_max = 1024;                    // requests that wait for a connection
    Duration connect_timeout = std::chrono::seconds(1);  // with the look-up of the host's name
    Duration idle_timeout = std::chrono::seconds(30);    // then a connection is closed
    std::uint64_t header_bytes_max = 16U << 10;          // of an answer
    std::uint64_t body_bytes_max = 64U << 20;            // of an answer
};

// Counters since the start, but for the first three, which are of now.
struct ClientStats {
    std::uint64_t connections_open{};
    std::uint64_t connections_idle{};
    std::uint64_t requests_waiting{};  // for a connection
    std::uint64_t connections{};       // opened
    std::uint64_t connect_failures{};  // refused, unreachable, name unknown
    std::uint64_t connect_timeouts{};
    std::uint64_t requests{};
    std::uint64_t reused{};     // requests sent on a kept connection
    std::uint64_t stale{};      // kept connections that the server had closed
    std::uint64_t resent{};     // requests sent again because a kept connection broke
    std::uint64_t answers{};    // complete ones
    std::uint64_t timeouts{};   // total_timeout
    std::uint64_t broken{};     // connections that broke under a request
    std::uint64_t malformed{};  // answers that are not HTTP
    std::uint64_t header_too_large{};
    std::uint64_t body_too_large{};
    std::uint64_t refused{};  // waiting_max
    std::uint64_t cancelled{};
    std::uint64_t idle_closes{};
    std::uint64_t bytes_in{};
    std::uint64_t bytes_out{};
};

// Adds "name: value" to a request's headers. Precondition: no line breaks in either.
void add_header(std::string& headers, std::string_view name, std::string_view value);

struct ClientRequest {
    std::string_view method = "GET";
    std::string_view target = "/";  // below the endpoint's prefix
    std::string_view headers;       // lines made by add_header(); Host and Content-Length are added
    ByteView body;                  // borrowed until the callback, or cancel()
    Duration timeout = std::chrono::seconds(30);  // for everything, waiting and connecting included
};

struct ClientResponse {
    int status{};
    Pairs headers;
    std::string body;

    // The first of that name; empty when there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

enum class ClientError : std::uint8_t {
    unreachable,       // no connection could be made, or not in time: nothing was sent
    timeout,           // no complete answer in time
    broken,            // the connection ended before the answer was complete
    malformed,         // the answer is not HTTP
    header_too_large,  // of the answer
    body_too_large,    // of the answer
    refused,           // waiting_max: nothing was sent
};

struct ClientFailure {
    ClientError error{};
    std::string sentence;
};

using ClientResult = Result<ClientResponse, ClientFailure>;

struct RequestId {
    std::uint64_t value{};  // 0: none
    friend bool operator==(const RequestId&, const RequestId&) = default;
};

class Client {
  public:
    using Done = std::function<void(ClientResult)>;

    Client(boost::asio::io_context& io, Endpoint endpoint, ClientOptions options = {});
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Preconditions: the method is upper case letters, the target begins with '/'; neither has blanks or
    // line breaks.
    RequestId send(const ClientRequest& request, Done done);
    // Ends a request: its connection is closed, its callback is not called. Does nothing when it is over.
    void cancel(RequestId id);
    // Closes the connections that nobody uses.
    void close_idle();

    [[nodiscard]] const Endpoint& endpoint() const noexcept;
    [[nodiscard]] const ClientStats& stats() const noexcept;

  private:
    class Impl;
    std::shared_ptr<Impl> impl_;  // shared: a callback may destroy the client
};

}  // namespace scanmq::http
