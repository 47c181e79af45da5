// The fuzz target's corpus, replayed: what once broke a decoder stays refused.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/frame_check.hpp"

namespace scanmq::protocol {
namespace {

TEST(FuzzCorpus, FramesKeepTheDecodersPromises) {
    const auto files = testing::corpus_of("frame");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::frame_keeps_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 30U);
}

}  // namespace
}  // namespace scanmq::protocol
