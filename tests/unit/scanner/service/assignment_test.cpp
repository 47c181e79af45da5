#include "scanner/service/assignment.hpp"

#include <gtest/gtest.h>

#include "tests/support/priced_chains.hpp"

namespace scanmq::service {
namespace {

using market::Right;

constexpr WallMillis kDay = 86'400'000;

// S 100, r 4 %, 30 days: a call and a put at 90 and 110.
market::PricedChain american(double call_90, double put_90, double call_110, double put_110) {
    market::PricedChain chain =
        testing::PricedChainBuilder("TST")
            .expiry({.root = "TST", .dte = 30, .forward = 100.0, .rate = 0.04})
            .quote({Right::call, 90.0, call_90, call_90, 0.2})
            .quote({Right::call, 110.0, call_110, call_110, 0.2})
            .quote({Right::put, 90.0, put_90, put_90, 0.2})
            .quote({Right::put, 110.0, put_110, put_110, 0.2})
            .build();
    auto quotes = std::make_shared<market::Chain>(*chain.chain);
    quotes->style = market::ExerciseStyle::american;
    quotes->expiries[0].moment = 30 * kDay;
    chain.chain = quotes;
    chain.spot = 100.0;
    return chain;
}

constexpr std::uint32_t kCall90 = 0;
constexpr std::uint32_t kCall110 = 1;
constexpr std::uint32_t kPut90 = 2;
constexpr std::uint32_t kPut110 = 3;

// Just before the ex-date: D > put(K) + K (1 - e^(-r tau)), tau 20 days: 90 * .002189 = .197.
TEST(Assignment, CallsForADividend) {
    const market::PricedChain chain = american(10.2, 0.10, 0.3, 10.1);
    ScanInputs inputs;
    EXPECT_EQ(assignment_of(chain, inputs, 0, kCall90), Assignment::unlikely) << "no dividend";
    inputs.dividends = {{"TST", 10 * kDay, 0.29}};
    EXPECT_EQ(assignment_of(chain, inputs, 0, kCall90), Assignment::unlikely);
    inputs.dividends[0].amount = 0.30;
    EXPECT_EQ(assignment_of(chain, inputs, 0, kCall90), Assignment::likely);
    EXPECT_EQ(assignment_of(chain, inputs, 0, kCall110), Assignment::unlikely)
        << "out of the money";
    // A later dividend adds to the first one's side.
    inputs.dividends = {{"TST", 10 * kDay, 0.20}, {"TST", 25 * kDay, 0.20}};
    EXPECT_EQ(assignment_of(chain, inputs, 0, kCall90), Assignment::likely);
    inputs.dividends = {{"TST", 31 * kDay, 5.0}};
    EXPECT_EQ(assignment_of(chain, inputs, 0, kCall90), Assignment::unlikely) << "after it expires";
}

// K (1 - e^(-r tau)) = 110 * .003282 = .361 > call(K) + PV(dividends).
TEST(Assignment, PutsForInterest) {
    ScanInputs inputs;
    EXPECT_EQ(assignment_of(american(10.2, 0.1, 0.35, 10.1), inputs, 0, kPut110),
              Assignment::likely);
    EXPECT_EQ(assignment_of(american(10.2, 0.1, 0.37, 10.1), inputs, 0, kPut110),
              Assignment::unlikely);
    EXPECT_EQ(assignment_of(american(10.2, 0.1, 0.35, 10.1), inputs, 0, kPut90),
              Assignment::unlikely);
    inputs.dividends = {{"TST", 10 * kDay, 0.05}};
    EXPECT_EQ(assignment_of(american(10.2, 0.1, 0.35, 10.1), inputs, 0, kPut110),
              Assignment::unlikely);
}

TEST(Assignment, EuropeanOptionsHaveNone) {
    market::PricedChain chain = american(10.2, 0.1, 0.1, 10.1);
    auto quotes = std::make_shared<market::Chain>(*chain.chain);
    quotes->style = market::ExerciseStyle::european;
    chain.chain = quotes;
    EXPECT_EQ(assignment_of(chain, {}, 0, kPut110), Assignment::none);
}

}  // namespace
}  // namespace scanmq::service
