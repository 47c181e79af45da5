#include "common/config/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "common/config/file.hpp"
#include "common/config/shared.hpp"

namespace scanmq::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A program with one option of each type.
struct Program {
    std::string listen = "tcp://127.0.0.1:5701";
    std::vector<std::string> brokers = {"tcp://127.0.0.1:5701"};
    std::uint32_t threads = 2;
    std::uint64_t memory = 1ULL << 30;
    Duration grace = std::chrono::seconds(10);
    double rate = 1.5;
    bool json = false;
    std::string durability = "memory";
    std::string target;
    std::vector<std::string> rest;
    Options options{"scanmq-worker", "Test program"};

    Program() {
        add_listen(options, listen);
        add_broker(options, brokers);
        add_threads(options, threads);
        options.bytes("memory", memory, {1024, 1ULL << 40}, "Memory for bodies");
        options.duration("drain-grace", grace, {}, "How long to drain");
        options.number("rate", rate, {0.0, 100.0}, "jobs/s", "Rate");
        add_json(options, json);
        add_durability(options, durability);
        options.positional("target", target, false, "What to do it to");
        options.positional("rest", rest, false, "And these");
    }

    Result<Parsed, Error> parse(const std::vector<std::string>& arguments,
                                const Environment& environment = {}) {
        return options.parse(arguments, environment);
    }
    std::string error(const std::vector<std::string>& arguments,
                      const Environment& environment = {}) {
        auto parsed = parse(arguments, environment);
        return parsed.ok() ? "no error" : parsed.error().sentence;
    }
};

