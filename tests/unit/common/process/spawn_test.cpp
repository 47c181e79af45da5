#include "common/process/spawn.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace scanmq::process {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string read_all(int fd) {
    std::string out;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got <= 0) break;
        out.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(fd);
    return out;
}

// What a shell command prints, and its status.
struct Ran {
    std::string out;
    std::string errors;
    int status = 0;
};
Ran run(const std::string& command, SpawnOptions options = {}) {
    options.program = "/bin/sh";
    options.arguments = {"-c", command};
    options.capture_errors = true;
    const auto spawned = spawn(options);
    Ran ran;
    if (!spawned) {
        ran.errors = spawned.error();
        return ran;
    }
    ::close(spawned->in);
    ran.out = read_all(spawned->out);
    ran.errors = read_all(spawned->errors);
    ::waitpid(spawned->pid, &ran.status, 0);
    return ran;
}

TEST(Spawn, StreamsAreTheCallers) {
    const auto spawned = spawn({.program = "/bin/cat", .arguments = {}});
    ASSERT_TRUE(spawned.ok());
    ASSERT_EQ(::write(spawned->in, "there\n", 6), 6);
    ::close(spawned->in);
    EXPECT_EQ(read_all(spawned->out), "there\n");
    EXPECT_EQ(spawned->errors, -1);
    int status = 0;
    ::waitpid(spawned->pid, &status, 0);
    EXPECT_EQ(describe_status(status), "exited with status 0");
}

TEST(Spawn, ErrorsAreCaptured) {
    const Ran ran = run("echo out; echo wrong >&2; exit 3");
    EXPECT_EQ(ran.out, "out\n");
    EXPECT_EQ(ran.errors, "wrong\n");
    EXPECT_EQ(describe_status(ran.status), "exited with status 3");
}

TEST(Spawn, NoOtherDescriptorIsInherited) {
    const int leaky = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC on purpose
    ASSERT_GE(leaky, 3);
    // The shell's own glob of the directory opens one more, which is gone when it is listed.
    const Ran ran = run("for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done");
    ::close(leaky);
    EXPECT_EQ(ran.out, "0\n1\n2\n");
}

TEST(Spawn, GroupMemoryAndSignalsAreTheChildsOwn) {
    const auto group = run("cut -d' ' -f1,5 /proc/$$/stat", {.own_group = true});
    const auto blank = group.out.find(' ');
    EXPECT_EQ(group.out.substr(0, blank) + "\n", group.out.substr(blank + 1))
        << "it leads its group";
    EXPECT_EQ(run("ulimit -v", {.memory_max = 512U << 20}).out, "524288\n");
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    const Ran killed = run("kill -PIPE $$; echo survived");
    ::signal(SIGPIPE, before);
    EXPECT_EQ(killed.out, "");
    EXPECT_THAT(describe_status(killed.status), HasSubstr("killed by signal 13"));
}

TEST(Spawn, WhatCannotBeRunIsASentence) {
    const auto spawned = spawn({.program = "/nonexistent/program", .arguments = {}});
    ASSERT_FALSE(spawned.ok());
    EXPECT_THAT(spawned.error(), HasSubstr("/nonexistent/program: No such file"));
}

TEST(Spawn, PidfdTellsTheEnd) {
    const auto spawned = spawn({.program = "/bin/cat", .arguments = {}});
    ASSERT_TRUE(spawned.ok());
    const auto fd = open_pidfd(spawned->pid);
    ASSERT_TRUE(fd.ok()) << fd.error();
    pollfd waiting{*fd, POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 0), 0) << "it runs";
    ::close(spawned->in);
    EXPECT_EQ(::poll(&waiting, 1, 10'000), 1);
    ::waitpid(spawned->pid, nullptr, 0);
    ::close(spawned->out);
    ::close(*fd);
}

TEST(FindProgram, SearchesThePath) {
    const auto found = find_program("sh");
    ASSERT_TRUE(found.ok());
    EXPECT_THAT(*found, testing::EndsWith("/sh"));
    EXPECT_EQ(*find_program("/bin/sh"), "/bin/sh");
    EXPECT_THAT(find_program("no-such-program-anywhere").error(), HasSubstr("in PATH"));
    EXPECT_FALSE(find_program("").ok());
    EXPECT_FALSE(find_program("/etc/passwd").ok()) << "it is not executable";
}

TEST(SplitCommand, WordsAndQuotes) {
    EXPECT_THAT(*split_command("python3  my.py\t--fast"),
                ElementsAre("python3", "my.py", "--fast"));
    EXPECT_THAT(*split_command(R"('a b' "c \"d" e\ f '\g' "")"),
                ElementsAre("a b", "c \"d", "e f", "\\g", ""));
    EXPECT_THAT(*split_command("pre'fix 'ed"), ElementsAre("prefix ed"));
    EXPECT_TRUE(split_command("  ")->empty());
    EXPECT_THAT(split_command("it's").error(), HasSubstr("not closed"));
    EXPECT_THAT(split_command("end\\").error(), HasSubstr("backslash"));
}

}  // namespace
}  // namespace scanmq::process
