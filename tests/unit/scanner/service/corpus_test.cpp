// The fuzz target's corpus, replayed.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/request_check.hpp"

namespace scanmq::service {
namespace {

TEST(FuzzCorpus, DocumentsKeepTheDecodersPromises) {
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(std::string(SCANMQ_SOURCE_DIR) +
                                                                "/tests/fuzz/corpus/request")) {
        std::ifstream in(file.path(), std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)),
                                std::istreambuf_iterator<char>());
        EXPECT_TRUE(tests::documents_keep_promises(bytes)) << file.path();
        ++files;
    }
    EXPECT_GE(files, 14U);
}

}  // namespace
}  // namespace scanmq::service
