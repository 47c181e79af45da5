#include "common/cache/redis/redis_commands.hpp"

#include <gtest/gtest.h>

#include "common/cache/redis/redis_requests.hpp"

namespace scanmq::cache {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

ContentId key_of(std::uint8_t byte) {
    ContentId key;
    key.bytes.fill(byte);
    return key;
}

std::string hex(char digit) { return std::string(64, digit); }

TEST(RedisCommands, AreRespArraysOfWords) {
    std::string out;
    const ContentId keys[] = {key_of(0xaa), key_of(0x11)};
    append_mget(out, "p:", keys);
    EXPECT_EQ(out,
              "*3\r\n$4\r\nMGET\r\n$66\r\np:" + hex('a') + "\r\n$66\r\np:" + hex('1') + "\r\n");
    out.clear();
    append_unlink(out, "", std::span(keys, 1));
    EXPECT_EQ(out, "*2\r\n$6\r\nUNLINK\r\n$64\r\n" + hex('a') + "\r\n");
    out.clear();
    append_set(out, "", keys[0], ByteView("a\r\n\0b", 5), milliseconds(1500));
    EXPECT_EQ(out, "*5\r\n$3\r\nSET\r\n$64\r\n" + hex('a') + "\r\n$5\r\n" +
                       std::string("a\r\n\0b", 5) + "\r\n$2\r\nPX\r\n$4\r\n1500\r\n");
}

TEST(RedisCommands, TimesAreRoundedUpToMilliseconds) {
    const auto ending = [](Duration ttl) {
        std::string out;
        append_set(out, "", key_of(0), "", ttl);
        return out.substr(out.find("PX\r\n") + 4);
    };
    EXPECT_EQ(ending(Duration(1)), "$1\r\n1\r\n");
    EXPECT_EQ(ending(microseconds(1001)), "$1\r\n2\r\n");
    EXPECT_EQ(ending(milliseconds(300'000)), "$6\r\n300000\r\n");
}

TEST(RedisCommands, Greetings) {
    std::string out;
    append_auth(out, "", "secret");
    append_auth(out, "me", "secret");
    append_select(out, 3);
    append_ping(out);
    EXPECT_EQ(out,
              "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n"
              "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n");
}

TEST(RedisWindow, HoldsCommandsAndBytesWithinTheirLimits) {
    RedisWindow window(2, 100);
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

TEST(RedisRequests, GivesBackWhatIsOverdueInTheOrderOfDeadlines) {
    RedisRequests requests;
    const Time start{std::chrono::hours(1)};
    const auto add = [&](int ms) {
        RedisRequests::Request request;
        request.deadline = start + milliseconds(ms);
        request.keys.resize(static_cast<std::size_t>(ms));
        return requests.add(std::move(request));
    };
    EXPECT_EQ(requests.next_deadline(), std::nullopt);
    const auto late = add(30);
    const auto soon = add(10);
    const auto same = add(10);
    EXPECT_EQ(requests.next_deadline(), start + milliseconds(10));
    EXPECT_FALSE(requests.take_overdue(start + milliseconds(9)));
    EXPECT_EQ(requests.take(same).keys.size(), 10u);
    EXPECT_EQ(requests.take_overdue(start + milliseconds(10))->keys.size(), 10u);
    EXPECT_FALSE(requests.take_overdue(start + milliseconds(10)));
    EXPECT_EQ(requests.find(soon), nullptr);
    EXPECT_NE(requests.find(late), nullptr);
    EXPECT_EQ(requests.next_deadline(), start + milliseconds(30));
}

}  // namespace
}  // namespace scanmq::cache
