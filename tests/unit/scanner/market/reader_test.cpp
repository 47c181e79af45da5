#include "scanner/market/reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "common/base/rng.hpp"
#include "scanner/market/contract.hpp"
#include "scanner/market/csv.hpp"
#include "scanner/market/snapshot.hpp"
#include "support.hpp"

namespace scanmq::market {
namespace {

const std::string kTitle =
    "\nStandard & Poors 500 Index,Last: 4505.1001,Change:  37.6601\n"
    "\"Date: September 14, 2023 at 4:31 PM EDT\",Bid: 4483.25,Ask: 4526.27,Size: 1*1,Volume: 0\n";
const std::string kHeader =
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest\n";
const std::string kRow =
    "Fri Sep 29 2023,SPXW230929C04500000,60.1,0,59.1,59.5,10,0.1234,0.55,0.001,100,4500.00,"
    "SPXW230929P04500000,0,0,40.1,40.5,20,0,-0.45,0.001,200\n";
const std::string kIvHeader =
    "symbol,exchange,company_name,date,stock_price_close,option_symbol,option_expiration,strike,"
    "call/put,"
    "style,ask,bid,mean_price,settlement,iv,volume,open_interest,stock_price_for_iv,forward_price,"
    "isinterpolated,delta,vega,gamma,theta,rho\n";
const std::string kIvRow =
    "SPX,CBOE,S&P 500 Index (SPX),01/03/2011,1271.87,SPX   "
    "110122C01250000,01/21/2011,1250.0,C,E,31.5,30.2,"
    "30.85,0.0,0.1725,12,345,1271.87,1270.724,,0.68,1.0,0.0,0.0,0.1\n";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

ReadReport read(const std::string& text) {
    auto report = read_chain_text(text, "quotes.csv");
    EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().message);
    return report.ok() ? std::move(report).value() : ReadReport{};
}

// The text must be refused with that code, and the message must hold every one of the pieces.
void expect_refused(const std::string& text, ErrorCode code,
                    std::initializer_list<const char*> pieces) {
    const auto report = read_chain_text(text, "quotes.csv");
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, code) << report.error().message;
    for (const char* piece : pieces) {
        EXPECT_NE(report.error().message.find(piece), std::string::npos)
            << report.error().message << "\nlacks: " << piece;
    }
}

TEST(CboeReader, ReadsBothSidesOfARow) {
    const auto report = read(kTitle + kHeader + kRow);
    ASSERT_EQ(report.chains.size(), 1U);
    EXPECT_EQ(report.rows, 1U);
    EXPECT_EQ(report.contracts, 2U);
    const Chain& chain = report.chains[0];
    EXPECT_EQ(chain.symbol, "SPX");
    EXPECT_EQ(chain.source, "cboe_csv");
    EXPECT_EQ(chain.style, ExerciseStyle::european);
    EXPECT_EQ(chain.spot, 4505.1001);
    EXPECT_EQ(chain.as_of, new_york_moment(20230914, 16 * 60 + 31));
    EXPECT_EQ(chain.as_of_date, 20230914);
    ASSERT_EQ(chain.expiries.size(), 1U);
    EXPECT_EQ(chain.expiries[0].root, "SPXW");
    EXPECT_EQ(chain.expiries[0].date, 20230929);
    EXPECT_EQ(chain.strike, (std::vector<double>{4500, 4500}));
    EXPECT_EQ(chain.right, (std::vector<Right>{Right::call, Right::put}));
    EXPECT_EQ(chain.bid, (std::vector<double>{59.1, 40.1}));
    EXPECT_EQ(chain.ask, (std::vector<double>{59.5, 40.5}));
    EXPECT_EQ(chain.last[0], 60.1);
    EXPECT_TRUE(std::isnan(chain.last[1])) << "a last price of 0 means never traded";
    EXPECT_EQ(chain.vendor_iv[0], 0.1234);
    EXPECT_TRUE(std::isnan(chain.vendor_iv[1])) << "a volatility of 0 means none";
    EXPECT_EQ(chain.vendor_delta, (std::vector<double>{0.55, -0.45}));
    EXPECT_EQ(chain.volume, (std::vector<std::uint32_t>{10, 20}));
    EXPECT_EQ(chain.open_interest, (std::vector<std::uint32_t>{100, 200}));
}

