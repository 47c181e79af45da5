// Limiters: rates by the formula, concurrency by what a target answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <vector>

#include "common/base/rng.hpp"
#include "worker/core/concurrency_limiters.hpp"
#include "worker/core/limiter.hpp"
#include "worker/core/rate_limiters.hpp"

namespace scanmq::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr Time kStart{seconds(1000)};

TEST(TokenBucket, BurstAtOnceThenTheRate) {
    TokenBucket bucket(10.0, 20.0);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(bucket.try_acquire(kStart, 1.0).allowed) << i;
    const Admission refused = bucket.try_acquire(kStart, 1.0);
    ASSERT_FALSE(refused.allowed);
    ASSERT_TRUE(refused.again.has_value());
    EXPECT_EQ(*refused.again, kStart + milliseconds(100));
    EXPECT_FALSE(bucket.try_acquire(*refused.again - nanoseconds(1), 1.0).allowed);
    EXPECT_TRUE(bucket.try_acquire(*refused.again, 1.0).allowed);
    EXPECT_FALSE(bucket.try_acquire(*refused.again, 1.0).allowed);
}

TEST(TokenBucket, CostsAreWeighed) {
    TokenBucket bucket(10.0, 20.0);
    EXPECT_TRUE(bucket.try_acquire(kStart, 15.0).allowed);
    const Admission refused = bucket.try_acquire(kStart, 10.0);
    ASSERT_FALSE(refused.allowed);
    EXPECT_EQ(*refused.again, kStart + milliseconds(500));  // 5 are missing
    EXPECT_TRUE(bucket.try_acquire(kStart, 5.0).allowed);
}

TEST(TokenBucket, CostAboveTheBurstWaitsForAFullBucketNotForEver) {
    TokenBucket bucket(10.0, 20.0);
    EXPECT_TRUE(bucket.try_acquire(kStart, 1e9).allowed);
    const Admission refused = bucket.check(kStart, 1e9);
    ASSERT_TRUE(refused.again.has_value());
    EXPECT_EQ(*refused.again, kStart + seconds(2));
    EXPECT_TRUE(bucket.try_acquire(*refused.again, 1e9).allowed);
}

TEST(TokenBucket, IdleTimeSavesUpNoMoreThanTheBurst) {
    TokenBucket bucket(10.0, 3.0);
    const Time later = kStart + seconds(3600);
    int allowed = 0;
    while (bucket.try_acquire(later, 1.0).allowed) ++allowed;
    EXPECT_EQ(allowed, 3);
}

// Whatever the arrivals: no interval of a second has more than the rate and a burst.
template <class L>
std::vector<Time> drive(L& limiter, Rng& rng, Duration length) {
    std::vector<Time> allowed;
    Time now = kStart;
    while (now < kStart + length) {
        const Admission answer = limiter.try_acquire(now, 1.0);
        if (answer.allowed) {
            allowed.push_back(now);
            if (rng.below(100) == 0) now += milliseconds(rng.below(700));
        } else {
            EXPECT_GT(*answer.again, now) << "asking again at once would spin";
            now = *answer.again;
        }
    }
    return allowed;
}

std::size_t most_within(const std::vector<Time>& times, Duration window) {
    std::size_t most = 0;
    std::size_t first = 0;
    for (std::size_t i = 0; i < times.size(); ++i) {
        while (times[i] - times[first] >= window) ++first;
        most = std::max(most, i - first + 1);
    }
    return most;
}

TEST(TokenBucket, KeepsItsPromiseOverEveryWindow) {
    Rng rng(3);
    TokenBucket bucket(50.0, 10.0);
    const auto times = drive(bucket, rng, seconds(120));
    EXPECT_LE(most_within(times, seconds(1)), 60U);
    EXPECT_GT(times.size(), 120U * 40U) << "and is used";
}

