// RedisTier against a real redis-server, healthy and otherwise.
#include "common/cache/redis/redis_tier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>

#include "common/cache/envelope.hpp"
#include "common/cache/memory_tier.hpp"
#include "common/cache/tiered_cache.hpp"
#include "tests/support/redis_server.hpp"
#include "tests/support/scripted_server.hpp"

namespace scanmq::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using tests::RedisServer;
using Answer = std::vector<std::string>;  // "-" for nothing

ContentId key_of(std::uint64_t n) { return content_id(std::to_string(n)); }

std::string redis_key(std::uint64_t n) { return "scanmq:" + key_of(n).hex(); }

Time now() { return std::chrono::steady_clock::now(); }

class RedisTierTest : public testing::Test {
  protected:
    // Patient by default, so that a busy machine changes nothing; tests of the deadline set their own.
    RedisTierOptions options(const std::string& url) {
        RedisTierOptions out;
        out.url = *parse_redis_url(url);
        out.timeout = seconds(10);
        out.dead_after = seconds(20);
        out.connect_timeout = seconds(10);
        out.backoff_first = milliseconds(5);
        out.backoff_max = milliseconds(50);
        out.log = [this](const std::string& line) { log_.push_back(line); };
        return out;
    }
    void connect(RedisTierOptions options) {
        tier_ = std::make_unique<RedisTier>(io_, std::move(options));
        run_until([&] { return tier_->ready(); });
    }
    void connect(const RedisServer& server) { connect(options(server.url())); }

    template <class Done>
    void run_until(const Done& done) {
        const Time end = now() + seconds(30);
        while (!done()) {
            ASSERT_LT(now(), end) << "the test ran out of patience";
            io_.restart();
            io_.run_one_for(milliseconds(20));
        }
    }
    Answer get(const std::vector<std::uint64_t>& numbers) {
        std::vector<ContentId> keys;
        for (const std::uint64_t n : numbers) keys.push_back(key_of(n));
        auto answer = std::make_shared<std::optional<Answer>>();
        tier_->get(std::move(keys), now() + seconds(20), [answer](const Tier::Values& values) {
            EXPECT_FALSE(answer->has_value());
            answer->emplace();
            for (const auto& value : values) (*answer)->push_back(value ? *value->body : "-");
        });
        run_until([&] { return answer->has_value(); });
        return answer->value_or(Answer{});
    }
    void put(std::uint64_t n, std::string body, Duration ttl = seconds(100)) {
        tier_->put({{key_of(n), {std::make_shared<const std::string>(std::move(body)), 77}, ttl}},
                   now() + seconds(20));
    }
    // Asks until the value is there; each time it is a hit or a miss, never anything else.
    void run_until_found(std::uint64_t n, const std::string& body) {
        run_until([&] { return get({n}) == Answer{body}; });
    }

    boost::asio::io_context io_{1};
    std::vector<std::string> log_;
    std::unique_ptr<RedisTier> tier_;
};

TEST_F(RedisTierTest, FindsWhatWasPutUntilItsTimeIsOver) {
    RedisServer server;
    connect(server);
    EXPECT_THAT(get({1}), ElementsAre("-"));
    put(1, std::string("a\0\r\nb", 5));
    put(2, "");
    put(3, "short", milliseconds(30));
    EXPECT_THAT(get({2, 9, 1, 1}),
                ElementsAre("", "-", std::string("a\0\r\nb", 5), std::string("a\0\r\nb", 5)));
    run_until([&] { return get({3}) == Answer{"-"}; });
    EXPECT_THAT(server.command("PTTL " + redis_key(1)), testing::StartsWith(":"));
    const TierStats stats = tier_->stats();
    EXPECT_EQ(stats.hits + stats.misses, stats.gets);
    EXPECT_EQ(stats.puts, 3u);
    EXPECT_EQ(stats.errors + stats.timeouts + stats.put_errors + stats.held, 0u);
    EXPECT_EQ(stats.waiting, 0u);
    EXPECT_TRUE(log_.empty());
}

