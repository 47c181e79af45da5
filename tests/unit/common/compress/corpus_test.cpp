// The fuzz target's corpus, replayed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fuzz/zstd_check.hpp"

namespace scanmq::compress {
namespace {

TEST(ZstdCorpus, KeepsItsPromises) {
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(std::string(SCANMQ_SOURCE_DIR) +
                                                                "/tests/fuzz/corpus/zstd")) {
        std::ifstream in(file.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        EXPECT_TRUE(tests::zstd_keeps_promises(bytes)) << file.path();
        ++files;
    }
    EXPECT_GE(files, 6U);
}

}  // namespace
}  // namespace scanmq::compress
