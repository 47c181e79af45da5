// BrokerTierCore in virtual time: what it asks, what it believes, and what it does when the broker does not answer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/cache/tier_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::CacheDrop;
using protocol::CacheGet;
using protocol::CacheKept;
using protocol::CachePut;
using protocol::CacheValues;
using protocol::ErrorCode;
using protocol::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using State = cache::TierBreaker::State;

TEST(BrokerTier, AsksOnceItHasASessionAndTellsValuesFromNothing) {
    TierRig rig;
    EXPECT_THAT(rig.connects, ElementsAre("tcp://cache:5701"));
    EXPECT_THAT(rig.answers[rig.get({1})], ElementsAre("-")) << "at once: it is not connected";
    EXPECT_EQ(rig.core.stats().held, 1U);
    rig.core.connected(rig.now, rig.effects);
    rig.settle();
    ASSERT_FALSE(rig.sent.empty());
    EXPECT_EQ(rig.sent.front()->frame.header.roles, protocol::kCache);
    rig.welcome();
    const int get = rig.get({1, 2, 3, 2});
    const auto [seq, asked] = rig.took<CacheGet>();
    EXPECT_EQ(asked.queue, "");
    EXPECT_THAT(asked.keys, ElementsAre(key_of(1), key_of(2), key_of(3)));
    EXPECT_FALSE(rig.answers.contains(get));
    rig.say(CacheValues{seq, {value_of(1, "one"), value_of(3, "", 500, 250)}, 3});
    EXPECT_THAT(rig.answers[get], ElementsAre("one", "-", "", "-"));
    EXPECT_EQ(rig.last[2]->made, rig.now.wall - 500);
    EXPECT_EQ(rig.last[2]->left, 250ms);
    const cache::TierStats stats = rig.core.stats();
    EXPECT_EQ(stats.hits, 2U);
    EXPECT_EQ(stats.gets, stats.hits + stats.misses);
    EXPECT_EQ(stats.coalesced, 1U);
    EXPECT_EQ(stats.connects, 1U);
    EXPECT_EQ(stats.waiting, 0U);
}

TEST(BrokerTier, AReaderHasNoRoleToPutAndPutsNothing) {
    BrokerTierOptions options = tier_options();
    options.writes = false;
    TierRig rig(options);
    rig.core.connected(rig.now, rig.effects);
    rig.settle();
    EXPECT_EQ(rig.sent.front()->frame.header.roles, protocol::kSubscriber);
    rig.welcome();
    rig.put(1, "one");
    rig.core.erase({key_of(1)}, rig.now, rig.effects);
    rig.settle();
    EXPECT_FALSE(rig.take<CachePut>());
    EXPECT_FALSE(rig.take<CacheDrop>());
    EXPECT_EQ(rig.core.stats().rejected, 2U);
}

TEST(BrokerTier, WhatAFrameLeftOutIsAskedForAgain) {
    TierRig rig;
    rig.open();
    const int get = rig.get({1, 2, 3, 4});
    rig.say(CacheValues{rig.took<CacheGet>().first, {value_of(2, "two")}, 2});
    EXPECT_FALSE(rig.answers.contains(get));
    const auto [seq, asked] = rig.took<CacheGet>();
    EXPECT_THAT(asked.keys, ElementsAre(key_of(3), key_of(4)));
    rig.say(CacheValues{seq, {value_of(4, "four")}, 2});
    EXPECT_THAT(rig.answers[get], ElementsAre("-", "two", "-", "four"));
}

TEST(BrokerTier, KeysOfManyGetsShareFramesAndQuestions) {
    BrokerTierOptions options = tier_options();
    options.gets_max = 1;
    options.keys_per_frame_max = 3;
    TierRig rig(options);
    rig.open();
    const int first = rig.get({1});
    const int second = rig.get({1, 2});
    const int third = rig.get({3, 2, 4, 5});
    const auto one = rig.took<CacheGet>();
    EXPECT_THAT(one.second.keys, ElementsAre(key_of(1)));
    EXPECT_FALSE(rig.take<CacheGet>()) << "one at a time";
    rig.say(CacheValues{one.first, {value_of(1, "one")}, 1});
    EXPECT_THAT(rig.answers[first], ElementsAre("one"));
    const auto two = rig.took<CacheGet>();
    EXPECT_THAT(two.second.keys, ElementsAre(key_of(2), key_of(3), key_of(4)));
    rig.say(CacheValues{two.first, {value_of(2, "two")}, 3});
    EXPECT_THAT(rig.answers[second], ElementsAre("one", "two"));
    const auto three = rig.took<CacheGet>();
    EXPECT_THAT(three.second.keys, ElementsAre(key_of(5)));
    rig.say(CacheValues{three.first, {value_of(5, "five")}, 1});
    EXPECT_THAT(rig.answers[third], ElementsAre("-", "two", "-", "five"));
    EXPECT_EQ(rig.core.stats().coalesced, 2U);
}