TEST_F(RedisTierTest, KeepsWhenAValueWasMade) {
    RedisServer server;
    connect(server);
    put(1, "one");
    std::optional<Tier::Values> values;
    tier_->get({key_of(1)}, now() + seconds(20), [&](Tier::Values got) { values = got; });
    run_until([&] { return values.has_value(); });
    ASSERT_TRUE((*values)[0]);
    EXPECT_EQ((*values)[0]->made, 77);
}

TEST_F(RedisTierTest, ABatchLargerThanACommandIsOneAnswerInOrder) {
    RedisServer server;
    auto with = options(server.url());
    with.keys_per_command_max = 7;
    connect(with);
    std::vector<std::uint64_t> numbers;
    Answer expected;
    for (std::uint64_t n = 0; n < 1000; ++n) {
        if (n % 3 != 0) put(n, "value " + std::to_string(n));
        numbers.push_back(n);
        expected.push_back(n % 3 != 0 ? "value " + std::to_string(n) : "-");
    }
    EXPECT_EQ(get(numbers), expected);
    EXPECT_EQ(get({}), Answer{});
    std::vector<ContentId> keys;
    for (const std::uint64_t n : numbers) keys.push_back(key_of(n));
    tier_->erase(keys, now() + seconds(20));
    EXPECT_EQ(get(numbers), Answer(1000, "-"));
    EXPECT_EQ(tier_->stats().erases, 1000u);
}

TEST_F(RedisTierTest, TwoTiersShareAndPrefixAndDatabasePart) {
    RedisServer server;
    connect(server);
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
    const auto first = std::move(tier_);
    connect(server);
    EXPECT_THAT(get({1}), ElementsAre("one"));
    tier_.reset();
    connect(options(server.url() + "/1"));
    EXPECT_THAT(get({1}), ElementsAre("-"));
    tier_.reset();
    auto with = options(server.url());
    with.prefix = "other:";
    connect(with);
    EXPECT_THAT(get({1}), ElementsAre("-"));
}

TEST_F(RedisTierTest, AfterARestartItConnectsAgainAndHitsAgain) {
    RedisServer server;
    connect(server);
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
    server.stop();
    run_until([&] { return !tier_->ready(); });
    EXPECT_THAT(get({1}), ElementsAre("-"));
    put(1, "lost");
    EXPECT_EQ(tier_->stats().held, 2u);
    server.start_again();
    run_until([&] { return tier_->ready(); });
    EXPECT_THAT(get({1}), ElementsAre("-"));
    put(1, "again");
    run_until_found(1, "again");
    EXPECT_EQ(tier_->stats().connects, 2u);
    ASSERT_EQ(log_.size(), 2u);
    EXPECT_THAT(log_[0], HasSubstr("redis://127.0.0.1:" + std::to_string(server.port())));
    EXPECT_THAT(log_[1], HasSubstr(": connected"));
}

TEST_F(RedisTierTest, WhatIsAskedWhenTheServerDiesIsAMiss) {
    RedisServer server;
    connect(server);
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
    server.freeze();
    std::optional<Tier::Values> values;
    tier_->get({key_of(1), key_of(2)}, now() + seconds(20),
               [&](Tier::Values got) { values = got; });
    put(2, "two");
    server.stop();
    run_until([&] { return values.has_value(); });
    EXPECT_FALSE((*values)[0]);
    const TierStats stats = tier_->stats();
    EXPECT_EQ(stats.errors, 2u);
    EXPECT_EQ(stats.put_errors, 1u);
    EXPECT_EQ(stats.timeouts, 0u);
}

