#include "scanner/market/sample_market.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "scanner/market/calendar.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::market {
namespace {

constexpr std::size_t kMany = 120;  // known names and made-up ones

TEST(SampleMarket, FirstNamesAreFamiliarAndAllAreDistinct) {
    EXPECT_EQ(sample_symbol(0), "SPY");
    EXPECT_EQ(sample_symbol(1), "QQQ");
    EXPECT_EQ(sample_symbol(2), "AAPL");
    std::set<std::string> symbols;
    for (std::size_t i = 0; i < kSampleSymbolsMax; ++i) {
        const auto symbol = sample_symbol(i);
        ASSERT_LE(symbol.size(), 6U);
        ASSERT_TRUE(symbols.insert(symbol).second) << symbol;
    }
}

TEST(SampleMarket, SameSeedMakesSameBytes) {
    SampleMarketOptions options;
    EXPECT_EQ(encode_snapshot(sample_chain(options, 7)), encode_snapshot(sample_chain(options, 7)));
    EXPECT_NE(encode_snapshot(sample_chain(options, 7)), encode_snapshot(sample_chain(options, 8)));
    auto other = options;
    other.seed = 2;
    EXPECT_NE(encode_snapshot(sample_chain(options, 7)), encode_snapshot(sample_chain(other, 7)));
}

TEST(SampleMarket, ChainsAreValidSnapshots) {
    for (std::size_t i = 0; i < kMany; ++i) {
        const auto decoded = decode_snapshot(encode_snapshot(sample_chain({}, i)));
        ASSERT_TRUE(decoded.ok()) << decoded.error().message;
        EXPECT_EQ(decoded->expiries.size(), 8U);
        EXPECT_GT(decoded->size(), 200U);
    }
}

TEST(SampleMarket, OptionsOutOfRangeAreClamped) {
    SampleMarketOptions options;
    options.expiries = 1'000;
    options.strikes_max = 0;
    const auto chain = sample_chain(options, 0);
    EXPECT_EQ(chain.expiries.size(), kSampleExpiriesMax);
    for (const auto& expiry : chain.expiries) EXPECT_LE(expiry.put_begin - expiry.call_begin, 5U);
}

TEST(SampleMarket, ExpiriesAreSessionsAfterTheQuotes) {
    for (const YearMonthDay date : {20240612, 20240614, 20240615, 20240103, 20240327, 20241231}) {
        SampleMarketOptions options;
        options.as_of = new_york_moment(date, 15 * 60 + 45);
        options.expiries = kSampleExpiriesMax;
        const auto chain = sample_chain(options, 3);
        YearMonthDay previous = date;
        for (const auto& expiry : chain.expiries) {
            EXPECT_GT(expiry.date, previous);
            EXPECT_TRUE(is_session(expiry.date)) << expiry.date;
            previous = expiry.date;
        }
    }
}

TEST(SampleMarket, QuotesAreMonotoneOnTicksAndUncrossed) {
    for (std::size_t s = 0; s < kMany; ++s) {
        const auto chain = sample_chain({}, s);
        for (const auto& expiry : chain.expiries) {
            for (std::size_t i = expiry.call_begin; i < expiry.end; ++i) {
                ASSERT_LT(chain.bid[i], chain.ask[i]);
                const double cents = chain.ask[i] * 100;
                ASSERT_NEAR(cents, std::round(cents), 1e-6);
                const bool first = i == expiry.call_begin || i == expiry.put_begin;
                if (first) continue;
                if (chain.right[i] == Right::call) {
                    ASSERT_LE(chain.bid[i], chain.bid[i - 1]) << chain.symbol << ' ' << i;
                    ASSERT_LE(chain.ask[i], chain.ask[i - 1]) << chain.symbol << ' ' << i;
                } else {
                    ASSERT_GE(chain.bid[i], chain.bid[i - 1]) << chain.symbol << ' ' << i;
                    ASSERT_GE(chain.ask[i], chain.ask[i - 1]) << chain.symbol << ' ' << i;
                }
            }
        }
    }
}

TEST(SampleMarket, ButterfliesCostSomethingAtNaturalPrices) {
    for (std::size_t s = 0; s < kMany; ++s) {
        const auto chain = sample_chain({}, s);
        for (const auto& expiry : chain.expiries) {
            for (std::size_t i = expiry.call_begin + 1; i + 1 < expiry.end; ++i) {
                if (chain.right[i - 1] != chain.right[i + 1]) continue;
                ASSERT_GT(chain.ask[i - 1] + chain.ask[i + 1] - 2 * chain.bid[i], 0)
                    << chain.symbol;
            }
        }
    }
}

TEST(SampleMarket, WingsHaveNoBidAndWiderSpreads) {
    std::size_t zero_bids = 0;
    std::size_t contracts = 0;
    for (std::size_t s = 0; s < kMany; ++s) {
        const auto chain = sample_chain({}, s);
        contracts += chain.size();
        const auto zeros = std::count(chain.bid.begin(), chain.bid.end(), 0.0);
        EXPECT_GT(zeros, 0) << chain.symbol;
        zero_bids += static_cast<std::size_t>(zeros);
        // Relative to the mid, the farthest bid put is quoted wider than the one at the money.
        const auto& expiry = chain.expiries[4];
        std::size_t wing = expiry.put_begin;
        while (wing < expiry.end && chain.bid[wing] == 0) ++wing;
        std::size_t money = wing;
        while (money + 1 < expiry.end && chain.strike[money] < chain.spot) ++money;
        const auto relative = [&](std::size_t i) {
            return (chain.ask[i] - chain.bid[i]) / (chain.ask[i] + chain.bid[i]);
        };
        EXPECT_GT(relative(wing), relative(money)) << chain.symbol;
    }
    EXPECT_GT(zero_bids, contracts / 50);
    EXPECT_LT(zero_bids, contracts / 3);
}

TEST(SampleMarket, PricingRecoversForwardRateAndVolatility) {
    const SampleMarketOptions options;
    for (std::size_t s = 0; s < kMany; ++s) {
        const auto surface = sample_surface(options, s);
        const auto priced = price_chain(std::make_shared<const Chain>(sample_chain(options, s)));
        EXPECT_NEAR(priced.rate, options.rate, 0.01) << surface.symbol;
        for (const auto& market : priced.expiries) {
            ASSERT_EQ(market.problem, "") << surface.symbol;
            const double forward = surface.forward(market.years);
            EXPECT_NEAR(market.forward / forward, 1.0, 0.004)
                << surface.symbol << ' ' << market.years;
            // Half a tick of the price, as volatility, is what rounding may hide.
            const double volatility = surface.atm_volatility(market.years);
            const double rounding = 0.025 / (0.4 * forward * std::sqrt(market.years));
            EXPECT_NEAR(market.atm_volatility, volatility, 0.03 * volatility + rounding)
                << surface.symbol << ' ' << market.years;
        }
    }
}

TEST(SampleMarket, SkewAndTermStructureAreThere) {
    const SampleMarketOptions options;
    for (std::size_t s = 0; s < kMany; ++s) {
        const auto surface = sample_surface(options, s);
        for (const double years : {0.02, 0.1, 0.5, 2.0}) {
            const double deviation = std::sqrt(surface.atm_total_variance(years));
            EXPECT_GT(surface.volatility(-deviation, years), surface.atm_volatility(years));
            EXPECT_NEAR(surface.volatility(0, years), surface.atm_volatility(years), 1e-12);
            EXPECT_LT(surface.atm_total_variance(years), surface.atm_total_variance(years + 0.01));
        }
        EXPECT_LE(surface.smile * (1 + std::fabs(surface.correlation)), 2.0);
    }
}

}  // namespace
}  // namespace scanmq::market
