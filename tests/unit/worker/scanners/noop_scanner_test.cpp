#include "worker/scanners/noop_scanner.hpp"

#include <gtest/gtest.h>

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
    const NoopScanner scanner(4096);
    Task task;
    task.payload = "payload";
    Outcome out;
    scanner.run(task, out);
    EXPECT_EQ(out.body, std::string(4096, '\0'));
    NoopScanner(0).run(task, out);
    EXPECT_TRUE(out.body.empty());
}

TEST(NoopScanner, RunsOnTheLoopAndReadsNoInputs) {
    EXPECT_TRUE(NoopScanner().on_loop());
    EXPECT_FALSE(NoopScanner().reads_inputs());
}

}  // namespace
}  // namespace scanmq::worker