TEST_F(RedisTierTest, AFrozenServerIsAMissInTimeOpensTheBreakerAndComesBack) {
    RedisServer server;
    auto with = options(server.url());
    with.breaker.open_first = milliseconds(100);
    with.breaker.open_max = milliseconds(200);
    connect(with);
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
    tier_.reset();
    with.timeout = milliseconds(20);
    connect(with);
    run_until_found(1, "one");
    server.freeze();
    const std::uint64_t timeouts = tier_->stats().timeouts;
    int asked = 0;
    run_until([&] {
        const Time begin = now();
        EXPECT_THAT(get({1}), ElementsAre("-"));
        // The loop runs at least every 20 ms; the rest is for a busy machine.
        EXPECT_LT(now() - begin, seconds(2));
        ++asked;
        return tier_->breaker() != TierBreaker::State::closed;
    });
    EXPECT_GE(asked, 5);
    EXPECT_EQ(tier_->stats().timeouts - timeouts, static_cast<std::uint64_t>(asked));
    // Open: a miss at once.
    const std::uint64_t held = tier_->stats().held;
    bool answered = false;
    tier_->get({key_of(1)}, now() + seconds(20),
               [&](const Tier::Values& values) { answered = !values[0]; });
    EXPECT_TRUE(answered);
    EXPECT_EQ(tier_->stats().held, held + 1);
    server.thaw();
    run_until_found(1, "one");
    EXPECT_EQ(tier_->breaker(), TierBreaker::State::closed);
    EXPECT_GE(tier_->stats().breaker_opened, 1u);
    // It was the same connection: what it had not answered came late.
    EXPECT_GE(tier_->stats().late, 5u);
    EXPECT_EQ(tier_->stats().connects, 1u);
}

TEST_F(RedisTierTest, AConnectionThatAnswersNothingIsMadeAnew) {
    RedisServer server;
    auto with = options(server.url());
    with.timeout = milliseconds(20);
    with.dead_after = milliseconds(100);
    connect(with);
    server.freeze();
    get({1});
    run_until([&] { return !tier_->ready(); });
    server.thaw();
    run_until([&] { return tier_->ready(); });
    EXPECT_EQ(tier_->stats().connects, 2u);
    EXPECT_THAT(log_.at(0), HasSubstr("no answer any more"));
}

TEST_F(RedisTierTest, AnAskersOwnDeadlineCounts) {
    RedisServer server;
    connect(server);
    server.freeze();
    const Time begin = now();
    std::optional<Tier::Values> values;
    tier_->get({key_of(1)}, begin + milliseconds(15), [&](Tier::Values got) { values = got; });
    run_until([&] { return values.has_value(); });
    EXPECT_GE(now() - begin, milliseconds(15));
    EXPECT_LT(now() - begin, seconds(5));
    values.reset();
    tier_->get({key_of(1)}, now(), [&](Tier::Values got) { values = got; });
    EXPECT_TRUE(values.has_value());
    EXPECT_EQ(tier_->stats().timeouts, 2u);
}

TEST_F(RedisTierTest, BeyondItsLimitsItMissesAndCounts) {
    RedisServer server;
    auto with = options(server.url());
    with.commands_max = 3;
    with.value_bytes_max = 100;
    connect(with);
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
    put(2, std::string(101, 'x'));
    EXPECT_EQ(tier_->stats().rejected, 1u);
    server.freeze();
    int answers = 0;
    for (int i = 0; i < 5; ++i)
        tier_->get({key_of(1)}, now() + seconds(20), [&](const Tier::Values&) { ++answers; });
    EXPECT_EQ(answers, 2);
    put(3, "three");
    EXPECT_EQ(tier_->stats().overflow, 3u);
    server.thaw();
    run_until([&] { return answers == 5; });
    EXPECT_EQ(tier_->stats().hits, 4u);
}

