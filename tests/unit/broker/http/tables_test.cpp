// KeyTable and WatchTable.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/http/key_table.hpp"
#include "broker/http/watch_table.hpp"

namespace scanmq::gateway {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(KeyTable, RemembersAKeyForItsTimeAndTheNewestWithinItsSize) {
    KeyTable keys(2, 10s);
    const Time at{1h};
    Id128 id;
    id.bytes[0] = 7;
    keys.put("a", id, at);
    EXPECT_EQ(keys.find("a", at + 9s), id);
    EXPECT_EQ(keys.find("a", at + 10s), std::nullopt);
    keys.put("a", id, at + 10s);
    keys.put("b", id, at + 11s);
    keys.put("c", id, at + 12s);
    EXPECT_EQ(keys.find("a", at + 12s), std::nullopt);
    EXPECT_EQ(keys.find("b", at + 12s), id);
    EXPECT_EQ(keys.size(), 2U);
    KeyTable none(0, 10s);
    none.put("a", id, at);
    EXPECT_EQ(none.size(), 0U);
}

TEST(WatchTable, EndsASubscriptionAWhileAfterItsLastJob) {
    WatchTable watches(2, 30s);
    const WatchTable::Key key{"scans", "*"};
    Time at{1h};
    watches.add(key, 5);
    watches.begin(key);
    watches.begin(key);
    watches.end(key, at);
    EXPECT_THAT(watches.retire(at + 1h), IsEmpty());
    watches.end(key, at);
    EXPECT_EQ(watches.next_deadline(), at + 30s);
    EXPECT_THAT(watches.retire(at + 29s), IsEmpty());
    EXPECT_THAT(watches.retire(at + 30s), ElementsAre(5));
    EXPECT_EQ(watches.size(), 0U);
    watches.end(key, at);  // of a job that outlived its watch
}

TEST(WatchTable, MakesRoomByEndingAnIdleOneEarly) {
    WatchTable watches(2, 30s);
    const Time at{1h};
    watches.add({"a", "*"}, 1);
    watches.begin({"a", "*"});
    watches.add({"b", "*"}, 2);
    watches.begin({"b", "*"});
    EXPECT_TRUE(watches.full({"c", "*"}));
    EXPECT_FALSE(watches.full({"a", "*"}));
    watches.end({"a", "*"}, at);
    EXPECT_FALSE(watches.full({"c", "*"}));
    EXPECT_THAT(watches.retire(at, true), ElementsAre(1));
    EXPECT_EQ(watches.find({"a", "*"}), nullptr);
}

TEST(WatchTable, DropsOneThatFailed) {
    WatchTable watches(2, 30s);
    watches.add({"a", "*"}, 1);
    EXPECT_EQ(watches.drop(9).first, "");
    EXPECT_EQ(watches.drop(1).first, "a");
    EXPECT_EQ(watches.size(), 0U);
}

}  // namespace
}  // namespace scanmq::gateway
