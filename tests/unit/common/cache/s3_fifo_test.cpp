#include "common/cache/s3_fifo.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "common/base/rng.hpp"

namespace scanmq::cache {
namespace {

std::uint64_t hash_of(std::uint64_t n) { return Rng(n).next(); }

std::vector<S3Fifo::Slot> evict_all(S3Fifo& policy) {
    std::vector<S3Fifo::Slot> out;
    for (S3Fifo::Slot slot = policy.evict(); slot != S3Fifo::kNone; slot = policy.evict())
        out.push_back(slot);
    return out;
}

TEST(S3Fifo, WithoutHitsItIsFirstInFirstOut) {
    S3Fifo policy(100, 100);
    for (std::uint32_t i = 0; i < 5; ++i) policy.insert(i, hash_of(i), 1, {});
    EXPECT_EQ(evict_all(policy), (std::vector<S3Fifo::Slot>{0, 1, 2, 3, 4}));
    EXPECT_EQ(policy.bytes(), 0u);
}

TEST(S3Fifo, WhatWasHitGoesAfterWhatWasNot) {
    S3Fifo policy(5, 5);
    for (std::uint32_t i = 0; i < 5; ++i) policy.insert(i, hash_of(i), 1, {});
    policy.touch(0);
    policy.touch(1);
    policy.touch(1);
    EXPECT_EQ(evict_all(policy), (std::vector<S3Fifo::Slot>{2, 3, 4, 0, 1}));
}

TEST(S3Fifo, TheMainQueueTakesATurnForEachHit) {
    S3Fifo policy(100, 100);
    const S3Fifo::Place main{S3Fifo::Queue::main, 0};
    for (std::uint32_t i = 0; i < 3; ++i) policy.insert(i, hash_of(i), 1, main);
    for (int hit = 0; hit < 10; ++hit) policy.touch(0);
    policy.touch(1);
    EXPECT_EQ(policy.evict(), 2u);
    EXPECT_EQ(policy.evict(), 1u);
    EXPECT_EQ(policy.evict(), 0u);
}

TEST(S3Fifo, WhatComesBackSoonGoesToTheMainQueue) {
    S3Fifo policy(10, 10);
    for (std::uint32_t i = 0; i < 10; ++i) policy.insert(i, hash_of(i), 1, {});
    ASSERT_EQ(policy.evict(), 0u);
    policy.insert(0, hash_of(0), 1, {});
    const auto order = evict_all(policy);
    EXPECT_EQ(order.back(), 0u);
    // Long ago is forgotten.
    for (std::uint32_t i = 0; i < 1000; ++i) {
        while (!policy.fits(1)) static_cast<void>(policy.evict());
        const std::uint32_t slot = i % 10;
        if (policy.holds(slot)) policy.erase(slot, false);
        policy.insert(slot, hash_of(100 + i), 1, {});
    }
    const S3Fifo::Slot room = policy.evict();
    policy.insert(room, hash_of(0), 1, {});
    EXPECT_EQ(policy.erase(room, false).queue, S3Fifo::Queue::small);
}

TEST(S3Fifo, WhatEndedByTimeIsRememberedWhenItWasWorthKeeping) {
    S3Fifo policy(100, 100);
    for (std::uint32_t i = 0; i < 20; ++i) policy.insert(i, hash_of(i), 1, {});
    policy.touch(3);
    policy.erase(3, true);
    policy.erase(4, true);
    policy.insert(3, hash_of(3), 1, {});
    policy.insert(4, hash_of(4), 1, {});
    EXPECT_EQ(policy.erase(3, false).queue, S3Fifo::Queue::main);
    EXPECT_EQ(policy.erase(4, false).queue, S3Fifo::Queue::small);
}

TEST(S3Fifo, NothingLargerThanTheLimitFits) {
    S3Fifo policy(100, 2);
    EXPECT_TRUE(policy.fits(100));
    EXPECT_FALSE(policy.fits(101));
    EXPECT_FALSE(policy.fits(~0ULL));
    policy.insert(0, 0, 60, {});
    EXPECT_TRUE(policy.fits(40));
    EXPECT_FALSE(policy.fits(41));
    policy.insert(1, 1, 0, {});
    EXPECT_FALSE(policy.fits(0));
}

TEST(S3Fifo, CountsAgreeWithAModelOfSets) {
    Rng rng(3);
    S3Fifo policy(500, 64);
    std::set<S3Fifo::Slot> held;
    std::vector<std::uint64_t> bytes(64);
    for (int step = 0; step < 100'000; ++step) {
        const auto slot = static_cast<S3Fifo::Slot>(rng.below(64));
        if (held.contains(slot)) {
            if (rng.below(3) != 0) {
                policy.touch(slot);
            } else {
                policy.erase(slot, rng.below(2) == 0);
                held.erase(slot);
            }
        } else {
            const std::uint64_t size = rng.below(50);
            while (!policy.fits(size)) {
                const S3Fifo::Slot gone = policy.evict();
                ASSERT_EQ(held.erase(gone), 1u);
            }
            policy.insert(slot, hash_of(rng.below(200)), size, {});
            bytes[slot] = size;
            held.insert(slot);
        }
        std::uint64_t sum = 0;
        for (const S3Fifo::Slot one : held) sum += bytes[one];
        ASSERT_EQ(policy.bytes(), sum);
        ASSERT_EQ(policy.count(), held.size());
        ASSERT_LE(policy.bytes(), 500u);
    }
}

}  // namespace
}  // namespace scanmq::cache
