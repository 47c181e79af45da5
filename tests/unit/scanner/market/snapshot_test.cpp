#include "scanner/market/snapshot.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "common/base/rng.hpp"
#include "support.hpp"

namespace scanmq::market {
namespace {

constexpr std::size_t kTable = 24;
constexpr std::size_t kEntry = 48;

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
    std::memcpy(bytes.data() + at, &value, size);
}

std::uint64_t get64(const std::string& bytes, std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, 8);
    return value;
}

// Where a column's table entry stands.
std::size_t entry_of(const std::string& bytes, const char* name) {
    for (std::size_t at = kTable; at + kEntry <= bytes.size(); at += kEntry) {
        if (std::string(bytes.data() + at) == name) return at;
    }
    ADD_FAILURE() << "no column " << name;
    return kTable;
}

std::size_t data_of(const std::string& bytes, const char* name) {
    return get64(bytes, entry_of(bytes, name) + 40);
}

void put_double(std::string& bytes, const char* column, std::size_t row, double value) {
    std::memcpy(bytes.data() + data_of(bytes, column) + row * 8, &value, 8);
}

// Decoding must fail with that code and name `what` in its message.
void expect_refused(const std::string& bytes, ErrorCode code, const char* what) {
    const auto chain = decode_snapshot(bytes);
    ASSERT_FALSE(chain.ok()) << "accepted; expected a message with: " << what;
    EXPECT_EQ(chain.error().code, code) << chain.error().message;
    EXPECT_NE(chain.error().message.find(what), std::string::npos) << chain.error().message;
}

class Snapshot : public ::testing::Test {
  protected:
    std::string bytes_ = encode_snapshot(testing::small_chain());
};

TEST_F(Snapshot, RoundTripKeepsEveryField) {
    const Chain chain = testing::small_chain();
    const auto read = decode_snapshot(bytes_);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->symbol, "XYZ");
    EXPECT_EQ(read->source, "test");
    EXPECT_EQ(read->as_of, chain.as_of);
    EXPECT_EQ(read->as_of_date, 20240610);
    EXPECT_EQ(read->spot, 100.25);
    EXPECT_EQ(read->style, ExerciseStyle::american);
    EXPECT_EQ(read->multiplier, 100U);
    ASSERT_EQ(read->expiries.size(), 2U);
    EXPECT_EQ(read->expiries[0].date, 20240614);
    EXPECT_EQ(read->expiries[1].root, "XYZ");
    EXPECT_EQ(read->expiries[1].call_begin, 6U);
    EXPECT_EQ(read->expiries[1].put_begin, 9U);
    EXPECT_EQ(read->expiries[1].moment, new_york_moment(20240621, kCloseMinute));
    EXPECT_EQ(read->strike,
              (std::vector<double>{95, 100, 105, 95, 100, 105, 95, 100, 105, 95, 100, 105}));
    EXPECT_EQ(read->bid, chain.bid);
    EXPECT_EQ(read->bid[3], 0.0);
    EXPECT_TRUE(std::isnan(read->last[3]));
    EXPECT_TRUE(std::isnan(read->vendor_iv[0]));
    EXPECT_EQ(read->vendor_iv[1], 0.21);
    EXPECT_EQ(read->vendor_delta, chain.vendor_delta);
    EXPECT_EQ(read->volume, chain.volume);
    EXPECT_EQ(read->open_interest[0], kNoCount);
    EXPECT_EQ(read->expiry, chain.expiry);
    EXPECT_EQ(read->right, chain.right);
}

TEST_F(Snapshot, SameChainMakesSameBytes) {
    auto chain = testing::small_chain();
    chain.bid[3] = -0.0;
    chain.last[3] = -std::nan("7");
    EXPECT_EQ(encode_snapshot(chain), bytes_);
    const auto read = decode_snapshot(bytes_);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(encode_snapshot(*read), bytes_);
}

TEST_F(Snapshot, QuoteTimesAreStoredWhenThereAreAny) {
    auto chain = testing::small_chain();
    chain.quoted.assign(chain.size(), 0);
    chain.quoted[1] = chain.as_of - 1500;
    const auto bytes = encode_snapshot(chain);
    const auto read = decode_snapshot(bytes);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->quoted, chain.quoted);
    EXPECT_EQ(encode_snapshot(*read), bytes);
    EXPECT_TRUE(decode_snapshot(bytes_)->quoted.empty());
    EXPECT_EQ(get64(bytes_, 8) >> 32, 25U) << "without quote times nothing has changed";

    auto damaged = bytes;
    put(damaged, data_of(damaged, "quoted"), 1ULL << 62, 8);
    expect_refused(damaged, ErrorCode::bad_snapshot, "quoted");
    damaged = bytes;
    put(damaged, entry_of(damaged, "quoted") + 32, 3, 8);
    expect_refused(damaged, ErrorCode::bad_snapshot, "\"quoted\" has 3 elements");
}

