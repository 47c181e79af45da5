// The fuzz target's corpus, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/log_check.hpp"

namespace scanmq::broker {
namespace {

TEST(FuzzCorpus, LogsKeepTheReadersPromises) {
    const auto files = testing::corpus_of("log");
    for (const auto& file : files) {
        for (const bool repair : {true, false}) {
            EXPECT_TRUE(tests::log_keeps_promises(file.bytes, repair)) << file.name;
        }
    }
    EXPECT_GE(files.size(), 8U);
}

}  // namespace
}  // namespace scanmq::broker