TEST(CboeReader, RootDecidesSettlement) {
    const auto report =
        read(kTitle + kHeader + kRow + replaced(replaced(kRow, "SPXW", "SPX"), "SPXW", "SPX"));
    const Chain& chain = report.chains.at(0);
    ASSERT_EQ(chain.expiries.size(), 2U);
    EXPECT_EQ(chain.expiries[0].root, "SPX");
    EXPECT_EQ(chain.expiries[0].settlement, Settlement::am);
    EXPECT_EQ(chain.expiries[0].moment, new_york_moment(20230929, kOpenMinute));
    EXPECT_EQ(chain.expiries[0].last_trade, new_york_moment(20230928, kCloseMinute));
    EXPECT_EQ(chain.expiries[1].settlement, Settlement::pm);
    EXPECT_EQ(chain.expiries[1].last_trade, new_york_moment(20230929, kCloseMinute));
}

// What is stamped outside of a session shows the last one's end; indices are quoted longer.
TEST(CboeReader, APageStampedAfterTheCloseIsOfTheClose) {
    const auto as_of = [](const std::string& stamp, const std::string& root) {
        const auto report = read_chain_text(
            "T,Last: 10,Change: 1\n\"Date: " + stamp + "\",Bid: 1,Ask: 2\n" +
                "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,"
                "Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest\n"
                "Fri Dec 15 2023," +
                root + "231215C00010000,1,0,1,2,1,.3,.5,.1,1,10.00," + root +
                "231215P00010000,1,0,1,2,1,.3,-.5,.1,1\n",
            "x.csv");
        EXPECT_TRUE(report.ok()) << report.error().message;
        return report.ok() ? report->chains.at(0).as_of : 0;
    };
    const auto close = new_york_moment(20231110, kCloseMinute);
    EXPECT_EQ(as_of("November 10, 2023 at 6:55 PM EST", "TSLA"), close);
    EXPECT_EQ(as_of("November 11, 2023 at 11:00 AM EST", "TSLA"), close) << "a Saturday";
    EXPECT_EQ(as_of("November 13, 2023 at 9:00 AM EST", "TSLA"), close) << "before the open";
    EXPECT_EQ(as_of("November 10, 2023 at 4:10 PM EST", "TSLA"), close + 10 * kMillisPerMinute);
    EXPECT_EQ(as_of("November 10, 2023 at 11:00 AM EST", "TSLA"), close - 300 * kMillisPerMinute);
    EXPECT_EQ(as_of("November 10, 2023 at 6:55 PM EST", "SPXW"), close + 175 * kMillisPerMinute);
    EXPECT_EQ(as_of("November 24, 2023 at 3:00 PM EST", "TSLA"), new_york_moment(20231124, 13 * 60))
        << "closed early";
}

TEST(CboeReader, CrlfByteOrderMarkAndGroupedNumbersAreRead) {
    std::string text =
        "\xef\xbb\xbf" + kTitle + kHeader + replaced(kRow, ",10,0.1234", ",1\u202f234,0.1234");
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
        text.replace(at, 1, "\r\n");
    }
    const auto report = read(text);
    EXPECT_EQ(report.chains.at(0).volume[0], 1234U);
}

TEST(CboeReader, EmptyFieldsAreMissingValues) {
    const auto report = read(kTitle + kHeader + replaced(kRow, "59.1,59.5,10,0.1234,0.55", ",,,,"));
    const Chain& chain = report.chains.at(0);
    EXPECT_TRUE(std::isnan(chain.bid[0]));
    EXPECT_TRUE(std::isnan(chain.ask[0]));
    EXPECT_TRUE(std::isnan(chain.vendor_delta[0]));
    EXPECT_EQ(chain.volume[0], kNoCount);
}

TEST(CboeReader, AdjustedAndForeignContractsAreSkippedAndCounted) {
    const auto adjusted = replaced(replaced(kRow, "SPXW", "SPX1"), "SPXW", "SPX1");
    const auto foreign = replaced(replaced(kRow, "SPXW", "NDXP"), "SPXW", "NDXP");
    const auto report = read(kTitle + kHeader + adjusted + kRow + foreign + kRow);
    EXPECT_EQ(report.rows, 4U);
    EXPECT_EQ(report.contracts, 2U);
    EXPECT_EQ(report.skipped[Reason::adjusted], 2U);
    EXPECT_EQ(report.skipped[Reason::other_symbol], 2U);
    EXPECT_EQ(report.skipped[Reason::duplicate], 2U);
    EXPECT_EQ(report.chains.at(0).symbol, "SPX");
}