TEST_F(RedisTierTest, UnderMaxmemoryOldValuesGoAndPutsGoOn) {
    RedisServer server({"--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"});
    connect(server);
    constexpr std::uint64_t kValues = 4000;
    for (std::uint64_t n = 0; n < kValues; ++n) {
        put(n, std::string(4000, static_cast<char>('a' + n % 26)));
        if (n % 100 == 0) get({n});
    }
    std::uint64_t found = 0;
    for (std::uint64_t n = 0; n < kValues; ++n) {
        const Answer answer = get({n});
        ASSERT_EQ(answer.size(), 1u);
        if (answer[0] == "-") continue;
        ++found;
        EXPECT_EQ(answer[0], std::string(4000, static_cast<char>('a' + n % 26)));
    }
    EXPECT_GT(found, 0u);
    EXPECT_LT(found, 1200u);
    put(1, "the newest");
    EXPECT_THAT(get({1}), ElementsAre("the newest"));
    EXPECT_EQ(tier_->stats().put_errors, 0u);
    EXPECT_EQ(tier_->stats().errors, 0u);
}

TEST_F(RedisTierTest, AServerWithoutRoomKeepsNothingAndGoesOnBeingRead) {
    RedisServer server({"--maxmemory-policy", "noeviction"});
    connect(server);
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
    server.command("CONFIG SET maxmemory 1");
    put(2, "two");
    EXPECT_THAT(get({1, 2}), ElementsAre("one", "-"));
    EXPECT_EQ(tier_->stats().put_errors, 1u);
    EXPECT_EQ(tier_->breaker(), TierBreaker::State::closed);
    EXPECT_THAT(log_.at(0), HasSubstr("a value was not kept: OOM"));
}

TEST_F(RedisTierTest, WhatIsNoValueOfOursIsAMiss) {
    RedisServer server;
    connect(server);
    const std::string good = encode_envelope(key_of(1), 1, "one");
    std::string damaged = good;
    damaged[60] = static_cast<char>(damaged[60] ^ 1);
    std::string of_another_version = good;
    of_another_version[4] = 9;
    server.command("LPUSH " + redis_key(2) + " x");
    server.command({"SET", redis_key(3), damaged});
    server.command({"SET", redis_key(4), of_another_version});
    server.command({"SET", redis_key(5), good});  // of key 1
    server.command({"SET", redis_key(6), "something else"});
    server.command({"SET", redis_key(7), good.substr(0, 30)});
    server.command({"SET", redis_key(1), good});
    EXPECT_THAT(get({2, 3, 4, 5, 6, 7, 1}), ElementsAre("-", "-", "-", "-", "-", "-", "one"));
    EXPECT_EQ(tier_->stats().unreadable, 5u);
    EXPECT_EQ(tier_->breaker(), TierBreaker::State::closed);
    // And may be put over.
    put(2, "two");
    put(3, "three");
    EXPECT_THAT(get({2, 3}), ElementsAre("two", "three"));
}

TEST_F(RedisTierTest, AWrongPasswordIsToldOnceCountedAndNotInTheLog) {
    RedisServer server({"--requirepass", "right"});
    for (const std::string_view credentials : {":wrong@", "nobody:wrong@", ""}) {
        log_.clear();
        tier_ = std::make_unique<RedisTier>(io_, options(server.url(std::string(credentials))));
        run_until([&] { return tier_->stats().refused >= 3; });
        EXPECT_FALSE(tier_->ready());
        EXPECT_THAT(get({1}), ElementsAre("-"));
        EXPECT_EQ(tier_->stats().held, 1u);
        ASSERT_EQ(log_.size(), 1u);
        EXPECT_THAT(log_[0], HasSubstr(credentials.empty() ? "NOAUTH" : "WRONGPASS"));
        EXPECT_THAT(log_[0], HasSubstr("check user, password and database of the URL"));
        EXPECT_THAT(log_[0], Not(HasSubstr("wrong@")));
    }
    connect(options(server.url(":right@")));
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
    tier_.reset();
    log_.clear();
    tier_ = std::make_unique<RedisTier>(io_, options(server.url(":right@") + "/99"));
    run_until([&] { return tier_->stats().refused >= 1; });
    EXPECT_THAT(log_.at(0), HasSubstr("DB index is out of range"));
}