TEST_F(Snapshot, AVendorsRateIsStoredWhereThereIsOne) {
    auto chain = testing::small_chain();
    EXPECT_TRUE(std::isnan(decode_snapshot(bytes_)->vendor_rate));
    chain.vendor_rate = 0.001;
    const auto bytes = encode_snapshot(chain);
    EXPECT_GT(bytes.size(), bytes_.size());
    const auto read = decode_snapshot(bytes);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->vendor_rate, 0.001);
}

TEST_F(Snapshot, EmptyChainRoundTrips) {
    Chain chain;
    chain.symbol = "NIL";
    chain.source = "test";
    chain.as_of_date = 20240610;
    const auto read = decode_snapshot(encode_snapshot(chain));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->size(), 0U);
    EXPECT_TRUE(std::isnan(read->spot));
}

TEST_F(Snapshot, ColumnsAreAlignedToEightBytes) {
    const auto columns = get64(bytes_, 8) >> 32;
    for (std::size_t i = 0; i < columns; ++i) {
        EXPECT_EQ(get64(bytes_, kTable + i * kEntry + 40) % 8, 0U);
    }
    EXPECT_EQ(bytes_.size() % 8, 0U);
}

TEST_F(Snapshot, UnknownColumnIsIgnored) {
    // An empty column of a later program, put first into the table.
    Chain chain = testing::small_chain();
    std::string more = bytes_;
    const std::string extra(kEntry, '\0');
    more.insert(kTable, extra);
    std::memcpy(more.data() + kTable, "later", 5);
    std::memcpy(more.data() + kTable + 24, "<f8", 3);
    const auto columns = (get64(bytes_, 8) >> 32) + 1;
    put(more, 12, columns, 4);
    put(more, 16, more.size(), 8);
    for (std::size_t i = 1; i < columns; ++i) {
        const auto at = kTable + i * kEntry + 40;
        put(more, at, get64(more, at) + kEntry, 8);
    }
    put(more, kTable + 40, more.size() / 8 * 8, 8);
    const auto read = decode_snapshot(more);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->strike, chain.strike);
}

TEST_F(Snapshot, EveryTruncationIsRefused) {
    for (std::size_t size = 0; size < bytes_.size(); ++size) {
        ASSERT_FALSE(decode_snapshot(ByteView(bytes_).substr(0, size)).ok()) << size;
    }
    expect_refused(bytes_ + "x", ErrorCode::bad_snapshot, "bytes and has");
}

TEST_F(Snapshot, RandomDamageNeverCrashesAndAcceptedBytesAreValid) {
    Rng rng(20240610);
    for (int round = 0; round < 20'000; ++round) {
        std::string damaged = bytes_;
        for (std::uint64_t i = 0; i <= rng.below(4); ++i) {
            damaged[rng.below(damaged.size())] = static_cast<char>(rng.below(256));
        }
        const auto read = decode_snapshot(damaged);
        if (!read.ok()) {
            ASSERT_FALSE(read.error().message.empty());
            continue;
        }
        ASSERT_TRUE(decode_snapshot(encode_snapshot(*read)).ok());
    }
}

TEST_F(Snapshot, WrongMagicIsRefused) {
    bytes_[0] = 'X';
    expect_refused(bytes_, ErrorCode::bad_snapshot, "magic");
}

TEST_F(Snapshot, LaterVersionIsUnsupported) {
    put(bytes_, 8, 2, 4);
    expect_refused(bytes_, ErrorCode::unsupported_snapshot, "version 2");
}

TEST_F(Snapshot, TooManyColumnsAreRefused) {
    put(bytes_, 12, 65, 4);
    expect_refused(bytes_, ErrorCode::too_large, "65 columns");
}

TEST_F(Snapshot, MissingColumnIsRefused) {
    bytes_[entry_of(bytes_, "ask")] = 'x';
    expect_refused(bytes_, ErrorCode::bad_snapshot, "no column \"ask\"");
}

TEST_F(Snapshot, DoubledColumnIsRefused) {
    std::memcpy(bytes_.data() + entry_of(bytes_, "ask"), "bid", 4);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "stands twice");
}

TEST_F(Snapshot, NamelessColumnIsRefused) {
    bytes_[entry_of(bytes_, "ask")] = '\0';
    expect_refused(bytes_, ErrorCode::bad_snapshot, "no name");
}

TEST_F(Snapshot, WrongElementTypeIsRefused) {
    bytes_[entry_of(bytes_, "bid") + 26] = '4';
    expect_refused(bytes_, ErrorCode::bad_snapshot, "not of type <f8");
}

