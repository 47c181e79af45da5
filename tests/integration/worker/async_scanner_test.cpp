// How the worker's shell runs an AsyncScanner: over real sockets, against a broker played by the test.
#include "worker/scanners/async_scanner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <thread>

#include "tests/integration/worker/fake_broker.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::worker::test {
namespace {

using protocol::AttemptOutcome;
using protocol::ErrorCode;

// What a payload asks for: "now" ends within start(), "later" in a handler, "wait" when cancelled,
// "stuck" never, "return", "fail" and "reject" so, with a code.
class WaitingScanner final : public AsyncScanner {
  public:
    struct Seen {
        std::size_t most = 0;  // calls at once
        std::size_t cancels = 0;
        bool deadlines = true;  // every call had one
        bool stopped = false;
        std::size_t dropped = 0;  // under way at stop()
    };
    explicit WaitingScanner(Seen& seen) : seen_(seen) {}

    std::string version() const override { return "waiting/1"; }
    bool reads_inputs() const override { return false; }
    std::uint32_t slots() const override { return 3; }
    void attach(const Host& host) override {
        host_ = host;
        host_.availability({true, "", 3});
    }
    void start(const Call& call) override {
        calls_[call.id.value] = call;
        seen_.most = std::max(seen_.most, calls_.size());
        seen_.deadlines = seen_.deadlines && call.task->deadline.has_value();
        const ByteView payload = call.task->payload;
        if (payload == "wait" || payload == "stuck") return;
        if (payload == "now") return finish(call.id);
        boost::asio::post(*host_.loop, [this, id = call.id] { finish(id); });
    }
    void cancel(CallId call) override {
        ++seen_.cancels;
        const Call& it = calls_.at(call.value);
        if (it.task->payload == "stuck") return;
        it.outcome->failed("cancelled");
        finish(call);
    }
    bool stop(Duration) override {
        seen_.stopped = true;
        seen_.dropped = calls_.size();
        return true;
    }

  private:
    void finish(CallId id) {
        const Call call = calls_.at(id.value);
        Outcome& out = *call.outcome;
        const ByteView payload = call.task->payload;
        if (payload == "left") {
            out.storage = left(call);
            out.body = out.storage;
        } else if (payload == "return") {
            out.end(ScanStatus::returned, ErrorCode::shutting_down, "not now");
        } else if (payload == "fail") {
            out.end(ScanStatus::failed, ErrorCode::store_full, "its own code");
        } else if (payload == "reject") {
            out.rejected("no good");
        } else if (out.status == ScanStatus::done) {
            out.storage = "did " + std::string(payload);
            out.body = out.storage;
        }
        calls_.erase(id.value);
        host_.finished(id);
    }

    // The seconds until the deadline, rounded up to ten.
    static std::string left(const Call& call) {
        const auto rest = *call.task->deadline - std::chrono::steady_clock::now();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rest).count();
        return std::to_string(seconds / 10 * 10 + 10);
    }

    Seen& seen_;
    Host host_;
    std::map<std::uint64_t, Call> calls_;
};

class AsyncScannerTest : public testing::Test {
  protected:
    AsyncScannerTest() : server_(settings(), std::make_unique<WaitingScanner>(seen)) {
        thread_ = std::thread([this] { exit = server_.run(); });
    }
    ~AsyncScannerTest() override {
        server_.abort();
        join();
    }
    Settings settings() const {
        Settings out;
        out.brokers = {broker.main.endpoint()};
        return out;
    }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    void revoke(std::uint64_t counter) {
        broker.main.send(broker.peer, broker.session,
                         protocol::Revoke{{{FakeBroker::kEpoch, counter}}});
    }

    FakeBroker broker;
    WaitingScanner::Seen seen;
    WorkerServer server_;
    Exit exit;
    std::thread thread_;
};

TEST_F(AsyncScannerTest, EndsAsTheScannerSays) {
    broker.welcome();
    EXPECT_GE(broker.limit.items, 3U) << "its slots are the worker's threads";
    broker.deliver({"now", "later", "fail", "reject", "return"}, 1);
    auto answers = broker.answers(5);
    EXPECT_EQ(answers[1].body, "did now");
    EXPECT_EQ(answers[2].body, "did later");
    EXPECT_EQ(answers[3].outcome, AttemptOutcome::failed);
    EXPECT_EQ(answers[3].code, ErrorCode::store_full);
    EXPECT_EQ(answers[4].outcome, AttemptOutcome::rejected);
    EXPECT_EQ(answers[4].code, ErrorCode::bad_payload);
    EXPECT_EQ(answers[5].outcome, AttemptOutcome::returned);
    EXPECT_EQ(answers[5].code, ErrorCode::shutting_down);
    EXPECT_EQ(answers[5].sentence, "not now");
    server_.drain();
    join();
    EXPECT_EQ(exit.code, 0);
    EXPECT_TRUE(seen.stopped && seen.deadlines);
    EXPECT_EQ(seen.dropped, 0U);
}

TEST_F(AsyncScannerTest, DeadlineIsTheJobsOrMaxRun) {
    broker.limits = {{"max_run_ms", 1'000'000}};
    broker.welcome();
    protocol::Deliver deliver{FakeBroker::kEpoch, "scans", {}};
    deliver.attempts.push_back({1, {}, "S", {"left", 0}, {}});
    deliver.attempts.push_back({2, {}, "S", {"left", 0}, {}});
    deliver.attempts.push_back({3, {}, "S", {"left", 0}, {}});
    deliver.attempts[1].deadline_ms = 500'000;
    deliver.attempts[2].deadline_ms = ~0ULL;
    broker.main.send(broker.peer, broker.session, deliver);
    auto answers = broker.answers(3);
    EXPECT_EQ(answers[1].body, "1000");
    EXPECT_EQ(answers[2].body, "500");
    EXPECT_EQ(answers[3].body, "1000");
}

TEST_F(AsyncScannerTest, NeverMoreCallsThanSlots) {
    broker.welcome();
    std::uint64_t counter = 1;
    for (int round = 0; round < 20; ++round) {
        broker.deliver({"later", "later", "now"}, counter);
        EXPECT_EQ(broker.answers(3).size(), 3U);
        counter += 3;
    }
    broker.deliver({"wait", "wait", "now", "wait", "later"}, counter);
    EXPECT_EQ(broker.answers(1).count(counter + 2), 1U);
    for (const std::uint64_t i : {0, 1, 3}) revoke(counter + i);
    auto answers = broker.answers(4);
    EXPECT_EQ(answers[counter].outcome, AttemptOutcome::returned);
    EXPECT_EQ(answers[counter + 4].body, "did later") << "it had to wait for a slot";
    server_.drain();
    join();
    EXPECT_EQ(seen.most, 3U);
    EXPECT_GE(seen.cancels, 2U);
}

TEST_F(AsyncScannerTest, WhatDoesNotEndIsDroppedWhenTheWorkerLeaves) {
    broker.welcome();
    broker.deliver({"stuck", "wait", "now"}, 1);
    EXPECT_EQ(broker.answers(1)[3].body, "did now") << "by then the others have started";
    revoke(1);
    revoke(2);
    EXPECT_EQ(broker.answers(1)[2].outcome, AttemptOutcome::returned);
    server_.abort();
    join();
    EXPECT_EQ(exit.code, kExitAborted);
    EXPECT_TRUE(seen.stopped);
    EXPECT_EQ(seen.dropped, 1U);
}

}  // namespace
}  // namespace scanmq::worker::test
