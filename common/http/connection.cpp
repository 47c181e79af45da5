#include "common/http/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "common/http/request_reader.hpp"

namespace scanmq::http {

namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

constexpr std::size_t kReadAheadMax = 64U << 10;  // of pipelined requests, while one is handled

Time now() { return std::chrono::steady_clock::now(); }

std::string peer_of(const asio::ip::tcp::socket& socket) {
    Error error;
    const auto endpoint = socket.remote_endpoint(error);
    if (error) return {};
    return fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, asio::ip::tcp::socket socket)
    : core_(std::move(core)),
      socket_(std::move(socket)),
      timer_(core_->io),
      reader_(std::make_unique<RequestReader>(core_->options.header_bytes_max)),
      peer_(peer_of(socket_)) {}

Connection::~Connection() = default;

void Connection::start() {
    Error ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    expect_within(core_->options.idle_timeout);
    read();
}

void Connection::close_when_idle() {
    if (state_ == State::idle) {
        close();
    } else {
        close_after_ = true;
    }
}

bool Connection::abort() {
    const bool running = running_;
    close();
    return running;
}

// --- input

void Connection::read() {
    if (reading_ || input_ended_ || state_ == State::closed) return;
    const bool busy = state_ == State::handling || state_ == State::ending;
    if (busy && reader_->buffered() >= kReadAheadMax) return;
    reading_ = true;
    socket_.async_read_some(asio::buffer(input_),
                            [self = shared_from_this()](const Error& error, std::size_t bytes) {
                                self->reading_ = false;
                                if (self->state_ == State::closed) return;
                                if (error) return self->on_end_of_input();
                                self->on_read(bytes);
                            });
}

void Connection::on_read(std::size_t bytes) {
    core_->stats.bytes_in += bytes;
    if (state_ == State::lingering) return read();  // thrown away
    reader_->append({input_.data(), bytes});
    if (state_ == State::body) expect_within(core_->options.read_timeout);
    if (state_ == State::idle || state_ == State::head || state_ == State::body) advance();
    read();
}

void Connection::on_end_of_input() {
    input_ended_ = true;
    // It may still read what it asked for.
    if (state_ != State::ending) close();
}

// Takes what the buffer has, until a request is being handled or input is wanted.
void Connection::advance() {
    using Step = RequestReader::Step;
    HttpStats& stats = core_->stats;
    while (state_ == State::idle || state_ == State::head || state_ == State::body) {
        const Step step = reader_->step();
        if (state_ == State::idle && reader_->begun()) {
            state_ = State::head;
            http11_ = true;
            expect_within(core_->options.read_timeout);
        }
        switch (step) {
            case Step::more:
                if (state_ == State::body) (void)hold_body(reader_->body_bytes());
                return;
            case Step::head:
                if (!on_head()) return;
                break;
            case Step::complete:
                on_request();
                break;
            case Step::header_too_large:
                ++stats.header_too_large;
                return refuse(error_response(
                    431, "headers_too_large",
                    fmt::format("the request's line and headers are over {} bytes; send less",
                                core_->options.header_bytes_max)));
            case Step::body_too_large:
                ++stats.body_too_large;
                return refuse(error_response(413, "body_too_large",
                                             "the body is larger than this route takes"));
            case Step::malformed:
                ++stats.malformed;
                return refuse(error_response(
                    400, "malformed_request",
                    fmt::format("this is not an HTTP/1.1 request: {}", reader_->problem())));
        }
    }
}

// False: refused.
bool Connection::on_head() {
    ++core_->stats.requests;
    const Request& request = reader_->request();
    http11_ = reader_->http11();
    Pairs parameters;
    const auto* route = core_->router.find(request.method, request.path, parameters);
    const std::uint64_t body_max = route != nullptr && route->options.body_bytes_max
                                       ? *route->options.body_bytes_max
                                       : core_->options.body_bytes_max;
    reader_->set_body_max(body_max);
    const auto length = reader_->content_length();
    if (length && *length > body_max) {
        ++core_->stats.body_too_large;
        refuse(error_response(
            413, "body_too_large",
            fmt::format("the body has {} bytes; {} takes at most {}", *length,
                        route != nullptr ? route->pattern : printable(request.path), body_max)));
        return false;
    }
    state_ = State::body;
    body_deadline_ = now() + core_->options.body_timeout;
    if (length && !hold_body(*length)) return false;
    const std::string_view expectation = request.header("Expect");
    if (expectation.empty()) return true;
    if (!equal_names(expectation, "100-continue")) {
        refuse(error_response(417, "unknown_expectation", "only Expect: 100-continue is known"));
        return false;
    }
    if (length && *length == 0) return true;
    push("HTTP/1.1 100 Continue\r\n\r\n");
    return true;
}

// Counts the request's body against the server's total. False: refused.
bool Connection::hold_body(std::uint64_t bytes) {
    if (bytes <= body_held_) return true;
    std::uint64_t& total = core_->stats.bodies_bytes;
    if (total + (bytes - body_held_) > core_->options.bodies_bytes_max) {
        ++core_->stats.bodies_refused;
        refuse(retry_response(503, "server_full",
                              "the bodies of other requests take all the memory there is for them; "
                              "try again",
                              std::chrono::seconds(1)));
        return false;
    }
    total += bytes - body_held_;
    body_held_ = bytes;
    return true;
}

void Connection::release_body() {
    core_->stats.bodies_bytes -= body_held_;
    body_held_ = 0;
}

// A whole request is there.
void Connection::on_request() {
    HttpStats& stats = core_->stats;
    if (!hold_body(reader_->body_bytes())) return;
    close_after_ = close_after_ || !reader_->keep_alive();
    Request request = reader_->take();
    request.peer = peer_;
    request.received = now();
    head_only_ = request.method == "HEAD";
    state_ = State::handling;
    chunked_ = begun_ = false;
    ++serial_;
    expect_nothing();

    const auto* route = core_->router.find(request.method, request.path, request.parameters);
    if (route == nullptr) {
        const std::string allowed = core_->router.allowed(request.path);
        if (allowed.empty()) {
            ++stats.not_found;
            return answer(
                serial_, error_response(404, "unknown_route", core_->router.unknown(request.path)));
        }
        ++stats.wrong_method;
        Response response =
            error_response(405, "wrong_method",
                           fmt::format("{} takes {}, not {}", printable(request.path), allowed,
                                       printable(request.method, 16)));
        if (request.method == "OPTIONS") response = Response{204, {}, {}, {}, false};
        response.headers.emplace_back("Allow", allowed);
        return answer(serial_, std::move(response));
    }
    if (core_->draining && !route->options.while_draining) {
        ++stats.draining_refused;
        close_after_ = true;
        return answer(serial_, retry_response(503, "draining",
                                              "the server is shutting down; try another one, or "
                                              "this one again later",
                                              std::chrono::seconds(1)));
    }
    if (stats.requests_running >= core_->options.requests_max && !route->options.while_draining) {
        ++stats.requests_refused;
        return answer(serial_, retry_response(
                                   429, "too_many_requests",
                                   fmt::format("{} requests are being answered, more are not taken "
                                               "at once; try again",
                                               stats.requests_running),
                                   std::chrono::seconds(1)));
    }
    call_handler(*route, std::move(request));
}

void Connection::call_handler(const Router::Route& route, Request request) {
    ++core_->stats.requests_running;
    running_ = true;
    auto exchange = std::make_shared<Exchange>(*core_, weak_from_this(), serial_);
    exchange_ = exchange;
    Responder responder(std::move(exchange));
    try {
        route.handler(std::move(request), responder);
    } catch (const std::exception& error) {
        ++core_->stats.handler_errors;
        responder.answer(error_response(500, "internal_error", error.what()));
    }
}

void Connection::refuse(Response response) {
    close_after_ = true;
    unread_input_ = true;
    head_only_ = chunked_ = begun_ = false;
    state_ = State::handling;
    ++serial_;
    expect_nothing();
    answer(serial_, std::move(response));
}

void Connection::close() {
    if (state_ == State::closed) return;
    const auto self = shared_from_this();
    state_ = State::closed;
    if (running_) {
        --core_->stats.requests_running;
        running_ = false;
        ++core_->stats.clients_gone;
    }
    release_body();
    Error ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    timer_.cancel();
    core_->connections.erase(self);
    core_->stats.connections_open = core_->connections.size();
    if (const auto exchange = exchange_.lock()) exchange->client_gone();
    if (core_->on_connection_closed) core_->on_connection_closed();
}

// --- deadlines: one timer, moved only when it is due or has to come earlier

void Connection::expect_within(Duration timeout) {
    deadline_ = now() + timeout;
    if (state_ == State::body) deadline_ = std::min(deadline_, body_deadline_);
    if (!timer_armed_ || deadline_ < timer_at_) arm();
}

void Connection::expect_nothing() { deadline_ = Time::max(); }

void Connection::arm() {
    timer_armed_ = true;
    timer_at_ = deadline_;
    timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(deadline_));
    timer_.async_wait([self = shared_from_this()](const Error& error) {
        if (error || self->state_ == State::closed) return;  // moved, or over
        self->timer_armed_ = false;
        if (self->deadline_ == Time::max()) return;
        if (now() < self->deadline_) return self->arm();
        self->on_deadline();
    });
}

void Connection::on_deadline() {
    HttpStats& stats = core_->stats;
    switch (state_) {
        case State::idle:
            ++stats.idle_closes;
            return close();
        case State::head:
        case State::body:
            ++stats.read_timeouts;
            return refuse(error_response(408, "too_slow",
                                         "the request did not arrive in time; send it faster"));
        case State::handling:
        case State::ending:
            ++stats.write_timeouts;
            return close();
        case State::lingering:
            return close();
        case State::closed:
            return;
    }
}

}  // namespace scanmq::http
