// WorkerServer over real sockets, against a broker played by the test.
#include "worker/server/worker_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/integration/worker/fake_broker.hpp"
#include "worker/scanners/noop_scanner.hpp"

namespace scanmq::worker::test {
namespace {

using protocol::AttemptOutcome;
using protocol::ErrorCode;

// Runs on the pool's threads. Gives back payload and inputs; a payload "block" waits for open() or
// its cancellation, "fail" and "reject" end so, "large N" gives N bytes.
class ScriptedScanner final : public Scanner {
  public:
    struct Gate {
        std::mutex mutex;
        std::condition_variable changed;
        bool open = false;
        int running = 0;

        void set_open() {
            const std::lock_guard lock(mutex);
            open = true;
            changed.notify_all();
        }
        void wait_running(int n) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return running >= n; });
        }
    };
    explicit ScriptedScanner(Gate& gate) : gate_(gate) {}

    std::string version() const override { return "scripted/1"; }
    bool reads_inputs() const override { return true; }
    bool on_loop() const override { return false; }
    void run(const Task& task, Outcome& out) const noexcept override {
        if (task.payload == "fail") return out.failed("it failed");
        if (task.payload == "reject") return out.rejected("it is no good");
        if (task.payload == "block") block(task);
        out.storage = std::string(task.queue) + "|" + std::string(task.subject) + "|" +
                      std::string(task.payload);
        for (const auto& input : task.inputs) {
            const Decoded& decoded = input->decoded([](ByteView bytes) {
                return Decoded{std::make_shared<const std::string>(bytes), bytes.size(), {}};
            });
            out.storage += "|" + *static_cast<const std::string*>(decoded.object.get());
        }
        if (task.payload.starts_with("large ")) {
            out.storage.assign(std::stoul(std::string(task.payload.substr(6))), 'L');
        }
        out.body = out.storage;
    }

  private:
    void block(const Task& task) const {
        std::unique_lock lock(gate_.mutex);
        ++gate_.running;
        gate_.changed.notify_all();
        while (!gate_.open && !task.cancel->load())
            gate_.changed.wait_for(lock, std::chrono::milliseconds(5));
        --gate_.running;
    }

    Gate& gate_;
};

// A worker on a thread of its own, for the length of a test.
class Running {
  public:
    Running(const std::vector<std::string>& brokers, std::unique_ptr<Scanner> scanner,
            std::uint32_t threads = 2)
        : server_(settings(brokers, threads), std::move(scanner)),
          thread_([this] { exit_ = server_.run(); }) {}
    ~Running() {
        if (!thread_.joinable()) return;
        server_.abort();
        thread_.join();
    }
    void drain() { server_.drain(); }
    void abort() { server_.abort(); }
    Exit join() {
        thread_.join();
        return exit_;
    }
    const WorkerCounters& counters() const { return server_.counters(); }

  private:
    static Settings settings(const std::vector<std::string>& brokers, std::uint32_t threads) {
        Settings out;
        out.brokers = brokers;
        out.core.name = "test-worker";
        out.core.threads = threads;
        return out;
    }

    WorkerServer server_;
    Exit exit_;
    std::thread thread_;
};

std::vector<std::string> payloads(std::size_t n) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back("payload " + std::to_string(i));
    return out;
}

class WorkerServerTest : public testing::Test {
  protected:
    std::unique_ptr<Scanner> scripted() { return std::make_unique<ScriptedScanner>(gate); }
    static std::unique_ptr<Scanner> noop() { return std::make_unique<NoopScanner>(); }

    FakeBroker broker;
    ScriptedScanner::Gate gate;
};

TEST_F(WorkerServerTest, NoopJobsComeBackInOneDone) {
    Running worker({broker.main.endpoint()}, noop());
    broker.welcome();
    broker.deliver(payloads(2), 1);
    auto first = broker.answers(2);
    EXPECT_EQ(first[1].body, "payload 0");
    EXPECT_EQ(first[2].body, "payload 1");
    EXPECT_EQ(broker.limit.items, 2U + 1024U);
    std::size_t frames = 0;
    broker.deliver(payloads(500), 3);
    const auto rest = broker.answers(500, &frames);
    EXPECT_EQ(frames, 1U);
    for (const auto& [counter, answer] : rest) {
        EXPECT_EQ(answer.outcome, AttemptOutcome::done);
        EXPECT_EQ(answer.body, "payload " + std::to_string(counter - 3));
    }
}