TEST(BrokerTier, ALostAnswerIsNothingAtTheDeadlineAndALateOneChangesNothing) {
    TierRig rig;
    rig.open();
    const int get = rig.get({1, 2}, 5ms);
    const auto seq = rig.took<CacheGet>().first;
    rig.pass(4ms);
    EXPECT_FALSE(rig.answers.contains(get));
    EXPECT_EQ(rig.core.next_deadline(), rig.now.time + 1ms);
    rig.pass(1ms);
    EXPECT_THAT(rig.answers[get], ElementsAre("-", "-"));
    EXPECT_EQ(rig.core.stats().timeouts, 2U);
    // Another one that asks meanwhile does not wait for the old question.
    const int again = rig.get({1});
    const auto later = rig.took<CacheGet>().first;
    rig.say(CacheValues{seq, {value_of(1, "old")}, 2});
    EXPECT_FALSE(rig.answers.contains(again));
    EXPECT_EQ(rig.core.stats().late, 2U);
    rig.say(CacheValues{later, {value_of(1, "one")}, 1});
    EXPECT_THAT(rig.answers[again], ElementsAre("one"));
    rig.say(CacheValues{later, {value_of(1, "twice")}, 1});
    EXPECT_EQ(rig.core.stats().hits, 1U);
}

TEST(BrokerTier, DamagedForeignAndOldValuesAreNothing) {
    TierRig rig;
    rig.open();
    CacheValues answer{0, {}, 5};
    answer.values.push_back(value_of(1, "one"));
    answer.values.back().bytes[1] ^= 1;  // damaged
    answer.values.push_back(value_of(2, "two"));
    answer.values.back().check = cache::value_check(key_of(9), "two");  // of another key
    answer.values.push_back(value_of(3, "three"));
    answer.values.back().check = {};  // none, as of a broker that does not know it
    answer.values.push_back(value_of(4, "four", 10, 0));  // its time is over
    answer.values.push_back({key_of(5), 0, std::string(ContentId::kSize, 'x'), 70'000, 1'000, {}});
    const int get = rig.get({1, 2, 3, 4, 5});
    answer.re = rig.took<CacheGet>().first;
    rig.say(std::move(answer));
    EXPECT_THAT(rig.answers[get], ElementsAre("-", "-", "-", "-", "-"));
    EXPECT_EQ(rig.core.stats().unreadable, 3U);
    EXPECT_EQ(rig.core.breaker(), State::closed);
}

TEST(BrokerTier, AnAnswerThatDoesNotFitTheQuestionIsAFailure) {
    TierRig rig;
    rig.open();
    const int get = rig.get({1, 2});
    rig.say(CacheValues{rig.took<CacheGet>().first, {value_of(7, "seven")}, 1});
    EXPECT_THAT(rig.answers[get], ElementsAre("-", "-"));
    EXPECT_EQ(rig.core.stats().errors, 1U) << "the key that was left out; the other was looked at";
    const int nothing = rig.get({1});
    rig.say(CacheValues{rig.took<CacheGet>().first, {}, 0});
    EXPECT_THAT(rig.answers[nothing], ElementsAre("-")) << "not asked for again and again";
    EXPECT_FALSE(rig.take<CacheGet>());
    ASSERT_EQ(rig.log.size(), 1U) << "at most one each log_every";
    EXPECT_THAT(rig.log[0], HasSubstr("not asked for"));
}

TEST(BrokerTier, SilenceOpensTheBreakerAndAHeartbeatClosesIt) {
    TierRig rig;
    rig.open();
    for (int i = 0; i < 3; ++i) {
        rig.get({1}, 1ms);
        rig.pass(1ms);
    }
    EXPECT_EQ(rig.core.breaker(), State::open);
    const int held = rig.get({1});
    EXPECT_THAT(rig.answers[held], ElementsAre("-")) << "at once";
    rig.put(1, "one");
    EXPECT_FALSE(rig.take<CachePut>());
    EXPECT_EQ(rig.core.stats().held, 2U);
    // The first probe is not answered either.
    rig.run(1001ms);
    const auto probe = rig.took<protocol::Heartbeat>();
    EXPECT_NE(probe.second.ping, 0U);
    rig.run(30ms);
    EXPECT_EQ(rig.core.breaker(), State::open);
    rig.say(protocol::Heartbeat{0, probe.second.ping, {}});
    EXPECT_EQ(rig.core.breaker(), State::open) << "too late";
    rig.run(1990ms);
    std::uint64_t ping = 0;  // the newest: the session says one now and then, too
    while (auto frame = rig.take<protocol::Heartbeat>()) {
        ping = std::get<protocol::Heartbeat>(frame->message).ping;
    }
    rig.say(protocol::Heartbeat{0, ping, {}});
    EXPECT_EQ(rig.core.breaker(), State::closed);
    const int get = rig.get({1});
    std::uint64_t seq = 0;
    while (auto frame = rig.take<CacheGet>()) seq = frame->header.seq;
    rig.say(CacheValues{seq, {value_of(1, "one")}, 1});
    EXPECT_THAT(rig.answers[get], ElementsAre("one"));
    EXPECT_EQ(rig.core.stats().breaker_opened, 1U);
}

