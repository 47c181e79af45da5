#pragma once
// RedisServer: a real redis-server of a test's own, on a free loopback port, with nothing on disk but a
//              temporary directory; ended with the object, by its pid.
//
// Start:     Redis has no port 0 that tells what it took: a free port is found by binding, and another one is
//            tried when someone else was faster. It is up when its log says so.
// Needs:     the package redis-server. Debian's own service of it is not touched.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/process/spawn.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::tests {

class RedisServer {
  public:
    explicit RedisServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
        for (int attempt = 0; attempt < 20; ++attempt) {
            port_ = free_port();
            if (start()) return;
        }
        throw std::runtime_error("redis-server does not start; is the package installed?");
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::string url(const std::string& credentials = {}) const {
        return "redis://" + credentials + "127.0.0.1:" + std::to_string(port_);
    }
    // Ends it as a crash would; whatever it kept is gone.
    void stop() { process_.stop(); }
    // On the same port.
    void start_again() {
        stop();
        if (!start()) throw std::runtime_error("redis-server does not start again");
    }
    // It runs no more when this returns.
    void freeze() const { process_.freeze(); }
    void thaw() const { process_.thaw(); }

    // Sends one command in words without blanks, and returns what comes first: enough for set-up and
    // short replies.
    std::string command(std::string_view line) const {
        const int fd = connect();
        if (fd < 0) return {};
        std::string out = exchange(fd, std::string(line) + "\r\n");
        close(fd);
        return out;
    }
    // Throws when it does not say.
    [[nodiscard]] std::uint64_t keys() const {
        const std::string reply = command("DBSIZE");  // ":12\r\n"
        if (reply.size() < 2 || reply[0] != ':')
            throw std::runtime_error("redis-server answers DBSIZE with '" + reply + "'");
        return std::stoull(reply.substr(1));
    }
    // Any bytes as a value: as a command of words, each with its length.
    std::string command(const std::vector<std::string>& words) const {
        const int fd = connect();
        if (fd < 0) return {};
        std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
        for (const std::string& word : words)
            bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
        std::string out = exchange(fd, bytes);
        close(fd);
        return out;
    }

  private:
    static constexpr int kPatienceMs = 20'000;

    static sockaddr_in address(std::uint16_t port) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return at;
    }
    static std::uint16_t free_port() {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at = address(0);
        void* raw = &at;
        socklen_t size = sizeof at;
        const bool bound = bind(fd, static_cast<sockaddr*>(raw), size) == 0 &&
                           getsockname(fd, static_cast<sockaddr*>(raw), &size) == 0;
        close(fd);
        if (!bound) throw std::runtime_error("no free port");
        return ntohs(at.sin_port);
    }
    int connect() const {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at = address(port_);
        const void* raw = &at;
        if (::connect(fd, static_cast<const sockaddr*>(raw), sizeof at) == 0) return fd;
        close(fd);
        return -1;
    }
    static std::string exchange(int fd, const std::string& bytes) {
        if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(bytes.size()))
            return {};
        pollfd readable{fd, POLLIN, 0};
        char reply[4096];
        if (poll(&readable, 1, kPatienceMs) != 1) return {};
        const ssize_t got = recv(fd, reply, sizeof reply, 0);
        return got > 0 ? std::string(reply, static_cast<std::size_t>(got)) : std::string();
    }
    // By its own log: on the port somebody else's server might answer.
    bool says_ready() const {
        std::ifstream log(directory_.path() / "redis.log");
        const std::string text((std::istreambuf_iterator<char>(log)),
                               std::istreambuf_iterator<char>());
        return text.find("Ready to accept connections") != std::string::npos;
    }
    // False: it ended, most likely because the port was taken meanwhile.
    bool start() {
        const auto program = process::find_program("redis-server");
        if (!program) throw std::runtime_error(program.error());
        process::SpawnOptions spawn;
        std::filesystem::remove(directory_.path() / "redis.log");
        spawn.program = *program;
        spawn.arguments = {"--port",       std::to_string(port_),
                           "--bind",       "127.0.0.1",
                           "--save",       "",
                           "--appendonly", "no",
                           "--daemonize",  "no",
                           "--dir",        directory_.path().string(),
                           "--logfile",    "redis.log"};
        spawn.arguments.insert(spawn.arguments.end(), options_.begin(), options_.end());
        return process_.start(std::move(spawn), [this] { return says_ready(); });
    }

    std::vector<std::string> options_;
    TempDir directory_;
    std::uint16_t port_ = 0;
    ServerProcess process_;
};

}  // namespace scanmq::tests
