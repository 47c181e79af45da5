// Workers with a real broker: scans over snapshots, drains and aborts under load.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>
#include <thread>
#include <vector>

#include "broker/server/broker_server.hpp"
#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "scanner/service/codec.hpp"
#include "tests/support/snapshots.hpp"
#include "worker/scanners/embedded_scanner.hpp"
#include "worker/scanners/noop_scanner.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::worker {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 30s;

// Yields its thread a few times, so that attempts queue up behind it, and gives the payload back.
class SlowScanner final : public Scanner {
  public:
    std::string version() const override { return "slow/1"; }
    bool reads_inputs() const override { return false; }
    bool on_loop() const override { return false; }
    void run(const Task& task, Outcome& out) const noexcept override {
        for (int i = 0; i < 4; ++i) std::this_thread::yield();
        out.body = task.payload;
    }
};

class System : public ::testing::Test {
  protected:
    System() {
        spdlog::set_level(spdlog::level::off);
        broker::ServerOptions options;
        options.listen = "tcp://127.0.0.1:0";
        options.durability = "memory";
        auto made = broker::BrokerServer::create(options);
        EXPECT_TRUE(made.ok());
        broker_ = std::move(made).value();
        broker_thread_ = std::thread([this] { EXPECT_TRUE(broker_->run().ok()); });
        client::ClientOptions as;
        as.brokers = {broker_->endpoint()};
        client = client::Client::open(as).value();
        EXPECT_TRUE(client->wait_open(kPatience).ok());
        EXPECT_TRUE(client->create_queue("scans").ok());
        client::SubscriberOptions reading;
        reading.queue = "scans";
        subscriber = std::make_unique<client::Subscriber>(*client, reading);
        EXPECT_TRUE(subscriber->wait_active(kPatience).ok());
    }
    ~System() override {
        subscriber.reset();
        client.reset();
        broker_->stop();
        broker_thread_.join();
    }

    struct Worker {
        Worker(const std::string& endpoint, std::unique_ptr<Scanner> scanner)
            : server(settings(endpoint), std::move(scanner)),
              thread([this] { exit = server.run(); }) {}
        ~Worker() {
            if (!thread.joinable()) return;
            server.abort();
            thread.join();
        }
        static Settings settings(const std::string& endpoint) {
            Settings out;
            out.brokers = {endpoint};
            out.core.threads = 2;
            return out;
        }
        WorkerServer server;
        Exit exit;
        std::thread thread;
    };
    template <class S>
    std::unique_ptr<Worker> start() {
        return std::make_unique<Worker>(broker_->endpoint(), std::make_unique<S>());
    }
    void submit(int jobs) {
        client::Producer producer(*client, "scans");
        for (int i = 0; i < jobs; ++i) {
            const std::string payload = std::to_string(i);
            client::Job job;
            job.payload = payload;
            ASSERT_TRUE(producer.submit(job).ok());
        }
        ASSERT_TRUE(producer.drain(kPatience).ok());
    }
    // Reads until `total` entries came since the test began.
    void read_until(std::size_t total) {
        while (entries < total) {
            auto received = subscriber->receive(kPatience);
            ASSERT_TRUE(received.ok() && received->has_value()) << entries << " entries";
            for (const protocol::Entry& entry : (*received)->entries()) {
                ++entries;
                EXPECT_EQ(entry.outcome, protocol::FinalOutcome::done) << entry.sentence;
                ++bodies[std::string(entry.body.bytes)];
            }
        }
    }

    std::unique_ptr<client::Client> client;
    std::unique_ptr<client::Subscriber> subscriber;
    std::size_t entries = 0;
    std::map<std::string, int> bodies;

  private:
    std::unique_ptr<broker::BrokerServer> broker_;
    std::thread broker_thread_;
};

TEST_F(System, ScansAChainOverTheBroker) {
    const auto worker = start<EmbeddedScanner>();
    const std::string snapshot = scanmq::testing::snapshot_of("ABC", 500);
    const auto id = client->put_blob(snapshot, protocol::BlobType::snapshot, "ABC");
    ASSERT_TRUE(id.ok());
    client::Producer producer(*client, "scans");
    client::Job job;
    job.subject = "ABC.vertical";
    job.payload = R"({"symbol": "ABC", "limit": 3})";
    job.inputs = id->view();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    read_until(20);
    ASSERT_EQ(bodies.size(), 1U) << "the same scan gives the same bytes";
    const auto result = service::decode_result(bodies.begin()->first);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->snapshot, id->hex());
    EXPECT_EQ(result->spreads.size(), 3U);
}