TEST(BrokerTier, WithTheConnectionGoesWhatIsUnderWay) {
    TierRig rig;
    rig.open();
    const int get = rig.get({1, 2});
    rig.put(3, "three");
    rig.core.disconnected(rig.now, rig.effects);
    rig.settle();
    EXPECT_THAT(rig.answers[get], ElementsAre("-", "-")) << "at once";
    EXPECT_EQ(rig.core.stats().errors, 2U);
    EXPECT_EQ(rig.core.stats().put_errors, 1U);
    EXPECT_FALSE(rig.core.ready());
    EXPECT_THAT(rig.answers[rig.get({1})], ElementsAre("-"));
    rig.sent.clear();
    rig.open();
    EXPECT_FALSE(rig.take<CachePut>()) << "no put is sent twice";
    EXPECT_FALSE(rig.take<CacheGet>());
    const int again = rig.get({1});
    rig.say(CacheValues{rig.took<CacheGet>().first, {value_of(1, "one")}, 1});
    EXPECT_THAT(rig.answers[again], ElementsAre("one"));
    EXPECT_EQ(rig.core.stats().connects, 2U);
    EXPECT_THAT(rig.log, ElementsAre("the connection was lost", "connected"));
}

TEST(BrokerTier, ABrokerThatSaysByeOrForgotTheSessionIsGreetedAgain) {
    TierRig rig;
    rig.open();
    const int first = rig.get({1});
    rig.say(protocol::Bye{ErrorCode::shutting_down, "stopping"});
    EXPECT_THAT(rig.answers[first], ElementsAre("-"));
    EXPECT_FALSE(rig.core.ready());
    rig.run(200ms);
    rig.welcome();
    EXPECT_TRUE(rig.core.ready());
    const int second = rig.get({1});
    const auto seq = rig.took<CacheGet>().first;
    rig.say(protocol::Error{seq, Kind::cache_get, ErrorCode::unknown_session, "HELLO again"});
    EXPECT_THAT(rig.answers[second], ElementsAre("-"));
    rig.welcome();
    EXPECT_TRUE(rig.core.ready());
    // What belongs to the old session is not taken for an answer.
    const int third = rig.get({1});
    const auto later = rig.took<CacheGet>().first;
    const protocol::SessionId current = std::exchange(rig.session, protocol::SessionId{1});
    rig.say(CacheValues{later, {value_of(1, "old")}, 1});
    EXPECT_FALSE(rig.answers.contains(third));
    rig.session = current;
    rig.say(CacheValues{later, {value_of(1, "one")}, 1});
    EXPECT_THAT(rig.answers[third], ElementsAre("one"));
}

TEST(BrokerTier, ARefusalIsToldAndTriedAgainEverMoreSeldom) {
    TierRig rig;
    rig.core.connected(rig.now, rig.effects);
    rig.settle();
    std::vector<Time> hellos;
    for (int i = 0; i < 8; ++i) {
        const auto hello = rig.take<protocol::Hello>();
        ASSERT_TRUE(hello) << i;
        hellos.push_back(rig.now.time);
        rig.say(protocol::Error{hello->header.seq, Kind::hello, ErrorCode::not_permitted,
                                "start it with --cache-peers on"});
        while (rig.sent.empty()) rig.pass(10ms);
    }
    EXPECT_GE(hellos[7] - hellos[6], 4s);
    EXPECT_FALSE(rig.core.ready());
    EXPECT_EQ(rig.core.stats().refused, 8U);
    ASSERT_EQ(rig.log.size(), 1U);
    EXPECT_THAT(rig.log[0], HasSubstr("--cache-peers on"));
}

