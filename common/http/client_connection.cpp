#include "common/http/client_connection.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>

namespace scanmq::http {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 16U << 10;      // of one read, at first
constexpr std::size_t kReadBytesMax = 256U << 10;  // within a large body

}  // namespace

ClientConnection::ClientConnection(asio::io_context& io, const ClientOptions& options,
                                   ClientStats& stats, Owner owner)
    : socket_(io),
      resolver_(io),
      options_(options),
      stats_(stats),
      owner_(std::move(owner)),
      reader_(options.header_bytes_max, options.body_bytes_max) {}

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
    written_ = answering_ = reusable_ = false;
    reader_.begin(head_only);
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

void ClientConnection::read() {
    // A large body comes in large reads.
    buffer_.resize(reader_.expected() > kReadBytes ? kReadBytesMax : kReadBytes);
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](
                                                       const error_code& error, std::size_t bytes) {
        if (!self->closed_) self->on_read(error, bytes);
    });
}

void ClientConnection::on_read(const error_code& error, std::size_t bytes) {
    stats_.bytes_in += bytes;
    if (bytes > 0) answering_ = true;
    if (!error) return on_step(reader_.feed({buffer_.data(), bytes}));
    if (error == asio::error::eof && reader_.end() == ResponseReader::Step::complete) {
        return on_step(ResponseReader::Step::complete);
    }
    const std::string how = error == asio::error::eof ? "the server closed it" : error.message();
    end(ClientError::broken, answering_ ? "the connection ended within the answer: " + how
                                        : "the connection ended before the answer: " + how);
}

void ClientConnection::on_step(ResponseReader::Step step) {
    switch (step) {
        case ResponseReader::Step::more:
            return read();
        case ResponseReader::Step::complete:
            reusable_ = written_ && reader_.keeps_connection();
            return end(ClientResult(reader_.take()));
        case ResponseReader::Step::malformed:
            return end(ClientError::malformed, "the answer is not HTTP/1.1: " + reader_.problem());
        case ResponseReader::Step::header_too_large:
            return end(ClientError::header_too_large,
                       "the answer's headers have more than " +
                           std::to_string(options_.header_bytes_max) + " bytes");
        case ResponseReader::Step::body_too_large:
            return end(
                ClientError::body_too_large,
                "the answer has more than " + std::to_string(options_.body_bytes_max) + " bytes");
    }
}

void ClientConnection::end(ClientError error, std::string sentence) {
    end(fail(ClientFailure{error, std::move(sentence)}));
}

void ClientConnection::end(ClientResult result) {
    if (buffer_.size() > kReadBytes) std::vector<char>().swap(buffer_);  // not kept while idle
    owner_.ended(*this, std::move(result));
}

}  // namespace scanmq::http
