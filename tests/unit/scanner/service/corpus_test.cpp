// The fuzz targets' corpora, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/request_check.hpp"
#include "tests/fuzz/scan_check.hpp"

namespace scanmq::service {
namespace {

TEST(FuzzCorpus, DocumentsKeepTheDecodersPromises) {
    const auto files = testing::corpus_of("request");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::documents_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 14U);
}

TEST(FuzzCorpus, ScansKeepTheEnginesPromises) {
    const auto files = testing::corpus_of("scan");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::scans_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 40U);
}

// What the seeds are for: each has a chain, and those named for a request one that is read.
TEST(FuzzCorpus, ScansHaveChainsAndRequests) {
    for (const auto& file : testing::corpus_of("scan")) {
        const auto end = file.bytes.find('\0');
        ASSERT_NE(end, std::string::npos) << file.name;
        const auto chain =
            market::read_chain_text(ByteView(file.bytes).substr(end + 1), "fuzz_2024-06-10");
        if (file.name != "negative_prices" && file.name != "nan_prices") {
            EXPECT_TRUE(chain.ok()) << file.name << ": " << chain.error().message;
        }
        if (end == 0 || file.name.substr(0, 8) == "refused_") continue;
        const auto request = decode_request(ByteView(file.bytes).substr(0, end));
        EXPECT_TRUE(request.ok()) << file.name << ": " << request.error().message;
    }
}

}  // namespace
}  // namespace scanmq::service
