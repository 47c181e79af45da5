#include "common/cache/tiered_cache.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/base/rng.hpp"
#include "common/cache/memory_tier.hpp"

namespace scanmq::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TestClock final : public Clock {
  public:
    [[nodiscard]] Time now() const override { return now_; }
    [[nodiscard]] WallMillis wall_millis() const override { return 0; }
    void advance(Duration by) { now_ += by; }

  private:
    Time now_{std::chrono::hours(1)};
};

ContentId key_of(std::uint64_t n) { return content_id(std::to_string(n)); }

TierValue value_of(const std::string& text) { return {std::make_shared<const std::string>(text)}; }

// A shared tier that answers when the test says so.
class SlowTier final : public Tier {
  public:
    struct Get {
        std::vector<ContentId> keys;
        Time deadline;
        GetDone done;
    };
    void get(std::vector<ContentId> keys, Time deadline, GetDone done) override {
        gets.push_back({std::move(keys), deadline, std::move(done)});
    }
    void put(std::vector<TierPut> items, Time /*deadline*/) override {
        for (TierPut& item : items) puts.push_back(std::move(item));
    }
    void erase(std::vector<ContentId> keys, Time /*deadline*/) override {
        erased.insert(erased.end(), keys.begin(), keys.end());
    }
    [[nodiscard]] TierStats stats() const override { return {}; }

    std::vector<Get> gets;
    std::vector<TierPut> puts;
    std::vector<ContentId> erased;
};

class TieredCacheTest : public ::testing::Test {
  protected:
    using Answer = std::vector<std::string>;  // "-" for nothing

    std::shared_ptr<std::vector<Answer>> get(const std::vector<ContentId>& keys,
                                             Duration patience = milliseconds(20)) {
        auto answers = std::make_shared<std::vector<Answer>>();
        cache_->get(keys, clock_.now() + patience, [answers](Tier::Values values) {
            Answer answer;
            for (const auto& value : values) answer.push_back(value ? *value->body : "-");
            answers->push_back(answer);
        });
        return answers;
    }
    void put(std::uint64_t key, const std::string& text, Duration ttl = seconds(10)) {
        cache_->put({{key_of(key), value_of(text), ttl}}, clock_.now() + seconds(1));
    }
    void make(const TieredCacheOptions& options) {
        cache_ = std::make_unique<TieredCache>(options, fast_, shared_, clock_);
    }
    void tick() { cache_->tick(clock_.now()); }
    // Answers one of the gets at the shared tier: now and then with too little, or not for the last time.
    void answer_one(Rng& rng) {
        const std::size_t at = rng.below(shared_.gets.size());
        const SlowTier::Get chosen = shared_.gets[at];
        if (rng.below(5) != 0) shared_.gets.erase(shared_.gets.begin() + static_cast<int>(at));
        Tier::Values values;
        for (const ContentId& id : chosen.keys) {
            values.emplace_back();
            for (std::uint64_t n = 0; n < 40 && rng.below(30) != 0; ++n)
                if (id == key_of(n)) values.back() = value_of(std::to_string(n) + "/shared");
        }
        if (rng.below(10) == 0) values.pop_back();
        chosen.done(std::move(values));
    }

    TestClock clock_;
    MemoryTier fast_{{.bytes_max = 1 << 20, .count_max = 1000, .ttl_jitter = 0}, clock_};
    SlowTier shared_;
    std::unique_ptr<TieredCache> cache_ =
        std::make_unique<TieredCache>(TieredCacheOptions{}, fast_, shared_, clock_);
};

using Answers = std::vector<std::vector<std::string>>;

TEST_F(TieredCacheTest, WhatWasPutIsInBothTiersAndFoundInTheFastOne) {
    put(1, "one");
    ASSERT_EQ(shared_.puts.size(), 1u);
    EXPECT_EQ(shared_.puts[0].key, key_of(1));
    EXPECT_EQ(*get({key_of(1)}), (Answers{{"one"}}));
    EXPECT_TRUE(shared_.gets.empty());
    EXPECT_EQ(cache_->stats().hits, 1u);
    EXPECT_EQ(fast_.stats().hits, 1u);
}

TEST_F(TieredCacheTest, ABatchIsAnsweredAtOnceWhenTheSharedTierHasTheRest) {
    put(1, "one");
    const auto answers = get({key_of(2), key_of(1), key_of(3)});
    EXPECT_TRUE(answers->empty());
    ASSERT_EQ(shared_.gets.size(), 1u);
    EXPECT_EQ(shared_.gets[0].keys, (std::vector{key_of(2), key_of(3)}));
    shared_.gets[0].done({value_of("two"), std::nullopt});
    EXPECT_EQ(*answers, (Answers{{"two", "one", "-"}}));
    EXPECT_EQ(cache_->next_deadline(), std::nullopt);
    // The fast tier was filled.
    EXPECT_EQ(*get({key_of(2)}), (Answers{{"two"}}));
    EXPECT_EQ(shared_.gets.size(), 1u);
    EXPECT_EQ(cache_->stats().hits, 3u);
    EXPECT_EQ(cache_->stats().misses, 1u);
}

