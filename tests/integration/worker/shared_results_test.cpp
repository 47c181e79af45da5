// Brokers and workers that share one Redis, or one broker: what one computed is not computed by another.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <thread>

#include "broker/server/broker_server.hpp"
#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "tests/support/cache_broker.hpp"
#include "tests/support/redis_server.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::worker {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 30s;
constexpr Duration kWait = 2s;  // for the tier, on a busy machine
constexpr int kJobs = 200;

class NamedScanner final : public Scanner {
  public:
    explicit NamedScanner(std::string name) : name_(std::move(name)) {}
    std::string version() const override { return "named/1"; }
    bool reads_inputs() const override { return false; }
    bool on_loop() const override { return true; }
    void run(const Task& task, Outcome& out) const noexcept override {
        out.storage = name_ + " computed " + std::string(task.payload);
        out.body = out.storage;
    }

  private:
    std::string name_;
};

// A broker with a queue of pure jobs, and its one worker.
class Site {
  public:
    Site(const std::string& name, const std::string& broker_cache,
         const std::string& worker_cache) {
        broker::ServerOptions options;
        options.listen = "tcp://127.0.0.1:0";
        options.durability = "memory";
        options.queues = {"scans,pure=1"};
        options.cache = broker_cache;
        options.core.cache_wait = kWait;
        auto made = broker::BrokerServer::create(options);
        if (!made) throw std::runtime_error(made.error().sentence);
        broker_ = std::move(made).value();
        broker_thread_ = std::thread([this] { EXPECT_TRUE(broker_->run().ok()); });
        client::ClientOptions as;
        as.brokers = {broker_->endpoint()};
        client_ = client::Client::open(as).value();
        EXPECT_TRUE(client_->wait_open(kPatience).ok());
        EXPECT_TRUE(client_->set_queue_version("scans", "named/1").ok());
        client::SubscriberOptions reading;
        reading.queue = "scans";
        subscriber_ = std::make_unique<client::Subscriber>(*client_, reading);
        EXPECT_TRUE(subscriber_->wait_active(kPatience).ok());
        Settings settings;
        settings.brokers = {broker_->endpoint()};
        settings.results.where = worker_cache;
        settings.results.wait = kWait;
        worker_ = std::make_unique<WorkerServer>(settings, std::make_unique<NamedScanner>(name));
        worker_thread_ = std::thread([this] { static_cast<void>(worker_->run()); });
    }
    ~Site() {
        worker_->abort();
        worker_thread_.join();
        subscriber_.reset();
        client_.reset();
        broker_->stop();
        broker_thread_.join();
    }
    // The result of one job.
    std::string scan(const std::string& payload, bool fresh = false) {
        client::Producer producer(*client_, "scans");
        client::Job job;
        job.payload = payload;
        job.fresh = fresh;
        EXPECT_TRUE(producer.submit(job).ok());
        EXPECT_TRUE(producer.drain(kPatience).ok());
        auto received = subscriber_->receive(kPatience);
        if (!received.ok() || !received->has_value()) return "nothing came";
        return std::string((*received)->entries().front().body.bytes);
    }
    // The first of the jobs that was not computed here, once there is a connection to the tier; "": none.
    std::string first_known(const std::string& name, const std::string& by) {
        for (int i = 0; i < kJobs; ++i) {
            const std::string payload = "job " + std::to_string(i);
            const std::string result = scan(payload);
            if (result == by + " computed " + payload) return payload;
            EXPECT_EQ(result, name + " computed " + payload);
        }
        return "";
    }
    std::uint64_t cached() {
        const auto rows = client_->query("queues", "scans");
        if (!rows.ok() || rows->empty()) return 0;
        for (const auto& [column, value] : rows->front()) {
            if (column == "cached") return std::get<std::uint64_t>(value);
        }
        return 0;
    }

  private:
    std::unique_ptr<broker::BrokerServer> broker_;
    std::thread broker_thread_;
    std::unique_ptr<client::Client> client_;
    std::unique_ptr<client::Subscriber> subscriber_;
    std::unique_ptr<WorkerServer> worker_;
    std::thread worker_thread_;
};

template <class Server>
class SharedResults : public testing::Test {
  protected:
    SharedResults() {
        spdlog::set_level(spdlog::level::off);
        // As many more as are needed until its broker is connected and puts.
        Site first("first", tier.url(), tier.url());
        for (int i = 0; i < 2'000 && tier.keys() == 0; ++i) first.scan("warm " + std::to_string(i));
        for (int i = 0; i < kJobs; ++i) {
            const std::string payload = "job " + std::to_string(i);
            EXPECT_EQ(first.scan(payload), "first computed " + payload);
        }
    }
    Server tier;
};
using Servers = testing::Types<tests::RedisServer, tests::CacheBroker>;
TYPED_TEST_SUITE(SharedResults, Servers);

TYPED_TEST(SharedResults, AnotherBrokerAnswersAtAdmissionWhatAWorkerComputed) {
    Site second("second", this->tier.url(), "off");
    EXPECT_NE(second.first_known("second", "first"), "");
    EXPECT_EQ(second.cached(), 1U);
}

TYPED_TEST(SharedResults, AnotherBrokersWorkerAnswersWhatAWorkerComputed) {
    Site second("second", "memory", this->tier.url());
    const std::string payload = second.first_known("second", "first");
    ASSERT_NE(payload, "");
    EXPECT_EQ(second.cached(), 0U) << "no tier of the broker's had it";
    EXPECT_EQ(second.scan(payload, true), "second computed " + payload) << "fresh: it is run";
}

}  // namespace
}  // namespace scanmq::worker
