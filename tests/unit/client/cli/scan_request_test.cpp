#include "client/cli/scan_request.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace scanmq::cli {
namespace {

// make_request() over flags as typed.
Result<service::ScanRequest, Problem> typed(const std::vector<std::string>& arguments) {
    RequestFlags flags;
    config::Options declared("scanmq scan", "");
    add_request_flags(declared, flags);
    const auto parsed = declared.parse(arguments, {});
    if (!parsed) return fail(Problem{ExitCode::usage, "usage", parsed.error().sentence});
    return make_request(declared, flags);
}

// The same of a command that reads files of quotes, too.
Result<service::ScanRequest, Problem> typed_with_files(const std::vector<std::string>& arguments) {
    RequestFlags flags;
    ReadFlags read;
    config::Options declared("scanmq scan", "");
    add_read_flags(declared, read);
    add_request_flags(declared, flags);
    const auto parsed = declared.parse(arguments, {});
    if (!parsed) return fail(Problem{ExitCode::usage, "usage", parsed.error().sentence});
    const auto settings = ReadSettings::make(declared, read);
    if (!settings) return fail(settings.error());
    return make_request(declared, flags, &*settings);
}

// A file that is there as long as this.
class TemporaryFile {
  public:
    TemporaryFile(const char* name, const std::string& text)
        : path_(fmt::format("{}scanmq-{}-{}", ::testing::TempDir(), ::getpid(), name)) {
        std::ofstream(path_, std::ios::binary) << text;
    }
    ~TemporaryFile() { std::remove(path_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

double number(const filter::FilterSpec& spec, const char* name) {
    return std::get<double>(spec.params.at(name));
}

TEST(ScanRequestFlags, RangesBecomeFilters) {
    const auto request = typed({"--delta", "0.1..0.3", "--dte", "7..", "--width", "..50"});
    ASSERT_TRUE(request) << request.error().sentence;
    ASSERT_EQ(request->filters.size(), 3U);
    EXPECT_EQ(request->filters[0].type, "delta");
    EXPECT_EQ(number(request->filters[0], "min"), 0.1);
    EXPECT_EQ(number(request->filters[0], "max"), 0.3);
    EXPECT_EQ(number(request->filters[1], "min"), 7.0);
    EXPECT_EQ(request->filters[1].params.count("max"), 0U);
    EXPECT_EQ(number(request->filters[2], "max"), 50.0);
}

TEST(ScanRequestFlags, WidthIsAHundredPointsUnlessSaid) {
    const auto silent = typed({});
    ASSERT_TRUE(silent) << silent.error().sentence;
    ASSERT_EQ(silent->filters.size(), 1U);
    EXPECT_EQ(silent->filters[0].type, "width");
    EXPECT_EQ(number(silent->filters[0], "max"), 100.0);
    const auto said = typed({"--filter", "width:max=500"});
    ASSERT_TRUE(said) << said.error().sentence;
    ASSERT_EQ(said->filters.size(), 1U);
    EXPECT_EQ(number(said->filters[0], "max"), 500.0);
}

TEST(ScanRequestFlags, AnyFilterCanBeWritten) {
    const auto request =
        typed({"--filter", "liquidity:min_bid=0.1,legs=short;delta:min=-0.3,absolute=false"});
    ASSERT_TRUE(request) << request.error().sentence;
    ASSERT_EQ(request->filters.size(), 3U);  // and the default width
    EXPECT_EQ(std::get<std::string>(request->filters[0].params.at("legs")), "short");
    EXPECT_EQ(std::get<bool>(request->filters[1].params.at("absolute")), false);
}

TEST(ScanRequestFlags, DefaultsAreTheEngines) {
    const auto request = typed({});
    ASSERT_TRUE(request);
    const service::ScanRequest plain;
    EXPECT_EQ(request->preset, plain.preset);
    EXPECT_EQ(request->fee_per_contract, plain.fee_per_contract);
    EXPECT_FALSE(request->rate);
    ASSERT_EQ(request->filters.size(), 1U);
    EXPECT_EQ(request->filters[0].type, "width");
    EXPECT_EQ(request->limit, 20U);
}

TEST(ScanRequestFlags, TheFirstOfThemOnTheCommandLineIsNamed) {
    const auto named = [](std::vector<std::string> arguments) {
        return request_flag_of({"scanmq standing add", "", std::move(arguments)});
    };
    EXPECT_EQ(named({"night", "--alias", "SPX", "--payload", "scan.json"}), "");
    RequestFlags flags;
    config::Options declared("scanmq scan", "");
    add_request_flags(declared, flags);
    EXPECT_GE(declared.names().size(), 19U);
    for (const std::string& name : declared.names()) {
        EXPECT_EQ(named({"night", "--" + name, "1"}), "--" + name);
        EXPECT_EQ(named({"--" + name + "=1", "night"}), "--" + name);
    }
}

TEST(ScanRequestFlags, MistakesAreUsageErrorsThatSayWhatToWrite) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"--delta", "0.3"}, "0.1..0.3"},
        {{"--delta", ".."}, "0.1..0.3"},
        {{"--dte", "x..5"}, "--dte"},
        {{"--filter", "liquidty:min_bid=1"}, "liquidity"},
        {{"--filter", "dte:mn=1"}, "\"min\""},
        {{"--filter", "dte:min"}, "TYPE:PARAM=VALUE"},
        {{"--strategy", "bull_putt"}, "did you mean"},
        {{"--preset", "balance"}, "balanced"},
        {{"--fill", "1.5"}, "natural"},
        {{"--delta-stance", "up"}, "neutral"},
        {{"--dte", "1..2", "--filter", "dte:min=1"}, "dte"},
    };
    for (const auto& [arguments, expected] : cases) {
        const auto request = typed(arguments);
        ASSERT_FALSE(request) << arguments[1];
        EXPECT_EQ(request.error().exit, ExitCode::usage);
        EXPECT_NE(request.error().sentence.find(expected), std::string::npos)
            << request.error().sentence;
    }
}