// A result names exactly what it was computed from, and an alias is what it was at admission.
TEST_F(System, AResultNamesTheSnapshotsItWasComputedFrom) {
    const std::string first = scanmq::testing::snapshot_of("ABC", 500);
    const std::string moved = scanmq::testing::snapshot_of("ABC", 510);
    const std::string other = scanmq::testing::snapshot_of("XYZ", 300);
    for (const std::string* bytes : {&first, &moved, &other}) {
        ASSERT_TRUE(client->put_blob(*bytes, protocol::BlobType::snapshot, "").ok());
    }
    const ContentId other_id = content_id(other);
    client::Producer producer(*client, "scans");
    client::Job job;
    job.payload = R"({"limit": 3})";
    const std::vector<std::string> aliases{"ABC@latest"};
    job.aliases = aliases;
    ASSERT_TRUE(client->set_alias("ABC@latest", content_id(first)).ok());
    job.subject = "one";
    ASSERT_TRUE(producer.submit(job).ok());
    job.subject = "two";
    job.inputs = other_id.view();
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    ASSERT_TRUE(client->set_alias("ABC@latest", content_id(moved)).ok());
    job.subject = "three";
    job.inputs = {};
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());

    const auto worker = start<EmbeddedScanner>();
    std::map<std::string, std::vector<std::string>> sources;
    while (sources.size() < 3) {
        auto received = subscriber->receive(kPatience);
        ASSERT_TRUE(received.ok() && received->has_value());
        for (const protocol::Entry& entry : (*received)->entries()) {
            const auto result = service::decode_result(entry.body.bytes);
            ASSERT_TRUE(result.ok()) << entry.sentence;
            auto& of = sources[std::string(entry.subject)];
            if (!result->snapshot.empty()) of.push_back(result->snapshot);
            for (const auto& source : result->sources) of.push_back(source.snapshot);
        }
    }
    using Ids = std::vector<std::string>;
    EXPECT_EQ(sources["one"], Ids{content_id(first).hex()}) << "not what the alias names now";
    EXPECT_EQ(sources["two"], (Ids{content_id(first).hex(), other_id.hex()}));
    EXPECT_EQ(sources["three"], Ids{content_id(moved).hex()});
}

// The library's put is encoded where that pays, its get is decoded; payloads it puts itself are raw.
TEST_F(System, LargeBytesComeBackWhateverTheirEncoding) {
    const auto worker = start<NoopScanner>();
    const std::string payload(200'000, 'p');
    const auto id = client->put_blob(payload, protocol::BlobType::body, "");
    ASSERT_TRUE(id.ok());
    client::Producer producer(*client, "scans");
    client::Job job;
    const std::string large(400'000, 'q');  // put by the library, raw
    job.payload = large;
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    auto received = subscriber->receive(kPatience);
    ASSERT_TRUE(received.ok() && received->has_value());
    const auto body = client->fetch_body((*received)->entries().front().body, kPatience);
    ASSERT_TRUE(body.ok());
    EXPECT_TRUE(*body == large);
    const auto got = client->get_blob(*id, kPatience);
    ASSERT_TRUE(got.ok());
    EXPECT_TRUE(got->bytes == payload) << "decoded in this thread";
    EXPECT_EQ(got->encoding, protocol::BlobEncoding::raw);
}

TEST_F(System, BadRequestEndsRejectedWithTheEnginesSentence) {
    const auto worker = start<EmbeddedScanner>();
    client::Producer producer(*client, "scans");
    client::Job job;
    job.payload = "no request";
    const auto id = client->put_blob(scanmq::testing::snapshot_of("ABC", 500),
                                     protocol::BlobType::snapshot, "");
    job.inputs = id->view();
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    auto received = subscriber->receive(kPatience);
    ASSERT_TRUE(received.ok() && received->has_value());
    const protocol::Entry& entry = (*received)->entries().front();
    EXPECT_EQ(entry.outcome, protocol::FinalOutcome::rejected);
    EXPECT_EQ(entry.code, protocol::ErrorCode::bad_payload);
    EXPECT_FALSE(entry.sentence.empty());
}

TEST_F(System, DrainedWorkerLeavesItsWorkToAnother) {
    constexpr int kJobs = 4'000;
    auto leaving = start<SlowScanner>();
    submit(kJobs);
    read_until(200);
    leaving->server.drain();
    leaving->thread.join();
    EXPECT_EQ(leaving->exit.code, 0) << leaving->exit.sentence;
    const auto staying = start<SlowScanner>();
    read_until(kJobs);
    EXPECT_EQ(bodies.size(), std::size_t{kJobs});
    for (const auto& [body, times] : bodies) EXPECT_EQ(times, 1) << body;
}

TEST_F(System, AbortedWorkersAttemptsRunElsewhere) {
    constexpr int kJobs = 4'000;
    auto leaving = start<SlowScanner>();
    submit(kJobs);
    read_until(200);
    leaving->server.abort();
    leaving->thread.join();
    EXPECT_EQ(leaving->exit.code, kExitAborted);
    const auto staying = start<NoopScanner>();
    read_until(kJobs);
    EXPECT_EQ(bodies.size(), std::size_t{kJobs});
    for (const auto& [body, times] : bodies) EXPECT_EQ(times, 1) << body;
}

}  // namespace
}  // namespace scanmq::worker
