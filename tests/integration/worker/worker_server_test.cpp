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
// its cancellation, "hang" for open() alone, "fail" and "reject" end so, "large N" gives N bytes.
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
        void wait_idle() {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return running == 0; });
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
        if (task.payload == "block" || task.payload == "hang") {
            block(task, task.payload == "block");
            if (task.cancelled()) return out.failed("cancelled");
        }
        out.storage = std::string(task.queue) + "|" + std::string(task.subject) + "|" +
                      std::string(task.payload);
        if (task.as_of_ns) out.storage += "|as of " + std::to_string(*task.as_of_ns);
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
    void block(const Task& task, bool obeys) const {
        std::unique_lock lock(gate_.mutex);
        ++gate_.running;
        gate_.changed.notify_all();
        while (!gate_.open && !(obeys && task.cancelled()))
            gate_.changed.wait_for(lock, std::chrono::milliseconds(5));
        --gate_.running;
        gate_.changed.notify_all();
    }

    Gate& gate_;
};

// A worker on a thread of its own, for the length of a test.
class Running {
  public:
    Running(const std::vector<std::string>& brokers, std::unique_ptr<Scanner> scanner,
            std::uint32_t threads = 2)
        : Running(settings(brokers, threads), std::move(scanner)) {}
    Running(Settings settings, std::unique_ptr<Scanner> scanner)
        : server_(std::move(settings), std::move(scanner)),
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

    static Settings settings(const std::vector<std::string>& brokers, std::uint32_t threads) {
        Settings out;
        out.brokers = brokers;
        out.core.name = "test-worker";
        out.core.threads = threads;
        return out;
    }

