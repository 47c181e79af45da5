#include "client/cli/chain_summary.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "scanner/market/sample_market.hpp"

namespace scanmq::cli {
namespace {

market::PricedChain sample() {
    return market::price_chain(
        std::make_shared<const market::Chain>(market::sample_chain({.symbols = 1}, 0)));
}

TEST(ChainSummary, EveryContractIsUsedOrHasAReason) {
    const auto priced = sample();
    const auto summaries = summarise(priced, {});
    ASSERT_EQ(summaries.size(), priced.expiries.size());
    std::uint64_t contracts = 0;
    for (const ExpirySummary& summary : summaries) {
        std::uint64_t dropped = 0;
        for (const auto& [status, count] : summary.dropped) {
            EXPECT_NE(status, pricing::IvStatus::ok);
            dropped += count;
        }
        EXPECT_EQ(summary.used + dropped, summary.contracts);
        EXPECT_GT(summary.used, 0U);
        contracts += summary.contracts;
    }
    EXPECT_EQ(contracts, priced.chain->size());
}

TEST(ChainSummary, ChoicesAreDatesWithOrWithoutARoot) {
    const auto priced = sample();
    const market::Expiry& second = priced.chain->expiries[1];
    const auto by_date = parse_expiry_choice(date_text(second.date));
    ASSERT_TRUE(by_date) << by_date.error();
    const auto by_root = parse_expiry_choice(second.root + "@" + date_text(second.date));
    ASSERT_TRUE(by_root) << by_root.error();
    for (const ExpiryChoice& choice : {*by_date, *by_root, ExpiryChoice{"", second.date}}) {
        const auto summaries = summarise(priced, {choice});
        ASSERT_EQ(summaries.size(), 1U);
        EXPECT_EQ(summaries[0].index, 1U);
    }
    EXPECT_TRUE(summarise(priced, {{"OTHER", second.date}}).empty());
    for (const char* wrong : {"", "@", "SPX@", "2024-13-01", "June"}) {
        const auto choice = parse_expiry_choice(wrong);
        ASSERT_FALSE(choice) << wrong;
        EXPECT_NE(choice.error().find("2024-06-21"), std::string::npos);
    }
}

TEST(ChainSummary, JsonHasTheFiguresAndNoNumberThatIsNone) {
    const auto priced = sample();
    const auto summaries = summarise(priced, {});
    const auto json = summary_json(priced, summaries);
    EXPECT_EQ(json["symbol"], priced.chain->symbol);
    ASSERT_EQ(json["expiries"].size(), summaries.size());
    const auto& first = json["expiries"][0];
    EXPECT_NEAR(first["forward"].get<double>(), priced.expiries[0].forward, 0.0);
    EXPECT_NEAR(first["atm_volatility"].get<double>(), priced.expiries[0].atm_volatility, 0.0);
    EXPECT_EQ(first["used"], summaries[0].used);
}

TEST(ChainSummary, ASpotFarFromTheOptionsIsWarnedOfUnlessTheyAreNotOnIt) {
    for (const auto style : {market::ExerciseStyle::european, market::ExerciseStyle::american}) {
        auto chain = market::sample_chain({.symbols = 1, .expiries = 3, .strikes_max = 20}, 0);
        chain.style = style;
        const double spot = chain.spot;
        market::PricingOptions options;
        options.spot = 1.3 * spot;
        const auto warned = [&] {
            return spot_warning(
                market::price_chain(std::make_shared<const market::Chain>(chain), options),
                options.spot);
        };
        EXPECT_NE(warned().find(chain.symbol), std::string::npos);
        options.spot = 1.01 * spot;
        EXPECT_EQ(warned(), "");
        if (style == market::ExerciseStyle::american) continue;
        options.spot = 1.3 * spot;
        for (market::Expiry& expiry : chain.expiries) expiry.root = "VIX";
        EXPECT_EQ(warned(), "") << "a forward of its own says nothing of the spot";
    }
}

TEST(ChainSummary, TableHasALineAnExpiry) {
    const auto priced = sample();
    const std::string text = summary_table(summarise(priced, {})).text();
    EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')),
              priced.expiries.size() + 1);
    EXPECT_NE(text.find("no_bid"), std::string::npos);
}

TEST(ChainSummary, ChartsAreSpreadOverTheExpiries) {
    const auto priced = sample();
    const auto summaries = summarise(priced, {});
    const auto charts = smile_charts(priced, summaries, 3);
    ASSERT_EQ(charts.size(), 3U);
    const std::string text = svg_document(charts, 2);
    EXPECT_NE(text.find(summaries.front().name()), std::string::npos);
    EXPECT_NE(text.find(summaries.back().name()), std::string::npos);
    EXPECT_EQ(text.find("nan"), std::string::npos);
    EXPECT_EQ(smile_charts(priced, summaries, 100).size(), summaries.size());
    EXPECT_TRUE(smile_charts(priced, {}, 3).empty());
}

}  // namespace
}  // namespace scanmq::cli
