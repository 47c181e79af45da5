// Brokers that share a tier, be it a Redis or another broker: what one computed, another answers; and whatever
// happens to the tier, every job ends well and in time.

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/integration/shared_cache/side.hpp"
#include "tests/support/cache_broker.hpp"
#include "tests/support/redis_server.hpp"

namespace scanmq::tests {
namespace {

struct Names {
    template <class Server>
    static std::string GetName(int) {
        return std::is_same_v<Server, RedisServer> ? "Redis" : "Broker";
    }
};

template <class Server>
class SharedTier : public testing::Test {};
using Servers = testing::Types<RedisServer, CacheBroker>;
TYPED_TEST_SUITE(SharedTier, Servers, Names);

TYPED_TEST(SharedTier, WhatOneBrokerComputedAnotherAnswers) {
    const TypeParam tier;
    Side first(tier.url(), kLong);
    const auto all = payloads("scan", 50);
    const auto computed = first.run(all);
    EXPECT_EQ(computed.size(), 50U);
    wait_for_keys(tier, 50);
    Side second(tier.url(), kLong);
    const std::uint64_t before = second.attempts();
    const std::uint64_t cached = second.cached();
    EXPECT_EQ(second.run(all), computed);
    EXPECT_EQ(second.attempts(), before) << "no worker had anything to do";
    EXPECT_EQ(second.cached(), cached + 50);
    EXPECT_EQ(second.row("cache", "", "tier", 1),
              (std::is_same_v<TypeParam, RedisServer> ? "redis" : "broker"));
    second.wait_for_figure("hits", 50);
}

// Values of so many bytes that one frame, or reply, holds a few of them.
TYPED_TEST(SharedTier, LargeResultsComeInAsManyFramesAsTheyNeed) {
    const TypeParam tier;
    Side first(tier.url(), kLong);
    auto all = payloads("large", 12);
    for (std::string& one : all) one.append(200'000, 'x');
    const auto computed = first.run(all);
    wait_for_keys(tier, 12);
    Side second(tier.url(), kLong);
    const std::uint64_t before = second.attempts();
    EXPECT_EQ(second.run(all), computed);
    EXPECT_EQ(second.attempts(), before);
}

TYPED_TEST(SharedTier, OneThatIsStartedAgainIsUsedAgain) {
    TypeParam tier;
    Side side(tier.url(), kLong);
    side.run(payloads("scan", 10));
    tier.stop();
    side.forget_own();
    EXPECT_EQ(side.run(payloads("scan", 10)).size(), 10U) << "they ran";
    tier.start_again();
    // Results go there again, and come back.
    const auto until = std::chrono::steady_clock::now() + kPatience;
    std::uint64_t hits = 0;
    for (int round = 0; hits == 0 && std::chrono::steady_clock::now() < until; ++round) {
        side.run(payloads("again " + std::to_string(round), 5));
        side.forget_own();
        const std::uint64_t before = side.attempts();
        side.run(payloads("again " + std::to_string(round), 5));
        hits = before + 5 - side.attempts();
    }
    EXPECT_GT(hits, 0U);
}

TYPED_TEST(SharedTier, OneThatStandsStillDelaysNobodyForLong) {
    const TypeParam tier;
    Side side(tier.url());
    tier.freeze();
    // Each asks in vain for 20 ms at most, and after a few nobody is asked any more. Many times what
    // that takes, and a small part of what waiting without an end would.
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(side.run("frozen " + std::to_string(i)), "frozen " + std::to_string(i));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, kPatience);
    side.wait_for_row("breaker_open", "1");
    side.wait_for_figure("timeouts", 1);
    side.wait_for_figure("held", 1);  // later ones did not ask
    tier.thaw();
    side.run(payloads("thawed", 5));
}

// While look-ups are under way.
TYPED_TEST(SharedTier, OneThatStopsMidRunCostsNoJob) {
    const TypeParam tier;
    Side side(tier.url());
    const std::uint64_t timeouts = side.figure_of("cache", "", "timeouts", 1);
    const std::vector<std::string> all = payloads("scan", 3000);
    side.submit(all);
    tier.freeze();
    // However fast those were, these wait.
    side.submit(payloads("later", 10));
    EXPECT_EQ(side.results(all.size() + 10).size(), all.size() + 10);
    side.wait_for_figure("timeouts", timeouts + 1);
    tier.thaw();
}

// Nobody submits anything.
TYPED_TEST(SharedTier, ThatItIsAwayShowsWithoutAJob) {
    TypeParam tier;
    Side side(tier.url(), kLong);
    side.wait_for_row("connected", "1");
    tier.stop();
    side.wait_for_row("connected", "0");
}

TYPED_TEST(SharedTier, ADroppedResultIsGoneThereToo) {
    const TypeParam tier;
    Side side(tier.url(), kLong);
    side.run("scan");
    wait_for_keys(tier, 1);
    side.drop_named();
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (tier.keys() != 0 && std::chrono::steady_clock::now() < until) {
    }
    EXPECT_EQ(tier.keys(), 0U);
}

}  // namespace
}  // namespace scanmq::tests
