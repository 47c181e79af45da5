#include "scanner/market/contract_values.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

namespace scanmq::market {
namespace {

constexpr double kYear = 365.0;

struct Quote {
    Right right{};
    double strike{};
    double volatility{};
    double value{};
};

// One expiry with F = 100 and r = 4 %.
PricedChain priced(double days, ExerciseStyle style, const std::vector<Quote>& quotes) {
    Chain chain;
    chain.style = style;
    chain.expiries.resize(1);
    chain.expiries[0].put_begin = chain.expiries[0].end = static_cast<std::uint32_t>(quotes.size());
    PricedChain out;
    for (const Quote& quote : quotes) {
        chain.strike.push_back(quote.strike);
        chain.right.push_back(quote.right);
        out.iv.push_back(quote.volatility);
        out.iv_status.push_back(pricing::IvStatus::ok);
        out.greeks.push_back({.price = quote.value});
    }
    ExpiryMarket market;
    market.years = days / kYear;
    market.rate = 0.04;
    market.discount = std::exp(-0.04 * market.years);
    market.forward = 100.0;
    market.spot = out.spot = 100.0 * market.discount;
    market.tradable = true;
    out.expiries.push_back(market);
    out.chain = std::make_shared<const Chain>(std::move(chain));
    return out;
}

TEST(ContractValues, DayThetaIsTheChangeOverOneDay) {
    // Computed apart in double precision from the Black-Scholes-Merton formula.
    auto chain = priced(30, ExerciseStyle::european, {{Right::put, 95.0, 0.23, 0.0}});
    const ExpiryMarket& market = chain.expiries[0];
    chain.greeks[0].price = pricing::bsm_price({.spot = market.spot,
                                                .strike = 95.0,
                                                .rate = market.rate,
                                                .yield = 0.0,
                                                .years = market.years,
                                                .volatility = 0.23},
                                               Right::put);
    EXPECT_NEAR(contract_values(chain, 0, 0).day_theta, -0.029232024136082613, 1e-12);
    EXPECT_TRUE(std::isnan(contract_values(chain, 0, 0).model)) << "no smile";
    chain.iv[0] = kMissing;
    chain.iv_status[0] = pricing::IvStatus::below_intrinsic;
    EXPECT_TRUE(std::isnan(contract_values(chain, 0, 0).day_theta)) << "nor a volatility";
}

TEST(ContractValues, DayThetaOfTheLastDayIsWhatIsLeft) {
    auto chain = priced(0.25, ExerciseStyle::european,
                        {{Right::call, 110.0, 0.2, 0.40}, {Right::call, 90.0, 0.2, 0.0}});
    chain.greeks[1].price = chain.expiries[0].spot - 90.0 + 0.10;
    EXPECT_DOUBLE_EQ(contract_values(chain, 0, 0).day_theta, -0.40);
    EXPECT_NEAR(contract_values(chain, 0, 1).day_theta, -0.10, 1e-12);
}

TEST(ContractValues, ModelIsTheValueAtTheSmile) {
    auto chain = priced(60, ExerciseStyle::european,
                        {{Right::call, 104.0, 0.2, 2.0}, {Right::put, 93.0, 0.2, 1.0}});
    ExpiryMarket& market = chain.expiries[0];
    market.smile = {.a = 0.004, .b = 0.02, .rho = -0.4, .m = 0.01, .s = 0.1};
    for (std::uint32_t row = 0; row < 2; ++row) {
        const double strike = chain.chain->strike[row];
        const double k = std::log(strike / market.forward);
        const double value =
            pricing::black_price({market.forward, strike, market.smile.volatility(k, market.years),
                                  market.years, market.discount},
                                 chain.chain->right[row]);
        EXPECT_NEAR(contract_values(chain, 0, row).model, value, 1e-12);
    }
}

TEST(ContractValues, AmericanContractsAreAmericanTomorrow) {
    const std::vector<Quote> quotes{{Right::put, 115.0, 0.2, 15.6}, {Right::call, 85.0, 0.2, 15.5}};
    auto american = priced(200, ExerciseStyle::american, quotes);
    const auto european = priced(200, ExerciseStyle::european, quotes);
    const double put = contract_values(american, 0, 0).day_theta;
    EXPECT_GT(put, contract_values(european, 0, 0).day_theta + 0.05) << "it can be exercised";
    EXPECT_NEAR(contract_values(american, 0, 1).day_theta,
                contract_values(european, 0, 1).day_theta, 1e-4)
        << "no reason to exercise a call without a yield";
    american.dividends = {{0.5 / kYear, 3.0}};
    EXPECT_EQ(contract_values(american, 0, 0).day_theta, put) << "paid by tomorrow";
    american.dividends = {{90.0 / kYear, 3.0}};
    EXPECT_GT(contract_values(american, 0, 0).day_theta, put + 1.0);
}

// The engine works out whole expiries, a finished spread single contracts.
TEST(ContractValues, ARowDoesNotDependOnItsNeighbours) {
    std::vector<Quote> quotes;
    for (int i = 0; i < 37; ++i) {
        quotes.push_back(
            {i % 2 == 0 ? Right::call : Right::put, 70.0 + 2.0 * i, 0.15 + 0.003 * i, 1.0 + i});
    }
    for (const auto style : {ExerciseStyle::european, ExerciseStyle::american}) {
        auto chain = priced(45, style, quotes);
        chain.expiries[0].smile = {.a = 0.004, .b = 0.02, .rho = -0.4, .m = 0.01, .s = 0.1};
        std::vector<ContractValues> together(quotes.size());
        std::vector<std::uint32_t> rows(quotes.size());
        std::iota(rows.begin(), rows.end(), 0U);
        contract_values(chain, 0, rows, together);
        for (std::uint32_t row = 0; row < quotes.size(); ++row) {
            const ContractValues alone = contract_values(chain, 0, row);
            EXPECT_EQ(alone.day_theta, together[row].day_theta) << row;
            EXPECT_EQ(alone.model, together[row].model) << row;
        }
    }
}

}  // namespace
}  // namespace scanmq::market
