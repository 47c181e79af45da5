// Brokers that share a real Redis: what only a Redis can do to them. shared_tier_test.cpp has what is the same for
// every tier.

#include <gtest/gtest.h>

#include <string>

#include "tests/integration/shared_cache/side.hpp"
#include "tests/support/redis_server.hpp"

namespace scanmq::tests {
namespace {

TEST(SharedRedis, AFullRedisPushesOutAndEverythingEndsWell) {
    const RedisServer redis({"--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"});
    Side side(redis.url(), kLong);
    const auto large = [](int round) {
        std::vector<std::string> all = payloads("large " + std::to_string(round), 40);
        for (std::string& one : all) one.append(20'000, 'x');
        return all;
    };
    // 6.4 MB of results.
    for (int round = 0; round < 8; ++round) {
        EXPECT_EQ(side.run(large(round)).size(), 40U);
        side.forget_own();
    }
    const std::string info = redis.command("INFO stats");
    const std::size_t evicted = info.find("evicted_keys:");
    ASSERT_NE(evicted, std::string::npos);
    EXPECT_GT(std::stoull(info.substr(evicted + 13)), 0U);
    const std::uint64_t before = side.attempts();
    EXPECT_EQ(side.run(large(7)).size(), 40U);
    EXPECT_LT(side.attempts(), before + 40) << "the newest are there";
}

TEST(SharedRedis, DamagedAndForeignValuesAreMisses) {
    const RedisServer redis;
    Side side(redis.url(), kLong);
    const auto all = payloads("scan", 4);
    const auto computed = side.run(all);
    wait_for_keys(redis, 4);
    redis.command(std::vector<std::string>{
        "EVAL",
        "local k = redis.call('KEYS', '*') "
        "for i, n in ipairs(k) do "
        "if i % 4 == 0 then redis.call('DEL', n) redis.call('RPUSH', n, 'x') "
        "elseif i % 4 == 1 then redis.call('SET', n, 'nonsense') "
        "elseif i % 4 == 2 then redis.call('SETRANGE', n, 60, 'zz') "
        "else redis.call('SETRANGE', n, 4, '\\9') end end return #k",
        "0"});
    side.forget_own();
    const std::uint64_t before = side.attempts();
    EXPECT_EQ(side.run(all), computed);
    EXPECT_EQ(side.attempts(), before + 4) << "each ran again";
}

TEST(SharedRedis, AWrongUrlIsRefusedByName) {
    broker::ServerOptions options;
    options.cache = "redis://:secret@host:0/0";
    const auto made = broker::BrokerServer::create(options);
    ASSERT_FALSE(made.ok());
    EXPECT_NE(made.error().sentence.find("--cache"), std::string::npos);
    EXPECT_EQ(made.error().sentence.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace scanmq::tests
