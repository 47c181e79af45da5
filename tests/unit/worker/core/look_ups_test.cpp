#include "worker/core/look_ups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

namespace scanmq::worker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Time kStart{1h};

AttemptId id(std::uint32_t slot, std::uint32_t generation = 1) { return {slot, generation}; }

std::vector<std::uint32_t> slots(const std::vector<LookUps::Waiting>& waiting) {
    std::vector<std::uint32_t> out;
    for (const auto& one : waiting) out.push_back(one.attempt.slot);
    return out;
}

std::vector<std::uint32_t> slots(const std::vector<AttemptId>& attempts) {
    std::vector<std::uint32_t> out;
    for (const AttemptId one : attempts) out.push_back(one.slot);
    return out;
}

class LookUpsTest : public testing::Test {
  protected:
    std::uint64_t begin(std::initializer_list<std::uint32_t> of, Duration wait = 20ms) {
        std::vector<LookUps::Ask> asks;
        for (const std::uint32_t slot : of) asks.push_back({id(slot), kStart + wait});
        return look_ups.begin(asks);
    }
    LookUps look_ups;
};

TEST_F(LookUpsTest, AnAnswerEndsItsBatchOnce) {
    const auto first = begin({3, 1});
    const auto second = begin({2});
    EXPECT_EQ(look_ups.size(), 3U);
    const auto answered = look_ups.answer(first);
    EXPECT_THAT(slots(answered), ElementsAre(3, 1));
    EXPECT_EQ(answered[1].place, 1U);
    EXPECT_THAT(look_ups.answer(first), IsEmpty());
    EXPECT_FALSE(look_ups.looking(id(3)));
    EXPECT_TRUE(look_ups.looking(id(2)));
    EXPECT_THAT(slots(look_ups.answer(second)), ElementsAre(2));
    EXPECT_EQ(look_ups.size(), 0U);
    EXPECT_EQ(look_ups.next_deadline(), std::nullopt);
}

TEST_F(LookUpsTest, AnAnswerToNobodysBatchIsForNobody) {
    begin({1});
    EXPECT_THAT(look_ups.answer(0), IsEmpty());
    EXPECT_THAT(look_ups.answer(99), IsEmpty());
    EXPECT_TRUE(look_ups.looking(id(1)));
}

TEST_F(LookUpsTest, WhatWasForgottenIsNotAnswered) {
    const auto batch = begin({1, 2});
    EXPECT_TRUE(look_ups.forget(id(1)));
    EXPECT_FALSE(look_ups.forget(id(1))) << "once only";
    EXPECT_FALSE(look_ups.forget(id(2, 7))) << "another attempt had that slot";
    EXPECT_FALSE(look_ups.forget(id(40)));
    const auto answered = look_ups.answer(batch);
    ASSERT_THAT(slots(answered), ElementsAre(2));
    EXPECT_EQ(answered[0].place, 1U) << "the answer's values are in the order asked";
}

TEST_F(LookUpsTest, ABatchThatNobodyWaitsForIsGone) {
    const auto batch = begin({1});
    EXPECT_TRUE(look_ups.forget(id(1)));
    EXPECT_EQ(look_ups.next_deadline(), std::nullopt);
    EXPECT_THAT(look_ups.answer(batch), IsEmpty());
}

TEST_F(LookUpsTest, ASlotsNextAttemptIsNotAnsweredByTheOldBatch) {
    const auto old = begin({1, 2});
    EXPECT_TRUE(look_ups.forget(id(1)));
    const std::array<LookUps::Ask, 1> again{{{id(1, 2), kStart + 1s}}};
    const auto now = look_ups.begin(again);
    EXPECT_THAT(slots(look_ups.answer(old)), ElementsAre(2));
    EXPECT_TRUE(look_ups.looking(id(1, 2)));
    EXPECT_THAT(slots(look_ups.answer(now)), ElementsAre(1));
}

TEST_F(LookUpsTest, TheDeadlineEndsEachByItself) {
    const std::array<LookUps::Ask, 3> asks{
        {{id(1), kStart + 20ms}, {id(2), kStart + 5ms}, {id(3), kStart + 5ms}}};
    const auto batch = look_ups.begin(asks);
    EXPECT_EQ(look_ups.next_deadline(), kStart + 5ms);
    EXPECT_THAT(look_ups.overdue(kStart + 4ms), IsEmpty());
    EXPECT_THAT(slots(look_ups.overdue(kStart + 5ms)), ElementsAre(2, 3));
    EXPECT_EQ(look_ups.next_deadline(), kStart + 20ms);
    EXPECT_THAT(slots(look_ups.answer(batch)), ElementsAre(1));
    EXPECT_THAT(look_ups.overdue(kStart + 1h), IsEmpty());
}

TEST_F(LookUpsTest, AnAnswerAfterTheDeadlineIsForNobody) {
    const auto batch = begin({1, 2});
    EXPECT_THAT(slots(look_ups.overdue(kStart + 20ms)), ElementsAre(1, 2));
    EXPECT_THAT(look_ups.answer(batch), IsEmpty());
    EXPECT_FALSE(look_ups.forget(id(1)));
}

// Whatever races, each look-up ends exactly once.
TEST_F(LookUpsTest, EachEndsOnceInAnyOrder) {
    std::mt19937 random(7);
    std::map<std::uint32_t, std::uint32_t> looking;  // slot -> generation
    std::vector<std::uint64_t> batches{0};
    std::uint32_t generation = 0;
    Time now = kStart;
    const auto ended = [&](AttemptId one) {
        const auto found = looking.find(one.slot);
        ASSERT_TRUE(found != looking.end() && found->second == one.generation);
        looking.erase(found);
    };
    for (int round = 0; round < 20'000; ++round) {
        now += std::chrono::microseconds(random() % 2'000);
        switch (random() % 4) {
            case 0: {
                std::vector<LookUps::Ask> asks;
                for (std::uint32_t slot = 0; slot < 16; ++slot) {
                    if (random() % 4 != 0 || looking.contains(slot)) continue;
                    looking[slot] = ++generation;
                    asks.push_back(
                        {id(slot, generation), now + std::chrono::milliseconds(random() % 10)});
                }
                if (!asks.empty()) batches.push_back(look_ups.begin(asks));
                break;
            }
            case 1:
                for (const auto& one : look_ups.answer(batches[random() % batches.size()]))
                    ended(one.attempt);
                break;
            case 2: {
                const std::uint32_t slot = random() % 16;
                const bool there = looking.contains(slot);
                const AttemptId one = id(slot, there ? looking[slot] : generation);
                ASSERT_EQ(look_ups.forget(one), there);
                if (there) ended(one);
                break;
            }
            default:
                for (const AttemptId one : look_ups.overdue(now)) ended(one);
                ASSERT_GT(look_ups.next_deadline().value_or(Time::max()), now);
        }
        ASSERT_EQ(look_ups.size(), looking.size());
        for (const auto& [slot, of] : looking) ASSERT_TRUE(look_ups.looking(id(slot, of)));
    }
}

}  // namespace
}  // namespace scanmq::worker
