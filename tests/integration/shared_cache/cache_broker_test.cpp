// A broker as the tier that others share: what only a broker can do to them.

#include "tests/support/cache_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <string>

#include "client/cache/broker_tier.hpp"
#include "common/cache/value_check.hpp"
#include "tests/integration/broker/harness.hpp"
#include "tests/integration/shared_cache/side.hpp"

namespace scanmq::tests {
namespace {

using testing::HasSubstr;

Time now() { return std::chrono::steady_clock::now(); }

// A tier of the test's own, beside whatever brokers there are.
class Asker {
  public:
    explicit Asker(const std::string& endpoint, bool writes = true) {
        client::BrokerTierOptions options;
        options.endpoint = endpoint;
        options.name = "asker";
        options.instance.bytes[0] = 9;
        options.writes = writes;
        options.timeout = kLong;
        options.log = [this](const std::string& line) { log += line + "\n"; };
        tier.emplace(io, options);
    }
    template <class Done>
    void run_until(const Done& done) {
        const Time end = now() + kPatience;
        while (!done()) {
            ASSERT_LT(now(), end) << "the test ran out of patience: " << log;
            io.restart();
            io.run_one_for(20ms);
        }
    }
    std::string get(const ContentId& key) {
        std::optional<std::string> answer;
        tier->get({key}, now() + kLong, [&](const cache::Tier::Values& values) {
            answer = values[0] ? *values[0]->body : "-";
        });
        run_until([&] { return answer.has_value(); });
        return answer.value_or("no answer");
    }
    void put(const ContentId& key, const std::string& body, Duration ttl = 60s) {
        tier->put(
            {{key, {std::make_shared<const std::string>(body), SystemClock().wall_millis()}, ttl}},
            now() + kLong);
    }

    boost::asio::io_context io{1};
    std::string log;
    std::optional<client::BrokerTier> tier;
};

TEST(SharedBroker, KeepsDropsAndForgetsInTime) {
    const CacheBroker broker;
    Asker asker(broker.url());
    asker.run_until([&] { return asker.tier->ready(); });
    const ContentId key = content_id("key");
    EXPECT_EQ(asker.get(key), "-");
    asker.put(key, "value");
    EXPECT_EQ(asker.get(key), "value");
    asker.put(key, "");
    EXPECT_EQ(asker.get(key), "");
    asker.tier->erase({key}, now() + kLong);
    EXPECT_EQ(asker.get(key), "-");
    // The shorter life is the newer value's.
    asker.put(key, "value", 60s);
    EXPECT_EQ(asker.get(key), "value");
    asker.put(key, "short", 30ms);
    asker.run_until([&] { return asker.get(key) == "-"; });
    EXPECT_EQ(asker.log, "");
}

TEST(SharedBroker, WithoutPermissionNobodyPutsAndSaysWhy) {
    const CacheBroker broker({"--cache-peers", "off"});
    Asker writer(broker.url());
    writer.run_until([&] { return writer.tier->stats().refused > 0; });
    EXPECT_FALSE(writer.tier->ready());
    EXPECT_THAT(writer.log, HasSubstr("--cache-peers on"));
    // Who only reads is let in, and its puts stay at home.
    Asker reader(broker.url(), false);
    reader.run_until([&] { return reader.tier->ready(); });
    reader.put(content_id("key"), "value");
    EXPECT_EQ(reader.get(content_id("key")), "-");
    // A broker that names it works all the same.
    Side side(broker.url(), 20ms, false);
    EXPECT_EQ(side.run("scan"), "scan");
}

// What the cache broker has of its own answers its peers, too: by fingerprint, whatever the queue.
TEST(SharedBroker, ItsOwnResultsAnswerOthers) {
    Side one("memory");
    const auto all = payloads("scan", 5);
    one.run(all);
    Asker reader(one.endpoint(), false);
    reader.run_until([&] { return reader.tier->ready(); });
    const auto keys = one.kept();
    ASSERT_GE(keys.size(), 5U);
    std::size_t found = 0;
    for (const ContentId& key : keys) found += reader.get(key).starts_with("scan ") ? 1 : 0;
    EXPECT_EQ(found, 5U);
}

// What somebody else put there in their place: damaged, or checked in another way (of another version).
TEST(SharedBroker, ValuesThatDoNotFitTheirChecksumsAreMisses) {
    const CacheBroker broker;
    Side side(broker.url(), kLong);
    const auto all = payloads("scan", 4);
    const auto computed = side.run(all);
    wait_for_keys(broker, 4);
    transport::Context context;
    broker::Peer other(context, broker.url(), protocol::kCache);
    other.hello("other");
    const auto keys = side.kept();
    protocol::CachePut put;
    for (const ContentId& key : keys) {
        Checksum check = cache::value_check(key, "poison");
        check.bytes[3] ^= 1;
        put.values.push_back(
            {key, 0, 60'000, put.values.size() % 2 == 0 ? check : Checksum{}, "poison"});
    }
    other.send(protocol::Message(std::move(put)));
    const auto* kept = other.expect<protocol::CacheKept>();
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(kept->results, keys.size());
    side.forget_own();
    const std::uint64_t before = side.attempts();
    EXPECT_EQ(side.run(all), computed);
    EXPECT_EQ(side.attempts(), before + 4) << "each ran again";
    side.wait_for_figure("unreadable", 4);
}

// No role of a client's or worker's lets it put.
TEST(SharedBroker, APutOfAnotherRoleIsRefused) {
    const CacheBroker broker;
    transport::Context context;
    broker::Peer other(context, broker.url(), protocol::kProducer | protocol::kOperator);
    other.hello("other");
    other.send(
        protocol::Message(protocol::CachePut{{{content_id("key"), 0, 60'000, {}, "poison"}}}));
    const auto* error = other.expect<protocol::Error>();
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code, protocol::ErrorCode::not_permitted);
    EXPECT_EQ(broker.keys(), 0U);
}

// Each asks the other's memory only: no question goes round.
TEST(SharedBroker, TwoBrokersMayBeEachOthersTier) {
    CacheBroker first;
    CacheBroker second({"--cache-peers", "on", "--cache", first.url()});
    Asker asker(second.url());
    asker.run_until([&] { return asker.tier->ready(); });
    Asker at_first(first.url());
    at_first.run_until([&] { return at_first.tier->ready(); });
    const ContentId key = content_id("key");
    at_first.put(key, "value");
    EXPECT_EQ(at_first.get(key), "value");
    EXPECT_EQ(asker.get(key), "-") << "the one that was asked did not ask on";
    asker.tier->erase({key}, now() + kLong);
    EXPECT_EQ(asker.get(key), "-");
    EXPECT_EQ(at_first.get(key), "value") << "nor does a drop go on";
}

}  // namespace
}  // namespace scanmq::tests