TEST(CboeReader, MissingColumnIsNamedWithItsLine) {
    auto header = replaced(kHeader, "Calls,Last Sale,Net,Bid,Ask", "Calls,Last Sale,Net,Bid,Offer");
    expect_refused(kTitle + header + kRow, ErrorCode::missing_column,
                   {"quotes.csv:4:", "\"Ask (calls)\"", "export"});
    expect_refused(kTitle + replaced(kHeader, "Strike", "Level") + kRow, ErrorCode::missing_column,
                   {"quotes.csv:4:", "\"Strike\""});
    expect_refused(kTitle +
                       replaced(kHeader, "Puts,Last Sale,Net,Bid,Ask,Volume,IV",
                                "Puts,Last Sale,Net,Bid,Ask,Volume,X") +
                       kRow,
                   ErrorCode::missing_column, {"\"IV (puts)\""});
}

TEST(CboeReader, UnreadableNumberIsNamedWithLineAndColumn) {
    expect_refused(kTitle + kHeader + kRow + replaced(kRow, "40.5", "4o.5"), ErrorCode::bad_number,
                   {"quotes.csv:6:", "\"Ask (puts)\"", "\"4o.5\""});
    expect_refused(kTitle + kHeader + replaced(kRow, "59.1", "nan"), ErrorCode::bad_number,
                   {"quotes.csv:5:", "\"Bid (calls)\""});
    expect_refused(kTitle + kHeader + replaced(kRow, ",100,4500.00", ",1.5,4500.00"),
                   ErrorCode::bad_number, {"\"Open Interest (calls)\"", "whole number"});
    expect_refused(kTitle + kHeader + replaced(kRow, "4500.00", ""), ErrorCode::bad_number,
                   {"\"Strike\"", "empty"});
    expect_refused(kTitle + kHeader + replaced(kRow, "4500.00", "-4500.00"), ErrorCode::bad_number,
                   {"\"Strike\"", "above zero"});
    expect_refused(replaced(kTitle, "4505.1001", "n/a") + kHeader + kRow, ErrorCode::bad_number,
                   {"quotes.csv:2:", "\"Last\""});
}

TEST(CboeReader, BadDatesAreNamedWithLineAndColumn) {
    expect_refused(kTitle + kHeader + replaced(kRow, "Sep 29 2023", "Sep 31 2023"),
                   ErrorCode::bad_date, {"quotes.csv:5:", "\"Expiration Date\"", "Sep 31 2023"});
    expect_refused(replaced(kTitle, "EDT", "MARS") + kHeader + kRow, ErrorCode::bad_date,
                   {"quotes.csv:3:", "\"Date\"", "MARS"});
    expect_refused(kTitle + kHeader + replaced(kRow, "Fri Sep 29 2023", ""), ErrorCode::bad_date,
                   {"quotes.csv:5:", "\"Expiration Date\""});
    expect_refused("\nIndex,Last: 1\n\n" + kHeader + kRow, ErrorCode::bad_date,
                   {"\"Date\"", "no line"});
}

TEST(CboeReader, TruncatedRowIsNamedWithItsLine) {
    const auto half = kRow.substr(0, kRow.size() / 2);
    expect_refused(kTitle + kHeader + kRow + half, ErrorCode::truncated_row,
                   {"quotes.csv:6:", "where the header row has 22", "download"});
    expect_refused(kTitle + kHeader + replaced(kRow, "4500.00", "4500.00,7"),
                   ErrorCode::truncated_row, {"quotes.csv:5:", "23 fields"});
}

TEST(CboeReader, BadSeriesSymbolAndQuotesAreNamed) {
    expect_refused(kTitle + kHeader + replaced(kRow, "SPXW230929C04500000", "SPXW230929P04500000"),
                   ErrorCode::bad_field, {"quotes.csv:5:", "\"Calls\""});
    expect_refused(kTitle + kHeader + replaced(kRow, "SPXW230929C04500000", "hello"),
                   ErrorCode::bad_field, {"\"hello\""});
    expect_refused(kTitle + kHeader + replaced(kRow, "60.1", "\"60.1"), ErrorCode::bad_field,
                   {"quoted"});
}

