// What tiers that ask a server have in common: windows, requests, what they tell, checksums.

#include <gtest/gtest.h>

#include <chrono>

#include "common/cache/tier_log.hpp"
#include "common/cache/tier_requests.hpp"
#include "common/cache/tier_window.hpp"
#include "common/cache/value_check.hpp"

namespace scanmq::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TierWindow, HoldsCommandsAndBytesWithinTheirLimits) {
    TierWindow window(2, 100);
    EXPECT_FALSE(window.take(101));
    EXPECT_TRUE(window.take(60));
    EXPECT_FALSE(window.take(41));
    EXPECT_TRUE(window.take(40));
    EXPECT_FALSE(window.take(0));
    window.give_back(60);
    EXPECT_TRUE(window.take(60));
    window.give_back(60);
    window.give_back(40);
    EXPECT_EQ(window.commands(), 0u);
    EXPECT_EQ(window.bytes(), 0u);
}

TEST(TierRequests, GivesBackWhatIsOverdueInTheOrderOfDeadlines) {
    TierRequests requests;
    const Time start{std::chrono::hours(1)};
    const auto add = [&](int ms) {
        TierRequests::Request request;
        request.deadline = start + milliseconds(ms);
        request.keys.resize(static_cast<std::size_t>(ms));
        return requests.add(std::move(request));
    };
    EXPECT_EQ(requests.next_deadline(), std::nullopt);
    const auto late = add(30);
    const auto soon = add(10);
    const auto same = add(10);
    EXPECT_EQ(requests.next_deadline(), start + milliseconds(10));
    EXPECT_FALSE(requests.overdue(start + milliseconds(9)));
    EXPECT_EQ(requests.take(same).keys.size(), 10u);
    EXPECT_EQ(requests.overdue(start + milliseconds(10)), soon);
    EXPECT_EQ(requests.take(soon).keys.size(), 10u);
    EXPECT_FALSE(requests.overdue(start + milliseconds(10)));
    EXPECT_EQ(requests.find(soon), nullptr);
    EXPECT_NE(requests.find(late), nullptr);
    EXPECT_EQ(requests.next_deadline(), start + milliseconds(30));
}

TEST(TierLog, TellsTroubleNowAndThenAndItsEndOnce) {
    TierLog log(seconds(30));
    const Time start{std::chrono::hours(1)};
    EXPECT_FALSE(log.over()) << "nothing was wrong";
    EXPECT_TRUE(log.trouble(start));
    EXPECT_FALSE(log.trouble(start + seconds(29)));
    EXPECT_TRUE(log.trouble(start + seconds(30)));
    EXPECT_TRUE(log.over());
    EXPECT_FALSE(log.over());
    EXPECT_FALSE(log.trouble(start + seconds(31))) << "a connection that comes and goes";
    EXPECT_FALSE(log.over());
}

TEST(ValueCheck, TellsKeysAndBytesApart) {
    const ContentId one = content_id("one");
    const ContentId two = content_id("two");
    EXPECT_EQ(value_check(one, "body"), value_check(one, "body"));
    EXPECT_NE(value_check(one, "body"), value_check(two, "body"));
    EXPECT_NE(value_check(one, "body"), value_check(one, "bodz"));
    EXPECT_NE(value_check(one, ""), value_check(two, ""));
    EXPECT_FALSE(value_check(one, "").is_zero());
    // It travels between versions of this program: it stays what it is.
    EXPECT_EQ(value_check(ContentId{}, "result").hex(), "14e953ef39b9a48f80dca918342cfd23");
}

}  // namespace
}  // namespace scanmq::cache
