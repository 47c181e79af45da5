// The fuzz target's corpus, replayed as it is and damaged; and inputs too large to store.

#include "tests/support/corpus.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/rng.hpp"
#include "scanner/market/chain_builder.hpp"
#include "tests/fuzz/chain_check.hpp"

namespace scanmq::market {
namespace {

std::vector<testing::CorpusFile> corpus() { return testing::corpus_of("chain"); }

TEST(FuzzCorpus, ChainsKeepTheReadersPromises) {
    const auto files = corpus();
    for (const auto& file : files) {
        EXPECT_TRUE(tests::chains_keep_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 50U);
}

// Those without a damage in their name are read, so that the damaged ones get as far as they should.
TEST(FuzzCorpus, WholeFilesOfEveryFormatAreRead) {
    std::size_t read = 0;
    for (const auto& file : corpus()) {
        for (const char* whole :
             {"cboe", "cboe_fr", "ivolatility", "hod_l3", "lean", "optionlab", "tda", "snapshot"}) {
            if (file.name != whole) continue;
            const auto report = read_chain_text(file.bytes, "fuzz_2024-06-10");
            EXPECT_TRUE(report.ok()) << file.name << ": " << report.error().message;
            ++read;
        }
        for (const char* whole :
             {"map_all", "map_semicolon", "map_tab", "map_unix_s", "map_unix_ms", "map_midnight",
              "map_overflow", "map_adjusted", "map_days", "map_five", "map_old_symbol"}) {
            if (file.name != whole) continue;
            const auto mapping = tests::fuzz_mapping(file.bytes.substr(4, 3));
            ReadOptions options;
            options.columns = &mapping;
            const auto report =
                read_chain_text(ByteView(file.bytes).substr(7), "fuzz_2024-06-10", options);
            EXPECT_TRUE(report.ok()) << file.name << ": " << report.error().message;
            ++read;
        }
    }
    EXPECT_EQ(read, 19U);
}

TEST(FuzzCorpus, EveryCutKeepsThePromises) {
    for (const auto& file : corpus()) {
        const std::size_t step = file.bytes.size() / 400 + 1;
        for (std::size_t size = 0; size < file.bytes.size(); size += step) {
            ASSERT_TRUE(tests::chains_keep_promises(ByteView(file.bytes).substr(0, size)))
                << file.name << " cut to " << size;
        }
    }
}

TEST(FuzzCorpus, RandomDamageKeepsThePromises) {
    Rng rng(20240610);
    const std::vector<std::string> pieces{"nan",      "inf",   "-1", "1e999", "0",
                                          "-0",       "1e308", ",",  "\n",    "\"",
                                          "99999999", "{",     "]",  "\xff",  "1900-01-01"};
    for (const auto& file : corpus()) {
        if (file.bytes.empty()) continue;
        for (int round = 0; round < 150; ++round) {
            auto damaged = file.bytes;
            for (std::uint64_t i = 0; i <= rng.below(4); ++i) {
                const auto at = rng.below(damaged.size() + 1);
                if (rng.below(2) == 0) {
                    damaged.insert(at, pieces[rng.below(pieces.size())]);
                } else if (at < damaged.size()) {
                    damaged[at] = static_cast<char>(rng.below(256));
                }
            }
            ASSERT_TRUE(tests::chains_keep_promises(damaged)) << file.name << " round " << round;
        }
    }
}

std::string optionlab_rows(std::size_t rows) {
    std::string text = "Type,Strike,Bid,Ask,Expiration\n";
    for (std::size_t i = 1; i <= rows; ++i) text += fmt::format("call,{},1,2,2024-06-21\n", i);
    return text;
}

TEST(LargeInput, AMillionStrikesAreRefusedAtTheLimit) {
    auto report = read_chain_text(optionlab_rows(kContractsMax + 1), "big_2024-06-10.csv");
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, ErrorCode::too_large);
    EXPECT_NE(report.error().message.find("1000000"), std::string::npos) << report.error().message;
}

TEST(LargeInput, OneStrikeFewerIsRead) {
    const auto report = read_chain_text(optionlab_rows(kContractsMax - 1), "big_2024-06-10.csv");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->contracts, kContractsMax - 1);
}

TEST(LargeInput, AMillionEqualStrikesAreOne) {
    std::string text = "Type,Strike,Bid,Ask,Expiration\n";
    for (std::size_t i = 0; i + 1 < kContractsMax; ++i) text += "call,100,1,2,2024-06-21\n";
    const auto report = read_chain_text(text, "big_2024-06-10.csv");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->contracts, 1U);
    EXPECT_EQ(report->skipped[Reason::duplicate], kContractsMax - 2);
}

TEST(LargeInput, ExpiriesAndDaysHaveLimits) {
    std::string text = "Type,Strike,Bid,Ask,Expiration\n";
    for (int year = 2000; year < 2015; ++year) {
        for (int month = 1; month <= 12; ++month) {
            for (int day = 1; day <= 28; ++day) {
                text += fmt::format("call,100,1,2,{}-{:02}-{:02}\n", year, month, day);
            }
        }
    }
    auto report = read_chain_text(text, "big_2000-01-01.csv");
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, ErrorCode::too_large);

    ColumnMapping mapping;
    mapping.name(Field::option_symbol) = "o";
    mapping.name(Field::bid) = "b";
    mapping.name(Field::ask) = "a";
    text = "o,b,a\n";
    for (int i = 0; i <= 10'000; ++i) {
        text += fmt::format("{}{}{}{}240621C00100000,1,2\n", static_cast<char>('A' + i % 26),
                            static_cast<char>('A' + i / 26 % 26),
                            static_cast<char>('A' + i / 676 % 26), "Z");
    }
    ReadOptions options;
    options.columns = &mapping;
    report = read_chain_text(text, "big_2024-06-10.csv", options);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, ErrorCode::too_large);
    EXPECT_NE(report.error().message.find("symbols and days"), std::string::npos);
}

TEST(LargeInput, LongFieldsAndLinesAreRefusedOrRead) {
    const std::string digits(4'000'000, '9');
    for (const std::string& text :
         {"Type,Strike,Bid,Ask,Expiration\ncall," + digits + ",1,2,2024-06-21\n",
          "Type,Strike,Bid,Ask,Expiration\n" + std::string(4'000'000, ','),
          "{\"callExpDateMap\":{\"" + digits + "\":{}}}", std::string(4'000'000, '"'),
          "Type,Strike,Bid,Ask,Expiration\ncall,\"" + digits}) {
        const auto report = read_chain_text(text, "long_2024-06-10.csv");
        ASSERT_FALSE(report.ok());
        EXPECT_LT(report.error().message.size(), 1000U) << "the message quotes no megabytes";
    }
}

}  // namespace
}  // namespace scanmq::market