class File {
  public:
    explicit File(const std::string& content)
        // Tests run side by side.
        : path_(testing::TempDir() + "options_test." + std::to_string(::getpid()) + ".toml") {
        std::ofstream(path_) << content;
    }
    ~File() { std::remove(path_.c_str()); }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

TEST(Options, DefaultsStayWhenNothingIsGiven) {
    Program program;
    ASSERT_TRUE(program.parse({}).ok());
    EXPECT_EQ(program.threads, 2U);
    EXPECT_EQ(program.grace, std::chrono::seconds(10));
    EXPECT_FALSE(program.options.given("threads"));
}

TEST(Options, NamesAreWhatWasDeclared) {
    Program program;
    EXPECT_THAT(program.options.names(),
                ElementsAre("listen", "broker", "threads", "memory", "drain-grace", "rate", "json",
                            "durability", "target", "rest"));
}

TEST(Options, CommandLineSetsEveryType) {
    Program program;
    ASSERT_EQ(
        program.error({"--threads", "8", "--memory=64MiB", "--drain-grace", "1500ms", "--rate",
                       "2.5", "--json", "--durability", "sync", "--broker", "tcp://a:1,tcp://b:2",
                       "--broker", "tcp://c:3", "one", "two", "three"}),
        "no error");
    EXPECT_EQ(program.threads, 8U);
    EXPECT_EQ(program.memory, 64U << 20);
    EXPECT_EQ(program.grace, std::chrono::milliseconds(1500));
    EXPECT_DOUBLE_EQ(program.rate, 2.5);
    EXPECT_TRUE(program.json);
    EXPECT_EQ(program.durability, "sync");
    EXPECT_THAT(program.brokers, ElementsAre("tcp://a:1", "tcp://b:2", "tcp://c:3"));
    EXPECT_EQ(program.target, "one");
    EXPECT_THAT(program.rest, ElementsAre("two", "three"));
    EXPECT_TRUE(program.options.given("threads"));
}

TEST(Options, CommandLineBeatsEnvironmentBeatsFileBeatsDefault) {
    const File file("threads = 3\nmemory = \"2MiB\"\nrate = 3.5\n");
    Program program;
    ASSERT_EQ(program.error({"--config", file.path(), "--threads", "5"},
                            {{"SCANMQ_THREADS", "4"}, {"SCANMQ_MEMORY", "4MiB"}}),
              "no error");
    EXPECT_EQ(program.threads, 5U);
    EXPECT_EQ(program.memory, 4U << 20);
    EXPECT_DOUBLE_EQ(program.rate, 3.5);
    EXPECT_EQ(program.grace, std::chrono::seconds(10));
}

TEST(Options, TableOfTheProgramBeatsTheTopAndOthersAreSkipped) {
    const File file(
        "threads = 3\n[worker]\nthreads = 6\nbroker = [\"tcp://x:1\", \"tcp://y:2\"]\n"
        "json = true\n[broker]\nunheard-of = 1\n");
    Program program;
    ASSERT_EQ(program.error({}, {{"SCANMQ_CONFIG", file.path()}}), "no error");
    EXPECT_EQ(program.threads, 6U);
    EXPECT_TRUE(program.json);
    EXPECT_THAT(program.brokers, ElementsAre("tcp://x:1", "tcp://y:2"));
}

TEST(Options, EmptyEnvironmentCountsAsAbsent) {
    Program program;
    ASSERT_TRUE(program.parse({}, {{"SCANMQ_THREADS", ""}}).ok());
    EXPECT_EQ(program.threads, 2U);
}

TEST(Options, FlagCanBeTurnedOffInTheEnvironment) {
    Program program;
    program.json = true;
    ASSERT_TRUE(program.parse({}, {{"SCANMQ_JSON", "off"}}).ok());
    EXPECT_FALSE(program.json);
}

TEST(Options, ErrorsNameOptionSourceAndRemedy) {
    EXPECT_THAT(Program().error({"--threads", "none"}),
                HasSubstr("--threads: \"none\" is not a whole"));
    EXPECT_THAT(Program().error({"--threads", "0"}), HasSubstr("give 1 to 1024"));
    EXPECT_THAT(Program().error({}, {{"SCANMQ_MEMORY", "12"}}),
                HasSubstr("SCANMQ_MEMORY: \"12\" is out"));
    EXPECT_THAT(Program().error({"--drain-grace", "10"}), HasSubstr("2500ms"));
    EXPECT_THAT(Program().error({"--durability", "maybe"}),
                HasSubstr("none of sync, async, memory"));
    EXPECT_THAT(Program().error({"--threads", "1", "--threads", "2"}), HasSubstr("--threads"));
    EXPECT_THAT(Program().error({"--threads"}), HasSubstr("--threads"));
}

TEST(Options, MistypedOptionGetsASuggestion) {
    EXPECT_THAT(Program().error({"--tread", "4"}), HasSubstr("did you mean --threads?"));
    const File file("\ntread = 4\n");
    const std::string error = Program().error({"--config", file.path()});
    EXPECT_THAT(error, HasSubstr(".toml:2"));
    EXPECT_THAT(error, HasSubstr("did you mean threads?"));
}

TEST(Options, FileErrorsNameTheLine) {
    const File broken("threads = 1\nrate = = 2\n");
    EXPECT_THAT(Program().error({"--config", broken.path()}), HasSubstr("toml:2: not TOML"));
    EXPECT_THAT(Program().error({"--config", "/nowhere.toml"}), HasSubstr("cannot read"));
    const File typed("threads = 2020-01-01\n");
    EXPECT_THAT(Program().error({"--config", typed.path()}), HasSubstr(":1: threads must be"));
}

TEST(Options, FilesAreReadWholeOrNotAtAll) {
    EXPECT_THAT(Program().error({"--config", ::testing::TempDir()}), HasSubstr("cannot read"));
    const File large(std::string(kFileBytesMax, '#'));
    EXPECT_TRUE(read_file(large.path(), "worker").ok());
    const File larger(std::string(kFileBytesMax + 1, '#'));
    EXPECT_THAT(read_file(larger.path(), "worker").error(), HasSubstr("has over 16777216 bytes"));
}

TEST(Options, NumbersOfAFileKeepEveryDigit) {
    const auto values =
        parse_file("rate = 12345.678\nsmall = 1e-7\nwhole = 250000.0\n", "a.toml", "");
    ASSERT_TRUE(values.ok()) << values.error();
    EXPECT_THAT(values->at("rate").values, ElementsAre("12345.678"));
    EXPECT_THAT(values->at("small").values, ElementsAre("1e-07"));
    EXPECT_THAT(values->at("whole").values, ElementsAre("250000"));
}

TEST(Options, ToolCommandsSkipKeysOfOtherCommands) {
    const File file("[cli]\njson = true\nsubject = \"x\"\n");
    bool json = false;
    Options options("scanmq queue list", "Lists queues");
    add_json(options, json);
    const std::vector<std::string> arguments = {"--config", file.path()};
    ASSERT_TRUE(options.parse(arguments, {}).ok());
    EXPECT_TRUE(json);
}

TEST(Options, UnexpectedArgumentIsRefused) {
    bool json = false;
    Options options("scanmq queue list", "Lists queues");
    add_json(options, json);
    const std::vector<std::string> arguments = {"surplus"};
    const auto parsed = options.parse(arguments, {});
    ASSERT_FALSE(parsed.ok());
    EXPECT_THAT(parsed.error().sentence, HasSubstr("unexpected argument \"surplus\""));
}

TEST(Options, MissingRequiredArgumentIsRefused) {
    std::string file;
    Options options("scanmq snapshot put", "Puts a snapshot");
    options.positional("file", file, true, "The snapshot");
    const auto parsed = options.parse(std::vector<std::string>{}, {});
    ASSERT_FALSE(parsed.ok());
    EXPECT_THAT(parsed.error().sentence, HasSubstr("file"));
}

TEST(Options, HelpWinsOverErrors) {
    Program program;
    const auto parsed = program.parse({"--help", "--threads"});
    ASSERT_TRUE(parsed.ok());
    EXPECT_FALSE(parsed->run);
    EXPECT_THAT(parsed->text, HasSubstr("--drain-grace"));
}

TEST(Options, MarkdownHasARowPerOption) {
    const std::string table = Program().options.markdown();
    EXPECT_THAT(table,
                HasSubstr("| `--memory` | `SCANMQ_MEMORY` | bytes | `1GiB` | Memory for bodies |"));
    EXPECT_THAT(table, HasSubstr("| `--drain-grace` | `SCANMQ_DRAIN_GRACE` | duration | `10s` |"));
}

}  // namespace
}  // namespace scanmq::config
