// The fuzz targets' corpora, replayed.

#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/fuzz/columns_check.hpp"
#include "tests/fuzz/contracts_check.hpp"
#include "tests/fuzz/options_check.hpp"

namespace scanmq::cli {
namespace {

TEST(FuzzCorpus, ColumnsKeepTheReadersPromises) {
    const auto files = testing::corpus_of("columns");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::columns_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 30U);
}

TEST(FuzzCorpus, ContractsKeepTheReadersPromises) {
    const auto files = testing::corpus_of("contracts");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::contracts_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 35U);
}

TEST(FuzzCorpus, OptionsKeepTheReadersPromises) {
    const auto files = testing::corpus_of("options");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::options_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 30U);
}

// Seeds without a damage in their name are read.
TEST(FuzzCorpus, WholeFilesAreRead) {
    std::size_t read = 0;
    for (const auto& file : testing::corpus_of("columns")) {
        for (const char* whole : {"needed", "full", "option_symbol", "with_csv"}) {
            if (file.name != whole) continue;
            const std::string text = file.bytes.substr(0, file.bytes.find('\0'));
            const auto mapping = parse_columns_file(text, file.name);
            EXPECT_TRUE(mapping.ok()) << mapping.error();
            ++read;
        }
    }
    for (const auto& file : testing::corpus_of("contracts")) {
        for (const char* whole : {"shipped", "own", "empty", "many_rows", "inline"}) {
            if (file.name != whole) continue;
            const auto table = parse_contracts_file(file.bytes, file.name);
            EXPECT_TRUE(table.ok()) << table.error();
            ++read;
        }
    }
    EXPECT_EQ(read, 9U);
}

}  // namespace
}  // namespace scanmq::cli
