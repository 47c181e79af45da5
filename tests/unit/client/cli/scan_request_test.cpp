#include "client/cli/scan_request.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace scanmq::cli
