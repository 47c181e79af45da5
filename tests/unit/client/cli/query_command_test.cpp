#include "client/cli/query_command.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "client/cli/bench_run.hpp"
#include "client/cli/session.hpp"

namespace scanmq::cli {
namespace {

TEST(ReadIds, TakesHexadecimalAndNamesWhatIsNone) {
    const auto ids = read_ids({"0190a7f0c8d07bd1a2b3c4d5e6f70819", std::string(32, 'F')});
    ASSERT_TRUE(ids.ok());
    ASSERT_EQ(ids->size(), 2U);
    EXPECT_EQ((*ids)[0].hex(), "0190a7f0c8d07bd1a2b3c4d5e6f70819");
    for (const std::string& bad : {std::string("12"), std::string(32, 'x'), std::string(32, '0'),
                                   std::string(33, '1'), std::string()}) {
        const auto refused = read_ids({bad});
        ASSERT_FALSE(refused.ok()) << bad;
        EXPECT_EQ(refused.error().exit, ExitCode::usage);
        EXPECT_NE(refused.error().sentence.find('"' + bad + '"'), std::string::npos);
    }
}

TEST(OnCommandLine, CountsOnlyWhatWasTyped) {
    Invocation invocation;
    invocation.arguments = {"q", "--name", "desk", "--from=earliest", "--names"};
    EXPECT_TRUE(on_command_line(invocation, "name"));
    EXPECT_TRUE(on_command_line(invocation, "from"));
    EXPECT_FALSE(on_command_line(invocation, "data"));
    EXPECT_FALSE(on_command_line(invocation, "desk"));
}

TEST(Commands, EachHasWordsOfItsOwnAndASummary) {
    std::set<std::string_view> words;
    for (const Command& command : commands()) {
        EXPECT_TRUE(words.insert(command.words).second) << command.words;
        EXPECT_FALSE(command.summary.empty()) << command.words;
    }
    for (const std::string_view wanted :
         {"job show", "job explain", "job cancel", "dead list", "dead show", "dead retry",
          "dead drop", "queue pause", "queue resume", "queue drain", "queue purge", "queue version",
          "alias set", "alias list", "subscription list", "subscription forget", "backup",
          "store show"}) {
        EXPECT_TRUE(words.contains(wanted)) << wanted;
    }
}

TEST(BenchDurability, TheBrokerIsToldADurabilityThatNeedsADirectory) {
    EXPECT_EQ(durability_arguments("sync", "/d"),
              (std::vector<std::string>{"--durability", "sync", "--data", "/d"}));
    EXPECT_EQ(durability_arguments("async", "/d")[1], "async");
}

TEST(BenchDurability, ATemporaryDirectoryGoesWithAllThatIsInIt) {
    std::string path;
    {
        const TemporaryDirectory directory;
        path = directory.path();
        ASSERT_TRUE(std::filesystem::is_directory(path));
        std::filesystem::create_directories(path + "/data/log");
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace scanmq::cli
