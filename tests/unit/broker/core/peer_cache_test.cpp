// BrokerCore as the tier of other brokers: who may keep results here, what is told of them, and what they never do.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::CacheGet;
using protocol::CachePut;
using protocol::CacheValues;

BrokerOptions with_peers(std::uint64_t bytes = 64U << 20) {
    BrokerOptions options;
    options.cache_peers = true;
    options.cache_peer_bytes_max = bytes;
    return options;
}

ContentId key_of(std::uint64_t n) { return content_id(std::to_string(n)); }

class PeerCacheTest : public CoreTest {
  protected:
    explicit PeerCacheTest(const BrokerOptions& options = with_peers())
        : CoreTest({{"pure", 1}, {"retry_base_ms", 0}}, options) {}

    Peer& edge(const std::string& name = "edge") {
        Peer& p = h.peer(protocol::kCache, name);
        EXPECT_TRUE(p.hello());
        return p;
    }
    static std::uint64_t put(Peer& p, std::uint64_t n, const std::string& bytes,
                             std::uint64_t age_ms = 0, std::uint64_t left_ms = 60'000) {
        Checksum check;
        check.bytes[0] = static_cast<std::uint8_t>(n);
        p.send(CachePut{{{key_of(n), age_ms, left_ms, check, bytes}}});
        return p.next<protocol::CacheKept>().results;
    }
    static const CacheValues& get(Peer& p, const std::vector<ContentId>& keys,
                                  const std::string& queue = "") {
        p.send(CacheGet{queue, keys});
        return p.next<CacheValues>();
    }
    // Of the row of what peers keep here.
    std::uint64_t peers(const std::string& column) { return h.cache_row("peers", column); }
    // A result of this broker's own, and its fingerprint.
    ContentId own(std::uint64_t n, const std::string& payload) {
        Peer& w = of_version("w" + std::to_string(n));
        accept(n, {}, payload);
        auto& deliver = w.next<protocol::Deliver>();
        const auto key = ContentId::from_bytes(deliver.attempts.at(0).fingerprint);
        EXPECT_TRUE(key);
        w.send(done({deliver.attempts[0].counter}, AttemptOutcome::done, {}, "own result"));
        return key.value_or(ContentId{});
    }
};