TEST(CboeReader, HeaderWithoutRowsHasNoContracts) {
    expect_refused(kTitle + kHeader, ErrorCode::no_contracts, {"quotes.csv", "0 rows"});
}

TEST(Reader, EmptyFileIsSaidToBeEmpty) {
    expect_refused("", ErrorCode::empty_file, {"quotes.csv", "download"});
    expect_refused("\n \r\n", ErrorCode::empty_file, {"quotes.csv"});
}

TEST(Reader, UnknownFormatNamesTheKnownOnes) {
    expect_refused("Kind,Level,Bid,Ask,Until\ncall,1,2,3,4\n", ErrorCode::unknown_format,
                   {"Cboe", "iVolatility", "snapshots", "--columns"});
    expect_refused("{\"a\": 1}", ErrorCode::unknown_format, {"quotes.csv"});
    expect_refused(std::string("\0\1\2,\"\",", 7), ErrorCode::unknown_format, {"quotes.csv"});
}

TEST(Reader, SnapshotIsReadAsAFile) {
    const auto bytes = encode_snapshot(testing::small_chain());
    const auto report = read(bytes);
    ASSERT_EQ(report.chains.size(), 1U);
    EXPECT_EQ(report.contracts, 12U);
    expect_refused(bytes.substr(0, 500), ErrorCode::bad_snapshot, {"quotes.csv: snapshot:"});
}

TEST(Reader, MissingFileSaysWhy) {
    const auto report = read_chains("/nonexistent/quotes.csv");
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, ErrorCode::cannot_read_file);
    EXPECT_NE(report.error().message.find("No such file"), std::string::npos)
        << report.error().message;
}

TEST(IvolatilityReader, ReadsARow) {
    const auto report = read(kIvHeader + kIvRow);
    ASSERT_EQ(report.chains.size(), 1U);
    const Chain& chain = report.chains[0];
    EXPECT_EQ(chain.symbol, "SPX");
    EXPECT_EQ(chain.as_of, new_york_moment(20110103, kCloseMinute));
    EXPECT_EQ(chain.spot, 1271.87);
    EXPECT_EQ(chain.expiries.at(0).date, 20110121) << "not the Saturday in the series symbol";
    EXPECT_EQ(chain.expiries[0].settlement, Settlement::am);
    EXPECT_EQ(chain.bid[0], 30.2);
    EXPECT_EQ(chain.ask[0], 31.5);
    EXPECT_EQ(chain.vendor_iv[0], 0.1725);
    EXPECT_EQ(chain.open_interest[0], 345U);
    EXPECT_TRUE(std::isnan(chain.last[0]));
}

TEST(IvolatilityReader, SymbolsAndDaysMakeChainsOfTheirOwn) {
    const auto next_day = replaced(kIvRow, "01/03/2011", "01/04/2011");
    const auto other = replaced(replaced(kIvRow, "SPX,", "ABC,"), "SPX   ", "ABC   ");
    const auto report =
        read(kIvHeader + kIvRow + next_day + other + replaced(kIvRow, "1250.0", "1255.0"));
    ASSERT_EQ(report.chains.size(), 3U);
    EXPECT_EQ(report.chains[0].size(), 2U);
    EXPECT_EQ(report.chains[1].as_of_date, 20110104);
    EXPECT_EQ(report.chains[2].symbol, "ABC");
    EXPECT_EQ(report.chains[2].expiries.at(0).settlement, Settlement::pm);
}

TEST(IvolatilityReader, InterpolatedAndNegativeVolatilitiesAreMissing) {
    const auto marked = replaced(kIvRow, "1270.724,,", "1270.724,*,");
    const auto none = replaced(replaced(kIvRow, "0.1725", "-1.0"), "1250.0", "1255.0");
    const auto report = read(kIvHeader + marked + none);
    EXPECT_EQ(report.interpolated, 1U);
    EXPECT_TRUE(std::isnan(report.chains.at(0).vendor_iv[0]));
    EXPECT_TRUE(std::isnan(report.chains[0].vendor_iv[1]));
    EXPECT_EQ(report.chains[0].bid[0], 30.2) << "the quote is kept";
}

