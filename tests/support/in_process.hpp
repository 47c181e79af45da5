#pragma once
// A real broker and a real worker that does nothing, in this process, and clients of them, over loopback.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "broker/server/broker_server.hpp"
#include "client/cpp/client.hpp"
#include "worker/scanners/noop_scanner.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::tests {

inline constexpr Duration kPatience = std::chrono::seconds(30);

class Broker {
  public:
    explicit Broker(broker::ServerOptions options = {}, const std::string& listen = {}) {
        options.listen = listen.empty() ? "tcp://127.0.0.1:0" : listen;
        options.blob_listen = "tcp://127.0.0.1:0";
        options.durability = "memory";
        auto made = broker::BrokerServer::create(options);
        EXPECT_TRUE(made.ok()) << made.error().sentence;
        server_ = std::move(*made);
        thread_ = std::thread([this] { EXPECT_TRUE(server_->run().ok()); });
    }
    ~Broker() {
        server_->stop();
        thread_.join();
    }
    [[nodiscard]] const std::string& endpoint() const { return server_->endpoint(); }

  private:
    std::unique_ptr<broker::BrokerServer> server_;
    std::thread thread_;
};

class Worker {
  public:
    explicit Worker(const std::string& broker)
        : server_(settings(broker), std::make_unique<worker::NoopScanner>()),
          thread_([this] { (void)server_.run(); }) {}
    ~Worker() {
        server_.abort();
        thread_.join();
    }

  private:
    static worker::Settings settings(const std::string& broker) {
        worker::Settings out;
        out.brokers = {broker};
        out.core.name = "worker";
        return out;
    }
    worker::WorkerServer server_;
    std::thread thread_;
};

inline std::unique_ptr<client::Client> make(const std::string& broker, bool threaded = false,
                                            const std::string& name = "client") {
    client::ClientOptions options;
    options.brokers = {broker};
    options.background_thread = threaded;
    options.name = name;
    auto client = client::Client::open(options).value();
    EXPECT_TRUE(client->wait_open(kPatience).ok());
    return client;
}

}  // namespace scanmq::tests
