// CursorTable by itself.

#include "broker/core/cursor_table.hpp"

#include <gtest/gtest.h>

#include "broker/core/subscription.hpp"

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;

class CursorTableTest : public ::testing::Test {
  protected:
    Cursor& held(const std::string& name, std::uint64_t offset = 0) {
        const auto created = cursors.create(name);
        EXPECT_TRUE(created.ok());
        cursors.hold(**created, subscription, ">", offset);
        return **created;
    }
    Cursor& idle(const std::string& name) {
        Cursor& cursor = held(name);
        cursors.leave(cursor, now);
        return cursor;
    }
    std::vector<std::string> changed() {
        std::vector<std::string> names;
        for (const Cursor* cursor : cursors.changed()) names.push_back(cursor->name);
        return names;
    }
    using Names = std::vector<std::string>;
    CursorTable cursors{3};
    Subscription subscription{{}};
    Time now{10h};
};

TEST_F(CursorTableTest, ACursorOnlyMovesForward) {
    Cursor& cursor = held("a", 5);
    EXPECT_FALSE(cursors.move(cursor, 4));
    EXPECT_FALSE(cursors.move(cursor, 5));
    EXPECT_TRUE(cursors.move(cursor, 9));
    EXPECT_EQ(cursor.next_offset, 9U);
}

TEST_F(CursorTableTest, ManyChangesOfOneCursorAreToldOnce) {
    Cursor& cursor = held("a");
    for (std::uint64_t offset = 1; offset < 5; ++offset) EXPECT_TRUE(cursors.move(cursor, offset));
    held("b");
    EXPECT_EQ(changed(), (Names{"a", "b"}));
    cursors.clear_changes();
    EXPECT_EQ(changed(), Names{});
    EXPECT_FALSE(cursors.move(cursor, 1));
    EXPECT_EQ(changed(), Names{}) << "nothing moved";
    EXPECT_TRUE(cursors.move(cursor, 7));
    EXPECT_EQ(changed(), Names{"a"});
}

TEST_F(CursorTableTest, AForgottenCursorIsToldOnlyIfItWasKnown) {
    cursors.forget(held("a"));
    EXPECT_TRUE(cursors.forgotten().empty()) << "it came and went";
    EXPECT_EQ(changed(), Names{});
    Cursor& b = held("b");
    cursors.clear_changes();
    EXPECT_TRUE(cursors.move(b, 3));
    cursors.forget(b);
    EXPECT_EQ(cursors.forgotten(), Names{"b"});
    EXPECT_EQ(changed(), Names{});
    EXPECT_EQ(cursors.find("b"), nullptr);
}

TEST_F(CursorTableTest, WhatIsIdleLapsesAndIsForgottenATtlLater) {
    held("held");
    idle("early");
    now += 10min;
    idle("late");
    EXPECT_EQ(cursors.next_expiry(1h), now + 50min);
    now += 50min;
    EXPECT_EQ(cursors.expire(now, 1h, 10).lapsed, 1U);
    EXPECT_TRUE(cursors.find("early")->lapsed);
    EXPECT_FALSE(cursors.find("late")->lapsed);
    now += 59min;
    const auto second = cursors.expire(now, 1h, 10);
    EXPECT_EQ(second.lapsed, 1U);
    EXPECT_EQ(second.forgotten, 0U);
    now += 1min;
    EXPECT_EQ(cursors.expire(now, 1h, 10).forgotten, 1U);
    EXPECT_EQ(cursors.find("early"), nullptr);
    EXPECT_EQ(cursors.next_expiry(1h), now + 59min);
    now += 1000h;
    cursors.expire(now, 1h, 10);
    EXPECT_EQ(cursors.size(), 1U) << "one that is held stays";
    EXPECT_EQ(cursors.next_expiry(1h), Time::max());
}