TEST_F(WorkerServerTest, HelloCarriesTheScannersVersion) {
    Running worker({broker.main.endpoint()}, scripted(), 7);
    const auto hello = broker.main.expect<protocol::Hello>();
    ASSERT_TRUE(hello.has_value());
    const auto& message = std::get<protocol::Hello>(hello->frame.message);
    EXPECT_EQ(message.worker->threads, 7U);
    EXPECT_EQ(message.worker->scanner_version, "scripted/1");
    EXPECT_FALSE(message.instance.is_zero());
    EXPECT_GT(message.clock_ms, 1'600'000'000'000);
}

TEST_F(WorkerServerTest, ScansRunOnThreads) {
    Running worker({broker.main.endpoint()}, scripted(), 2);
    broker.welcome();
    broker.deliver({"block", "block", "fail", "reject"}, 1);
    gate.wait_running(2);
    gate.set_open();
    auto answers = broker.answers(4);
    EXPECT_EQ(answers[1].body, "scans|SPY.vertical|block");
    EXPECT_EQ(answers[3].outcome, AttemptOutcome::failed);
    EXPECT_EQ(answers[3].code, ErrorCode::scan_failed);
    EXPECT_EQ(answers[3].sentence, "it failed");
    EXPECT_EQ(answers[4].outcome, AttemptOutcome::rejected);
    EXPECT_EQ(answers[4].code, ErrorCode::bad_payload);
}

