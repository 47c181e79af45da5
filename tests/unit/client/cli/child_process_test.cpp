#include "client/cli/child_process.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace scanmq::cli {
namespace {

Time in(Duration duration) { return std::chrono::steady_clock::now() + duration; }
constexpr Duration kPatience = std::chrono::seconds(20);

TEST(ChildProcess, SpeaksInLines) {
    // Goes on after the end of its input, so that it is the signal that ends it.
    auto child = ChildProcess::start(
        "/bin/sh", {"-c", "while read -r line; do echo \"$line\"; done; exec tail -f /dev/null"});
    ASSERT_TRUE(child) << child.error();
    ASSERT_TRUE(child->write_line("first"));
    ASSERT_TRUE(child->write_line("second"));
    EXPECT_EQ(child->read_line(in(kPatience)), "first");
    EXPECT_EQ(child->read_line(in(kPatience)), "second");
    EXPECT_EQ(child->read_line(in(Duration{0})), std::nullopt);
    EXPECT_EQ(child->stop(), 128 + SIGTERM);
}

TEST(ChildProcess, MissingProgramIsAnError) {
    const auto child = ChildProcess::start("/nowhere/at-all", {});
    ASSERT_FALSE(child);
    EXPECT_NE(child.error().find("/nowhere/at-all"), std::string::npos);
}

TEST(ChildProcess, TellsExitStatusAndEndOfOutput) {
    auto child = ChildProcess::start("/bin/sh", {"-c", "echo said; exit 7"});
    ASSERT_TRUE(child);
    EXPECT_EQ(child->read_line(in(kPatience)), "said");
    EXPECT_EQ(child->read_line(in(kPatience)), std::nullopt);
    EXPECT_EQ(child->wait_exit(in(kPatience)), 7);
    EXPECT_EQ(child->stop(), 7);
}

TEST(ChildProcess, KillsWhatIgnoresTermination) {
    auto child = ChildProcess::start(
        "/bin/sh", {"-c", "trap '' TERM; echo ready; while :; do read x || :; done"});
    ASSERT_TRUE(child);
    ASSERT_EQ(child->read_line(in(kPatience)), "ready");
    EXPECT_EQ(child->stop(std::chrono::milliseconds(50)), 128 + SIGKILL);
}

TEST(ChildProcess, DestructorLeavesNothingRunning) {
    pid_t pid = -1;
    {
        auto child = ChildProcess::start("/bin/cat", {});
        ASSERT_TRUE(child);
        pid = child->pid();
        ASSERT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
}

}  // namespace
}  // namespace scanmq::cli