TEST_F(RedisTierTest, NobodyThereIsAMissUntilSomebodyIs) {
    RedisServer server;
    server.stop();
    tier_ = std::make_unique<RedisTier>(io_, options(server.url()));
    EXPECT_THAT(get({1}), ElementsAre("-"));
    run_until([&] { return !log_.empty(); });
    EXPECT_THAT(log_[0], HasSubstr("refused"));
    server.start_again();
    run_until([&] { return tier_->ready(); });
    put(1, "one");
    EXPECT_THAT(get({1}), ElementsAre("one"));
}

TEST_F(RedisTierTest, AHostThatNobodyKnowsIsTold) {
    tier_ = std::make_unique<RedisTier>(io_, options("redis://no-such-host.invalid:1"));
    run_until([&] { return !log_.empty(); });
    EXPECT_THAT(log_[0], HasSubstr("the host's name was not found"));
}

TEST_F(RedisTierTest, SomethingThatIsNoRedisOrLiesAboutSizesIsLeft) {
    for (const std::string& answer :
         {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("*1000000000\r\n"),
          std::string("$536870911\r\n") + std::string(1 << 20, 'x'), std::string("+OK\r\n+OK\r\n"),
          std::string("+OK\r\n:1\r\n"), std::string("+OK\r\n$-1\r\n"),
          std::string("+OK\r\n*1\r\n:1\r\n"), std::string("*2\r\n*2\r\n*2\r\n$1\r\nx\r\n"),
          std::string("+OK\r\n-ERR x\r\n$3\r\n")}) {
        test::ScriptedServer server([&](test::Peer& peer, int) {
            peer.send(answer);
            peer.wait_closed();
        });
        auto with = options("redis://127.0.0.1:" + std::to_string(server.port()));
        with.reply_bytes_max = 100'000;
        with.connect_timeout = milliseconds(200);
        with.timeout = milliseconds(20);
        with.dead_after = milliseconds(100);
        tier_ = std::make_unique<RedisTier>(io_, with);
        run_until([&] { return server.connections() >= 2 || tier_->stats().connects >= 2; });
        EXPECT_THAT(get({1}), ElementsAre("-"));
        tier_.reset();
    }
}

TEST_F(RedisTierTest, ACallbackMayEndTheTier) {
    RedisServer server;
    connect(server);
    int answers = 0;
    for (int i = 0; i < 3; ++i)
        tier_->get({key_of(1)}, now() + seconds(20), [&](const Tier::Values&) {
            ++answers;
            tier_.reset();
        });
    run_until([&] { return answers > 0; });
    io_.restart();
    io_.run_for(milliseconds(1));
    EXPECT_EQ(answers, 1);
    // What was asked when the tier ends is not answered.
    connect(server);
    tier_->get({key_of(1)}, now() + seconds(20), [&](const Tier::Values&) { ++answers; });
    tier_.reset();
    io_.restart();
    io_.run_for(milliseconds(1));
    EXPECT_EQ(answers, 1);
}

TEST_F(RedisTierTest, BehindAFastTierItIsAskedOnce) {
    RedisServer server;
    connect(server);
    put(1, "one");
    const SystemClock clock;
    MemoryTier fast({.bytes_max = 1 << 20, .count_max = 100}, clock);
    TieredCache both({}, fast, *tier_, clock);
    int found = 0;
    for (int i = 0; i < 10; ++i)
        both.get({key_of(1)}, now() + seconds(20), [&](const Tier::Values& values) {
            found += values[0] && *values[0]->body == "one" ? 1 : 0;
        });
    run_until([&] { return found == 10; });
    EXPECT_EQ(tier_->stats().gets, 1u);
    both.get({key_of(1)}, now() + seconds(20),
             [&](const Tier::Values& values) { found += values[0] ? 1 : 0; });
    EXPECT_EQ(found, 11);
}

}  // namespace
}  // namespace scanmq::cache
