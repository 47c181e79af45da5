// CSV files read by a column mapping.

#include "scanner/market/columns.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "scanner/market/reader.hpp"
#include "scanner/market/snapshot.hpp"
#include "support.hpp"

namespace scanmq::market {
namespace {

ColumnMapping basic() {
    ColumnMapping mapping;
    mapping.name(Field::expiry) = "Exp";
    mapping.name(Field::strike) = "K";
    mapping.name(Field::right) = "CP";
    mapping.name(Field::bid) = "B";
    mapping.name(Field::ask) = "A";
    mapping.symbol = "XYZ";
    mapping.as_of = new_york_moment(20240610, 15 * 60);
    return mapping;
}

MarketResult<ReadReport> read(const std::string& text, const ColumnMapping& mapping,
                              std::string_view name = "quotes.csv", ReadOptions options = {}) {
    options.columns = &mapping;
    return read_chain_text(text, name, options);
}

Chain chain_of(const std::string& text, const ColumnMapping& mapping,
               std::string_view name = "quotes.csv") {
    auto report = read(text, mapping, name);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? std::move(report->chains.at(0)) : Chain{};
}

void expect_refused(const MarketResult<ReadReport>& report, ErrorCode code,
                    std::initializer_list<const char*> pieces) {
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, code) << report.error().message;
    for (const char* piece : pieces) {
        EXPECT_NE(report.error().message.find(piece), std::string::npos) << report.error().message;
    }
}

TEST(Columns, FiveColumnsAreEnough) {
    const auto chain =
        chain_of("Exp,K,CP,B,A\n2024-06-21,100,call,1.1,1.2\n2024-06-21,100,P,1,1.3\n", basic());
    EXPECT_EQ(chain.symbol, "XYZ");
    EXPECT_EQ(chain.source, "columns");
    EXPECT_EQ(chain.as_of, new_york_moment(20240610, 15 * 60));
    EXPECT_EQ(chain.style, ExerciseStyle::american);
    EXPECT_EQ(chain.bid, (std::vector<double>{1.1, 1}));
    EXPECT_EQ(chain.right, (std::vector<Right>{Right::call, Right::put}));
    EXPECT_TRUE(chain.quoted.empty());
    EXPECT_TRUE(chain.vendor.theta.empty());
}

TEST(Columns, UnitsBecomeOurs) {
    auto mapping = basic();
    mapping.name(Field::iv) = "V";
    mapping.name(Field::theta) = "Th";
    mapping.name(Field::vega) = "Ve";
    mapping.name(Field::rho) = "R";
    mapping.name(Field::gamma) = "G";
    const std::string text =
        "Exp,K,CP,B,A,V,Th,Ve,R,G\n2024-06-21,100,C,1,2,20,-0.5,0.25,0.125,0.01\n";
    auto chain = chain_of(text, mapping);
    EXPECT_EQ(chain.vendor_iv[0], 20);
    EXPECT_EQ(chain.vendor.theta[0], -0.5);
    EXPECT_EQ(chain.vendor.vega[0], 0.25);
    mapping.iv_in_percent = mapping.theta_per_day = mapping.vega_per_point = mapping.rho_per_point =
        true;
    chain = chain_of(text, mapping);
    EXPECT_DOUBLE_EQ(chain.vendor_iv[0], 0.20);
    EXPECT_DOUBLE_EQ(chain.vendor.theta[0], -182.5);
    EXPECT_EQ(chain.vendor.vega[0], 25);
    EXPECT_EQ(chain.vendor.rho[0], 12.5);
    EXPECT_EQ(chain.vendor.gamma[0], 0.01);
}

TEST(Columns, DelimiterMissingTextsAndDayFirst) {
    auto mapping = basic();
    mapping.delimiter = '\t';
    mapping.missing = {"NaN", "n/a"};
    mapping.date_order = DateOrder::day_first;
    const auto chain = chain_of(
        "Exp\tK\tCP\tB\tA\n21/06/2024\t1,000\tC\tNaN\t2\n5/7/2024\t90\tp\tn/a\t\n", mapping);
    EXPECT_EQ(chain.expiries.at(0).date, 20240621);
    EXPECT_EQ(chain.expiries.at(1).date, 20240705);
    EXPECT_EQ(chain.strike, (std::vector<double>{1000, 90}));
    EXPECT_TRUE(std::isnan(chain.bid[0]));
    EXPECT_TRUE(std::isnan(chain.ask[1]));
}

TEST(Columns, DefaultsDecideStyleAndSettlement) {
    auto mapping = basic();
    mapping.style = ExerciseStyle::european;
    mapping.settlement = Settlement::am;
    auto chain = chain_of("Exp,K,CP,B,A\n2024-06-21,100,C,1,2\n", mapping);
    EXPECT_EQ(chain.style, ExerciseStyle::european);
    EXPECT_EQ(chain.expiries.at(0).settlement, Settlement::am);
    mapping.name(Field::settlement) = "S";
    mapping.name(Field::style) = "St";
    chain = chain_of("Exp,K,CP,B,A,S,St\n2024-06-21,100,C,1,2,PM,American\n", mapping);
    EXPECT_EQ(chain.style, ExerciseStyle::american);
    EXPECT_EQ(chain.expiries.at(0).settlement, Settlement::pm);
}

TEST(Columns, AnOptionSymbolSaysTheContract) {
    ColumnMapping mapping;
    mapping.name(Field::option_symbol) = "occ";
    mapping.name(Field::bid) = "bid";
    mapping.name(Field::ask) = "ask";
    mapping.name(Field::date) = "day";
    const auto report = read(
        "occ,bid,ask,day\nO:SPXW240621C05000000,1,2,2024-06-10\nAAPL240621P00190000,1,2,2024-06-"
        "10\n"
        "AAPL1240621P00190000,1,2,2024-06-10\n",
        mapping);
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_EQ(report->chains.size(), 2U);
    EXPECT_EQ(report->chains[0].symbol, "SPX");
    EXPECT_EQ(report->chains[0].expiries.at(0).root, "SPXW");
    EXPECT_EQ(report->chains[1].symbol, "AAPL");
    EXPECT_EQ(report->chains[1].as_of, new_york_moment(20240610, kCloseMinute));
    EXPECT_EQ(report->skipped[Reason::adjusted], 1U);
}

TEST(Columns, AdjustedContractsStayWhenAskedFor) {
    auto mapping = basic();
    mapping.name(Field::multiplier) = "M";
    mapping.name(Field::root) = "R";
    const std::string text =
        "Exp,K,CP,B,A,M,R\n2024-06-21,100,C,1,2,100,XYZ\n2024-06-21,100,C,1,2,150,XYZ1\n"
        "2024-06-21,105,C,1,2,10,XYZ\n";
    auto report = read(text, mapping);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->skipped[Reason::adjusted], 2U);
    EXPECT_EQ(report->contracts, 1U);
    ReadOptions options;
    options.quality.drop.erase(Reason::adjusted);
    report = read(text, mapping, "quotes.csv", options);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->flagged[Reason::adjusted], 2U);
    EXPECT_EQ(report->contracts, 3U);
    EXPECT_EQ(report->chains[0].expiries.size(), 2U) << "the root tells them apart";
}

