#include "worker/scanners/noop_scanner.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

namespace scanmq::worker {
namespace {

TEST(NoopScanner, GivesThePayloadBackWithoutACopy) {
    const std::string payload = "payload";
    Task task;
    task.payload = payload;
    Outcome out;
    NoopScanner().run(task, out);
    EXPECT_EQ(out.status, ScanStatus::done);
    EXPECT_EQ(out.body, payload);
    EXPECT_EQ(out.body.data(), payload.data());
}

TEST(NoopScanner, ResultOfAFixedSize) {
    const NoopScanner scanner({.result_bytes = 4096});
    Task task;
    task.payload = "payload";
    Outcome out;
    scanner.run(task, out);
    EXPECT_EQ(out.body, std::string(4096, '\0'));
    NoopScanner({.result_bytes = 0}).run(task, out);
    EXPECT_TRUE(out.body.empty());
}

TEST(NoopScanner, RunsOnTheLoopAndReadsNoInputs) {
    EXPECT_TRUE(NoopScanner().on_loop());
    EXPECT_FALSE(NoopScanner().reads_inputs());
}

TEST(NoopScanner, ServiceTimeTakesAThreadAndIsReported) {
    const NoopScanner scanner({.service = std::chrono::milliseconds(5)});
    EXPECT_FALSE(scanner.on_loop());
    Progress progress;
    Task task;
    task.payload = "payload";
    task.progress = &progress;
    Outcome out;
    const auto begin = std::chrono::steady_clock::now();
    scanner.run(task, out);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(5));
    EXPECT_EQ(out.body, "payload");
    EXPECT_EQ(progress.total.load(), 5U);
    EXPECT_LE(progress.done.load(), 5U);
}

TEST(NoopScanner, CancelledServiceEndsEarlyAndFailed) {
    const NoopScanner scanner({.service = std::chrono::hours(1)});
    const std::atomic<bool> cancel{true};
    Task task;
    task.cancel = &cancel;
    Outcome out;
    scanner.run(task, out);
    EXPECT_EQ(out.status, ScanStatus::failed);
}

TEST(NoopScanner, FailsAsOftenAsAsked) {
    const NoopScanner scanner({.fail_rate = 0.25, .seed = 7});
    int failed = 0;
    for (int i = 0; i < 4'000; ++i) {
        Outcome out;
        scanner.run({}, out);
        if (out.status == ScanStatus::failed) ++failed;
    }
    EXPECT_GT(failed, 850);
    EXPECT_LT(failed, 1'150);
    Outcome out;
    NoopScanner({.fail_rate = 1.0}).run({}, out);
    EXPECT_EQ(out.status, ScanStatus::failed);
    EXPECT_FALSE(out.sentence.empty());
}

TEST(NoopScannerDeathTest, PoisonEndsTheProcess) {
    const NoopScanner scanner({.poison = "poison"});
    Task task;
    Outcome out;
    task.payload = "harmless";
    scanner.run(task, out);
    EXPECT_EQ(out.status, ScanStatus::done);
    task.payload = "with poison in it";
    EXPECT_EXIT(scanner.run(task, out), testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace scanmq::worker
