#include "scanner/service/table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace scanmq::service {
namespace {

using market::Right;
using strategy::Side;
using ::testing::HasSubstr;

SpreadLeg leg(Right right, Side side, double strike, market::YearMonthDay expiry = 20231020,
              std::uint32_t ratio = 1) {
    SpreadLeg out;
    out.root = "SPXW";
    out.right = right;
    out.side = side;
    out.strike = strike;
    out.expiry = expiry;
    out.ratio = ratio;
    return out;
}

Spread spread_of(std::string strategy, std::vector<SpreadLeg> legs) {
    Spread out;
    out.symbol = "SPX";
    out.strategy = std::move(strategy);
    out.legs = std::move(legs);
    return out;
}

TEST(SpreadText, StrikesRunFromTheMoneyOutwardsPutsFirst) {
    EXPECT_EQ(strikes_text(spread_of("bull_put", {leg(Right::put, Side::long_leg, 4350),
                                                  leg(Right::put, Side::short_leg, 4400)})),
              "4400/4350P");
    EXPECT_EQ(strikes_text(spread_of("iron_condor", {leg(Right::put, Side::long_leg, 4300),
                                                     leg(Right::put, Side::short_leg, 4350),
                                                     leg(Right::call, Side::short_leg, 4600),
                                                     leg(Right::call, Side::long_leg, 4650.5)})),
              "4350/4300P 4600/4650.5C");
    EXPECT_EQ(strikes_text(
                  spread_of("call_butterfly", {leg(Right::call, Side::long_leg, 95),
                                               leg(Right::call, Side::short_leg, 100, 20231020, 2),
                                               leg(Right::call, Side::long_leg, 105)})),
              "95/2x100/105C");
    EXPECT_EQ(strikes_text(spread_of("long_straddle", {leg(Right::put, Side::long_leg, 100),
                                                       leg(Right::call, Side::long_leg, 100)})),
              "100P 100C");
}

TEST(SpreadText, TwoExpiriesGoFromTheNearToTheFar) {
    const Spread calendar =
        spread_of("call_calendar", {leg(Right::call, Side::long_leg, 4500, 20231117),
                                    leg(Right::call, Side::short_leg, 4500, 20231020)});
    EXPECT_EQ(strikes_text(calendar), "4500C");
    EXPECT_EQ(expiry_text(calendar), "2023-10-20/11-17");
    const Spread diagonal =
        spread_of("call_diagonal", {leg(Right::call, Side::long_leg, 4400, 20240119),
                                    leg(Right::call, Side::short_leg, 4550, 20231020)});
    EXPECT_EQ(strikes_text(diagonal), "4550/4400C");
    EXPECT_EQ(expiry_text(diagonal), "2023-10-20/2024-01-19");
    Spread morning = spread_of("long_call", {leg(Right::call, Side::long_leg, 4400)});
    morning.legs[0].settlement = market::Settlement::am;
    EXPECT_EQ(expiry_text(morning), "2023-10-20 am");
    EXPECT_EQ(expiry_text(spread_of("none", {})), "-");
}

TEST(SpreadText, NetSaysCreditOrDebit) {
    EXPECT_EQ(net_text(-1.1), "1.10 cr");
    EXPECT_EQ(net_text(2.35), "2.35 db");
    EXPECT_EQ(net_text(market::kMissing), "-");
}

TEST(SpreadTable, ShowsWhatIsMissingOrWithoutBound) {
    ScanResult result;
    result.spreads.push_back(spread_of("short_put", {leg(Right::put, Side::short_leg, 95)}));
    result.spreads[0].net_price = -1.25;
    result.spreads[0].max_loss = std::numeric_limits<double>::infinity();
    result.spreads[0].risk = 18.75;
    result.spreads.push_back(spread_of("long_call", {leg(Right::call, Side::long_leg, 95)}));
    result.spreads[1].max_profit = std::numeric_limits<double>::infinity();
    const std::string table = format_table(result, 10);
    EXPECT_THAT(table, HasSubstr("1.25 cr"));
    EXPECT_THAT(table, HasSubstr("  18.75  ")) << "the margin, where the loss has no bound";
    EXPECT_THAT(table, HasSubstr("  inf  "));
    EXPECT_THAT(table, HasSubstr("  -  "));
    EXPECT_EQ(table.find("nan"), std::string::npos);
}

TEST(SpreadTable, SaysTheDayWhereThereAreSeveral) {
    ScanResult result;
    for (const WallMillis as_of : {WallMillis{1694721600000}, WallMillis{1694721600000}}) {
        result.spreads.push_back(spread_of("short_put", {leg(Right::put, Side::short_leg, 95)}));
        result.spreads.back().as_of = as_of;
    }
    EXPECT_EQ(format_table(result, 10).find("day"), std::string::npos);
    result.spreads[1].as_of -= 86'400'000;
    const std::string table = format_table(result, 10);
    EXPECT_THAT(table, HasSubstr("symbol  day"));
    EXPECT_THAT(table, HasSubstr("2023-09-14"));
    EXPECT_THAT(table, HasSubstr("2023-09-13"));
    EXPECT_THAT(format_csv(result), HasSubstr(",1694635200000\n"));
}

TEST(SpreadCsv, HasAHeadingAndAFieldForEveryName) {
    ScanResult result;
    result.spreads.push_back(spread_of("bull_put", {leg(Right::put, Side::long_leg, 4350),
                                                    leg(Right::put, Side::short_leg, 4400)}));
    result.spreads[0].symbol = "A,\"B";
    result.spreads[0].net_price = -1.1;
    result.spreads[0].breakevens = {4398.9};
    const std::string csv = format_csv(result);
    const auto end = csv.find('\n');
    const std::string heading = csv.substr(0, end);
    const std::string line = csv.substr(end + 1);
    for (const char* name :
         {"rank,symbol,strategy", "net_price", "max_loss", "vega_point", "score_probability"}) {
        EXPECT_THAT(heading, HasSubstr(name));
    }
    EXPECT_THAT(line, HasSubstr("1,\"A,\"\"B\",bull_put,2023-10-20,0,"));
    EXPECT_THAT(line, HasSubstr("+4350P@2023-10-20 -4400P@2023-10-20"));
    EXPECT_THAT(line, HasSubstr(",-1.1,"));
    EXPECT_EQ(line.find("nan"), std::string::npos);
    const auto commas = [](const std::string& text) {
        return std::count(text.begin(), text.end(), ',');
    };
    EXPECT_EQ(commas(heading) + 1, commas(line));  // the symbol has one
}

}  // namespace
}  // namespace scanmq::service