TEST(Columns, QuoteTimesMakeTheMoment) {
    auto mapping = basic();
    mapping.as_of.reset();
    mapping.name(Field::quoted) = "T";
    auto chain = chain_of(
        "Exp,K,CP,B,A,T\n2024-06-21,100,C,1,2,2024-06-10 15:59:58\n"
        "2024-06-21,100,P,1,2,2024-06-10T19:30:00.250Z\n2024-06-21,105,P,1,2,\n",
        mapping);
    EXPECT_EQ(chain.as_of, new_york_moment(20240610, 15 * 60 + 59) + 58'000);
    EXPECT_EQ(chain.quoted, (std::vector<WallMillis>{
                                chain.as_of, new_york_moment(20240610, 15 * 60 + 30) + 250, 0}));
    mapping.quoted_as = QuotedAs::unix_s;
    chain = chain_of("Exp,K,CP,B,A,T\n2024-06-21,100,C,1,2,1718049600\n", mapping);
    EXPECT_EQ(chain.as_of, new_york_moment(20240610, kCloseMinute));
    mapping.quoted_as = QuotedAs::ms_since_midnight;
    chain = chain_of("Exp,K,CP,B,A,T\n2024-06-21,100,C,1,2,46800000\n", mapping,
                     "/data/xyz_2024-06-10_snap.csv");
    EXPECT_EQ(chain.as_of, new_york_moment(20240610, 13 * 60));
}

TEST(Columns, NamesOfFilesStandInForWhatIsMissing) {
    auto mapping = basic();
    mapping.symbol.clear();
    mapping.as_of.reset();
    const std::string text = "Exp,K,CP,B,A\n2024-06-21,100,C,1,2\n";
    const auto chain = chain_of(text, mapping, "/data/2023/vendor_abc_20240610.csv");
    EXPECT_EQ(chain.symbol, "ABC");
    EXPECT_EQ(chain.as_of, new_york_moment(20240610, kCloseMinute));
    expect_refused(read(text, mapping), ErrorCode::missing_value, {"quotes.csv:2:", "--symbol"});
    mapping.symbol = "XYZ";
    expect_refused(read(text, mapping), ErrorCode::missing_value, {"quotes.csv:2:", "--as-of"});
    ReadOptions options;
    options.as_of = new_york_moment(20240610, 600);
    options.symbol = "QQQ";
    options.spot = 99;
    const auto report = read(text, mapping, "quotes.csv", options);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->chains[0].symbol, "QQQ");
    EXPECT_EQ(report->chains[0].spot, 99);
    EXPECT_EQ(report->chains[0].as_of, *options.as_of);
}

TEST(Columns, SaturdayExpiriesAreTheFridaysBefore) {
    const auto chain = chain_of("Exp,K,CP,B,A\n2024-06-22,100,C,1,2\n", basic());
    EXPECT_EQ(chain.expiries.at(0).date, 20240621);
}

