#include "client/cli/columns_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "scanner/market/reader.hpp"

namespace scanmq::cli {
namespace {

using market::Field;

class ColumnsFile : public ::testing::Test {
  protected:
    void TearDown() override { std::remove(path_.c_str()); }
    Result<market::ColumnMapping, std::string> read(const std::string& text) {
        std::ofstream(path_, std::ios::binary) << text;
        return read_columns_file(path_);
    }
    void expect_refused(const std::string& text, std::initializer_list<const char*> pieces) {
        const auto mapping = read(text);
        ASSERT_FALSE(mapping.ok());
        for (const char* piece : pieces) {
            EXPECT_NE(mapping.error().find(piece), std::string::npos) << mapping.error();
        }
    }
    std::string path_ =
        ::testing::TempDir() + "scanmq-columns-" + std::to_string(::getpid()) + ".toml";
};

constexpr const char* kNeeded =
    "expiry = \"Exp\"\nstrike = \"K\"\nright = \"CP\"\nbid = \"B\"\nask = \"A\"\n";

TEST_F(ColumnsFile, EveryKeyIsTaken) {
    const auto mapping =
        read(std::string(kNeeded) +
             "delimiter = \";\"\nmissing = [\"NaN\", \"-\"]\ndate_order = \"day_first\"\n"
             "quoted = \"At\"\nquoted_as = \"unix_s\"\niv = \"Vol\"\niv_unit = \"percent\"\n"
             "theta_unit = \"per_day\"\nvega_unit = \"per_point\"\nrho_unit = \"per_one\"\n"
             "default_style = \"european\"\ndefault_settlement = \"am\"\n"
             "default_symbol = \"XYZ\"\ndefault_spot = 12345.678\n"
             "as_of = \"2021-11-22T21:00:00Z\"\nas_of_time = \"15:45\"\n");
    ASSERT_TRUE(mapping.ok()) << mapping.error();
    EXPECT_EQ(mapping->name(Field::expiry), "Exp");
    EXPECT_EQ(mapping->name(Field::iv), "Vol");
    EXPECT_EQ(mapping->delimiter, ';');
    EXPECT_EQ(mapping->missing, (std::vector<std::string>{"NaN", "-"}));
    EXPECT_EQ(mapping->date_order, market::DateOrder::day_first);
    EXPECT_EQ(mapping->quoted_as, market::QuotedAs::unix_s);
    EXPECT_TRUE(mapping->iv_in_percent);
    EXPECT_TRUE(mapping->theta_per_day);
    EXPECT_TRUE(mapping->vega_per_point);
    EXPECT_FALSE(mapping->rho_per_point);
    EXPECT_EQ(mapping->style, market::ExerciseStyle::european);
    EXPECT_EQ(mapping->settlement, market::Settlement::am);
    EXPECT_EQ(mapping->symbol, "XYZ");
    EXPECT_EQ(mapping->spot, 12345.678);
    EXPECT_EQ(mapping->as_of, 1637614800000);
    EXPECT_EQ(mapping->as_of_minute, 15 * 60 + 45);
}

TEST_F(ColumnsFile, TheTableColumnsIsTheSame) {
    const auto mapping = read(std::string("[columns]\n") + kNeeded);
    ASSERT_TRUE(mapping.ok()) << mapping.error();
    EXPECT_EQ(mapping->name(Field::ask), "A");
}

TEST_F(ColumnsFile, UnknownKeyNamesTheNearest) {
    expect_refused(std::string(kNeeded) + "open_intrest = \"OI\"\n",
                   {".toml:6:", "\"open_intrest\"", "did you mean \"open_interest\"?"});
    expect_refused(std::string(kNeeded) + "date_oder = \"day_first\"\n", {"\"date_order\""});
}

TEST_F(ColumnsFile, WrongValuesSayWhatIsRight) {
    expect_refused(std::string(kNeeded) + "iv_unit = \"points\"\n",
                   {".toml:6:", "\"points\"", "\"percent\" or \"decimal\""});
    expect_refused(std::string(kNeeded) + "as_of = \"yesterday\"\n", {"2021-11-22 16:00"});
    expect_refused(std::string(kNeeded) + "as_of_time = \"24:00\"\n", {"time of day"});
    expect_refused(std::string(kNeeded) + "delimiter = \"||\"\n", {"one character"});
    expect_refused(std::string(kNeeded) + "default_spot = -1\n", {"above zero"});
    expect_refused(std::string(kNeeded) + "bid = [\"a\", \"b\"]\n", {".toml"});
    expect_refused("bid = \"B\"\nask = \"A\"\n", {"no column for expiry", "option_symbol"});
    expect_refused("strike = \"K\"\n", {"no column for expiry, right, bid, ask"});
    expect_refused("bid = = 1\n", {"not TOML"});
}

TEST_F(ColumnsFile, MissingFileNamesTheFlag) {
    const auto mapping = read_columns_file("/nonexistent/columns.toml");
    ASSERT_FALSE(mapping.ok());
    EXPECT_NE(mapping.error().find("--columns"), std::string::npos) << mapping.error();
}

}  // namespace
}  // namespace scanmq::cli
