// The fuzz target's corpus, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/response_check.hpp"

namespace scanmq::worker {
namespace {

TEST(FuzzCorpus, AnswersKeepTheReadersPromises) {
    const auto files = testing::corpus_of("response");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::responses_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 25U);
}

}  // namespace
}  // namespace scanmq::worker
