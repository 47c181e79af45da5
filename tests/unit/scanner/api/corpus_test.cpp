// The fuzz target's corpus, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/api_check.hpp"

namespace scanmq::api {
namespace {

TEST(FuzzCorpus, CallsKeepTheReadersPromises) {
    const auto files = testing::corpus_of("api");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::calls_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 12U);
}

}  // namespace
}  // namespace scanmq::api
