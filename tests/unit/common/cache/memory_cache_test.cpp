#include "common/cache/memory_cache.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace scanmq::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ContentId key_of(std::uint64_t n) { return content_id(std::to_string(n)); }

Time at(Duration since_start) { return Time(seconds(1000)) + since_start; }

MemoryCacheOptions limits(std::uint64_t bytes, std::uint32_t count = 1'000'000) {
    return {.bytes_max = bytes, .count_max = count, .ttl_jitter = 0.0};
}

using Cache = MemoryCache<std::unique_ptr<int>>;

std::unique_ptr<int> box(int n) { return std::make_unique<int>(n); }

std::vector<int> gone(Cache& cache) {
    std::vector<int> out;
    for (auto& value : cache.take_gone()) out.push_back(value ? *value : -1);
    return out;
}

TEST(MemoryCache, FindsWhatWasPutUntilItsTimeIsOver) {
    Cache cache(limits(1000));
    EXPECT_EQ(cache.find(key_of(1), at({})), nullptr);
    EXPECT_TRUE(cache.put(key_of(1), box(1), 10, at({}), seconds(5)));
    ASSERT_NE(cache.find(key_of(1), at(seconds(4))), nullptr);
    EXPECT_EQ(**cache.find(key_of(1), at(milliseconds(4999))), 1);
    EXPECT_TRUE(gone(cache).empty());
    EXPECT_EQ(cache.find(key_of(1), at(seconds(5))), nullptr);
    EXPECT_EQ(gone(cache), std::vector{1});
    EXPECT_EQ(cache.stats().hits, 2u);
    EXPECT_EQ(cache.stats().misses, 2u);
    EXPECT_EQ(cache.stats().expired, 1u);
    EXPECT_EQ(cache.stats().bytes, 0u);
    EXPECT_EQ(cache.stats().count, 0u);
}

TEST(MemoryCache, PeekChangesNothing) {
    Cache cache(limits(1000));
    EXPECT_TRUE(cache.put(key_of(1), box(1), 10, at({}), seconds(5)));
    ASSERT_NE(cache.peek(key_of(1), at({})), nullptr);
    EXPECT_EQ(cache.peek(key_of(1), at(seconds(5))), nullptr);
    EXPECT_EQ(cache.peek(key_of(2), at({})), nullptr);
    EXPECT_EQ(cache.stats().hits + cache.stats().misses + cache.stats().expired, 0u);
    EXPECT_TRUE(gone(cache).empty());
}

TEST(MemoryCache, WhatIsReplacedErasedOrClearedIsGone) {
    Cache cache(limits(1000));
    EXPECT_TRUE(cache.put(key_of(1), box(1), 10, at({}), seconds(5)));
    EXPECT_TRUE(cache.put(key_of(1), box(2), 20, at({}), seconds(5)));
    EXPECT_EQ(gone(cache), std::vector{1});
    EXPECT_EQ(cache.stats().replaced, 1u);
    EXPECT_EQ(cache.stats().bytes, 20u);
    EXPECT_EQ(**cache.find(key_of(1), at({})), 2);
    EXPECT_TRUE(cache.erase(key_of(1)));
    EXPECT_FALSE(cache.erase(key_of(1)));
    EXPECT_EQ(gone(cache), std::vector{2});
    EXPECT_TRUE(cache.put(key_of(3), box(3), 10, at({}), seconds(5)));
    EXPECT_TRUE(cache.put(key_of(4), box(4), 10, at({}), seconds(5)));
    cache.clear();
    EXPECT_EQ(gone(cache), (std::vector{3, 4}));
    EXPECT_EQ(cache.find(key_of(3), at({})), nullptr);
    EXPECT_EQ(cache.stats().count, 0u);
}

TEST(MemoryCache, RejectsWhatIsTooLargeOrHasNoTimeAndForgetsWhatItShouldHaveReplaced) {
    Cache cache(limits(100));
    EXPECT_TRUE(cache.put(key_of(1), box(1), 100, at({}), seconds(5)));
    EXPECT_FALSE(cache.put(key_of(1), box(2), 101, at({}), seconds(5)));
    EXPECT_EQ(gone(cache), (std::vector{1, 2}));
    EXPECT_EQ(cache.find(key_of(1), at({})), nullptr);
    EXPECT_FALSE(cache.put(key_of(1), box(3), 1, at({}), seconds(0)));
    EXPECT_FALSE(cache.put(key_of(1), box(4), ~0ULL, at({}), seconds(1)));
    EXPECT_EQ(gone(cache), (std::vector{3, 4}));
    EXPECT_EQ(cache.stats().rejected, 3u);
    EXPECT_EQ(cache.stats().puts, 4u);
}

