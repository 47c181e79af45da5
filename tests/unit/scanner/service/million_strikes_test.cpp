// Scans of a chain of a million contracts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scanner/service/engine.hpp"
#include "tests/support/dense_chain.hpp"

namespace scanmq::service {
namespace {

using market::ExerciseStyle;
using scanmq::testing::dense_chain;
using ::testing::HasSubstr;

// As many American contracts as are priced, and 950,000 behind them.
const market::PricedChain& american() {
    static const market::PricedChain priced = market::price_chain(
        dense_chain(ExerciseStyle::american,
                    {{20250620, market::kAmericanContractsMax / 2}, {20260618, 475'000}}));
    return priced;
}

TEST(MillionStrikes, AScanOfAllPairsSaysThatTheyAreTooMany) {
    ScanRequest request;
    request.candidates_max = 100'000'000;
    const auto refused = scan(american(), request);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::too_many_candidates);
    EXPECT_THAT(refused.error().message, HasSubstr("candidates_max"));
}

TEST(MillionStrikes, AScanOfNarrowSpreadsEnds) {
    ScanRequest request;
    request.filters = {{"width", {{"max", 0.018}}}};  // strikes are 0.004 apart
    const auto result = scan(american(), request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    // Four verticals, each up to four strikes wide, of the strikes that have quotes. Two cents of spread eat what these can win.
    EXPECT_GT(result->counts.candidates, 399'000U);
    EXPECT_LE(result->counts.candidates, 4U * (4 * 25'000 - 10));
    EXPECT_TRUE(result->spreads.empty());
}

TEST(MillionStrikes, WithoutAForwardThereIsNothingToScan) {
    const auto chain =
        market::price_chain(dense_chain(ExerciseStyle::american, {{20240920, 1'000'000, false}}));
    const auto result = scan(chain, ScanRequest{});
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_TRUE(result->spreads.empty());
    EXPECT_EQ(result->counts.candidates, 0U);
}

}  // namespace
}  // namespace scanmq::service
