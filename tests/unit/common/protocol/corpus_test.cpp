// The fuzz target's corpus, replayed: what once broke a decoder stays refused.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/frame_check.hpp"

namespace scanmq::protocol {
namespace {

TEST(FuzzCorpus, FramesKeepTheDecodersPromises) {
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(std::string(SCANMQ_SOURCE_DIR) +
                                                                "/tests/fuzz/corpus/frame")) {
        std::ifstream in(file.path(), std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)),
                                std::istreambuf_iterator<char>());
        EXPECT_TRUE(tests::frame_keeps_promises(bytes)) << file.path();
        ++files;
    }
    EXPECT_GE(files, 30U);
}

}  // namespace
}  // namespace scanmq::protocol
