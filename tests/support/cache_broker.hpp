#pragma once
// CacheBroker: a scanmq-broker in a process of its own that keeps results of other brokers; what RedisServer is
//              for a Redis. Ended with the object, by its pid.
//
// Start:     on a port that it takes by itself and writes down; start_again() takes the same.
// Needs:     the program scanmq-broker beside the tests.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.hpp"
#include "common/process/spawn.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::tests {

class CacheBroker {
  public:
    explicit CacheBroker(std::vector<std::string> options = {"--cache-peers", "on"})
        : options_(std::move(options)) {
        if (!start("tcp://127.0.0.1:0"))
            throw std::runtime_error("scanmq-broker does not start; is it built?");
    }
    ~CacheBroker() { stop(); }
    CacheBroker(const CacheBroker&) = delete;
    CacheBroker& operator=(const CacheBroker&) = delete;

    // For --cache.
    [[nodiscard]] const std::string& url() const noexcept { return endpoint_; }
    // Ends it as a crash would; whatever it kept is gone.
    void stop() {
        if (pid_ < 0) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    // On the same port.
    void start_again() {
        stop();
        if (!start(endpoint_)) throw std::runtime_error("scanmq-broker does not start again");
    }
    // It runs no more when this returns.
    void freeze() const {
        kill(pid_, SIGSTOP);
        waitpid(pid_, nullptr, WUNTRACED);
    }
    void thaw() const { kill(pid_, SIGCONT); }
    // How many results of other brokers it keeps.
    [[nodiscard]] std::uint64_t keys() const {
        client::ClientOptions as;
        as.brokers = {endpoint_};
        as.name = "looks after it";
        auto client = client::Client::open(as);
        if (!client.ok() || !(*client)->wait_open(kPatience).ok()) return 0;
        const auto rows = (*client)->query("cache");
        if (!rows.ok()) return 0;
        for (const protocol::Row& row : *rows) {
            if (row[0].second == protocol::Value(std::string("peers")))
                return std::get<std::uint64_t>(row[1].second);
        }
        return 0;
    }

  private:
    static constexpr std::chrono::seconds kPatience{20};

    bool start(const std::string& listen) {
        const std::string file = (directory_.path() / "endpoints").string();
        std::filesystem::remove(file);
        process::SpawnOptions spawn;
        spawn.program = std::string(SCANMQ_BIN_DIR) + "/scanmq-broker";
        spawn.death_signal = SIGKILL;
        spawn.arguments = {"--listen",     listen,   "--blob-listen",   "tcp://127.0.0.1:0",
                           "--durability", "memory", "--http",          "none",
                           "--log",        "off",    "--endpoint-file", file};
        spawn.arguments.insert(spawn.arguments.end(), options_.begin(), options_.end());
        auto child = process::spawn(spawn);
        if (!child) throw std::runtime_error(child.error());
        close(child->in);
        close(child->out);
        pid_ = child->pid;
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (std::chrono::steady_clock::now() < end) {
            std::ifstream in(file);
            std::string line;
            // The second line is written after the first one's end.
            if (std::getline(in, line) && !in.eof()) {
                endpoint_ = line;
                return true;
            }
            if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
                pid_ = -1;
                return false;
            }
            poll(nullptr, 0, 5);
        }
        stop();
        return false;
    }

    std::vector<std::string> options_;
    TempDir directory_;
    std::string endpoint_;
    pid_t pid_ = -1;
};

}  // namespace scanmq::tests
