#include "common/http/client_connection.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

namespace scanmq::http {

namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 16U << 10;      // of one read, at first
constexpr std::size_t kReadBytesMax = 256U << 10;  // within a large body
constexpr std::size_t kKeptBuffer = 256U << 10;    // of memory, between two requests
constexpr int kInterimMax = 8;

}  // namespace

ClientConnection::ClientConnection(asio::io_context& io, const ClientOptions& options,
                                   ClientStats& stats, Owner owner)
    : socket_(io), resolver_(io), options_(options), stats_(stats), owner_(std::move(owner)) {
    buffer_.max_size(options.header_bytes_max + 2 * kReadBytesMax);
}

void ClientConnection::connect(const Endpoint& endpoint) {
    error_code error;
    const auto address = asio::ip::make_address(endpoint.host, error);
    if (!error) {
        return connect_to(tcp::resolver::results_type::create(tcp::endpoint(address, endpoint.port),
                                                              endpoint.host, {}));
    }
    resolver_.async_resolve(
        endpoint.host, std::to_string(endpoint.port), tcp::resolver::numeric_service,
        [self = shared_from_this(), host = endpoint.host](
            const error_code& failed, const tcp::resolver::results_type& addresses) {
            if (self->closed_) return;
            if (failed) {
                return self->owner_.connected(
                    *self, "the name " + host + " cannot be looked up: " + failed.message());
            }
            self->connect_to(addresses);
        });
}

void ClientConnection::connect_to(const tcp::resolver::results_type& addresses) {
    asio::async_connect(socket_, addresses,
                        [self = shared_from_this()](const error_code& error, const auto&) {
                            if (!self->closed_) self->on_connect(error);
                        });
}

void ClientConnection::on_connect(const error_code& error) {
    if (error) return owner_.connected(*this, "cannot connect: " + error.message());
    error_code ignored;  // it works without these, only worse
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    is_connected = true;
    owner_.connected(*this, {});
}

void ClientConnection::begin(std::string_view head, ByteView body, bool head_only) {
    head_only_ = head_only;
    written_ = answering_ = reusable_ = false;
    interim_ = 0;
    new_parser();
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head.data(), head.size()),
                                                  asio::buffer(body.data(), body.size())};
    // What goes wrong with a write is told by the read, perhaps after an answer that explains it.
    asio::async_write(socket_, parts,
                      [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                          if (self->closed_) return;
                          self->stats_.bytes_out += bytes;
                          self->written_ = !error;
                      });
    read();
}

bool ClientConnection::usable() {
    char byte{};
    const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void ClientConnection::close() {
    if (closed_) return;
    closed_ = true;
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
}

void ClientConnection::new_parser() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(options_.header_bytes_max));
    parser_->body_limit(options_.body_bytes_max);
    parser_->skip(head_only_);
}

void ClientConnection::read() {
    // A large body comes in large reads.
    const bool body =
        parser_->is_header_done() && parser_->content_length_remaining().value_or(0) > kReadBytes;
    socket_.async_read_some(
        buffer_.prepare(body ? kReadBytesMax : kReadBytes),
        [self = shared_from_this()](const error_code& error, std::size_t bytes) {
            if (!self->closed_) self->on_read(error, bytes);
        });
}

void ClientConnection::on_read(const error_code& error, std::size_t bytes) {
    stats_.bytes_in += bytes;
    if (bytes > 0) answering_ = true;
    buffer_.commit(bytes);
    if (!error) {
        if (!parse()) read();
        return;
    }
    if (error == asio::error::eof && parser_->is_header_done() && parser_->need_eof()) {
        error_code cut;
        parser_->put_eof(cut);
        if (!cut && parser_->is_done()) return complete();
    }
    const std::string how = error == asio::error::eof ? "the server closed it" : error.message();
    end(ClientError::broken, answering_ ? "the connection ended within the answer: " + how
                                        : "the connection ended before the answer: " + how);
}

bool ClientConnection::parse() {
    while (buffer_.size() > 0 && !parser_->is_done()) {
        error_code error;
        // Not within the header: Boost 1.74 loses the header's error when it goes on to the body.
        parser_->eager(parser_->is_header_done());
        const std::size_t used = parser_->put(buffer_.data(), error);
        buffer_.consume(used);
        if (error == beast_http::error::need_more) return false;
        if (error == beast_http::error::body_limit) {
            end(ClientError::body_too_large,
                "the answer has more than " + std::to_string(options_.body_bytes_max) + " bytes");
            return true;
        }
        if (error == beast_http::error::header_limit) {
            end(ClientError::header_too_large, "the answer's headers have more than " +
                                                   std::to_string(options_.header_bytes_max) +
                                                   " bytes");
            return true;
        }
        if (error) {
            end(ClientError::malformed, "the answer is not HTTP/1.1: " + error.message());
            return true;
        }
        if (!parser_->is_done()) {
            if (used == 0) return false;
            continue;
        }
        const int status = static_cast<int>(parser_->get().result_int());
        if (status / 100 != 1) break;
        if (status == 101 || ++interim_ > kInterimMax) {
            end(ClientError::malformed, "the answer is interim for ever");
            return true;
        }
        new_parser();
    }
    if (!parser_->is_done()) return false;
    complete();
    return true;
}

void ClientConnection::complete() {
    auto message = parser_->release();
    // What follows an answer that nobody asked for more than once is not ours to read.
    reusable_ = written_ && buffer_.size() == 0 && message.keep_alive() && !message.need_eof();
    ClientResponse response;
    response.status = static_cast<int>(message.result_int());
    response.headers.reserve(8);
    for (const auto& field : message) {
        response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    response.body = std::move(message.body());
    end(ClientResult(std::move(response)));
}

void ClientConnection::end(ClientError error, std::string sentence) {
    end(fail(ClientFailure{error, std::move(sentence)}));
}

void ClientConnection::end(ClientResult result) {
    parser_.reset();
    if (buffer_.capacity() > kKeptBuffer) {
        buffer_.clear();
        buffer_.shrink_to_fit();
    }
    owner_.ended(*this, std::move(result));
}

}  // namespace scanmq::http
