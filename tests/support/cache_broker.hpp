#pragma once
// CacheBroker: a scanmq-broker in a process of its own that keeps results of other brokers; what RedisServer is
//              for a Redis. Ended with the object, by its pid.
//
// Start:     on a port that it takes by itself and writes down; start_again() takes the same.
// Needs:     the program scanmq-broker beside the tests.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::tests {

class CacheBroker {
  public:
    explicit CacheBroker(std::vector<std::string> options = {"--cache-peers", "on"})
        : options_(std::move(options)) {
        if (!start("tcp://127.0.0.1:0"))
            throw std::runtime_error("scanmq-broker does not start; is it built?");
    }

    // For --cache.
    [[nodiscard]] const std::string& url() const noexcept { return endpoint_; }
    // Ends it as a crash would; whatever it kept is gone.
    void stop() { process_.stop(); }
    // On the same port.
    void start_again() {
        stop();
        if (!start(endpoint_)) throw std::runtime_error("scanmq-broker does not start again");
    }
    // It runs no more when this returns.
    void freeze() const { process_.freeze(); }
    void thaw() const { process_.thaw(); }
    // How many results of other brokers it keeps. Throws when it does not say.
    [[nodiscard]] std::uint64_t keys() const {
        client::ClientOptions as;
        as.brokers = {endpoint_};
        as.name = "looks after it";
        auto client = client::Client::open(as);
        if (!client.ok() || !(*client)->wait_open(kPatience).ok())
            throw std::runtime_error("no session with the cache broker at " + endpoint_);
        const auto rows = (*client)->query("cache");
        if (!rows.ok()) throw std::runtime_error("the cache broker answers no query");
        for (const protocol::Row& row : *rows) {
            if (column(row, "tier") != "peers") continue;
            if (const auto results = figure(row, "results")) return *results;
        }
        throw std::runtime_error("the cache broker tells no number of its peers' results");
    }

  private:
    static constexpr std::chrono::seconds kPatience{20};

    bool start(const std::string& listen) {
        const std::string file = (directory_.path() / "endpoints").string();
        std::filesystem::remove(file);
        process::SpawnOptions spawn;
        spawn.program = std::string(SCANMQ_BIN_DIR) + "/scanmq-broker";
        spawn.arguments = {"--listen",     listen,   "--blob-listen",   "tcp://127.0.0.1:0",
                           "--durability", "memory", "--http",          "none",
                           "--log",        "off",    "--endpoint-file", file};
        spawn.arguments.insert(spawn.arguments.end(), options_.begin(), options_.end());
        return process_.start(std::move(spawn), [&] {
            std::ifstream in(file);
            std::string line;
            // The second line is written after the first one's end.
            if (!std::getline(in, line) || in.eof()) return false;
            endpoint_ = line;
            return true;
        });
    }

    std::vector<std::string> options_;
    TempDir directory_;
    std::string endpoint_;
    ServerProcess process_;
};

}  // namespace scanmq::tests
