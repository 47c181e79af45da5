#pragma once
// ScriptedServer: a TCP server on a free loopback port whose every connection runs a test's script, on a
//                 thread of its own: for answers that no honest server gives.
//
// Threads: the script is called by several threads at once, with the number of its connection (from 0).
// Limits:  every read gives up after kPatience, so that a test fails rather than hangs.
// Ending:  the destructor closes all connections; reads then say so, and scripts are to return.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace scanmq::test {

struct PeerRequest {
    std::string head;  // with its blank line
    std::string body;

    [[nodiscard]] std::string line() const { return head.substr(0, head.find("\r\n")); }
    // The value of the header, as sent; empty when there is none.
    [[nodiscard]] std::string header(const std::string& name) const {
        const std::size_t at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos) return {};
        const std::size_t begin = at + name.size() + 4;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
};

class Peer {
  public:
    static constexpr std::chrono::milliseconds kPatience{20'000};

    explicit Peer(int fd) : fd_(fd) {}

    // nullopt: the other side is gone.
    std::optional<PeerRequest> request() {
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
            if (!more()) return std::nullopt;
        }
        PeerRequest out;
        out.head = buffer_.substr(0, end + 4);
        buffer_.erase(0, end + 4);
        const std::string length = out.header("Content-Length");
        const std::size_t size = length.empty() ? 0 : std::stoul(length);
        while (buffer_.size() < size) {
            if (!more()) return std::nullopt;
        }
        out.body = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return out;
    }
    bool send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    bool answer(int status, std::string_view body, const std::string& headers = {}) const {
        return send("HTTP/1.1 " + std::to_string(status) + " Status\r\n" + headers +
                    "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                    std::string(body));
    }
    // Waits until the other side has gone.
    void wait_closed() {
        while (more()) {
        }
    }
    // The next close sends a reset.
    void reset_on_close() const {
        const linger now{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }

  private:
    bool more() {
        pollfd readable{fd_, POLLIN, 0};
        if (poll(&readable, 1, static_cast<int>(kPatience.count())) != 1) return false;
        char bytes[16 << 10];
        const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
        if (got <= 0) return false;
        buffer_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }

    int fd_;
    std::string buffer_;
};

class ScriptedServer {
  public:
    using Script = std::function<void(Peer&, int connection)>;

    // Port 0 takes a free one.
    explicit ScriptedServer(Script script, std::uint16_t port = 0) : script_(std::move(script)) {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int yes = 1;
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        void* raw = &at;
        socklen_t size = sizeof at;
        if (bind(listener_, static_cast<sockaddr*>(raw), size) != 0 || listen(listener_, 64) != 0 ||
            getsockname(listener_, static_cast<sockaddr*>(raw), &size) != 0) {
            throw std::runtime_error("cannot listen");
        }
        port_ = ntohs(at.sin_port);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~ScriptedServer() {
        shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        close(listener_);
        {
            const std::lock_guard lock(mutex_);
            for (const int fd : open_) shutdown(fd, SHUT_RDWR);
        }
        for (std::thread& thread : threads_) thread.join();
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] int connections() const noexcept { return connections_; }

  private:
    void accept_all() {
        for (;;) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            const int number = connections_++;
            const std::lock_guard lock(mutex_);
            open_.push_back(fd);
            threads_.emplace_back([this, fd, number] {
                Peer peer(fd);
                script_(peer, number);
                const std::lock_guard guard(mutex_);
                std::erase(open_, fd);
                close(fd);
            });
        }
    }

    Script script_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> connections_{0};
    std::mutex mutex_;  // guards open_
    std::vector<int> open_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

}  // namespace scanmq::test