TEST(MemoryCache, WithoutRoomItKeepsNothing) {
    Cache no_bytes(limits(0));
    EXPECT_FALSE(no_bytes.put(key_of(1), box(1), 0, at({}), seconds(1)));
    Cache no_count(limits(10, 0));
    EXPECT_FALSE(no_count.put(key_of(1), box(1), 0, at({}), seconds(1)));
}

TEST(MemoryCache, KeepsToBytesAndCount) {
    Cache by_bytes(limits(100));
    for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(by_bytes.put(key_of(i), box(i), 7, at({}), seconds(1)));
        EXPECT_LE(by_bytes.stats().bytes, 100u);
    }
    EXPECT_EQ(by_bytes.stats().count, 14u);
    EXPECT_EQ(by_bytes.stats().evicted, 36u);
    Cache by_count(limits(1000, 3));
    for (int i = 0; i < 50; ++i)
        EXPECT_TRUE(by_count.put(key_of(i), box(i), 0, at({}), seconds(1)));
    EXPECT_EQ(by_count.stats().count, 3u);
    EXPECT_EQ(gone(by_count).size(), 47u);
}

TEST(MemoryCache, LessRoomEvictsAtOnceAndMoreIsUsed) {
    Cache cache(limits(100));
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(cache.put(key_of(i), box(i), 10, at({}), seconds(1)));
    cache.set_bytes_max(35);
    EXPECT_EQ(cache.stats().count, 3u);
    EXPECT_EQ(gone(cache).size(), 7u);
    cache.set_bytes_max(50);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(cache.put(key_of(i), box(i), 10, at({}), seconds(1)));
    EXPECT_EQ(cache.stats().count, 5u);
    cache.set_bytes_max(0);
    EXPECT_EQ(cache.stats().count, 0u);
}

TEST(MemoryCache, AMovingHandEndsWhatIsOver) {
    Cache cache(limits(1000));
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(cache.put(key_of(i), box(i), 1, at({}), seconds(i < 4 ? 1 : 9)));
    EXPECT_EQ(cache.expire(at(seconds(1)), 3), 3u);
    EXPECT_EQ(cache.expire(at(seconds(1)), 3), 1u);
    EXPECT_EQ(cache.expire(at(seconds(1)), 1'000'000), 0u);
    EXPECT_EQ(gone(cache), (std::vector{0, 1, 2, 3}));
    EXPECT_EQ(cache.stats().expired, 4u);
    EXPECT_EQ(cache.expire(at(seconds(9)), 1'000'000), 6u);
    Cache empty(limits(1000));
    EXPECT_EQ(empty.expire(at({}), 10), 0u);
}

TEST(MemoryCache, JitterShortensByAtMostItsShareAndIsTheSameEveryTime) {
    std::vector<Duration> times;
    for (const std::uint64_t seed : {1, 1, 2}) {
        MemoryCache<int> cache(
            {.bytes_max = 1 << 20, .count_max = 1 << 20, .ttl_jitter = 0.1, .seed = seed});
        for (int i = 0; i < 1000; ++i)
            EXPECT_TRUE(cache.put(key_of(i), i, 1, at({}), seconds(100)));
        std::map<int, Duration> by_value;
        cache.for_each([&](const ContentId& key, int value, std::uint64_t bytes, Time expires) {
            EXPECT_EQ(key, key_of(value));
            EXPECT_EQ(bytes, 1u);
            by_value[value] = expires - at({});
        });
        EXPECT_EQ(by_value.size(), 1000u);
        for (const auto& [value, time] : by_value) times.push_back(time);
    }
    const std::vector<Duration> first(times.begin(), times.begin() + 1000);
    EXPECT_EQ(first, std::vector<Duration>(times.begin() + 1000, times.begin() + 2000));
    EXPECT_NE(first, std::vector<Duration>(times.begin() + 2000, times.end()));
    double sum = 0;
    for (const Duration time : first) {
        EXPECT_LE(time, seconds(100));
        EXPECT_GE(time, seconds(90));
        sum += std::chrono::duration<double>(time).count();
    }
    EXPECT_NEAR(sum / 1000, 95.0, 0.5);
}

TEST(MemoryCache, AVeryLongTimeDoesNotOverflow) {
    MemoryCache<int> cache({.bytes_max = 10, .count_max = 10, .ttl_jitter = 1.0});
    EXPECT_TRUE(cache.put(key_of(1), 1, 1, Time::max() - seconds(1), Duration::max()));
    EXPECT_NE(cache.find(key_of(1), Time::max() - Duration(1)), nullptr);
}

