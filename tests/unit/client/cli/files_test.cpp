#include "client/cli/files.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace scanmq::cli {
namespace {

class Files : public testing::Test {
  protected:
    void SetUp() override { std::filesystem::create_directories(directory_); }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    const std::string directory_ = testing::TempDir() + "files_test." +
                                   testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(Files, WritesAndReadsBytes) {
    const std::string path = directory_ + "/a";
    const std::string bytes("a\0b\n\xff", 5);
    ASSERT_TRUE(write_file(path, bytes));
    EXPECT_EQ(*read_file(path), bytes);
    ASSERT_TRUE(write_file(path, ""));
    EXPECT_EQ(*read_file(path), "");
}

TEST_F(Files, FailedWriteLeavesTheOldFileAndNothingElse) {
    std::filesystem::create_directories(directory_ +
                                        "/target/inside");  // rename() onto it must fail
    const auto written = write_file(directory_ + "/target", "x");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, "cannot_write_file");
    EXPECT_TRUE(std::filesystem::exists(directory_ + "/target/inside"));
    const auto left = std::distance(std::filesystem::directory_iterator(directory_), {});
    EXPECT_EQ(left, 1);
}

TEST_F(Files, AbsentFileIsNamed) {
    const auto read = read_file(directory_ + "/absent");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, "cannot_read_file");
    EXPECT_NE(read.error().sentence.find(directory_ + "/absent"), std::string::npos);
}

TEST_F(Files, DirectoryIsNoFile) { EXPECT_FALSE(read_file(directory_)); }

}  // namespace
}  // namespace scanmq::cli