TEST(IvolatilityReader, StyleComesFromItsColumn) {
    const auto american = replaced(kIvRow, ",C,E,", ",C,A,");
    const auto report = read(kIvHeader + american + replaced(kIvRow, "1250.0", "1255.0"));
    EXPECT_EQ(report.chains.at(0).style, ExerciseStyle::american);
    EXPECT_EQ(report.skipped[Reason::other_style], 1U);
    expect_refused(kIvHeader + replaced(kIvRow, ",C,E,", ",C,X,"), ErrorCode::bad_field,
                   {"quotes.csv:2:", "\"style\""});
    expect_refused(kIvHeader + replaced(kIvRow, ",C,E,", ",X,E,"), ErrorCode::bad_field,
                   {"\"call/put\""});
}

TEST(IvolatilityReader, ErrorsNameFileLineAndColumn) {
    expect_refused(replaced(kIvHeader, ",iv,", ",vol,") + kIvRow, ErrorCode::missing_column,
                   {"quotes.csv:1:", "\"iv\""});
    expect_refused(kIvHeader + kIvRow + replaced(kIvRow, "31.5", "31,5"), ErrorCode::truncated_row,
                   {"quotes.csv:3:", "26 fields"});
    expect_refused(kIvHeader + replaced(kIvRow, "31.5", "3I.5"), ErrorCode::bad_number,
                   {"quotes.csv:2:", "\"ask\"", "3I.5"});
    expect_refused(kIvHeader + replaced(kIvRow, "01/21/2011", "21/01/2011"), ErrorCode::bad_date,
                   {"quotes.csv:2:", "\"option_expiration\"", "month first"});
    expect_refused(kIvHeader + kIvRow.substr(0, 60), ErrorCode::truncated_row, {"quotes.csv:2:"});
    expect_refused(kIvHeader, ErrorCode::no_contracts, {"quotes.csv"});
}

TEST(Reader, RandomDamageNeverCrashesAndWhatIsReadIsValid) {
    Rng rng(20230914);
    for (const auto& text : {kTitle + kHeader + kRow + kRow, kIvHeader + kIvRow + kIvRow}) {
        for (int round = 0; round < 20'000; ++round) {
            std::string damaged = text;
            for (std::uint64_t i = 0; i <= rng.below(3); ++i) {
                const auto at = rng.below(damaged.size());
                switch (rng.below(3)) {
                    case 0:
                        damaged[at] = static_cast<char>(rng.below(256));
                        break;
                    case 1:
                        damaged.erase(at, rng.below(20));
                        break;
                    default:
                        damaged.insert(at, 1, "0,\"\n -9"[rng.below(7)]);
                }
            }
            const auto report = read_chain_text(damaged, "quotes.csv");
            if (!report.ok()) continue;
            for (const auto& chain : report->chains) {
                const auto decoded = decode_snapshot(encode_snapshot(chain));
                ASSERT_TRUE(decoded.ok()) << decoded.error().message << '\n' << damaged;
            }
        }
    }
}

TEST(Contract, OccSymbolsAreTakenApart) {
    const auto spxw = parse_occ_symbol("SPXW  110107C01050500");
    ASSERT_TRUE(spxw.has_value());
    EXPECT_EQ(spxw->root, "SPXW");
    EXPECT_EQ(spxw->date, 20110107);
    EXPECT_EQ(spxw->right, Right::call);
    EXPECT_EQ(spxw->strike, 1050.5);
    for (const auto* text :
         {"", "110107C01050000", "SPX110107X01050000", "SPX111307C01050000", "SPX110107C00000000",
          "SPX110107C0105000a", "TOOLONG110107C01050000", "sp 110107C01050000"}) {
        EXPECT_FALSE(parse_occ_symbol(text).has_value()) << text;
    }
    EXPECT_TRUE(is_adjusted_root("AAPL7"));
    EXPECT_FALSE(is_adjusted_root("AAPL"));
}

TEST(Csv, NumbersAsVendorsWriteThem) {
    EXPECT_EQ(parse_number_text("12.5"), 12.5);
    EXPECT_EQ(parse_number_text("1e-05"), 1e-05);
    EXPECT_EQ(parse_number_text("\u22121.5"), -1.5);
    EXPECT_EQ(parse_number_text("130\u202f859\u202f611"), 130859611.0);
    EXPECT_EQ(parse_number_text("1,234.5"), 1234.5);
    for (const auto* text : {"", "-", "inf", "NaN", "12,", ",12", "1 2x", "--1", "0x10", "1.2.3"}) {
        EXPECT_EQ(parse_number_text(text), std::nullopt) << text;
    }
}

