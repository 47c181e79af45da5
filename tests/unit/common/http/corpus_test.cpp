// The fuzz target's corpus, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/http_check.hpp"

namespace scanmq::http {
namespace {

TEST(FuzzCorpus, RequestsKeepTheReadersPromises) {
    const auto files = testing::corpus_of("http");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::requests_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 15U);
}

}  // namespace
}  // namespace scanmq::http
