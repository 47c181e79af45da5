// The fuzz target's corpus, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/process_check.hpp"

namespace scanmq::worker {
namespace {

TEST(FuzzCorpus, OutputKeepsTheReadersPromises) {
    const auto files = testing::corpus_of("process");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::process_output_keeps_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 30U);
}

}  // namespace
}  // namespace scanmq::worker