class Directory : public ::testing::Test {
  protected:
    void SetUp() override {
        path_ = ::testing::TempDir() + "scanmq-reader-" + std::to_string(::getpid());
        std::filesystem::create_directories(path_ + "/folder");
    }
    void TearDown() override { std::filesystem::remove_all(path_); }
    void write(const std::string& name, const std::string& text) {
        std::ofstream(path_ + "/" + name, std::ios::binary) << text;
    }
    std::string path_;
};

TEST_F(Directory, KnownFilesAreReadInNameOrderAndTheRestCounted) {
    write("b.csv", kTitle + kHeader + kRow);
    write("a.csv", kIvHeader + kIvRow);
    write("notes.txt", "nothing of interest");
    write("goog_2015-12-24.csv", "Type,Strike,Bid,Ask,Expiration\ncall,100,1,2,2016-01-15\n");
    write("broken.csv", kTitle + replaced(kHeader, "Strike", "Level"));
    const auto report = read_chains(path_);
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_EQ(report->chains.size(), 3U);
    EXPECT_EQ(report->chains[0].source, "ivolatility_csv");
    EXPECT_EQ(report->chains[2].symbol, "GOOG");
    EXPECT_EQ(report->files, 3U);
    EXPECT_EQ(report->files_unknown, 1U);
    ASSERT_EQ(report->files_failed.size(), 1U);
    EXPECT_NE(report->files_failed[0].message.find("broken.csv:4"), std::string::npos);
}

TEST_F(Directory, WithoutAChainIsAnErrorThatSaysWhy) {
    write("notes.txt", "nothing of interest");
    write("empty.csv", "");
    const auto report = read_chains(path_);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, ErrorCode::no_contracts);
    EXPECT_NE(report.error().message.find("empty.csv"), std::string::npos)
        << report.error().message;
}

TEST(VendorFiles, CboeSpxHasItsKnownCounts) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
    const auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->rows, 9960U);
    EXPECT_EQ(report->contracts, 19920U);
    EXPECT_EQ(report->skipped.total(), 0U);
    const Chain& chain = report->chains.at(0);
    EXPECT_EQ(chain.symbol, "SPX");
    EXPECT_EQ(chain.spot, 4505.1001);
    EXPECT_EQ(chain.expiries.size(), 59U);
    std::set<YearMonthDay> dates;
    for (const auto& expiry : chain.expiries) dates.insert(expiry.date);
    EXPECT_EQ(dates.size(), 53U);
    EXPECT_EQ(std::count(chain.bid.begin(), chain.bid.end(), 0.0), 1480);
    EXPECT_EQ(std::count_if(chain.vendor_iv.begin(), chain.vendor_iv.end(),
                            [](double v) { return std::isnan(v); }),
              1447);
    const auto decoded = decode_snapshot(encode_snapshot(chain));
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(decoded->ask, chain.ask);
}

TEST(VendorFiles, CboeFrenchLocaleIsRead) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_tsla_2023-11-10_quotedata_fr.csv");
    const auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const Chain& chain = report->chains.at(0);
    EXPECT_EQ(chain.symbol, "TSLA");
    EXPECT_EQ(chain.style, ExerciseStyle::american);
    EXPECT_EQ(chain.size(), 680U);
    EXPECT_EQ(chain.as_of, new_york_moment(20231110, kCloseMinute)) << "stamped 18:55";
    EXPECT_EQ(chain.as_of_date, 20231110);
    EXPECT_EQ(chain.spot, 213.88);
}

TEST(VendorFiles, IvolatilityGivesAChainPerDay) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "ivolatility_spx_2011-01-03_07.csv");
    const auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->rows, 9832U);
    EXPECT_EQ(report->contracts, 9832U);
    EXPECT_EQ(report->interpolated, 3431U);
    ASSERT_EQ(report->chains.size(), 5U);
    EXPECT_EQ(report->chains[0].size(), 1936U);
    EXPECT_EQ(report->chains[0].expiries.size(), 15U);
    EXPECT_EQ(report->chains[4].as_of_date, 20110107);
    for (const auto& chain : report->chains) {
        ASSERT_TRUE(decode_snapshot(encode_snapshot(chain)).ok());
    }
}

}  // namespace
}  // namespace scanmq::market