TEST_F(TieredCacheTest, AnEmptyBatchIsAnswered) { EXPECT_EQ(*get({}), (Answers{{}})); }

TEST_F(TieredCacheTest, WhatIsFilledInLeavesAfterFillTtl) {
    const auto answers = get({key_of(1)});
    shared_.gets[0].done({value_of("one")});
    clock_.advance(TieredCacheOptions{}.fill_ttl);
    const auto again = get({key_of(1)});
    EXPECT_TRUE(again->empty());
    EXPECT_EQ(shared_.gets.size(), 2u);
}

TEST_F(TieredCacheTest, AStampedeAsksOnceWhetherThereIsAValueOrNot) {
    std::vector<std::shared_ptr<Answers>> answers;
    for (int i = 0; i < 100; ++i) answers.push_back(get({key_of(1), key_of(2), key_of(1)}));
    ASSERT_EQ(shared_.gets.size(), 1u);
    EXPECT_EQ(cache_->stats().waiting, 300u);
    shared_.gets[0].done({value_of("one"), std::nullopt});
    for (const auto& answer : answers) EXPECT_EQ(*answer, (Answers{{"one", "-", "one"}}));
    EXPECT_EQ(cache_->stats().coalesced, 298u);
    EXPECT_EQ(cache_->stats().waiting, 0u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(*get({key_of(2)}), (Answers{{"-"}}));
    EXPECT_EQ(shared_.gets.size(), 1u);
    EXPECT_EQ(cache_->stats().negative, 100u);
    clock_.advance(TieredCacheOptions{}.negative_ttl);
    get({key_of(2)});
    EXPECT_EQ(shared_.gets.size(), 2u);
}

TEST_F(TieredCacheTest, APutEndsWhatWasKnownToBeMissing) {
    get({key_of(1)});
    shared_.gets[0].done({std::nullopt});
    put(1, "one");
    EXPECT_EQ(*get({key_of(1)}), (Answers{{"one"}}));
}

TEST_F(TieredCacheTest, ATierThatNeverAnswersIsAMissAtTheDeadline) {
    const auto answers = get({key_of(1)});
    const auto patient = get({key_of(1)}, seconds(5));
    const auto impatient = get({key_of(1)}, milliseconds(5));
    EXPECT_EQ(cache_->next_deadline(), clock_.now() + milliseconds(5));
    clock_.advance(milliseconds(5));
    tick();
    EXPECT_EQ(*impatient, (Answers{{"-"}}));
    EXPECT_TRUE(answers->empty());
    clock_.advance(milliseconds(15));
    tick();
    EXPECT_EQ(*answers, (Answers{{"-"}}));
    EXPECT_EQ(*patient, (Answers{{"-"}}));
    EXPECT_EQ(cache_->stats().timeouts, 3u);
    EXPECT_EQ(cache_->next_deadline(), std::nullopt);
    // What comes after that counts as late and is not kept.
    shared_.gets[0].done({value_of("one")});
    EXPECT_EQ(cache_->stats().late, 1u);
    EXPECT_EQ(answers->size() + patient->size() + impatient->size(), 3u);
    EXPECT_EQ(fast_.stats().count, 0u);
}

TEST_F(TieredCacheTest, AnAnswerTwiceOrWithTooFewValuesDoesNoHarm) {
    const auto answers = get({key_of(1), key_of(2)});
    shared_.gets[0].done({value_of("one")});
    shared_.gets[0].done({value_of("uno"), value_of("dos")});
    EXPECT_EQ(*answers, (Answers{{"one", "-"}}));
    EXPECT_EQ(*get({key_of(1)}), (Answers{{"one"}}));
}

TEST_F(TieredCacheTest, APutDuringALookUpAnswersThoseWhoWaitAndItsOwnAnswerIsDropped) {
    const auto answers = get({key_of(1)});
    put(1, "new");
    EXPECT_EQ(*answers, (Answers{{"new"}}));
    shared_.gets[0].done({value_of("old")});
    EXPECT_EQ(*get({key_of(1)}), (Answers{{"new"}}));
    EXPECT_EQ(answers->size(), 1u);
}

TEST_F(TieredCacheTest, AnEraseDuringALookUpIsNotUndoneByItsAnswer) {
    const auto answers = get({key_of(1)});
    cache_->erase({key_of(1)}, clock_.now());
    EXPECT_EQ(*answers, (Answers{{"-"}}));
    EXPECT_EQ(shared_.erased, std::vector{key_of(1)});
    const auto again = get({key_of(1)});
    shared_.gets[0].done({value_of("old")});
    EXPECT_TRUE(again->empty());
    EXPECT_EQ(fast_.stats().count, 0u);
    shared_.gets[1].done({std::nullopt});
    EXPECT_EQ(*again, (Answers{{"-"}}));
}

TEST_F(TieredCacheTest, BeyondWaitingMaxAGetIsAMiss) {
    make({.waiting_max = 2});
    const auto first = get({key_of(1), key_of(2), key_of(3)});
    EXPECT_EQ(*get({key_of(1)}), (Answers{{"-"}}));
    EXPECT_EQ(cache_->stats().overflow, 2u);
    shared_.gets[0].done({value_of("one"), value_of("two")});
    EXPECT_EQ(*first, (Answers{{"one", "two", "-"}}));
}

TEST_F(TieredCacheTest, ACallbackMayAskAgainOrEndTheCache) {
    int calls = 0;
    cache_->get({key_of(1)}, clock_.now() + seconds(1), [&](const Tier::Values&) {
        ++calls;
        cache_->get({key_of(1)}, clock_.now() + seconds(1), [&](const Tier::Values&) {
            ++calls;
            cache_.reset();
        });
    });
    cache_->get({key_of(1)}, clock_.now() + seconds(1), [&](const Tier::Values&) { ++calls; });
    shared_.gets[0].done({value_of("one")});
    EXPECT_EQ(cache_, nullptr);
    EXPECT_GE(calls, 2);
}

TEST_F(TieredCacheTest, NothingIsAnsweredAfterItsEnd) {
    const auto answers = get({key_of(1)});
    cache_.reset();
    shared_.gets[0].done({value_of("one")});
    EXPECT_TRUE(answers->empty());
}

// A shared tier that answers late, twice, never, or with less; puts and erases in between: each get is
// answered exactly once, no later than its deadline's tick, with a value that was put under its key.
TEST_F(TieredCacheTest, AnswersEachGetOnceWhateverTheSharedTierDoes) {
    Rng rng(7);
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t key = rng.below(40);
        switch (rng.below(6)) {
            case 0:
                put(key, std::to_string(key) + "/" + std::to_string(step),
                    milliseconds(rng.below(50)));
                break;
            case 1:
                if (rng.below(4) == 0) cache_->erase({key_of(key)}, clock_.now());
                break;
            case 2:
                clock_.advance(milliseconds(rng.below(8)));
                tick();
                break;
            case 3:
                if (!shared_.gets.empty()) answer_one(rng);
                break;
            default: {
                const std::uint64_t other = rng.below(40);
                const Time deadline = clock_.now() + milliseconds(rng.below(30));
                ++asked;
                cache_->get({key_of(key), key_of(other)}, deadline,
                            [&, key, other, deadline](const Tier::Values& values) {
                                ++answered;
                                ASSERT_EQ(values.size(), 2u);
                                // The clock moves at most 8 ms between ticks.
                                EXPECT_LT(clock_.now(), deadline + milliseconds(8));
                                for (const auto& [n, value] :
                                     {std::pair(key, values[0]), std::pair(other, values[1])}) {
                                    if (!value) continue;
                                    EXPECT_TRUE(value->body->starts_with(std::to_string(n) + "/"));
                                }
                            });
            }
        }
    }
    for (int i = 0; i < 10; ++i) {
        clock_.advance(milliseconds(5));
        tick();
    }
    EXPECT_EQ(answered, asked);
    const TierStats stats = cache_->stats();
    EXPECT_EQ(stats.hits + stats.misses, stats.gets);
    EXPECT_EQ(stats.waiting, 0u);
    EXPECT_GT(stats.hits, 0u);
    EXPECT_GT(stats.late, 0u);
    EXPECT_GT(stats.timeouts, 0u);
}

TEST(MemoryTier, KeepsWithinBytesAndTime) {
    TestClock clock;
    MemoryTier tier({.bytes_max = 3 * (MemoryTier::kValueBytes + 10), .count_max = 100}, clock);
    for (std::uint64_t i = 0; i < 5; ++i)
        tier.put({{key_of(i), value_of(std::string(10, 'x')), seconds(1)}}, clock.now());
    EXPECT_EQ(tier.stats().count, 3u);
    EXPECT_EQ(tier.stats().evicted, 2u);
    Tier::Values values;
    tier.get({key_of(4), key_of(9)}, clock.now(), [&](Tier::Values got) { values = got; });
    ASSERT_EQ(values.size(), 2u);
    EXPECT_TRUE(values[0].has_value());
    EXPECT_FALSE(values[1].has_value());
    tier.erase({key_of(4)}, clock.now());
    clock.advance(seconds(1));
    EXPECT_EQ(tier.expire(100), 2u);
    EXPECT_EQ(tier.stats().bytes, 0u);
    EXPECT_EQ(tier.stats().erases, 1u);
}

}  // namespace
}  // namespace scanmq::cache
