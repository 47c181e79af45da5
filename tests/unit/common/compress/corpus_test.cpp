// The fuzz target's corpus, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/zstd_check.hpp"

namespace scanmq::compress {
namespace {

TEST(FuzzCorpus, FramesKeepTheirPromises) {
    const auto files = testing::corpus_of("zstd");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::zstd_keeps_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 6U);
}

}  // namespace
}  // namespace scanmq::compress
