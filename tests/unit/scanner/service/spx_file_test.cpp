// The scan of the real SPX file, where it is at hand.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "scanner/market/reader.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::service {
namespace {

class SpxFile : public ::testing::Test {
  protected:
    void SetUp() override {
        SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
        auto report = market::read_chain_file(path);
        ASSERT_TRUE(report.ok()) << report.error().message;
        chain_ = market::price_chain(
            std::make_shared<const market::Chain>(std::move(report->chains.at(0))));
    }
    ScanResult scanned(const ScanRequest& request) const {
        auto result = scan(chain_, request);
        EXPECT_TRUE(result.ok()) << result.error().message;
        return result.ok() ? *std::move(result) : ScanResult{};
    }

    market::PricedChain chain_;
};

// All bids above zero, up to 100 points wide: the published number of verticals.
TEST_F(SpxFile, ScansEveryVertical) {
    ScanRequest request;
    request.filters = {{"width", {{"max", 100.0}}}, {"liquidity", {{"min_bid", 0.01}}}};
    const Counts counts = scanned(request).counts;
    EXPECT_EQ(counts.candidates, 383'648U);
    EXPECT_EQ(counts.candidates,
              counts.arbitrage_quote + counts.no_risk + counts.no_profit + counts.ranked);
    request.filters.push_back({"dte", {{"min", 0.0}, {"max", 60.0}}});
    EXPECT_EQ(scanned(request).counts.candidates, 238'776U);
}

// The engine counts condors before it goes through them, and says how many there are.
TEST_F(SpxFile, CountsTheIronCondors) {
    ScanRequest request;
    request.strategies = {"iron_condor"};
    request.filters = {{"width", {{"max", 100.0}}},
                       {"liquidity", {{"min_bid", 0.01}}},
                       {"dte", {{"min", 0.0}, {"max", 60.0}}}};
    request.candidates_max = 75'051'160;
    const auto refused = scan(chain_, request);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::too_many_candidates);
    EXPECT_NE(refused.error().message.find(" 75051161 candidates"), std::string::npos)
        << refused.error().message;
}

// Everything at once, near the money: the shape of a broad scan.
TEST_F(SpxFile, ScansEveryStrategyNearTheMoney) {
    ScanRequest request;
    for (const std::string_view name : strategy::strategy_names()) {
        request.strategies.emplace_back(name);
    }
    request.best_per = BestPer::short_strikes;
    request.filters = {{"strikes", {{"max", 3.0}}},
                       {"width", {{"max", 25.0}}},
                       {"dte", {{"min", 25.0}, {"max", 45.0}}},
                       {"back_dte", {{"max", 60.0}}}};
    const ScanResult result = scanned(request);
    EXPECT_EQ(result.spreads.size(), kLimitDefault);
    EXPECT_GT(result.counts.lanes_without_stock, 0U) << "no stock on an index";
    EXPECT_EQ(result.counts.candidates, result.counts.arbitrage_quote + result.counts.no_risk +
                                            result.counts.no_profit + result.counts.no_value +
                                            result.counts.unscored + result.counts.ranked +
                                            result.counts.pruned);
    for (const Spread& spread : result.spreads) {
        EXPECT_FALSE(spread.reason.empty());
        EXPECT_FALSE(std::isnan(spread.move_1sd));
        EXPECT_FALSE(std::isnan(spread.ev)) << spread.strategy;
    }
}

// The identities that anyone can check with a pocket calculator, on real quotes.
TEST_F(SpxFile, FiguresHoldUpByHand) {
    ScanRequest request;
    request.limit = 500;
    request.filters = {{"width", {{"max", 100.0}}},
                       {"dte", {{"min", 7.0}, {"max", 60.0}}},
                       {"delta", {{"min", 0.10}, {"max", 0.35}}}};
    const ScanResult result = scanned(request);
    ASSERT_EQ(result.spreads.size(), 500U);
    for (const Spread& spread : result.spreads) {
        const SpreadLeg& low = spread.legs.at(0);
        const SpreadLeg& high = spread.legs.at(1);
        const SpreadLeg& sold = low.side == strategy::Side::short_leg ? low : high;
        const SpreadLeg& bought = low.side == strategy::Side::short_leg ? high : low;
        EXPECT_NE(low.side, high.side);
        EXPECT_EQ(low.right, high.right);
        EXPECT_EQ(low.root, high.root);
        EXPECT_EQ(low.expiry, high.expiry);
        EXPECT_GT(sold.bid, 0.0);
        EXPECT_NEAR(spread.net_price, bought.ask - sold.bid, 1e-9);
        EXPECT_NEAR(spread.width, high.strike - low.strike, 1e-9);
        EXPECT_LE(spread.width, 100.0);
        EXPECT_NEAR(spread.max_profit + spread.max_loss, spread.width, 1e-9);
        const bool credit = spread.net_price < 0.0;
        EXPECT_NEAR(credit ? spread.max_profit : spread.max_loss,
                    std::fabs(spread.net_price) + (credit ? -0.013 : 0.013), 1e-9);
        EXPECT_GE(spread.dte, 7);
        EXPECT_LE(spread.dte, 60);
        EXPECT_GE(std::fabs(sold.greeks.delta), 0.10);
        EXPECT_LE(std::fabs(sold.greeks.delta), 0.35);
        ASSERT_EQ(spread.breakevens.size(), 1U);
        EXPECT_GT(spread.breakevens[0], low.strike);
        EXPECT_LT(spread.breakevens[0], high.strike);
        EXPECT_GT(spread.pop, 0.0);
        EXPECT_LT(spread.pop, 1.0);
        // The expectation lies between the extremes, and near what POP and the two ends allow.
        EXPECT_LT(spread.ev, spread.pop * spread.max_profit);
        EXPECT_GT(spread.ev, -(1.0 - spread.pop) * spread.max_loss);
        EXPECT_GE(spread.score, 0.0);
        EXPECT_LE(spread.score, 100.0);
    }
    EXPECT_TRUE(std::is_sorted(result.spreads.begin(), result.spreads.end(), ranks_before));
}

}  // namespace
}  // namespace scanmq::service
