#pragma once
// A broker with its HTTP API, workers where a test wants them, and an HTTP client; free ports only.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "broker/server/broker_server.hpp"
#include "client/cpp/client.hpp"
#include "tests/support/raw_http.hpp"
#include "tests/support/snapshots.hpp"
#include "worker/scanners/embedded_scanner.hpp"
#include "worker/scanners/noop_scanner.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::gateway::test {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using scanmq::test::RawAnswer;
using scanmq::test::RawHttp;

inline constexpr Duration kPatience = 30s;

// The first true value within the patience.
inline bool until(const std::function<bool()>& condition) {
    const Time deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
        if (condition()) return true;
        std::this_thread::sleep_for(2ms);
    }
    return false;
}

class System : public ::testing::Test {
  protected:
    ~System() override { stop(); }

    void start(broker::ServerOptions options = {}) {
        spdlog::set_level(spdlog::level::off);
        options.listen = "tcp://127.0.0.1:0";
        options.http = "127.0.0.1:0";
        if (options.data == broker::ServerOptions{}.data) options.durability = "memory";
        auto made = broker::BrokerServer::create(options);
        ASSERT_TRUE(made.ok()) << made.error().sentence;
        broker_ = std::move(*made);
        address = broker_->http_endpoint().substr(std::string("http://").size());
        thread_ = std::thread([this] { EXPECT_TRUE(broker_->run().ok()); });
        client::ClientOptions as;
        as.brokers = {broker_->endpoint()};
        client = client::Client::open(as).value();
        ASSERT_TRUE(client->wait_open(kPatience).ok());
        ASSERT_TRUE(until([this] { return call("GET", "/healthz").status == 200; }));
    }
    void stop() {
        workers_.clear();
        client.reset();
        if (!broker_) return;
        broker_->stop();
        thread_.join();
        broker_.reset();
    }
    void stop_broker_only() { broker_->stop(); }

    void work(std::unique_ptr<worker::Scanner> scanner) {
        workers_.push_back(std::make_unique<Worker>(broker_->endpoint(), std::move(scanner)));
    }
    void put(const std::string& symbol, double forward = 100) {
        const std::string bytes = testing::snapshot_of(symbol, forward);
        const auto id = client->put_blob(bytes, protocol::BlobType::snapshot, symbol);
        ASSERT_TRUE(id.ok()) << id.error().sentence;
        ASSERT_TRUE(client->set_alias(symbol + "@latest", *id).ok());
    }

    [[nodiscard]] RawAnswer call(const std::string& method, const std::string& target,
                                 const std::string& body = {}, const std::string& headers = {}) {
        return RawHttp(address).call(method, target, body, headers);
    }
    [[nodiscard]] Json json(const std::string& method, const std::string& target,
                            const std::string& body = {}) {
        return Json::parse(call(method, target, body).body, nullptr, false);
    }
    // A column of the queue's row.
    [[nodiscard]] std::uint64_t of_queue(const std::string& queue, const std::string& column) {
        const auto rows = client->query("queues", queue);
        if (!rows || rows->empty()) return 0;
        for (const auto& [name, value] : rows->front()) {
            if (name == column) return std::get<std::uint64_t>(value);
        }
        ADD_FAILURE() << "no column " << column;
        return 0;
    }
    [[nodiscard]] std::uint64_t figure(const std::string& name) {
        const RawAnswer answer = call("GET", "/metrics", "", "Accept: application/json\r\n");
        const Json metrics = Json::parse(answer.body, nullptr, false);
        if (!metrics.contains(name)) {
            ADD_FAILURE() << "no figure " << name << ": " << answer.status << " " << answer.body;
            return 0;
        }
        return metrics[name].get<std::uint64_t>();
    }

    std::string address;
    std::unique_ptr<client::Client> client;

  private:
    struct Worker {
        Worker(const std::string& endpoint, std::unique_ptr<worker::Scanner> scanner)
            : server(settings(endpoint), std::move(scanner)),
              thread([this] { (void)server.run(); }) {}
        ~Worker() {
            server.abort();
            thread.join();
        }
        static worker::Settings settings(const std::string& endpoint) {
            worker::Settings out;
            out.brokers = {endpoint};
            out.core.threads = 1;
            return out;
        }
        worker::WorkerServer server;
        std::thread thread;
    };

    std::unique_ptr<broker::BrokerServer> broker_;
    std::thread thread_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace scanmq::gateway::test