TEST_F(Snapshot, UnalignedColumnIsRefused) {
    const auto at = entry_of(bytes_, "bid") + 40;
    put(bytes_, at, get64(bytes_, at) + 4, 8);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "not aligned");
}

TEST_F(Snapshot, ColumnInsideTheTableIsRefused) {
    put(bytes_, entry_of(bytes_, "bid") + 40, 24, 8);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "starts outside");
}

TEST_F(Snapshot, OffsetPastTheEndIsRefused) {
    put(bytes_, entry_of(bytes_, "bid") + 40, ~7ULL, 8);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "starts outside");
}

TEST_F(Snapshot, ColumnThatRunsPastTheEndIsRefused) {
    put(bytes_, entry_of(bytes_, "bid") + 40, bytes_.size() - 8, 8);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "ends outside");
}

TEST_F(Snapshot, CountThatDiffersFromTheOthersIsRefused) {
    put(bytes_, entry_of(bytes_, "bid") + 32, 11, 8);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "11 elements");
}

TEST_F(Snapshot, HugeCountIsRefusedBeforeItIsAllocated) {
    put(bytes_, entry_of(bytes_, "strike") + 32, ~0ULL, 8);
    expect_refused(bytes_, ErrorCode::too_large, "strike");
}

TEST_F(Snapshot, CountBeyondTheBytesIsRefused) {
    for (const char* name : {"strike", "bid", "ask", "last", "vendor_iv", "vendor_delta", "volume",
                             "open_interest", "expiry", "right"}) {
        put(bytes_, entry_of(bytes_, name) + 32, 999'999, 8);
    }
    expect_refused(bytes_, ErrorCode::bad_snapshot, "ends outside");
}

TEST_F(Snapshot, TooManyExpiriesAreRefused) {
    put(bytes_, entry_of(bytes_, "expiry.root") + 32, 4097, 8);
    expect_refused(bytes_, ErrorCode::too_large, "expiry.root");
}

TEST_F(Snapshot, StrikesOutOfOrderAreRefused) {
    put_double(bytes_, "strike", 1, 94.0);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "strikes must");
}

TEST_F(Snapshot, StrikeThatIsNoNumberIsRefused) {
    for (const double strike : {kMissing, HUGE_VAL, 0.0, -1.0}) {
        put_double(bytes_, "strike", 0, strike);
        expect_refused(bytes_, ErrorCode::bad_snapshot, "strikes must");
    }
}

TEST_F(Snapshot, NegativeOrInfinitePriceIsRefused) {
    for (const char* column : {"bid", "ask", "last", "vendor_iv"}) {
        for (const double price : {-0.01, HUGE_VAL}) {
            std::string damaged = bytes_;
            put_double(damaged, column, 2, price);
            expect_refused(damaged, ErrorCode::bad_snapshot, "contract 2");
        }
    }
}

TEST_F(Snapshot, ContractOfAnotherExpiryIsRefused) {
    bytes_[data_of(bytes_, "expiry")] = 1;
    expect_refused(bytes_, ErrorCode::bad_snapshot, "contract 0");
}

TEST_F(Snapshot, ContractOfTheOtherRightIsRefused) {
    bytes_[data_of(bytes_, "right") + 2] = 1;
    expect_refused(bytes_, ErrorCode::bad_snapshot, "contract 2");
}

TEST_F(Snapshot, UnknownRightIsRefused) {
    bytes_[data_of(bytes_, "right")] = 2;
    expect_refused(bytes_, ErrorCode::bad_snapshot, "neither 0 (call)");
}

TEST_F(Snapshot, ExpiryRowsThatOverlapAreRefused) {
    put(bytes_, data_of(bytes_, "expiry.call_begin") + 4, 5, 4);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "rows do not follow");
}

TEST_F(Snapshot, ExpiryRowsBeyondTheContractsAreRefused) {
    put(bytes_, data_of(bytes_, "expiry.end") + 4, 13, 4);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "not all the contracts");
}

TEST_F(Snapshot, ExpiriesOutOfOrderAreRefused) {
    put(bytes_, data_of(bytes_, "expiry.moment"),
        static_cast<std::uint64_t>(new_york_moment(20240628, 960)), 8);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "rising order");
}

TEST_F(Snapshot, ExpiryThatTradesAfterSettlementIsRefused) {
    put(bytes_, data_of(bytes_, "expiry.last_trade"),
        static_cast<std::uint64_t>(new_york_moment(20240628, 960)), 8);
    expect_refused(bytes_, ErrorCode::bad_snapshot, "after it settles");
}

