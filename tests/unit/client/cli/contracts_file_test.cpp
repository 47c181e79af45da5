#include "client/cli/contracts_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "scanner/market/reader.hpp"
#include "scanner/strategy/fill.hpp"

namespace scanmq::cli {
namespace {

using market::ContractTable;

class ContractsFile : public ::testing::Test {
  protected:
    void TearDown() override { std::remove(path_.c_str()); }
    Result<ContractTable, std::string> read(const std::string& text) {
        std::ofstream(path_, std::ios::binary) << text;
        return read_contracts_file(path_);
    }
    void expect_refused(const std::string& text, std::initializer_list<const char*> pieces) {
        const auto table = read(text);
        ASSERT_FALSE(table.ok());
        for (const char* piece : pieces) {
            EXPECT_NE(table.error().find(piece), std::string::npos) << table.error();
        }
    }
    std::string path_ =
        ::testing::TempDir() + "scanmq-contracts-" + std::to_string(::getpid()) + ".toml";
};

TEST_F(ContractsFile, TheShippedFileIsTheShippedTable) {
    const auto read = read_contracts_file(SCANMQ_SOURCE_DIR "/docs/contracts.toml");
    ASSERT_TRUE(read.ok()) << read.error();
    const auto& shipped = ContractTable::shipped();
    ASSERT_EQ(read->rows().size(), shipped.rows().size())
        << "a root of the file is not in the code";
    for (std::size_t i = 0; i < shipped.rows().size(); ++i) {
        EXPECT_EQ(read->rows()[i], shipped.rows()[i]) << shipped.rows()[i].root;
    }
    EXPECT_EQ(read->otherwise, shipped.otherwise);
    EXPECT_EQ(read->fee_per_contract, shipped.fee_per_contract);
    EXPECT_EQ(shipped.fee_per_contract, strategy::kDefaultFeePerContract);
    EXPECT_GT(shipped.rows().size(), 40U);
    EXPECT_EQ(shipped.otherwise, market::RootSpec{});
}

TEST_F(ContractsFile, MarginsReachARequestWhereTheyAreNotAsShipped) {
    service::ScanRequest request;
    EXPECT_DOUBLE_EQ(service::margin_of(request, "TQQQ").share, 0.45);
    EXPECT_DOUBLE_EQ(service::margin_of(request, "TQQQ").floor, 0.30);
    const auto table =
        read("[roots.TQQQ]\nmargin_share = 0.2\nleverage = 3\n[roots.XYZ]\nmargin_floor = 0.25\n");
    ASSERT_TRUE(table.ok()) << table.error();
    add_contracts(*table, request);
    EXPECT_TRUE(request.ticks.empty());
    ASSERT_EQ(request.margins.size(), 2U);
    EXPECT_DOUBLE_EQ(service::margin_of(request, "TQQQ").share, 0.60);
    EXPECT_DOUBLE_EQ(service::margin_of(request, "XYZ").share, 0.20);
    EXPECT_DOUBLE_EQ(service::margin_of(request, "XYZ").floor, 0.25);
    EXPECT_DOUBLE_EQ(service::margin_of(request, "SPX").share, 0.15) << "as shipped";
    expect_refused("[roots.A]\nleverage = 0\n", {"leverage"});
    expect_refused("[roots.A]\nmargin_share = 15\n", {"0.15"});
    expect_refused("[roots.A]\nown_forward = \"yes\"\n", {".toml:2:", "true or false"});
}

// A volatility index: its expiries' forwards are as far apart as they like.
TEST_F(ContractsFile, RootsWithAForwardPerExpiryAreData) {
    const auto chain = [](const market::ContractTable& table) {
        std::string text = "Type,Strike,Bid,Ask,Expiration\n";
        for (const int middle : {20, 40}) {
            for (int strike = middle - 2; strike <= middle + 2; ++strike) {
                const auto quote = [&](const char* type, int worth) {
                    text += fmt::format("{},{},{}.10,{}.20,2024-{}-21\n", type, strike,
                                        std::max(worth, 0) + 1, std::max(worth, 0) + 1,
                                        middle == 20 ? "06" : "08");
                };
                quote("call", middle - strike);
                quote("put", strike - middle);
            }
        }
        market::ReadOptions options;
        options.contracts = &table;
        const auto report = market::read_chain_text(text, "vol_2024-06-10.csv", options);
        EXPECT_TRUE(report.ok()) << report.error().message;
        return report.ok() ? report->chains.at(0).size() : 0;
    };
    const auto own = read("[roots.VOL]\nown_forward = true\n");
    ASSERT_TRUE(own.ok()) << own.error();
    EXPECT_EQ(chain(*own), 20U);
    EXPECT_EQ(chain(market::ContractTable::shipped()), 10U) << "looks like a split";
}

TEST_F(ContractsFile, RowsReplaceAndExtendTheShippedOnes) {
    const auto table = read(
        "fee_per_contract = 1\n[default]\ntick_below = 0.05\n[roots.SPY]\nstyle = \"european\"\n"
        "tick_below = 0.25\ntick_above = 0.5\n[roots.FTSE]\nsymbol = \"UKX\"\nsettlement = \"am\"\n"
        "multiplier = 10\n");
    ASSERT_TRUE(table.ok()) << table.error();
    EXPECT_EQ(table->fee_per_contract, 1.0);
    EXPECT_EQ(table->find("SPY").style, market::ExerciseStyle::european);
    EXPECT_EQ(strategy::tick_rule("SPY", *table).tick(1), 0.25);
    EXPECT_EQ(table->find("FTSE").symbol, "UKX");
    EXPECT_EQ(table->find("FTSE").multiplier, 10U);
    EXPECT_EQ(strategy::tick_rule("MSFT", *table).tick(1), 0.05);
    EXPECT_EQ(strategy::tick_rule("SPX", *table).tick(5), 0.10) << "as shipped";
}

TEST_F(ContractsFile, ReadersTakeTermsFromTheTable) {
    const auto table =
        read("[roots.ABC]\nsettlement = \"am\"\nstyle = \"european\"\nmultiplier = 10\n");
    ASSERT_TRUE(table.ok()) << table.error();
    market::ReadOptions options;
    options.contracts = &*table;
    const auto report = market::read_chain_text(
        "Type,Strike,Bid,Ask,Expiration\ncall,100,1,2,2024-06-21\n", "abc_2024-06-10.csv", options);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const auto& chain = report->chains.at(0);
    EXPECT_EQ(chain.style, market::ExerciseStyle::european);
    EXPECT_EQ(chain.multiplier, 10U);
    EXPECT_EQ(chain.expiries.at(0).settlement, market::Settlement::am);
}

TEST_F(ContractsFile, TicksAndFeeReachARequestWhereTheyAreNotAsShipped) {
    service::ScanRequest request;
    add_contracts(market::ContractTable::shipped(), request);
    EXPECT_TRUE(request.ticks.empty());
    EXPECT_DOUBLE_EQ(request.fee_per_contract, 0.65);

    market::RootSpec abc;
    abc.root = "ABC";
    abc.tick_threshold = 1.0;
    abc.tick_below = 0.05;
    abc.tick_above = 0.25;
    market::ContractTable own({abc});
    request.fee_per_contract = 0.1;
    add_contracts(own, request);
    EXPECT_DOUBLE_EQ(request.fee_per_contract, 0.1) << "the table names no fee";
    request.ticks.clear();
    own.fee_per_contract = 0.2;
    add_contracts(own, request);
    EXPECT_EQ(request.ticks, (std::vector<service::RootTicks>{{"ABC", 1.0, 0.05, 0.25}}));
    EXPECT_DOUBLE_EQ(request.fee_per_contract, 0.2);
    EXPECT_DOUBLE_EQ(service::ticks_of(request, "ABC").tick(2.0), 0.25);
    EXPECT_DOUBLE_EQ(service::ticks_of(request, "SPX").tick(2.0), 0.05) << "as shipped";

    own.otherwise.tick_below = 0.10;
    service::ScanRequest others;
    add_contracts(own, others);
    EXPECT_DOUBLE_EQ(service::ticks_of(others, "XYZ").tick(2.0), 0.10);
    EXPECT_DOUBLE_EQ(service::ticks_of(others, "SPX").tick(2.0), 0.05);
    EXPECT_DOUBLE_EQ(service::ticks_of(others, "ABC").tick(0.5), 0.05);
}

TEST_F(ContractsFile, ErrorsSayWhatIsRight) {
    expect_refused("[roots.SPX]\nsetlement = \"am\"\n",
                   {".toml:2:", "did you mean \"settlement\"?"});
    expect_refused("[roots.SPX]\nsettlement = \"noon\"\n", {".toml:2:", "\"am\" or \"pm\""});
    expect_refused("[roots.SPX]\ntick_above = 0.03\n", {"roots.SPX", "divide 1.00"});
    expect_refused("[roots.SPX]\ntick_below = 0\n", {"divide 1.00"});
    expect_refused("[roots.SPX]\ntick_below = 1e-300\n", {"divide 1.00"});
    expect_refused("[roots.SPX]\nmultiplier = 0\n", {"multiplier"});
    expect_refused("[default]\nsymbol = \"A\"\n", {"[default]"});
    expect_refused("[root.SPX]\nstyle = \"american\"\n", {"did you mean \"roots\"?"});
    expect_refused("fee = 1\n", {"did you mean \"fee_per_contract\"?"});
    expect_refused("fee_per_contract = -1\n", {"0.65"});
    expect_refused("fee_per_contract = 1000.5\n", {"0 to 1000"});
    expect_refused("[roots.WAYTOOLONGFORAROOT]\nstyle = \"american\"\n", {"1 to 16 characters"});
}

}  // namespace
}  // namespace scanmq::cli
