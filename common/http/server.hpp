#pragma once
// Server: a small HTTP/1.1 server on an io_context.
//
// Role:      accepts, reads and checks requests, hands them to the routes' handlers, writes answers.
//            One request of a connection at a time; pipelined ones wait in its read buffer. A client
//            that closes its sending side before its answer is there counts as gone.
// Threads:   the io_context must be run by one thread (the loop); everything here is called on it,
//            but Responders, which are free.
// Lifetime:  the io_context outlives the server and all Responders. The destructor aborts what is open.
// Errors:    400 malformed, 404 naming the nearest route, 405 with Allow, 408 too slow, 413 body, 417
//            expectation, 429 too many at once, 431 headers, 500 handler threw, 503 draining or full.
// Stopping:  drain() refuses new requests with 503 and goes on accepting; stop() also stops accepting,
//            lets running requests end, and after its patience aborts them.
// Limits:    every one below has a name, a default and a counter in HttpStats.
// See:       docs/HTTP_API.md

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "common/http/message.hpp"
#include "common/http/router.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::http {

struct ServerOptions {
    std::string listen = "127.0.0.1:0";  // address:port, [v6]:port; port 0 takes a free one
    std::uint32_t connections_max = 1024;
    std::uint32_t requests_max = 256;  // in handlers at once
    std::uint64_t header_bytes_max = 16U << 10;
    std::uint64_t body_bytes_max = 1U << 20;  // of one request, unless its route says otherwise
    std::uint64_t bodies_bytes_max = 256ULL << 20;  // of all requests being read or handled
    std::uint64_t stream_bytes_max = 256U << 10;    // of one chunked answer, written but not sent
    Duration idle_timeout = std::chrono::seconds(60);   // between two requests
    Duration read_timeout = std::chrono::seconds(10);   // a whole head; a pause within a body
    Duration body_timeout = std::chrono::seconds(120);  // a whole body
    Duration write_timeout = std::chrono::seconds(30);  // a piece of an answer that is not taken
    Duration linger = std::chrono::seconds(2);  // unread input is thrown away before a close
    Pairs headers;                              // added to every answer
};

// Counters since the start, but for the first three, which are of now.
struct HttpStats {
    std::uint64_t connections_open{};
    std::uint64_t requests_running{};
    std::uint64_t bodies_bytes{};
    std::uint64_t connections{};
    std::uint64_t connections_refused{};  // connections_max
    std::uint64_t accept_errors{};
    std::uint64_t requests{};  // whose head was complete
    std::uint64_t answers_2xx{};
    std::uint64_t answers_3xx{};
    std::uint64_t answers_4xx{};
    std::uint64_t answers_5xx{};
    std::uint64_t malformed{};         // 400
    std::uint64_t not_found{};         // 404
    std::uint64_t wrong_method{};      // 405
    std::uint64_t read_timeouts{};     // 408
    std::uint64_t body_too_large{};    // 413, body_bytes_max
    std::uint64_t header_too_large{};  // 431, header_bytes_max
    std::uint64_t requests_refused{};  // 429, requests_max
    std::uint64_t bodies_refused{};    // 503, bodies_bytes_max
    std::uint64_t draining_refused{};  // 503
    std::uint64_t handler_errors{};    // 500
    std::uint64_t idle_closes{};       // idle_timeout
    std::uint64_t write_timeouts{};    // write_timeout
    std::uint64_t clients_gone{};      // before their answer was complete
    std::uint64_t stream_drops{};      // chunks over stream_bytes_max
    std::uint64_t aborted{};           // requests still running at the end of stop()
    std::uint64_t bytes_in{};
    std::uint64_t bytes_out{};
};

// Whether `listen` can be reached from this machine only; false for what is no address.
[[nodiscard]] bool is_loopback(const std::string& listen);

class Server {
  public:
    // Listens at once; requests are served when the io_context runs. Errors: a sentence (the address
    // cannot be read, is in use).
    [[nodiscard]] static Result<std::unique_ptr<Server>, std::string> create(
        boost::asio::io_context& io, ServerOptions options, Router router);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // "127.0.0.1:8702", with the port that was taken.
    [[nodiscard]] const std::string& address() const noexcept;
    [[nodiscard]] const HttpStats& stats() const noexcept;

    void drain();
    [[nodiscard]] bool draining() const noexcept;
    // `stopped` is called once, from the loop, when no connection is left. Call it once.
    void stop(Duration patience, std::function<void()> stopped);

  private:
    class Impl;
    explicit Server(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;  // shared with the operations that are under way
};

}  // namespace scanmq::http
