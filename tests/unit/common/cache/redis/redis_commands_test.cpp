#include "common/cache/redis/redis_commands.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace scanmq::cache
