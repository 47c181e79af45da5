// A million strikes: each contract has a status, whatever the exercise.

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <ctime>
#include <thread>

#include "scanner/market/priced_chain.hpp"
#include "tests/support/dense_chain.hpp"

namespace scanmq::market {
namespace {

using pricing::IvStatus;
using scanmq::testing::dense_chain;

constexpr std::size_t kPriced = kAmericanContractsMax / 2;  // strikes, both rights

std::size_t count_of(const PricedChain& priced, std::size_t expiry, IvStatus status) {
    const auto& e = priced.chain->expiries[expiry];
    return static_cast<std::size_t>(std::count(priced.iv_status.begin() + e.call_begin,
                                               priced.iv_status.begin() + e.end, status));
}

void expect_unpriced(const PricedChain& priced, std::size_t expiry) {
    const auto& e = priced.chain->expiries[expiry];
    // Statuses of the quote itself come first.
    const auto no_bid = count_of(priced, expiry, IvStatus::no_bid);
    EXPECT_LT(no_bid, (e.end - e.call_begin) / 2);
    EXPECT_EQ(count_of(priced, expiry, IvStatus::no_forward) + no_bid, e.end - e.call_begin);
    EXPECT_TRUE(priced.expiries[expiry].tradable);
    EXPECT_TRUE(std::isnan(priced.expiries[expiry].forward));
    EXPECT_EQ(priced.expiries[expiry].problem,
              "beyond the 50000 contracts of American exercise of a chain");
    for (std::uint32_t i = e.call_begin; i < e.end; ++i) {
        ASSERT_TRUE(std::isnan(priced.iv[i])) << i;
        ASSERT_TRUE(std::isnan(priced.greeks[i].delta)) << i;
    }
}

TEST(MillionStrikes, OfOneAmericanExpiryHaveNoForward) {
    const auto strikes =
        price_chain(dense_chain(ExerciseStyle::american, {{20240920, 1'000'000, false}}));
    ASSERT_EQ(strikes.iv_status.size(), 1'000'000U);
    expect_unpriced(strikes, 0);
    const auto pairs = price_chain(dense_chain(ExerciseStyle::american, {{20240920, 500'000}}));
    ASSERT_EQ(pairs.iv_status.size(), 1'000'000U);
    expect_unpriced(pairs, 0);
}

TEST(MillionStrikes, TheNearestAmericanExpiriesArePricedUpToTheLimit) {
    const auto priced = price_chain(
        dense_chain(ExerciseStyle::american, {{20250620, kPriced}, {20260618, 475'000}}));
    ASSERT_EQ(priced.iv_status.size(), 1'000'000U);
    EXPECT_EQ(priced.expiries[0].problem, "");
    EXPECT_NEAR(priced.expiries[0].atm_volatility, 0.25, 0.02);  // European values
    EXPECT_GT(count_of(priced, 0, IvStatus::ok), 40'000U);
    expect_unpriced(priced, 1);
}

// The dearest there is: half a minute of work, all of it in one expiry.
TEST(MillionStrikes, PricingOfOneExpiryEndsWhenItIsCancelled) {
    const auto chain = dense_chain(ExerciseStyle::american, {{20250620, kPriced}});
    PricingOptions options;
    for (const YearMonthDay day : {20240809, 20241108, 20250207, 20250509}) {
        options.dividends.push_back({new_york_moment(day, 9 * 60 + 30), 0.25});
    }
    std::atomic<bool> cancel{false};
    options.cancel = &cancel;
    clockid_t clock{};
    ASSERT_EQ(::pthread_getcpuclockid(::pthread_self(), &clock), 0);
    const auto spent = [&] {
        timespec time{};
        EXPECT_EQ(::clock_gettime(clock, &time), 0);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    };
    std::atomic<bool> done{false};
    std::jthread canceller([&, begun = spent()] {
        while (!done && spent() - begun < 0.3) std::this_thread::yield();
        cancel = true;
    });
    const PricedChain priced = price_chain(chain, options);
    done = true;
    canceller.join();
    EXPECT_LT(std::count_if(priced.iv.begin(), priced.iv.end(),
                            [](double iv) { return std::isfinite(iv); }),
              kPriced / 2);
}

TEST(MillionStrikes, OneStrikeBeyondTheAmericanLimitIsUnpriced) {
    expect_unpriced(price_chain(dense_chain(ExerciseStyle::american, {{20250620, kPriced + 1}})),
                    0);
}

TEST(MillionStrikes, OfEuropeanExerciseAreAllPriced) {
    const auto priced = price_chain(dense_chain(ExerciseStyle::european, {{20240920, 500'000}}));
    ASSERT_EQ(priced.iv_status.size(), 1'000'000U);
    EXPECT_EQ(priced.expiries[0].problem, "");
    EXPECT_NEAR(priced.expiries[0].atm_volatility, 0.25, 0.002);
    EXPECT_GT(count_of(priced, 0, IvStatus::ok), 700'000U);
    EXPECT_EQ(count_of(priced, 0, IvStatus::no_forward), 0U);
}

}  // namespace
}  // namespace scanmq::market