TEST(BrokerTier, NobodyThereIsTold) {
    TierRig rig;
    rig.run(1500ms);
    ASSERT_EQ(rig.log.size(), 1U);
    EXPECT_THAT(rig.log[0], HasSubstr("no broker answers"));
    rig.open();
    EXPECT_EQ(rig.log.back(), "connected");
}

TEST(BrokerTier, PutsGoInFramesWithAgeTimeAndChecksum) {
    BrokerTierOptions options = tier_options();
    options.put_frame_bytes = 1'000;
    options.value_bytes_max = 600;
    TierRig rig(options);
    rig.open();
    std::vector<cache::TierPut> items;
    const auto add = [&](std::uint64_t n, std::size_t bytes, Duration ttl) {
        items.push_back(
            {key_of(n), {std::make_shared<const std::string>(bytes, 'x'), rig.now.wall - 40}, ttl});
    };
    add(1, 500, 60s);
    add(2, 400, 1us);
    add(3, 600, 60s);
    add(4, 601, 60s);  // too large
    add(5, 1, 0s);     // no time
    rig.core.put(items, rig.now.time + 1s, rig.now, rig.effects);
    rig.settle();
    const auto [first, one] = rig.took<CachePut>();
    ASSERT_EQ(one.values.size(), 2U);
    EXPECT_EQ(one.values[0].key, key_of(1));
    EXPECT_EQ(one.values[0].age_ms, 40U);
    EXPECT_EQ(one.values[0].left_ms, 60'000U);
    EXPECT_EQ(one.values[0].check, cache::value_check(key_of(1), std::string(500, 'x')));
    EXPECT_EQ(one.values[1].left_ms, 1U) << "rounded up";
    const auto [second, two] = rig.took<CachePut>();
    ASSERT_EQ(two.values.size(), 1U);
    EXPECT_EQ(two.values[0].bytes.size(), 600U);
    EXPECT_EQ(rig.core.stats().rejected, 2U);
    rig.say(CacheKept{first, 1});
    EXPECT_EQ(rig.core.stats().rejected, 3U);
    rig.say(protocol::Error{second, Kind::cache_put, ErrorCode::not_permitted, "no"});
    EXPECT_EQ(rig.core.stats().put_errors, 1U);
    EXPECT_THAT(rig.log.back(), HasSubstr("not_permitted: no"));
    rig.core.put(items, rig.now.time, rig.now, rig.effects);
    rig.settle();
    EXPECT_FALSE(rig.take<CachePut>()) << "past its deadline";
}

TEST(BrokerTier, PutsBeyondTheWindowAreNotSentAndCounted) {
    BrokerTierOptions options = tier_options();
    options.writes_max = 2;
    TierRig rig(options);
    rig.open();
    for (std::uint64_t n = 0; n < 3; ++n) rig.put(n, "value");
    EXPECT_EQ(rig.core.stats().overflow, 1U);
    rig.core.erase({key_of(1), key_of(2)}, rig.now, rig.effects);
    rig.settle();
    EXPECT_EQ(rig.core.stats().overflow, 3U);
    rig.say(CacheKept{rig.took<CachePut>().first, 1});
    rig.core.erase({key_of(1)}, rig.now, rig.effects);
    rig.settle();
    const auto [seq, drop] = rig.took<CacheDrop>();
    EXPECT_EQ(drop.queue, "");
    EXPECT_THAT(drop.keys, ElementsAre(key_of(1)));
    rig.put(4, "value");
    EXPECT_EQ(rig.core.stats().overflow, 4U);
    rig.say(protocol::CacheDropped{seq, 0, 0});
    rig.put(4, "value");
    EXPECT_EQ(rig.core.stats().overflow, 4U);
    EXPECT_EQ(rig.core.stats().rejected, 0U);
}

TEST(BrokerTier, KeysBeyondTheLimitAreNothingAtOnce) {
    BrokerTierOptions options = tier_options();
    options.keys_waiting_max = 3;
    TierRig rig(options);
    rig.open();
    const int first = rig.get({1, 2});
    EXPECT_THAT(rig.answers[rig.get({3, 4})], ElementsAre("-", "-"));
    EXPECT_EQ(rig.core.stats().overflow, 2U);
    EXPECT_EQ(rig.core.stats().waiting, 2U);
    const int third = rig.get({3});
    rig.say(CacheValues{rig.took<CacheGet>().first, {}, 2});
    rig.say(CacheValues{rig.took<CacheGet>().first, {value_of(3, "three")}, 1});
    EXPECT_THAT(rig.answers[first], ElementsAre("-", "-"));
    EXPECT_THAT(rig.answers[third], ElementsAre("three"));
}

TEST(BrokerTier, APutOrDropOfAKeyThatIsLookedUpAnswersIt) {
    TierRig rig;
    rig.open();
    const int put = rig.get({1});
    const int dropped = rig.get({2});
    const auto one = rig.took<CacheGet>().first;
    const auto two = rig.took<CacheGet>().first;
    rig.put(1, "newer");
    EXPECT_THAT(rig.answers[put], ElementsAre("newer"));
    rig.core.erase({key_of(2)}, rig.now, rig.effects);
    rig.settle();
    EXPECT_THAT(rig.answers[dropped], ElementsAre("-"));
    rig.say(CacheValues{one, {value_of(1, "old")}, 1});
    rig.say(CacheValues{two, {value_of(2, "old")}, 1});
    EXPECT_EQ(rig.core.stats().late, 2U);
}

// A broker that answers what it is asked in any order, in part, with damage, or not at all.
class AnyBroker {
  public:
    AnyBroker(TierRig& rig, Rng& rng) : rig_(&rig), rng_(&rng) {
        for (std::uint64_t n = 0; n < 10; ++n) numbers_[key_of(n)] = n;
    }
    void forget() { asked_.clear(); }
    void answer_one() {
        while (auto frame = rig_->take<CacheGet>()) {
            asked_.emplace_back(frame->header.seq, std::get<CacheGet>(frame->message).keys);
        }
        if (asked_.empty() || !rig_->core.ready()) return;
        const std::size_t at = rng_->below(asked_.size());
        const auto [seq, keys] = asked_[at];
        asked_.erase(asked_.begin() + static_cast<std::ptrdiff_t>(at));
        CacheValues answer{seq, {}, 1 + rng_->below(keys.size())};
        for (std::size_t i = 0; i < answer.looked; ++i) {
            if (rng_->below(3) == 0) continue;
            answer.values.push_back(value_of(numbers_.at(keys[i]), "value"));
            if (rng_->below(5) == 0) answer.values.back().bytes = "volue";
        }
        rig_->say(std::move(answer));
    }

  private:
    TierRig* rig_;
    Rng* rng_;
    std::vector<std::pair<std::uint64_t, std::vector<ContentId>>> asked_;
    std::map<ContentId, std::uint64_t> numbers_;
};

// due: until when the gets have to be answered.
void expect_in_time(TierRig& rig, const std::map<int, Time>& due) {
    for (const auto& [id, time] : due) {
        const auto answer = rig.answers.find(id);
        if (answer == rig.answers.end()) {
            ASSERT_TRUE(rig.core.next_deadline() && *rig.core.next_deadline() <= time)
                << "nobody would look at it in time";
            continue;
        }
        for (const std::string& one : answer->second) {
            ASSERT_TRUE(one == "-" || one == "value") << one;
        }
    }
}

// Whatever the broker does, every get is answered once, in time, and only with what was put.
TEST(BrokerTier, EveryGetIsAnsweredOnceAndInTime) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        BrokerTierOptions options = tier_options();
        options.gets_max = 1 + static_cast<std::uint32_t>(rng.below(3));
        options.keys_per_frame_max = 1 + static_cast<std::uint32_t>(rng.below(4));
        options.keys_waiting_max = 12;
        TierRig rig(options);
        AnyBroker broker(rig, rng);
        std::map<int, Time> due;
        for (int step = 0; step < 120; ++step) {
            const std::uint64_t what = rng.below(8);
            if (what <= 1) {
                std::vector<std::uint64_t> keys(rng.below(5));
                for (std::uint64_t& key : keys) key = rng.below(10);
                const Duration wait = std::chrono::milliseconds(1 + rng.below(30));
                due[rig.get(keys, wait)] = rig.now.time + std::min<Duration>(wait, 20ms);
            } else if (what == 2) {
                rig.pass(std::chrono::microseconds(rng.below(8'000)));
            } else if (what == 3 && rng.below(4) == 0) {
                rig.core.disconnected(rig.now, rig.effects);
                rig.settle();
                broker.forget();
            } else if (what == 4 && !rig.core.ready()) {
                rig.sent.clear();
                rig.open();
                broker.forget();
            } else if (what == 5 && rng.below(3) == 0) {
                rig.put(rng.below(10), "value");
            } else if (what > 5) {
                broker.answer_one();
            }
            ASSERT_NO_FATAL_FAILURE(expect_in_time(rig, due));
        }
        rig.run(50ms);
        EXPECT_EQ(rig.answers.size(), due.size());
        const cache::TierStats stats = rig.core.stats();
        EXPECT_EQ(stats.hits + stats.misses, stats.gets);
        EXPECT_EQ(stats.waiting, 0U);
    }
}

}  // namespace
}  // namespace scanmq::client