TEST_F(WorkerServerTest, InputIsGotOnceForAllWhoWantIt) {
    Running worker({broker.main.endpoint()}, scripted(), 2);
    broker.welcome();
    const std::string bytes(200'000, 'c');
    const ContentId id = content_id(bytes);
    broker.deliver({"a", "b"}, 1, id.view());
    broker.serve_blob(id, bytes);
    auto answers = broker.answers(2);
    EXPECT_EQ(answers[1].body, "scans|SPY.vertical|a|" + bytes);
    EXPECT_EQ(answers[2].body, "scans|SPY.vertical|b|" + bytes);
    broker.deliver({"c"}, 3, id.view());
    EXPECT_EQ(broker.answers(1)[3].body, "scans|SPY.vertical|c|" + bytes);
    EXPECT_FALSE(broker.blob.next(Duration{}).has_value()) << "nothing more was asked for";
}

TEST_F(WorkerServerTest, UnknownInputIsRejected) {
    Running worker({broker.main.endpoint()}, scripted());
    broker.welcome();
    const ContentId id = content_id("nowhere");
    broker.deliver({"a"}, 1, id.view());
    const auto get = broker.blob.expect<protocol::BlobGet>();
    ASSERT_TRUE(get.has_value());
    broker.blob.send(get->from, broker.session,
                     protocol::Error{get->frame.header.seq, protocol::Kind::blob_get,
                                     ErrorCode::unknown_blob, "put it again"});
    auto answers = broker.answers(1);
    EXPECT_EQ(answers[1].outcome, AttemptOutcome::rejected);
    EXPECT_EQ(answers[1].code, ErrorCode::unknown_snapshot);
    EXPECT_THAT(answers[1].sentence, testing::HasSubstr("put it again"));
}

TEST_F(WorkerServerTest, PayloadMayBeABlob) {
    Running worker({broker.main.endpoint()}, noop());
    broker.welcome();
    const std::string payload(100'000, 'P');
    const ContentId id = content_id(payload);
    protocol::Deliver deliver{FakeBroker::kEpoch, "scans", {}};
    deliver.attempts.push_back({1, {}, "", {id.view(), payload.size()}, {}});
    broker.main.send(broker.peer, broker.session, deliver);
    broker.serve_blob(id, payload);
    EXPECT_EQ(broker.answers(1)[1].body, payload);
}

TEST_F(WorkerServerTest, LargeResultGoesAsABlob) {
    Running worker({broker.main.endpoint()}, scripted());
    broker.welcome();
    broker.deliver({"large 300000"}, 1);
    const std::string expected(300'000, 'L');
    auto put = broker.blob.expect<protocol::BlobPut>();
    ASSERT_TRUE(put.has_value());
    const auto message = std::get<protocol::BlobPut>(put->frame.message);
    EXPECT_EQ(message.id, content_id(expected));
    EXPECT_EQ(message.size, expected.size());
    broker.blob.send(put->from, broker.session,
                     protocol::BlobReady{1, message.id, false, {2, 1U << 20}});
    std::string bytes;
    for (int i = 0; i < 5; ++i) {
        const auto chunk = broker.blob.expect<protocol::BlobChunk>();
        ASSERT_TRUE(chunk.has_value());
        const auto& c = std::get<protocol::BlobChunk>(chunk->frame.message);
        EXPECT_EQ(c.offset, bytes.size());
        bytes += c.bytes;
        broker.blob.send(
            put->from, broker.session,
            protocol::CreditGrant{
                protocol::Link::blob_in, {}, 0, {static_cast<std::uint64_t>(i) + 3, 1U << 20}});
    }
    EXPECT_EQ(bytes, expected);
    broker.blob.send(put->from, broker.session, protocol::BlobStored{1, message.id, bytes.size()});
    auto answers = broker.answers(1);
    EXPECT_EQ(answers[1].outcome, AttemptOutcome::done);
    EXPECT_EQ(answers[1].blob_size, expected.size());
    EXPECT_EQ(answers[1].body, message.id.view());
}

TEST_F(WorkerServerTest, DrainFinishesReturnsAndSaysBye) {
    Running worker({broker.main.endpoint()}, scripted(), 1);
    broker.welcome();
    broker.deliver({"block", "never"}, 1);
    gate.wait_running(1);
    worker.drain();
    EXPECT_EQ(broker.answers(1)[2].outcome, AttemptOutcome::returned);
    gate.set_open();
    EXPECT_EQ(broker.answers(1)[1].outcome, AttemptOutcome::done);
    EXPECT_TRUE(broker.main.expect<protocol::Bye>().has_value());
    EXPECT_EQ(worker.join().code, 0);
    EXPECT_EQ(worker.counters().returned, 1U);
}

TEST_F(WorkerServerTest, AbortLeavesARunningScan) {
    Running worker({broker.main.endpoint()}, scripted(), 1);
    broker.welcome();
    broker.deliver({"block"}, 1);
    gate.wait_running(1);
    worker.abort();
    EXPECT_EQ(worker.join().code, kExitAborted);
}

TEST_F(WorkerServerTest, BadFrameIsAnsweredAndTheSessionGoesOn) {
    Running worker({broker.main.endpoint()}, noop());
    broker.welcome();
    broker.main.send_raw(broker.peer, "\xc1 this is no msgpack");
    const auto error = broker.main.expect<protocol::Error>();
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(std::get<protocol::Error>(error->frame.message).code, ErrorCode::malformed);
    broker.deliver(payloads(1), 1);
    EXPECT_EQ(broker.answers(1).size(), 1U);
}

TEST_F(WorkerServerTest, UnknownSessionIsGreetedAgain) {
    Running worker({broker.main.endpoint()}, noop());
    broker.welcome(50);
    broker.main.send(
        broker.peer, 0,
        protocol::Error{1, protocol::Kind::credit, ErrorCode::unknown_session, "HELLO again"});
    broker.welcome(51);
    broker.deliver(payloads(1), 1);
    EXPECT_EQ(broker.answers(1).size(), 1U);
}

TEST_F(WorkerServerTest, SurvivesARestartOfTheBroker) {
    auto first = std::make_unique<FakeBroker>();
    const std::string endpoint = first->main.endpoint();
    Running worker({endpoint}, noop());
    first->welcome(60);
    first->deliver(payloads(1), 1);
    EXPECT_EQ(first->answers(1).size(), 1U);
    first.reset();
    FakeBroker second(endpoint);
    second.welcome(61);
    second.deliver(payloads(2), 2);
    EXPECT_EQ(second.answers(2).size(), 2U);
}

TEST_F(WorkerServerTest, SilentBrokerIsLeftForTheNext) {
    FakeBroker other;
    Running worker({broker.main.endpoint(), other.main.endpoint()}, noop());
    broker.welcome(50, 20);  // dead after 60 ms
    other.welcome(70);
    other.deliver(payloads(1), 1);
    EXPECT_EQ(other.answers(1).size(), 1U);
}

TEST(WorkerServer, UnreadableEndpointEndsWithASentence) {
    Settings settings;
    settings.brokers = {"nonsense"};
    WorkerServer server(settings, std::make_unique<NoopScanner>());
    const Exit exit = server.run();
    EXPECT_EQ(exit.code, kExitNoBroker);
    EXPECT_THAT(exit.sentence, testing::HasSubstr("nonsense"));
}

TEST(WorkerServer, ConnectTimeoutEndsWithASentence) {
    Settings settings;
    settings.brokers = {"tcp://127.0.0.1:1"};
    settings.core.connect_timeout = std::chrono::milliseconds(20);
    WorkerServer server(settings, std::make_unique<NoopScanner>());
    const Exit exit = server.run();
    EXPECT_EQ(exit.code, kExitNoBroker);
    EXPECT_THAT(exit.sentence, testing::HasSubstr("tcp://127.0.0.1:1"));
}

}  // namespace
}  // namespace scanmq::worker::test