  private:
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

TEST_F(WorkerServerTest, RevokedScanStopsAndIsHandedBack) {
    Running worker({broker.main.endpoint()}, scripted(), 1);
    broker.welcome();
    broker.deliver({"block", "next"}, 1);
    gate.wait_running(1);
    broker.main.send(broker.peer, broker.session, protocol::Revoke{{{FakeBroker::kEpoch, 1}}});
    auto answers = broker.answers(2);
    EXPECT_EQ(answers[1].outcome, AttemptOutcome::returned);
    EXPECT_EQ(answers[2].outcome, AttemptOutcome::done) << "its thread went on";
}

TEST_F(WorkerServerTest, LongScanTellsHowFarItIs) {
    Settings settings = Running::settings({broker.main.endpoint()}, 1);
    settings.core.progress_interval = std::chrono::milliseconds(10);
    Running worker(settings, std::make_unique<NoopScanner>(
                                 NoopScanner::Options{.service = std::chrono::minutes(1)}));
    broker.welcome();
    broker.deliver({"p"}, 1);
    std::uint64_t last = 0;
    for (int i = 0; i < 3; ++i) {
        const auto got = broker.main.expect<protocol::Progress>();
        ASSERT_TRUE(got.has_value());
        const auto& reports = std::get<protocol::Progress>(got->frame.message).reports;
        ASSERT_EQ(reports.size(), 1U);
        EXPECT_EQ(reports[0].token, (protocol::Token{FakeBroker::kEpoch, 1}));
        EXPECT_EQ(reports[0].total, 60'000U);
        EXPECT_GT(reports[0].done, last);
        EXPECT_EQ(reports[0].note, "sleeping");
        last = reports[0].done;
    }
}

TEST_F(WorkerServerTest, WedgedWorkerLeavesWithoutItsThreads) {
    Settings settings = Running::settings({broker.main.endpoint()}, 1);
    settings.scans_patience = std::chrono::milliseconds(1);
    Running worker(settings, scripted());
    broker.limits = {{"max_run_ms", 30}};
    broker.welcome();
    broker.deliver({"hang", "never"}, 1);
    EXPECT_EQ(broker.answers(1)[2].outcome, AttemptOutcome::returned);
    EXPECT_TRUE(broker.main.expect<protocol::Bye>().has_value());
    const Exit exit = worker.join();
    EXPECT_EQ(exit.code, kExitWedged);
    EXPECT_THAT(exit.sentence, testing::HasSubstr("max_run"));
    EXPECT_TRUE(exit.scans_left);
    EXPECT_EQ(worker.counters().wedged, 1U);
    gate.set_open();  // the process would leave by _Exit; here the thread is joined
}

TEST_F(WorkerServerTest, PricingClockReachesTheScanner) {
    Running worker({broker.main.endpoint()}, scripted());
    broker.welcome();
    protocol::Deliver deliver{FakeBroker::kEpoch, "scans", {}};
    deliver.attempts.push_back({1, {}, "S", {"p", 0}, {}, 1'700'000'000'000'000'123});
    broker.main.send(broker.peer, broker.session, deliver);
    EXPECT_EQ(broker.answers(1)[1].body, "scans|S|p|as of 1700000000000000123");
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

TEST_F(WorkerServerTest, RunningScansGoOnAcrossARestartOfTheBroker) {
    auto first = std::make_unique<FakeBroker>();
    const std::string endpoint = first->main.endpoint();
    Running worker({endpoint}, scripted(), 2);
    first->welcome(60);
    first->deliver({"block", "block", "waits"}, 1);
    gate.wait_running(2);
    first.reset();
    FakeBroker second(endpoint);
    second.read_hello();
    ASSERT_EQ(second.held.size(), 3U);
    EXPECT_TRUE(second.held[0].started && second.held[1].started);
    EXPECT_FALSE(second.held[2].started);
    second.answer_hello(61, {{FakeBroker::kEpoch, 1}, {FakeBroker::kEpoch, 3}});
    gate.set_open();
    auto answers = second.answers(2);
    EXPECT_EQ(answers[1].body, "scans|SPY.vertical|block");
    EXPECT_EQ(answers[3].body, "scans|SPY.vertical|waits");
    worker.drain();
    EXPECT_TRUE(second.main.expect<protocol::Bye>().has_value());
    EXPECT_EQ(worker.join().code, 0);
    EXPECT_EQ(worker.counters().adopted, 2U);
    EXPECT_EQ(worker.counters().dropped, 1U);
}

TEST_F(WorkerServerTest, ResultThatEndsWhileGreetingIsAnsweredAfterAdoption) {
    Running worker({broker.main.endpoint()}, scripted(), 1);
    broker.welcome(50);
    broker.deliver({"block"}, 1);
    gate.wait_running(1);
    broker.main.send(
        broker.peer, 0,
        protocol::Error{1, protocol::Kind::credit, ErrorCode::unknown_session, "HELLO again"});
    broker.read_hello();
    ASSERT_EQ(broker.held.size(), 1U);
    gate.set_open();
    gate.wait_idle();
    broker.answer_hello(51, {broker.held[0].token});
    EXPECT_EQ(broker.answers(1)[1].body, "scans|SPY.vertical|block");
}

TEST_F(WorkerServerTest, InputAndLargeResultSurviveARestartOfTheBroker) {
    auto first = std::make_unique<FakeBroker>();
    const std::string endpoint = first->main.endpoint();
    Running worker({endpoint}, scripted(), 2);
    first->welcome(60);
    const std::string bytes = "the chain";
    const ContentId input = content_id(bytes);
    first->deliver({"reads"}, 1, input.view());
    first->deliver({"large 300000"}, 2);
    ASSERT_TRUE(first->blob.expect<protocol::BlobPut>().has_value());
    first.reset();
    FakeBroker second(endpoint);
    second.read_hello();
    ASSERT_EQ(second.held.size(), 2U);
    second.answer_hello(61, {second.held[0].token, second.held[1].token});
    // The get that was under way and the put that was, in some order.
    bool got = false;
    bool put = false;
    while (!got || !put) {
        auto frame = second.blob.next();
        ASSERT_TRUE(frame.has_value());
        const std::uint64_t seq = frame->frame.header.seq;
        EXPECT_EQ(frame->frame.header.session.value, 61U);
        if (const auto* get = std::get_if<protocol::BlobGet>(&frame->frame.message)) {
            EXPECT_EQ(get->id, input);
            second.send_blob(frame->from, seq, input, bytes);
            got = true;
        } else if (const auto* large = std::get_if<protocol::BlobPut>(&frame->frame.message)) {
            EXPECT_EQ(large->id, content_id(std::string(300'000, 'L')));
            second.blob.send(frame->from, 61, protocol::BlobReady{seq, large->id, true, {}});
            put = true;
        }
    }
    auto answers = second.answers(2);
    EXPECT_EQ(answers[1].body, "scans|SPY.vertical|reads|the chain");
    EXPECT_EQ(answers[2].blob_size, 300'000U);
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