TEST(Columns, ExpiriesOfASaturdayAreCounted) {
    const auto report = read("Exp,K,CP,B,A\n2024-06-22,100,C,1,2\n2024-06-28,100,C,1,2\n", basic());
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->saturdays, 1U);
    const auto lines = report_lines(*report);
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.find("1 rows with an expiry on a Saturday") != std::string::npos;
    }));
}

TEST(Columns, NumbersTooLargeForOurUnitsAreMissing) {
    auto mapping = basic();
    mapping.name(Field::theta) = "T";
    mapping.name(Field::iv) = "V";
    mapping.theta_per_day = mapping.iv_in_percent = true;
    const auto chain = chain_of("Exp,K,CP,B,A,T,V\n2024-06-21,100,C,1,2,1e308,1e-323\n", mapping);
    EXPECT_TRUE(std::isnan(chain.vendor.theta[0]));
    EXPECT_TRUE(std::isnan(chain.vendor_iv[0]));
    EXPECT_TRUE(decode_snapshot(encode_snapshot(chain)).ok());
}

TEST(Columns, ErrorsSayWhatToDo) {
    const auto mapping = basic();
    auto misspelt = mapping;
    misspelt.name(Field::bid) = "Best Bid";
    expect_refused(read("Exp,K,CP,BestBid,A\n2024-06-21,100,C,1,2\n", misspelt),
                   ErrorCode::missing_column,
                   {"quotes.csv:1:", "\"Best Bid\"", "(for bid)", "did you mean \"BestBid\"?"});
    expect_refused(read("Exp,K,CP,B,A\n2024-06-21,100,X,1,2\n", mapping), ErrorCode::bad_field,
                   {"quotes.csv:2:", "\"CP\"", "call or put"});
    expect_refused(read("Exp,K,CP,B,A\n2024-06-21,inf,C,1,2\n", mapping), ErrorCode::bad_number,
                   {"\"K\""});
    expect_refused(read("Exp,K,CP,B,A\n2024-06-21,100,C,\"1,5\",2\n", mapping),
                   ErrorCode::bad_number, {"\"B\"", "1,5"});
    expect_refused(read("Exp,K,CP,B,A\n", mapping), ErrorCode::no_contracts, {"0 rows"});
    auto broken = mapping;
    broken.name(Field::ask).clear();
    expect_refused(read("Exp,K,CP,B,A\n", broken), ErrorCode::bad_mapping, {"no column for ask"});
}

TEST(Columns, NegativePricesAreMissingAndCounted) {
    const auto report = read("Exp,K,CP,B,A\n2024-06-21,100,C,-1,2\n", basic());
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->flagged[Reason::negative], 1U);
    EXPECT_TRUE(std::isnan(report->chains[0].bid[0]));
}

TEST(BrokerJson, OddContractsAndMissingParts) {
    const std::string contract =
        R"({"putCall":"CALL","symbol":"XYZ_062124C100","bid":1.0,"ask":1.2,"strikePrice":100.0,)"
        R"("volatility":-999.0,"delta":"NaN","quoteTimeInLong":1718049600000,"multiplier":100.0,)"
        R"("nonStandard":false,"mini":false})";
    const auto document = [](const std::string& contracts) {
        return R"({"symbol":"XYZ","underlyingPrice":101.0,"callExpDateMap":{"2024-06-21:11":{"100.0":[)" +
               contracts + "]}}}";
    };
    const auto with = [&](std::string_view from, std::string_view to) {
        auto text = contract;
        return text.replace(text.find(from), from.size(), to);
    };
    auto report = read_chain_text(
        document(contract + "," + with("\"nonStandard\":false", "\"nonStandard\":true") + "," +
                 with("\"multiplier\":100.0", "\"multiplier\":10.0") + "," + contract),
        "chain.json");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->skipped.sentence(), "2 adjusted, 1 duplicate");
    const Chain& chain = report->chains.at(0);
    EXPECT_EQ(chain.as_of, new_york_moment(20240610, kCloseMinute));
    EXPECT_TRUE(std::isnan(chain.vendor_iv[0]));
    EXPECT_TRUE(std::isnan(chain.vendor_delta[0]));
    EXPECT_EQ(chain.volume[0], kNoCount);

    const auto refused = [&](const std::string& text, ErrorCode code, const char* piece) {
        expect_refused(read_chain_text(text, "chain.json"), code, {"chain.json", piece});
    };
    refused(document(contract).substr(0, 200), ErrorCode::bad_field, "not whole JSON");
    refused(document(with("100.0,\"vol", "-1.0,\"vol")), ErrorCode::bad_number, "strikePrice");
    refused(document(with("CALL", "BOTH")), ErrorCode::bad_field, "putCall");
    refused(document(""), ErrorCode::no_contracts, "0 rows");
    refused(document(with("1718049600000", "0")), ErrorCode::missing_value, "--as-of");
    refused(document(std::string(10'000, '[')), ErrorCode::too_large, "nested");
    refused(document(with("\"bid\":1.0", "\"bid\":1e999")), ErrorCode::bad_field, "JSON");
}

}  // namespace
}  // namespace scanmq::market