TEST(ScanRequestFlags, TheFeeIsTheFlagsThenTheContractFilesThenTheRequests) {
    const TemporaryFile request("fee-request.json", R"({"fee_per_contract": 0.1})");
    const TemporaryFile silent("fee-silent.toml", "[roots.ABC]\ntick_below = 0.05\n");
    const TemporaryFile says("fee-says.toml", "fee_per_contract = 0.3\n");
    const auto fee = [&](std::vector<std::string> more) {
        const auto out = typed_with_files(more);
        EXPECT_TRUE(out) << (out ? "" : out.error().sentence);
        return out ? out->fee_per_contract : -1.0;
    };
    EXPECT_EQ(fee({"--request", request.path(), "--contracts", silent.path()}), 0.1);
    EXPECT_EQ(fee({"--contracts", silent.path()}), strategy::kDefaultFeePerContract);
    EXPECT_EQ(fee({"--request", request.path(), "--contracts", says.path()}), 0.3);
    EXPECT_EQ(fee({"--request", request.path(), "--contracts", says.path(), "--fee", "0.2"}), 0.2);
    EXPECT_EQ(fee({"--contracts", silent.path(), "--fee", "0.2"}), 0.2);
}

TEST(ScanRequestFlags, WhatFilesAddIsCheckedAsWell) {
    std::string roots = "[default]\nmargin_share = 0.3\n";
    for (int i = 0; i < 1'100; ++i) roots += fmt::format("[roots.R{}]\nmultiplier = 100\n", i);
    const TemporaryFile contracts("many-roots.toml", roots);
    for (const auto& [arguments, expected] :
         {std::pair{std::vector<std::string>{"--contracts", contracts.path()}, "margins has"},
          std::pair{std::vector<std::string>{"--spot", "0"}, "spot must be"}}) {
        const auto request = typed_with_files(arguments);
        ASSERT_FALSE(request) << expected;
        EXPECT_EQ(request.error().exit, ExitCode::usage);
        EXPECT_NE(request.error().sentence.find(expected), std::string::npos)
            << request.error().sentence;
    }
    const auto small = typed_with_files({"--spot", "12.5"});
    ASSERT_TRUE(small) << small.error().sentence;
    EXPECT_EQ(small->spot, 12.5);
}

}  // namespace
}  // namespace scanmq::cli