TEST(SlidingWindow, CountsTheFormerWindowByItsPart) {
    SlidingWindow window(10.0, seconds(1));
    const Time begin = kStart;  // a window starts at multiples of its length
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(window.try_acquire(begin, 1.0).allowed) << i;
    const Admission refused = window.check(begin + milliseconds(500), 1.0);
    ASSERT_FALSE(refused.allowed);
    // In the next window 10 x (1 - part) + 1 <= 10 from a tenth of it on.
    EXPECT_EQ(*refused.again, begin + milliseconds(1100));
    EXPECT_FALSE(window.check(begin + milliseconds(1099), 1.0).allowed);
    EXPECT_TRUE(window.try_acquire(begin + milliseconds(1100), 1.0).allowed);
    EXPECT_EQ(*window.check(begin + milliseconds(1100), 1.0).again, begin + milliseconds(1200));
}

TEST(SlidingWindow, LongIdleForgetsAll) {
    SlidingWindow window(5.0, seconds(1));
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(window.try_acquire(kStart, 1.0).allowed);
    const Time later = kStart + seconds(10) + milliseconds(300);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(window.try_acquire(later, 1.0).allowed);
    EXPECT_FALSE(window.try_acquire(later, 1.0).allowed);
}

TEST(SlidingWindow, NeverMoreThanTwiceTheLimitAndOnAverageTheLimit) {
    Rng rng(4);
    SlidingWindow window(50.0, seconds(1));
    const auto times = drive(window, rng, seconds(120));
    EXPECT_LE(most_within(times, seconds(1)), 100U);
    EXPECT_LE(times.size(), 121U * 50U);
    EXPECT_GT(times.size(), 120U * 35U);
}

TEST(FixedLimit, SoManyAtOnce) {
    FixedLimit limit(2);
    EXPECT_TRUE(limit.try_acquire(kStart, 1.0).allowed);
    EXPECT_TRUE(limit.try_acquire(kStart, 1.0).allowed);
    const Admission refused = limit.try_acquire(kStart, 1.0);
    EXPECT_FALSE(refused.allowed);
    EXPECT_FALSE(refused.again.has_value()) << "after a release, whenever that is";
    limit.release(kStart, CallClass::timed_out, seconds(1), 0);
    EXPECT_EQ(limit.slots(), 2U);
    EXPECT_TRUE(limit.try_acquire(kStart, 1.0).allowed);
}

TEST(AimdLimit, OneMorePerRoundATenthLessPerDrop) {
    AimdLimit limit({});
    ASSERT_EQ(limit.slots(), 10U);
    Time now = kStart;
    for (int i = 0; i < 10; ++i) limit.take(now, 1.0);
    for (int i = 0; i < 11; ++i) {
        limit.release(now, CallClass::ok, milliseconds(10), 0);
        limit.take(now, 1.0);
    }
    EXPECT_EQ(limit.slots(), 11U);
    limit.release(now, CallClass::timed_out, milliseconds(10), 0);
    EXPECT_EQ(limit.slots(), 9U);
}

TEST(AimdLimit, OneTroubleCountsOnce) {
    AimdLimit limit({});
    for (int i = 0; i < 10; ++i) limit.take(kStart, 1.0);
    for (int i = 0; i < 9; ++i) {
        limit.release(kStart + milliseconds(100 + i), CallClass::throttled, milliseconds(100 + i),
                      0);
    }
    EXPECT_EQ(limit.slots(), 9U) << "all of them were under way when the first was refused";
    limit.take(kStart + milliseconds(200), 1.0);
    limit.release(kStart + milliseconds(300), CallClass::throttled, milliseconds(100), 0);
    EXPECT_EQ(limit.slots(), 8U);
}

TEST(AimdLimit, DoesNotGrowWhenItIsNotFelt) {
    AimdLimit limit({});
    for (int i = 0; i < 1000; ++i) {
        limit.take(kStart, 1.0);
        limit.release(kStart, CallClass::ok, milliseconds(10), 0);
    }
    EXPECT_EQ(limit.slots(), 10U);
}

