// The fuzz target's corpus, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/jobs_check.hpp"

namespace scanmq::gateway {
namespace {

TEST(FuzzCorpus, JobsKeepTheReadersPromises) {
    const auto files = testing::corpus_of("jobs");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::jobs_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 25U);
}

}  // namespace
}  // namespace scanmq::gateway
