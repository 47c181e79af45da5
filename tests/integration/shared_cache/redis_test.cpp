// Brokers that share a real Redis: what one computed, another answers; and whatever happens to the Redis, every job
// ends well and in time.

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>

#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "tests/support/in_process.hpp"
#include "tests/support/redis_server.hpp"

namespace scanmq::tests {
namespace {

using namespace std::chrono_literals;

// A broker with a worker, and a client of it.
class Side {
  public:
    explicit Side(const std::string& cache, Duration wait = 20ms)
        : broker_(options(cache, wait)),
          worker_(broker_.endpoint()),
          client_(make(broker_.endpoint())) {
        client::SubscriberOptions reading;
        reading.queue = "scans";
        subscriber_ = std::make_unique<client::Subscriber>(*client_, reading);
        EXPECT_TRUE(subscriber_->wait_active(kPatience).ok());
        producer_ = std::make_unique<client::Producer>(*client_, "scans");
        // Without a worker the queue has no scanner version, and keeps nothing.
        while (row("queues", "scans", "scanner_version").empty()) client_->poll(5ms);
        connected();
    }
    // Until the broker has a connection to the Redis.
    void connected() {
        if (!shared()) return;
        const auto until = std::chrono::steady_clock::now() + kPatience;
        while (row("cache", "", "connects", 1) == "0" && std::chrono::steady_clock::now() < until) {
            run("a job that makes it try " + std::to_string(++tries_));
        }
    }
    // Submits jobs with these payloads and waits for their results.
    std::map<std::string, int> run(const std::vector<std::string>& payloads) {
        for (const std::string& payload : payloads) {
            client::Job job;
            job.subject = "a.b";
            job.payload = payload;
            EXPECT_TRUE(producer_->submit(job).ok());
        }
        producer_->flush();
        std::map<std::string, int> results;
        for (std::size_t seen = 0; seen < payloads.size();) {
            auto received = subscriber_->receive(kPatience);
            if (!received.ok() || !*received) {
                ADD_FAILURE() << "results are missing";
                break;
            }
            for (const protocol::Entry& entry : (*received)->entries()) {
                EXPECT_EQ(entry.outcome, protocol::FinalOutcome::done) << entry.sentence;
                ++results[std::string(entry.body.bytes)];
                ++seen;
            }
        }
        return results;
    }
    std::string run(const std::string& payload) {
        const auto results = run(std::vector{payload});
        return results.empty() ? "" : results.begin()->first;
    }
    [[nodiscard]] std::uint64_t cached() { return std::stoull(row("queues", "scans", "cached")); }
    [[nodiscard]] std::uint64_t attempts() { return counter("attempts_started"); }
    [[nodiscard]] std::uint64_t counter(const std::string& name) {
        const auto rows = client_->query("counters");
        for (const protocol::Row& one : *rows) {
            if (one[0].second == protocol::Value(name))
                return std::get<std::uint64_t>(one[1].second);
        }
        return 0;
    }
    void forget_own() { EXPECT_TRUE(client_->cache_drop("", {}).ok()); }
    // By their fingerprints, all that the broker keeps.
    void drop_named() {
        std::vector<ContentId> keys;
        const auto rows = client_->query("cached", "scans");
        for (const protocol::Row& one : *rows) {
            keys.push_back(*ContentId::parse_hex(std::get<std::string>(one[0].second)));
        }
        EXPECT_FALSE(keys.empty());
        EXPECT_TRUE(client_->cache_drop("scans", keys).ok());
    }
    std::string row(const std::string& topic, const std::string& key, const std::string& column,
                    std::size_t index = 0) {
        const auto rows = client_->query(topic, key);
        if (!rows || rows->size() <= index) return {};
        for (const auto& [name, value] : (*rows)[index]) {
            if (name != column) continue;
            if (const auto* text = std::get_if<std::string>(&value)) return *text;
            return std::to_string(std::get<std::uint64_t>(value));
        }
        return {};
    }
    [[nodiscard]] bool shared() {
        const auto rows = client_->query("cache");
        return rows.ok() && rows->size() > 1;
    }

  private:
    static broker::ServerOptions options(const std::string& cache, Duration wait) {
        broker::ServerOptions out;
        out.cache = cache;
        out.core.cache_wait = wait;
        out.queues = {"scans,pure=1"};
        return out;
    }
    Broker broker_;
    Worker worker_;
    std::unique_ptr<client::Client> client_;
    std::unique_ptr<client::Subscriber> subscriber_;
    std::unique_ptr<client::Producer> producer_;
    int tries_ = 0;
};

// Long enough that a busy machine answers in time; what is not answered is waited for that long.
constexpr Duration kLong = 5s;

std::vector<std::string> payloads(const std::string& name, int count) {
    std::vector<std::string> out;
    for (int i = 0; i < count; ++i) out.push_back(name + " " + std::to_string(i));
    return out;
}

// What was put is there when it can be asked for: puts are not answered.
void wait_for_keys(const RedisServer& redis, std::uint64_t count) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
        const std::string reply = redis.command("DBSIZE");  // ":12\r\n"
        if (reply.size() > 1 && std::stoull(reply.substr(1)) >= count) return;
    }
    ADD_FAILURE() << "the Redis has fewer than " << count << " keys";
}

TEST(SharedRedis, WhatOneBrokerComputedAnotherAnswers) {
    const RedisServer redis;
    Side first(redis.url(), kLong);
    const auto all = payloads("scan", 50);
    const auto computed = first.run(all);
    EXPECT_EQ(computed.size(), 50U);
    wait_for_keys(redis, 50);
    Side second(redis.url(), kLong);
    const std::uint64_t before = second.attempts();
    const std::uint64_t cached = second.cached();
    EXPECT_EQ(second.run(all), computed);
    EXPECT_EQ(second.attempts(), before) << "no worker had anything to do";
    EXPECT_EQ(second.cached(), cached + 50);
}

TEST(SharedRedis, ARedisThatIsStartedAgainIsUsedAgain) {
    RedisServer redis;
    Side side(redis.url(), kLong);
    side.run(payloads("scan", 10));
    redis.stop();
    side.forget_own();
    EXPECT_EQ(side.run(payloads("scan", 10)).size(), 10U) << "they ran";
    redis.start_again();
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

TEST(SharedRedis, ARedisThatStandsStillDelaysNobodyForLong) {
    const RedisServer redis;
    Side side(redis.url());
    redis.freeze();
    // Each asks in vain for 20 ms at most, and after a few nobody is asked any more.
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(side.run("frozen " + std::to_string(i)), "frozen " + std::to_string(i));
    EXPECT_GT(std::stoull(side.row("cache", "", "breaker_opened", 1)), 0U);
    redis.thaw();
    side.run(payloads("thawed", 5));
}

TEST(SharedRedis, AFullRedisPushesOutAndEverythingEndsWell) {
    const RedisServer redis({"--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru"});
    Side side(redis.url(), kLong);
    for (int round = 0; round < 5; ++round) {
        std::vector<std::string> all = payloads("large " + std::to_string(round), 40);
        for (std::string& one : all) one.append(20'000, 'x');
        EXPECT_EQ(side.run(all).size(), 40U);
        side.forget_own();
    }
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

TEST(SharedRedis, ADroppedResultIsGoneThereToo) {
    const RedisServer redis;
    Side side(redis.url(), kLong);
    side.run("scan");
    wait_for_keys(redis, 1);
    side.drop_named();
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (redis.command("DBSIZE") != ":0\r\n" && std::chrono::steady_clock::now() < until) {
    }
    EXPECT_EQ(redis.command("DBSIZE"), ":0\r\n");
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