TEST(AimdLimit, StaysWithinItsBounds) {
    AimdLimit::Options options;
    options.start = 3;
    options.min = 2;
    options.max = 4;
    AimdLimit limit(options);
    Time now = kStart;
    for (int i = 0; i < 50; ++i) {
        now += seconds(1);
        limit.take(now, 1.0);
        limit.release(now, CallClass::timed_out, milliseconds(1), 0);
    }
    EXPECT_EQ(limit.slots(), 2U);
    for (int i = 0; i < 2; ++i) limit.take(now, 1.0);
    for (int i = 0; i < 500; ++i) {
        limit.release(now, CallClass::ok, milliseconds(1), 0);
        limit.take(now, 1.0);
    }
    EXPECT_EQ(limit.slots(), 4U);
}

// A target that serves `servers` calls at once, the others queue; calls are offered without end.
struct Target {
    explicit Target(std::size_t servers) : free_at(servers, kStart) {}
    std::vector<Time> free_at;
    Time serve(Time now, Duration service) {
        auto& server = *std::min_element(free_at.begin(), free_at.end());
        server = std::max(server, now) + service;
        return server;
    }
};

struct Driven {
    double limit_mean{};
    std::uint64_t served{};
};

template <class Service>
Driven overload(Limiter& limiter, std::size_t servers, Duration length, Service&& service) {
    struct Call {
        Time ends;
        Time began;
        std::uint64_t bytes;
        bool operator<(const Call& other) const { return ends > other.ends; }
    };
    Target target(servers);
    std::priority_queue<Call> calls;
    Driven out;
    double sum = 0.0;
    std::uint64_t samples = 0;
    Time now = kStart;
    while (now < kStart + length) {
        while (limiter.try_acquire(now, 1.0).allowed) {
            const auto [bytes, takes] = service();
            calls.push({target.serve(now, takes), now, bytes});
        }
        const Call call = calls.top();
        calls.pop();
        now = call.ends;
        limiter.release(now, CallClass::ok, now - call.began, call.bytes);
        ++out.served;
        if (now > kStart + length / 2) {
            sum += limiter.slots();
            ++samples;
        }
    }
    out.limit_mean = sum / static_cast<double>(samples);
    return out;
}

TEST(GradientLimit, FindsWhatTheTargetCanDo) {
    GradientLimit limit({});
    Rng rng(5);
    const Driven seen = overload(limit, 8, seconds(600), [&] {
        return std::pair{std::uint64_t{1000}, Duration(milliseconds(80 + rng.below(40)))};
    });
    EXPECT_GT(seen.limit_mean, 8.0) << "the target is kept busy";
    EXPECT_LT(seen.limit_mean, 40.0) << "and its queue short: the most would be 200";
    EXPECT_GT(seen.served, 600U * 80U * 95U / 100U);
}

TEST(GradientLimit, UsesATargetThatIsNeverTooMuch) {
    GradientLimit limit({});
    Rng rng(6);
    const Driven seen = overload(limit, 1000, seconds(120), [&] {
        return std::pair{std::uint64_t{1000}, Duration(milliseconds(80 + rng.below(40)))};
    });
    EXPECT_GT(seen.limit_mean, 150.0);
}

// Chains of very different sizes: round trips that differ a hundredfold are no sign of a queue.
TEST(GradientLimit, SizesAreNormalised) {
    GradientLimit limit({});
    Rng rng(7);
    const Driven seen = overload(limit, 1000, seconds(120), [&] {
        const std::uint64_t bytes = std::uint64_t{1000} << (rng.below(8));
        return std::pair{bytes, Duration(nanoseconds(bytes * (9'000 + rng.below(2'000))))};
    });
    EXPECT_GT(seen.limit_mean, 150.0);
}

TEST(GradientLimit, TargetThatBecomesSlowGetsLess) {
    GradientLimit limit({});
    const auto quick = [] { return std::pair{std::uint64_t{1000}, Duration(milliseconds(10))}; };
    const Driven before = overload(limit, 100, seconds(60), quick);
    ASSERT_GT(before.limit_mean, 60.0);
    Time now = kStart + seconds(100);
    std::uint32_t held = 0;
    while (limit.try_acquire(now, 1.0).allowed) ++held;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        now += milliseconds(1);
        limit.release(now, CallClass::ok, milliseconds(60), 1000);
        --held;
        while (limit.try_acquire(now, 1.0).allowed) ++held;
    }
    EXPECT_LT(limit.limit(), before.limit_mean * 0.5);
}