TEST_F(CursorTableTest, TellsWhoNeedsTheOldestEntries) {
    constexpr std::uint64_t kNothing = ~std::uint64_t{0};
    EXPECT_EQ(cursors.needed_from(), kNothing);
    EXPECT_EQ(cursors.neediest(), nullptr);
    Cursor& a = held("a", 5);
    Cursor& b = held("b", 3);
    EXPECT_EQ(cursors.neediest(), &b);
    EXPECT_EQ(cursors.needed_from(), 3U);
    cursors.move(b, 7);
    EXPECT_EQ(cursors.neediest(), &a);
    cursors.skip(a, 9);
    EXPECT_EQ(a.next_offset, 5U) << "what does not match is not acknowledged by it";
    EXPECT_EQ(cursors.needed_from(), 7U);
    cursors.skip(b, 6);
    EXPECT_EQ(cursors.needed_from(), 7U) << "never backward";
    cursors.move(a, 8);
    EXPECT_EQ(a.needed_from(), 9U) << "an acknowledgement does not forget what was skipped";
    cursors.forget(b);
    EXPECT_EQ(cursors.needed_from(), 9U);
    // Another pattern may match what the former one did not.
    cursors.leave(a, now);
    cursors.hold(a, subscription, ">", 8);
    EXPECT_EQ(cursors.needed_from(), 9U) << "the same pattern";
    cursors.leave(a, now);
    cursors.hold(a, subscription, "SPY", 8);
    EXPECT_EQ(cursors.needed_from(), 8U);
    cursors.clear();
    EXPECT_EQ(cursors.needed_from(), kNothing);
}

TEST_F(CursorTableTest, WhatLapsedNeedsNothing) {
    idle("a");
    EXPECT_EQ(cursors.needed_from(), 0U);
    now += 1h;
    cursors.expire(now, 1h, 1);
    EXPECT_EQ(cursors.neediest(), nullptr);
    cursors.hold(*cursors.find("a"), subscription, ">", 4);
    EXPECT_EQ(cursors.needed_from(), 4U);
    cursors.restore("b", {2, ">", 1, false}, now);
    cursors.restore("c", {1, ">", 1, true}, now);
    EXPECT_EQ(cursors.needed_from(), 2U);
}

TEST_F(CursorTableTest, ExpiryKeepsItsBudget) {
    for (const auto* name : {"a", "b", "c"}) idle(name);
    now += 1h;
    EXPECT_EQ(cursors.expire(now, 1h, 2).lapsed, 2U);
    EXPECT_LE(cursors.next_expiry(1h), now) << "there is more to do";
    EXPECT_EQ(cursors.expire(now, 1h, 2).lapsed, 1U);
}

TEST_F(CursorTableTest, AtItsLimitALapsedOneMakesRoom) {
    held("a");
    idle("b");
    now += 1s;
    idle("c");
    EXPECT_EQ(cursors.create("d").error(), ErrorCode::over_limit);
    cursors.expire(now + 1h, 1h, 1);
    cursors.clear_changes();
    held("d");
    EXPECT_EQ(cursors.forgotten(), Names{"b"});
    EXPECT_EQ(cursors.size(), 3U);
}

TEST_F(CursorTableTest, RowsComeBackAsTheyWere) {
    cursors.restore("late", {7, "SPY.>", 1, false}, now - 10min);
    cursors.restore("early", {3, ">", 1, false}, now - 50min);
    cursors.restore("lapsed", {9, "QQQ", 1, true}, now - 30min);
    EXPECT_EQ(changed(), Names{});
    EXPECT_EQ(cursors.next_expiry(1h), now + 10min);
    const Cursor& late = *cursors.find("late");
    EXPECT_EQ(late.next_offset, 7U);
    EXPECT_EQ(late.pattern, "SPY.>");
    EXPECT_EQ(late.holder, nullptr);
    EXPECT_TRUE(cursors.find("lapsed")->lapsed);
    now += 10min;
    EXPECT_EQ(cursors.expire(now, 1h, 10).lapsed, 1U);
    EXPECT_TRUE(cursors.find("early")->lapsed);
    now += 20min;
    EXPECT_EQ(cursors.expire(now, 1h, 10).forgotten, 1U);
    EXPECT_EQ(cursors.forgotten(), Names{"lapsed"}) << "the store knows it";
}

}  // namespace
}  // namespace scanmq::broker