TEST_F(PeerCacheTest, WhatOneKeepsOthersFindWithAgeTimeAndItsChecksum) {
    Peer& one = edge("one");
    EXPECT_EQ(put(one, 1, "result", 500, 3'000), 1U);
    EXPECT_EQ(put(one, 2, ""), 1U);
    h.advance(1s);
    // Everybody may ask, whatever they are.
    for (Peer* p : {&edge("two"), &h.subscriber("s"), &h.op()}) {
        const CacheValues& values = get(*p, {key_of(9), key_of(1), key_of(2)});
        EXPECT_EQ(values.looked, 3U);
        ASSERT_EQ(values.values.size(), 2U);
        EXPECT_EQ(values.values[0].key, key_of(1));
        EXPECT_EQ(values.values[0].bytes, "result");
        EXPECT_EQ(values.values[0].age_ms, 1'500U);
        EXPECT_EQ(values.values[0].left_ms, 2'000U);
        EXPECT_EQ(values.values[0].check.bytes[0], 1U);
        EXPECT_EQ(values.values[1].bytes, "");
    }
    EXPECT_EQ(peers("hits"), 6U);
    EXPECT_EQ(peers("misses"), 3U);
    EXPECT_EQ(peers("results"), 2U);
    h.advance(2s);
    EXPECT_EQ(get(one, {key_of(1)}).values.size(), 0U) << "its time is over";
}

TEST_F(PeerCacheTest, TheLatestOfAKeyStays) {
    Peer& one = edge();
    put(one, 1, "first");
    put(one, 1, "second");
    EXPECT_EQ(get(one, {key_of(1)}).values.at(0).bytes, "second");
    EXPECT_EQ(peers("results"), 1U);
}

TEST_F(PeerCacheTest, WhatHasNoTimeIsNotKept) {
    Peer& one = edge();
    EXPECT_EQ(put(one, 1, "old", 0, 0), 0U);
    EXPECT_EQ(put(one, 2, "for ever", ~0ULL, ~0ULL), 1U) << "numbers without sense do no harm";
    EXPECT_EQ(get(one, {key_of(1), key_of(2)}).values.size(), 1U);
}

TEST_F(PeerCacheTest, OnlyTheRoleMayPut) {
    Peer& w = of_version("w");
    for (Peer* p : {&w, &h.subscriber("s"), &h.op()}) {
        p->send(CachePut{{{key_of(1), 0, 1'000, {}, "poison"}}});
        EXPECT_EQ(p->error(), ErrorCode::not_permitted);
    }
    EXPECT_EQ(peers("results"), 0U);
    // And the role alone may do no more than that.
    Peer& one = edge();
    one.send(protocol::QueueDelete{"q", true});
    EXPECT_EQ(one.error(), ErrorCode::not_permitted);
    one.send(protocol::Submit{"q", {}, 0, {}});
    EXPECT_EQ(one.error(), ErrorCode::not_permitted);
}

TEST_F(PeerCacheTest, WhatPeersPutAnswersNoJobOfThisBroker) {
    Peer& one = edge();
    const ContentId key = own(1, "work");
    h.op().send(protocol::CacheDrop{"", {}});
    one.send(CachePut{{{key, 0, 60'000, {}, "poison"}}});
    EXPECT_EQ(one.next<protocol::CacheKept>().results, 1U);
    accept(2, {}, "work");
    EXPECT_EQ(queue_row("cached"), 0U);
    EXPECT_EQ(queue_row("running"), 1U) << "a worker has it";
}

TEST_F(PeerCacheTest, ItsOwnResultsAnswerPeersByFingerprintAlone) {
    const ContentId key = own(1, "work");
    Peer& one = edge();
    one.send(CachePut{{{key, 0, 60'000, {}, "somebody else's"}}});
    one.next<protocol::CacheKept>();
    h.advance(1s);
    {
        const CacheValues& values = get(one, {key});
        ASSERT_EQ(values.values.size(), 1U);
        EXPECT_EQ(values.values[0].bytes, "") << "the shell fills it in";
        EXPECT_EQ(values.values[0].age_ms, 1'000U);
        EXPECT_EQ(values.values[0].left_ms, 299'000U);
    }
    // With a queue, it is that queue's results and nothing else.
    EXPECT_EQ(get(h.op(), {key, key_of(1)}, "q").looked, 2U);
    one.send(CacheGet{"nowhere", {key}});
    EXPECT_EQ(one.error(), ErrorCode::unknown_queue);
    // Without its own one, what was put.
    h.op().send(protocol::CacheDrop{"q", {}});
    EXPECT_EQ(get(one, {key}).values.at(0).bytes, "somebody else's");
}

TEST_F(PeerCacheTest, WhatAFrameHasNoRoomForIsLeftOutAndAskedForAgain) {
    Peer& one = edge();
    const std::string large(protocol::kLimits.inline_bytes_max, 'x');
    std::vector<ContentId> keys;
    for (std::uint64_t n = 0; n < 6; ++n) {
        put(one, n, large);
        keys.push_back(key_of(n));
        keys.push_back(key_of(100 + n));
    }
    std::size_t found = 0;
    int frames = 0;
    while (!keys.empty()) {
        const CacheValues& values = get(one, keys);
        ASSERT_GT(values.looked, 0U);
        found += values.values.size();
        keys.erase(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(values.looked));
        ++frames;
    }
    EXPECT_EQ(found, 6U);
    EXPECT_EQ(frames, 2);
}

TEST_F(PeerCacheTest, DropsByKeysAndNeverAll) {
    const ContentId key = own(1, "work");
    Peer& one = edge();
    put(one, 1, "result");
    put(one, 2, "result");
    one.send(protocol::CacheDrop{"", {}});
    EXPECT_EQ(one.error(), ErrorCode::not_permitted);
    one.send(protocol::CacheDrop{"q", {key}});
    EXPECT_EQ(one.error(), ErrorCode::not_permitted);
    one.send(protocol::CacheDrop{"", {key_of(1), key, key_of(7)}});
    EXPECT_EQ(one.next<protocol::CacheDropped>().results, 2U);
    EXPECT_EQ(get(one, {key_of(1), key}).values.size(), 0U);
    h.op().send(protocol::CacheDrop{"", {}});
    EXPECT_EQ(h.op().next<protocol::CacheDropped>().results, 1U);
    EXPECT_EQ(peers("results"), 0U);
}

class SmallPeerCache : public PeerCacheTest {
  protected:
    SmallPeerCache() : PeerCacheTest(with_peers(10'000)) {}
};

TEST_F(SmallPeerCache, IsBoundedByBytes) {
    Peer& one = edge();
    EXPECT_EQ(put(one, 1, std::string(20'000, 'x')), 0U) << "larger than all the room";
    for (std::uint64_t n = 2; n < 50; ++n) put(one, n, std::string(700, 'x'));
    EXPECT_LE(peers("bytes"), 10'000U);
    EXPECT_EQ(peers("too_large"), 1U);
    EXPECT_GT(peers("evicted"), 0U);
    EXPECT_EQ(peers("kept"), 49U) << "tries";
}

class ChainOfCaches : public PeerCacheTest {
  protected:
    static BrokerOptions chained() {
        BrokerOptions options = with_peers();
        options.cache_shared = true;
        options.cache_instance.bytes[0] = 42;
        return options;
    }
    ChainOfCaches() : PeerCacheTest(chained()) {}
};

TEST_F(ChainOfCaches, NothingOfAPeerGoesOnToTheNextTier) {
    Peer& one = edge();
    get(one, {key_of(1)});
    put(one, 1, "result");
    one.send(protocol::CacheDrop{"", {key_of(1)}});
    one.next<protocol::CacheDropped>();
    EXPECT_TRUE(h.asks.empty());
    EXPECT_TRUE(h.keeps.empty());
    EXPECT_TRUE(h.drops.empty());
    // An operator's drop does.
    h.op().send(protocol::CacheDrop{"", {key_of(1)}});
    EXPECT_EQ(h.drops.size(), 1U);
}

TEST_F(ChainOfCaches, ABrokerDoesNotLetItselfIn) {
    Peer& self = h.peer(protocol::kCache, "self");
    self.instance = {};
    self.instance.bytes[0] = 42;
    EXPECT_FALSE(self.hello());
    EXPECT_EQ(self.error(), ErrorCode::not_permitted);
}

TEST(PeerCache, NobodyIsLetInUnlessTheBrokerAllowsIt) {
    Harness h;
    Peer& p = h.peer(protocol::kCache, "edge");
    EXPECT_FALSE(p.hello());
    const auto& error = p.next<protocol::Error>();
    EXPECT_EQ(error.code, ErrorCode::not_permitted);
    EXPECT_NE(error.sentence.find("--cache-peers"), std::string::npos);
    // Nor with another role beside it.
    Peer& q = h.peer(protocol::kCache | protocol::kOperator, "both");
    EXPECT_FALSE(q.hello());
    EXPECT_EQ(q.error(), ErrorCode::not_permitted);
}

}  // namespace
}  // namespace scanmq::broker
