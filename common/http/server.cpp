#include "common/http/server.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <exception>
#include <utility>
#include <vector>

#include "common/http/connection.hpp"
#include "common/http/server_core.hpp"

namespace scanmq::http {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Error = boost::system::error_code;

// After an accept that failed for want of descriptors or memory.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

Result<tcp::endpoint, std::string> read_endpoint(const std::string& text) {
    const auto wrong = [&text] {
        return fail(fmt::format(
            "cannot listen on \"{}\": give an address and a port, like 127.0.0.1:8702", text));
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return wrong();
    std::string host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    if (host == "localhost") host = "127.0.0.1";
    if (host == "*") host = "0.0.0.0";
    std::uint16_t port = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end) return wrong();
    Error error;
    const auto address = asio::ip::make_address(host, error);
    if (error) return wrong();
    return tcp::endpoint(address, port);
}

std::string text_of(const tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                      : fmt::format("{}:{}", host, endpoint.port());
}

}  // namespace

bool is_loopback(const std::string& listen) {
    const auto endpoint = read_endpoint(listen);
    return endpoint.ok() && endpoint->address().is_loopback();
}

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
  public:
    Impl(asio::io_context& io, ServerOptions options, Router router)
        : core_(std::make_shared<ServerCore>(io, std::move(options), std::move(router))),
          acceptor_(io),
          pause_(io),
          patience_(io) {}

    Result<void, std::string> listen();
    void accept();
    void stop(Duration patience, std::function<void()> stopped);
    void abort_all();

    std::shared_ptr<ServerCore> core_;  // shared with the connections
    std::string address_;

  private:
    void take(tcp::socket socket);
    void check_stopped();

    tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    asio::steady_timer patience_;
    std::function<void()> stopped_;
};

Result<void, std::string> Server::Impl::listen() {
    const auto endpoint = read_endpoint(core_->options.listen);
    if (!endpoint) return fail(endpoint.error());
    Error error;
    acceptor_.open(endpoint->protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(*endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        return fail(fmt::format("cannot listen on {}: {}", core_->options.listen, error.message()));
    }
    address_ = text_of(acceptor_.local_endpoint(error));
    return {};
}

void Server::Impl::accept() {
    if (!acceptor_.is_open()) return;
    acceptor_.async_accept([self = shared_from_this()](const Error& error, tcp::socket socket) {
        if (!self->acceptor_.is_open()) return;
        if (error) {
            ++self->core_->stats.accept_errors;
            self->pause_.expires_after(kAcceptPause);
            self->pause_.async_wait([self](const Error& ended) {
                if (!ended) self->accept();
            });
            return;
        }
        self->take(std::move(socket));
        self->accept();
    });
}

void Server::Impl::take(tcp::socket socket) {
    HttpStats& stats = core_->stats;
    if (core_->connections.size() >= core_->options.connections_max) {
        ++stats.connections_refused;
        // One try, without a wait: someone over the limit gets no place to wait in.
        const std::string body =
            retry_response(503, "too_many_connections",
                           fmt::format("{} connections are open, more are not taken; close idle "
                                       "ones or try again",
                                       core_->connections.size()),
                           std::chrono::seconds(1))
                .body;
        std::string answer = fmt::format(
            "HTTP/1.1 503 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
            "Retry-After: 1\r\nConnection: close\r\n",
            reason_of(503), body.size());
        for (const auto& [name, value] : core_->options.headers) {
            answer += fmt::format("{}: {}\r\n", name, value);
        }
        answer += "\r\n" + body;
        Error ignored;
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(answer), ignored);
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        return;
    }
    ++stats.connections;
    auto connection = std::make_shared<Connection>(core_, std::move(socket));
    core_->connections.insert(connection);
    stats.connections_open = core_->connections.size();
    connection->start();
}

void Server::Impl::stop(Duration patience, std::function<void()> stopped) {
    core_->draining = true;
    core_->stopping = true;
    stopped_ = std::move(stopped);
    Error ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    core_->on_connection_closed = [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->check_stopped();
    };
    const std::vector<std::shared_ptr<Connection>> open(core_->connections.begin(),
                                                        core_->connections.end());
    for (const auto& connection : open) connection->close_when_idle();
    patience_.expires_after(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(patience));
    patience_.async_wait([self = shared_from_this()](const Error& error) {
        if (!error) self->abort_all();
    });
    check_stopped();
}

void Server::Impl::check_stopped() {
    if (!core_->connections.empty() || !stopped_) return;
    patience_.cancel();
    asio::post(core_->io, std::exchange(stopped_, nullptr));
}

void Server::Impl::abort_all() {
    Error ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    const std::vector<std::shared_ptr<Connection>> open(core_->connections.begin(),
                                                        core_->connections.end());
    for (const auto& connection : open) {
        if (connection->abort()) ++core_->stats.aborted;
    }
}

Result<std::unique_ptr<Server>, std::string> Server::create(asio::io_context& io,
                                                            ServerOptions options, Router router) {
    auto impl = std::make_shared<Impl>(io, std::move(options), std::move(router));
    if (auto listening = impl->listen(); !listening) return fail(listening.error());
    impl->accept();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    impl_->core_->on_connection_closed = nullptr;
    try {
        impl_->abort_all();
    } catch (const std::exception&) {
        return;  // no memory even for that: the io_context's end closes the rest
    }
}

const std::string& Server::address() const noexcept { return impl_->address_; }
const HttpStats& Server::stats() const noexcept { return impl_->core_->stats; }
void Server::drain() { impl_->core_->draining = true; }
bool Server::draining() const noexcept { return impl_->core_->draining; }
void Server::stop(Duration patience, std::function<void()> stopped) {
    impl_->stop(patience, std::move(stopped));
}

}  // namespace scanmq::http