TEST(GradientLimit, DropsAndTimeOutsShrinkItAndItRecovers) {
    GradientLimit limit({});
    Time now = kStart;
    for (int i = 0; i < 100; ++i) {
        now += seconds(1);
        limit.take(now, 1.0);
        limit.release(now, CallClass::throttled, milliseconds(1), 0);
    }
    ASSERT_EQ(limit.slots(), 1U);
    for (int i = 0; i < 400; ++i) {
        now += milliseconds(1);
        while (limit.try_acquire(now, 1.0).allowed) {
        }
        limit.release(now, CallClass::ok, milliseconds(1), 0);
    }
    EXPECT_GT(limit.slots(), 10U) << "the least still grows";
}

TEST(LimiterChain, AllHaveToAllowItAndNothingIsTakenOtherwise) {
    LimiterOptions options = remote_limiter_options();
    options.rate = RateKind::token_bucket;
    options.rate_per_s = 10.0;
    options.burst = 2.0;
    options.concurrency = ConcurrencyKind::fixed;
    options.slots_max = 3;
    auto made = make_limiter(options);
    ASSERT_TRUE(made.ok());
    Limiter& limiter = **made;
    EXPECT_EQ(limiter.slots(), 3U);
    EXPECT_TRUE(limiter.try_acquire(kStart, 1.0).allowed);
    EXPECT_TRUE(limiter.try_acquire(kStart, 1.0).allowed);
    for (int i = 0; i < 10; ++i) {
        const Admission refused = limiter.try_acquire(kStart, 1.0);
        ASSERT_FALSE(refused.allowed);
        ASSERT_TRUE(refused.again.has_value()) << "the rate, not a place, is missing";
    }
    const Time later = kStart + seconds(1);
    EXPECT_TRUE(limiter.try_acquire(later, 1.0).allowed);
    EXPECT_FALSE(limiter.check(later, 1.0).again.has_value()) << "now a place is missing";
    limiter.release(later, CallClass::ok, seconds(1), 10);
    EXPECT_TRUE(limiter.try_acquire(later, 1.0).allowed);
}

TEST(MakeLimiter, EveryKindByItsName) {
    for (const std::string_view rate : {"off", "token-bucket", "sliding-window"}) {
        for (const std::string_view concurrency : {"fixed", "aimd", "gradient"}) {
            LimiterOptions options;
            options.rate = rate_kind(rate).value();
            options.concurrency = concurrency_kind(concurrency).value();
            auto made = make_limiter(options);
            ASSERT_TRUE(made.ok()) << made.error();
            const std::uint32_t start = concurrency == "fixed"  ? 200U
                                        : concurrency == "aimd" ? 10U
                                                                : 20U;
            EXPECT_EQ((*made)->slots(), start);
            int allowed = 0;
            while (allowed < 1000 && (*made)->try_acquire(kStart, 1.0).allowed) ++allowed;
            const int most = rate == "off"            ? static_cast<int>(start)
                             : rate == "token-bucket" ? static_cast<int>(std::min(start, 20U))
                                                      : 10;
            EXPECT_EQ(allowed, most) << rate << ' ' << concurrency;
        }
    }
    EXPECT_FALSE(rate_kind("leaky").has_value());
    EXPECT_FALSE(concurrency_kind("").has_value());
}

TEST(MakeLimiter, MistakesAreNamed) {
    LimiterOptions options;
    options.rate = RateKind::token_bucket;
    options.rate_per_s = 0.0;
    EXPECT_NE(make_limiter(options).error().find("rate of calls"), std::string::npos);
    options.rate_per_s = 10.0;
    options.burst = 0.5;
    EXPECT_NE(make_limiter(options).error().find("burst"), std::string::npos);
    options = {};
    options.slots_min = 0;
    EXPECT_FALSE(make_limiter(options).ok());
    options.slots_min = 10;
    options.slots_max = 9;
    EXPECT_FALSE(make_limiter(options).ok());
}

}  // namespace
}  // namespace scanmq::worker
