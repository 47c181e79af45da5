#pragma once
// Connection: one client's socket: reads requests, runs handlers, writes answers. Private to common/http.
//
// States:    idle -> head -> body -> handling -> ending -> idle ...; or lingering -> closed. Input is read in
//            every state, up to kReadAheadMax beyond the request, so that a client that goes away is
//            noticed while its request is handled.
// Threads:   the loop.
// Ownership: held by ServerCore::connections until closed, and by its operations under way.

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "common/http/exchange.hpp"
#include "common/http/server_core.hpp"

namespace scanmq::http {

class RequestReader;

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(std::shared_ptr<ServerCore> core, boost::asio::ip::tcp::socket socket);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void start();
    // Stopping: closes now when no request is under way, else after its answer.
    void close_when_idle();
    // Closes now; a running request is told that its client is gone. True: there was one.
    bool abort();

    // What the request with this serial is answered; nothing when it is over.
    void answer(std::uint64_t serial, Response response);
    void begin(std::uint64_t serial, Response head);
    // counted: the bytes were counted by the exchange as waiting.
    void write(std::uint64_t serial, std::string chunk, bool counted);
    void finish(std::uint64_t serial, std::string last);
    void count_stream_drop() { ++core_->stats.stream_drops; }

  private:
    enum class State : std::uint8_t { idle, head, body, handling, ending, lingering, closed };
    struct Piece {
        std::string bytes;
        std::size_t counted{};  // of the exchange's waiting bytes
    };

    void read();
    void on_read(std::size_t bytes);
    void on_end_of_input();
    void advance();
    bool on_head();
    void on_request();
    void call_handler(const Router::Route& route, Request request);
    void refuse(Response response);  // answers and closes, without a handler
    bool hold_body(std::uint64_t bytes);
    void release_body();

    [[nodiscard]] bool current(std::uint64_t serial) const noexcept {
        return serial == serial_ && state_ == State::handling;
    }
    void send_head(const Response& response, bool chunked);
    void push(std::string bytes, std::size_t counted = 0);
    void push_chunk(std::string chunk, std::size_t counted);
    void flush();
    void on_written(std::size_t pieces, std::size_t bytes);
    void end_answer();    // all of it is queued
    void after_answer();  // all of it is sent
    void linger();
    void close();

    void expect_within(Duration timeout);
    void expect_nothing();
    void arm();
    void on_deadline();

    std::shared_ptr<ServerCore> core_;
    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    bool timer_armed_ = false;
    Time timer_at_{};
    Time deadline_ = Time::max();
    Time body_deadline_ = Time::max();

    State state_ = State::idle;
    std::unique_ptr<RequestReader> reader_;
    // Apart from the reader's buffer, which moves when a request is taken while a read is under way.
    std::array<char, 32U << 10> input_;
    bool reading_ = false;
    bool input_ended_ = false;
    std::string peer_;

    std::uint64_t serial_ = 0;  // of the request
    std::weak_ptr<Exchange> exchange_;
    bool running_ = false;    // counted in requests_running
    bool head_only_ = false;  // HEAD
    bool http11_ = true;
    bool close_after_ = false;
    bool unread_input_ = false;  // the request was not read to its end
    bool chunked_ = false;       // the answer is
    bool begun_ = false;         // its head is queued
    std::uint64_t body_held_ = 0;

    std::deque<Piece> out_;
    bool writing_ = false;
};

}  // namespace scanmq::http
