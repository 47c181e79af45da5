// The fuzz target's corpus, replayed.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/log_check.hpp"

namespace scanmq::broker {
namespace {

TEST(FuzzCorpus, LogsKeepTheReadersPromises) {
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(std::string(SCANMQ_SOURCE_DIR) +
                                                                "/tests/fuzz/corpus/log")) {
        std::ifstream in(file.path(), std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)),
                                std::istreambuf_iterator<char>());
        EXPECT_TRUE(tests::log_keeps_promises(bytes, true)) << file.path();
        EXPECT_TRUE(tests::log_keeps_promises(bytes, false)) << file.path();
        ++files;
    }
    EXPECT_GE(files, 8U);
}

}  // namespace
}  // namespace scanmq::broker