TEST(MemoryCache, WhatIsAskedForAgainOutlivesAScan) {
    Cache cache(limits(1'000'000, 100));
    const auto ask = [&](int n) {
        if (cache.find(key_of(n), at({})) != nullptr) return true;
        EXPECT_TRUE(cache.put(key_of(n), box(n), 1, at({}), seconds(100)));
        return false;
    };
    for (int round = 0; round < 4; ++round)
        for (int i = 0; i < 80; ++i) ask(i);
    for (int i = 0; i < 10'000; ++i) ask(1000 + i);
    int still = 0;
    for (int i = 0; i < 80; ++i) still += ask(i) ? 1 : 0;
    EXPECT_EQ(still, 80);
}

TEST(MemoryCache, AValueMadeAnewKeepsThePlaceOfItsPredecessor) {
    Cache cache(limits(1'000'000, 20));
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(cache.put(key_of(i), box(i), 1, at({}), seconds(10)));
    for (int hit = 0; hit < 3; ++hit) EXPECT_NE(cache.find(key_of(3), at({})), nullptr);
    // One more moves it to the main queue; then its time is over, and it is made again.
    EXPECT_TRUE(cache.put(key_of(20), box(20), 1, at({}), seconds(10)));
    EXPECT_EQ(cache.find(key_of(3), at(seconds(10))), nullptr);
    EXPECT_TRUE(cache.put(key_of(3), box(3), 1, at(seconds(10)), seconds(10)));
    EXPECT_TRUE(cache.put(key_of(3), box(33), 1, at(seconds(10)), seconds(10)));
    for (int i = 100; i < 200; ++i)
        EXPECT_TRUE(cache.put(key_of(i), box(i), 1, at(seconds(10)), seconds(10)));
    EXPECT_NE(cache.peek(key_of(3), at(seconds(10))), nullptr);
}

// Against a model that remembers everything: what is found is what was put last, in its time; whatever is
// put is there or has left, exactly once; the limits hold after each step.
class Model {
  public:
    explicit Model(std::uint64_t seed)
        : rng_(seed),
          options_{.bytes_max = 200 + rng_.below(2000),
                   .count_max = static_cast<std::uint32_t>(1 + rng_.below(200)),
                   .ttl_jitter = 0.5,
                   .seed = seed},
          bytes_max_(options_.bytes_max),
          cache_(options_) {}

    void step() {
        now_ += milliseconds(rng_.below(20));
        const std::uint64_t key = rng_.below(rng_.below(2) != 0U ? 20 : 400);
        switch (rng_.below(16)) {
            case 0:
                cache_.erase(key_of(key));
                live_.erase(key);
                break;
            case 1:
                cache_.expire(now_, rng_.below(50));
                break;
            case 2:
                if (rng_.below(20) == 0) cache_.set_bytes_max(bytes_max_ = rng_.below(2000));
                if (rng_.below(200) == 0) cache_.clear();
                break;
            case 3:
            case 4:
            case 5:
            case 6:
            case 7:
                put(key);
                break;
            default:
                find(key);
        }
        check();
    }
    void finish() {
        cache_.clear();
        check();
        EXPECT_EQ(left_.size(), puts_);
        EXPECT_GT(cache_.stats().hits, 0u);
        EXPECT_GT(cache_.stats().evicted, 0u);
    }

  private:
    struct Put {
        std::uint64_t id;
        Time from;
        Duration ttl;
    };
    void put(std::uint64_t key) {
        const Put entry{++puts_, now_, milliseconds(rng_.below(400))};
        const std::uint64_t bytes = rng_.below(rng_.below(30) == 0 ? 3000 : 60);
        const bool kept = cache_.put(key_of(key), entry.id, bytes, now_, entry.ttl);
        EXPECT_EQ(kept, bytes <= bytes_max_ && bytes_max_ > 0 && entry.ttl > Duration::zero());
        EXPECT_EQ(cache_.peek(key_of(key), now_) != nullptr, kept);
        live_.erase(key);
        if (kept) live_[key] = entry;
    }
    void find(std::uint64_t key) {
        const std::uint64_t* const found = cache_.find(key_of(key), now_);
        if (found == nullptr) return;
        ASSERT_TRUE(live_.contains(key));
        EXPECT_EQ(*found, live_[key].id);
        EXPECT_LT(now_, live_[key].from + live_[key].ttl);
    }
    void check() {
        for (const std::uint64_t id : cache_.take_gone()) EXPECT_TRUE(left_.insert(id).second);
        const MemoryCacheStats& stats = cache_.stats();
        EXPECT_LE(stats.bytes, bytes_max_);
        EXPECT_LE(stats.count, options_.count_max);
        EXPECT_EQ(stats.count + left_.size(), puts_);
    }

    Rng rng_;
    MemoryCacheOptions options_;
    std::uint64_t bytes_max_;
    MemoryCache<std::uint64_t> cache_;
    Time now_ = at({});
    std::uint64_t puts_ = 0;
    std::map<std::uint64_t, Put> live_;
    std::set<std::uint64_t> left_;
};

TEST(MemoryCache, AgreesWithAModelThatForgetsNothing) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        Model model(seed);
        for (int i = 0; i < 5000 && !::testing::Test::HasFailure(); ++i) model.step();
        model.finish();
    }
}

}  // namespace
}  // namespace scanmq::cache