TEST_F(Snapshot, ImpossibleDatesAreRefused) {
    std::string damaged = bytes_;
    put(damaged, data_of(damaged, "expiry.date"), 20240231, 4);
    expect_refused(damaged, ErrorCode::bad_snapshot, "no date");
    damaged = bytes_;
    put(damaged, data_of(damaged, "as_of_date"), 0, 4);
    expect_refused(damaged, ErrorCode::bad_snapshot, "as_of");
    damaged = bytes_;
    put(damaged, data_of(damaged, "as_of"), ~0ULL >> 1, 8);
    expect_refused(damaged, ErrorCode::bad_snapshot, "as_of");
}

TEST_F(Snapshot, UnknownSettlementStyleOrMultiplierIsRefused) {
    std::string damaged = bytes_;
    damaged[data_of(damaged, "expiry.settlement")] = 2;
    expect_refused(damaged, ErrorCode::bad_snapshot, "settlement");
    damaged = bytes_;
    damaged[data_of(damaged, "style")] = 2;
    expect_refused(damaged, ErrorCode::bad_snapshot, "style");
    damaged = bytes_;
    put(damaged, data_of(damaged, "multiplier"), 0, 4);
    expect_refused(damaged, ErrorCode::bad_snapshot, "multiplier");
}

TEST_F(Snapshot, UnprintableSymbolIsRefused) {
    for (const char first : {'\0', '\n', '\x80', ' '}) {
        std::string damaged = bytes_;
        damaged[data_of(damaged, "symbol")] = first;
        expect_refused(damaged, ErrorCode::bad_snapshot, "symbol");
    }
    bytes_[data_of(bytes_, "symbol") + 10] = 'Q';  // behind the terminating zero
    expect_refused(bytes_, ErrorCode::bad_snapshot, "symbol");
}

TEST_F(Snapshot, SpotBelowZeroIsRefused) {
    for (const double spot : {0.0, -1.0, HUGE_VAL}) {
        put_double(bytes_, "spot", 0, spot);
        expect_refused(bytes_, ErrorCode::bad_snapshot, "spot");
    }
}

// The Python program in docs/SNAPSHOT.md, run as a user would copy it.
TEST_F(Snapshot, DocumentedPythonReadsIt) {
    if (std::system("/usr/bin/python3 -c 'import numpy' >/dev/null 2>&1") != 0) {
        GTEST_SKIP() << "needs /usr/bin/python3 with numpy (package python3-numpy)";
    }
    std::ifstream document(SCANMQ_SOURCE_DIR "/docs/SNAPSHOT.md");
    const std::string text{std::istreambuf_iterator<char>(document), {}};
    const std::string fence = "```python\n";
    const auto begin = text.find(fence);
    ASSERT_NE(begin, std::string::npos);
    const auto code =
        text.substr(begin + fence.size(), text.find("```", begin + 3) - begin - fence.size());

    const std::string base = ::testing::TempDir() + "scanmq-snapshot-" + std::to_string(::getpid());
    std::ofstream(base + ".py") << code;
    std::ofstream(base + ".snapshot", std::ios::binary) << bytes_;
    FILE* pipe =
        ::popen(("/usr/bin/python3 " + base + ".py " + base + ".snapshot 2>&1").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::array<char, 512> line{};
    std::string output;
    while (std::fgets(line.data(), line.size(), pipe) != nullptr) output += line.data();
    EXPECT_EQ(::pclose(pipe), 0) << output;
    std::remove((base + ".py").c_str());
    std::remove((base + ".snapshot").c_str());
    EXPECT_EQ(output, "XYZ 12 6 12.5\n");
}

TEST_F(Snapshot, ASaturdaySettlesWithItsFridayAndComesAfterIt) {
    ChainBuilder builder;
    for (const YearMonthDay date : {20231021, 20231020}) {
        ChainBuilder::Row row;
        row.strike = date == 20231020 ? 100.0 : 105.0;
        row.bid = 1.0;
        row.ask = 1.1;
        row.expiry = builder.expiry("XYZ", date, Settlement::pm);
        builder.add(row);
    }
    Chain head;
    head.symbol = "XYZ";
    head.source = "test";
    head.as_of = new_york_moment(20230914, 15 * 60);
    head.as_of_date = 20230914;
    std::uint64_t duplicates = 0;
    const Chain chain = builder.finish(std::move(head), duplicates);
    ASSERT_EQ(chain.expiries.size(), 2U);
    EXPECT_EQ(chain.expiries[0].date, 20231020);
    EXPECT_EQ(chain.expiries[0].moment, chain.expiries[1].moment);
    EXPECT_TRUE(decode_snapshot(encode_snapshot(chain)).ok());
}

}  // namespace
}  // namespace scanmq::market
