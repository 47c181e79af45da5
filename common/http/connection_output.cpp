// Connection: the half that writes.

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>
#include <vector>

#include "common/http/connection.hpp"
#include "common/http/request_reader.hpp"

namespace scanmq::http {

namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

constexpr std::size_t kPiecesAtOnce = 16;

}  // namespace

void Connection::answer(std::uint64_t serial, Response response) {
    if (!current(serial)) return;
    if (begun_) return end_answer();  // it streamed and then failed: cut short
    close_after_ = close_after_ || response.close;
    send_head(response, false);
    if (!head_only_ && !response.body.empty()) push(std::move(response.body));
    end_answer();
}

void Connection::begin(std::uint64_t serial, Response head) {
    if (!current(serial) || begun_) return;
    chunked_ = http11_;
    close_after_ = close_after_ || head.close || !http11_;
    send_head(head, true);
    if (!head.body.empty()) push_chunk(std::move(head.body), 0);
}

void Connection::write(std::uint64_t serial, std::string chunk, bool counted) {
    if (!current(serial)) return;
    if (!begun_) begin(serial, Response{});
    const std::size_t bytes = counted ? chunk.size() : 0;
    push_chunk(std::move(chunk), bytes);
}

void Connection::finish(std::uint64_t serial, std::string last) {
    if (!current(serial)) return;
    if (!begun_) begin(serial, Response{});
    push_chunk(std::move(last), 0);
    if (chunked_ && !head_only_) push("0\r\n\r\n");
    chunked_ = false;
    end_answer();
}

void Connection::send_head(const Response& response, bool chunked) {
    begun_ = true;
    HttpStats& stats = core_->stats;
    (response.status < 300   ? stats.answers_2xx
     : response.status < 400 ? stats.answers_3xx
     : response.status < 500 ? stats.answers_4xx
                             : stats.answers_5xx) += 1;
    close_after_ = close_after_ || core_->stopping;
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
    const auto add = [&head](std::string_view name, std::string_view value) {
        head.append(name).append(": ");
        for (const char c : value) head += c == '\r' || c == '\n' ? ' ' : c;
        head += "\r\n";
    };
    if (!response.content_type.empty()) add("Content-Type", response.content_type);
    if (!chunked) {
        if (response.status != 204) add("Content-Length", std::to_string(response.body.size()));
    } else if (http11_) {
        add("Transfer-Encoding", "chunked");
    }
    for (const auto& [name, value] : core_->options.headers) add(name, value);
    for (const auto& [name, value] : response.headers) add(name, value);
    if (close_after_) {
        add("Connection", "close");
    } else if (!http11_) {
        add("Connection", "keep-alive");
    }
    head += "\r\n";
    push(std::move(head));
}

void Connection::push_chunk(std::string chunk, std::size_t counted) {
    if (chunk.empty() || head_only_) {
        if (const auto exchange = exchange_.lock(); exchange && counted > 0)
            exchange->sent(counted);
        return;
    }
    if (!chunked_) return push(std::move(chunk), counted);
    push(fmt::format("{:x}\r\n", chunk.size()));
    push(std::move(chunk), counted);
    push("\r\n");
}

void Connection::push(std::string bytes, std::size_t counted) {
    out_.push_back({std::move(bytes), counted});
    flush();
}

void Connection::flush() {
    if (writing_ || out_.empty() || state_ == State::closed) return;
    writing_ = true;
    // Started from the loop's next turn, so that one write takes all that a handler says at once.
    asio::post(core_->io, [self = shared_from_this()] {
        if (self->state_ == State::closed) return;
        std::vector<asio::const_buffer> buffers;
        for (const Piece& piece : self->out_) {
            if (buffers.size() == kPiecesAtOnce) break;
            buffers.push_back(asio::buffer(piece.bytes));
        }
        const std::size_t pieces = buffers.size();
        if (self->state_ == State::handling || self->state_ == State::ending) {
            self->expect_within(self->core_->options.write_timeout);
        }
        asio::async_write(self->socket_, buffers,
                          [self, pieces](const Error& error, std::size_t bytes) {
                              self->writing_ = false;
                              if (self->state_ == State::closed) return;
                              if (error) return self->close();
                              self->on_written(pieces, bytes);
                          });
    });
}

void Connection::on_written(std::size_t pieces, std::size_t bytes) {
    core_->stats.bytes_out += bytes;
    const auto exchange = exchange_.lock();
    for (std::size_t i = 0; i < pieces; ++i) {
        if (exchange && out_.front().counted > 0) exchange->sent(out_.front().counted);
        out_.pop_front();
    }
    if (!out_.empty()) return flush();
    if (state_ == State::handling) expect_nothing();
    if (state_ == State::ending) after_answer();
}

void Connection::end_answer() {
    // A chunked answer without its end says to the client that it is not whole.
    if (chunked_) close_after_ = true;
    state_ = State::ending;
    if (out_.empty() && !writing_) after_answer();
}

void Connection::after_answer() {
    if (const auto exchange = exchange_.lock()) exchange->over();
    exchange_.reset();
    if (running_) --core_->stats.requests_running;
    running_ = false;
    release_body();
    if (close_after_ || core_->stopping) {
        if (unread_input_ || reader_->buffered() > 0) return linger();
        return close();
    }
    state_ = State::idle;
    expect_within(core_->options.idle_timeout);
    advance();
    const bool wants_input =
        state_ == State::idle || state_ == State::head || state_ == State::body;
    if (wants_input && input_ended_) return close();
    read();
}

// A socket that is closed with unread input resets the connection, and the client may lose our answer:
// read it away for a while.
void Connection::linger() {
    state_ = State::lingering;
    Error ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    if (input_ended_ || core_->stopping) return close();
    expect_within(core_->options.linger);
    read();
}

}  // namespace scanmq::http
