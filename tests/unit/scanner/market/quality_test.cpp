#include "scanner/market/quality.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "scanner/market/reader.hpp"
#include "scanner/market/snapshot.hpp"
#include "support.hpp"

namespace scanmq::market {
namespace {

struct Found {
    Chain chain;
    ReasonCounts skipped;
    ReasonCounts flagged;
    bool spot_dropped{};
};

Found check(Chain chain, const QualityRules& rules = {}) {
    Found out{std::move(chain), {}, {}, {}};
    out.spot_dropped = check_quotes(out.chain, rules, out.skipped, out.flagged);
    return out;
}

// Strikes 80 to 120 in two expiries, fair at zero rate around a forward of 100; `scale` divides the second
// expiry's strikes and prices, as a split does.
Chain fair_chain(double scale = 1.0) {
    Chain head;
    head.symbol = head.source = "XYZ";
    head.as_of = new_york_moment(20240610, 15 * 60);
    head.as_of_date = 20240610;
    head.spot = 100;
    ChainBuilder builder;
    builder.keep({.quoted = true});
    for (const YearMonthDay date : {20240621, 20240719, 20240816}) {
        const double unit = date == 20240719 ? 1.0 / scale : 1.0;
        for (double strike = 80; strike <= 120; strike += 5) {
            for (const auto right : {Right::call, Right::put}) {
                const double value =
                    std::max(right == Right::call ? 100 - strike : strike - 100, 0.0) + 2.0;
                ChainBuilder::Row row;
                row.strike = strike * unit;
                row.right = right;
                row.bid = (value - 0.1) * unit;
                row.ask = (value + 0.1) * unit;
                row.expiry = builder.expiry("XYZ", date, Settlement::pm);
                builder.add(row, {.quoted = head.as_of - 1000});
            }
        }
    }
    std::uint64_t duplicates = 0;
    return builder.finish(std::move(head), duplicates);
}

TEST(Quality, AFairChainStaysAsItIs) {
    const auto found = check(fair_chain());
    EXPECT_EQ(found.skipped.total(), 0U);
    EXPECT_EQ(found.flagged.total(), 0U);
    EXPECT_EQ(found.chain.size(), 54U);
    EXPECT_EQ(found.chain.spot, 100);
}

TEST(Quality, QuotesAreMarkedByReason) {
    auto chain = fair_chain();
    chain.bid[0] = chain.ask[0] + 1;
    chain.bid[1] = chain.ask[1];
    chain.bid[2] = 0;
    chain.ask[3] = kMissing;
    chain.bid[4] = chain.ask[4] = 0;
    chain.quoted[5] = chain.as_of - 16 * kMillisPerMinute;
    chain.quoted[6] = 0;  // not known is not stale
    const auto found = check(std::move(chain));
    EXPECT_EQ(found.flagged.sentence(), "1 crossed, 1 locked, 2 one_sided, 1 no_quote, 1 stale");
    EXPECT_EQ(found.skipped.total(), 0U);
    EXPECT_EQ(found.chain.size(), 54U);
}

TEST(Quality, WhatTheRulesDropLeavesEveryColumn) {
    auto chain = fair_chain();
    chain.bid[0] = chain.ask[0] + 1;
    chain.quoted[0] = 1;
    chain.quoted[20] = 1;
    QualityRules rules;
    rules.drop.insert(Reason::crossed);
    rules.drop.insert(Reason::stale);
    const double next = chain.strike[1];
    const auto found = check(std::move(chain), rules);
    EXPECT_EQ(found.skipped[Reason::crossed], 1U) << "counted once, by the first reason";
    EXPECT_EQ(found.skipped[Reason::stale], 1U);
    EXPECT_EQ(found.chain.size(), 52U);
    EXPECT_EQ(found.chain.strike[0], next);
    EXPECT_TRUE(decode_snapshot(encode_snapshot(found.chain)).ok());
}

TEST(Quality, AnExpiryOfTheOtherSideOfASplitLeaves) {
    const auto found = check(fair_chain(4.0));
    EXPECT_EQ(found.skipped[Reason::split_adjusted], 18U);
    ASSERT_EQ(found.chain.expiries.size(), 2U);
    EXPECT_EQ(found.chain.expiries[1].date, 20240816);
    EXPECT_EQ(found.chain.spot, 100);
    EXPECT_TRUE(decode_snapshot(encode_snapshot(found.chain)).ok());
}

TEST(Quality, AStrikeOfTheOtherSideOfASplitLeaves) {
    auto chain = fair_chain();
    // A contract for a quarter of the shares: strike of before, prices of after.
    const auto row = chain.expiries[1].call_begin + 8;
    chain.bid[row] = 20;
    chain.ask[row] = 20.2;
    chain.bid[row + 9] = 0.05;
    chain.ask[row + 9] = 0.1;
    const auto found = check(std::move(chain));
    EXPECT_EQ(found.skipped[Reason::split_adjusted], 2U);
    EXPECT_EQ(found.chain.size(), 52U);
}

TEST(Quality, AQuoteOutOfLineWithItsNeighboursLeavesAlone) {
    auto chain = fair_chain();
    const auto call = chain.expiries[0].call_begin + 2;  // 90, worth 12
    chain.bid[call] = 1.0;
    chain.ask[call] = 1.2;
    const auto put = chain.expiries[2].put_begin;  // 80, worth 2
    chain.bid[put] = 9.0;
    chain.ask[put] = 9.2;
    QualityRules rules;
    auto found = check(chain, rules);
    EXPECT_EQ(found.skipped[Reason::out_of_line], 2U);
    EXPECT_EQ(found.chain.size(), 52U);
    EXPECT_NE(found.chain.strike[2], 90);
    rules.drop.erase(Reason::out_of_line);
    found = check(std::move(chain), rules);
    EXPECT_EQ(found.flagged[Reason::out_of_line], 2U);
    EXPECT_EQ(found.chain.size(), 54U);
}

TEST(Quality, ASpotOfTheOtherSideOfASplitIsMissing) {
    auto chain = fair_chain();
    chain.spot = 25;
    const auto found = check(std::move(chain));
    EXPECT_TRUE(found.spot_dropped);
    EXPECT_TRUE(std::isnan(found.chain.spot));
    EXPECT_EQ(found.chain.size(), 54U);
}

TEST(Quality, SplitsAreMarkedOnlyWhenTheRulesSaySo) {
    QualityRules rules;
    rules.drop.erase(Reason::split_adjusted);
    const auto found = check(fair_chain(4.0), rules);
    EXPECT_EQ(found.flagged[Reason::split_adjusted], 18U);
    EXPECT_EQ(found.chain.size(), 54U);
}

TEST(Quality, VolatilityIndicesHaveForwardsOfTheirOwn) {
    auto chain = fair_chain(2.0);
    chain.spot = 300;
    for (auto& expiry : chain.expiries) expiry.root = "VIX";
    const auto found = check(std::move(chain));
    EXPECT_EQ(found.skipped.total(), 0U);
    EXPECT_EQ(found.chain.spot, 300);
}

TEST(Quality, EmptyAndTinyChainsAreLeftAlone) {
    Chain empty;
    EXPECT_EQ(check(empty).chain.size(), 0U);
    QualityRules rules;
    rules.drop.insert(Reason::no_quote);
    auto chain = testing::small_chain();
    for (auto& bid : chain.bid) bid = 0;
    for (auto& ask : chain.ask) ask = 0;
    const auto found = check(std::move(chain), rules);
    EXPECT_EQ(found.chain.size(), 0U);
    EXPECT_TRUE(found.chain.expiries.empty());
}

TEST(Quality, RealFilesLoseNothingToTheSplitCheck) {
    for (const char* name :
         {"cboe_spx_2023-09-14_quotedata.csv", "cboe_tsla_2023-11-10_quotedata_fr.csv",
          "ivolatility_spx_2011-01-03_07.csv", "optionlab_msft_2021-11-22.csv",
          "lean_goog_2015-12-24_1300et_snapshot.csv", "tda_msft_2021-05-17.json"}) {
        SCANMQ_NEEDS_VENDOR_FILE(path, name);
        const auto report = read_chain_file(path);
        ASSERT_TRUE(report.ok());
        EXPECT_EQ(report->skipped[Reason::split_adjusted], 0U) << name;
        const bool optionlab = report->chains.at(0).source == "optionlab_csv";
        EXPECT_EQ(report->skipped[Reason::out_of_line], optionlab ? 42U : 0U) << name;
        EXPECT_EQ(report->skipped.total(), report->skipped[Reason::out_of_line]) << name;
        EXPECT_EQ(report->spots_dropped, 0U) << name;
    }
}

TEST(Quality, ReportIsToldInLines) {
    ReadReport report;
    EXPECT_TRUE(report_lines(report).empty());
    report.skipped[Reason::adjusted] = 3;
    report.skipped[Reason::duplicate] = 9;
    report.flagged[Reason::stale] = 2;
    const auto lines = report_lines(report);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0], "12 contracts left out: 3 adjusted, 9 duplicate");
    EXPECT_EQ(lines[1], "kept as they are: 2 stale");
}

}  // namespace
}  // namespace scanmq::market
