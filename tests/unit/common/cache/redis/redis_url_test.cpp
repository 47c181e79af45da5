#include "common/cache/redis/redis_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::cache {
namespace {

using testing::HasSubstr;
using testing::Not;

RedisUrl good(std::string_view text) {
    const auto url = parse_redis_url(text);
    EXPECT_TRUE(url.ok()) << text << ": " << (url.ok() ? "" : url.error());
    return url ? *url : RedisUrl{};
}

TEST(RedisUrl, ReadsHostPortAndDatabase) {
    EXPECT_EQ(good("redis://cache").shown(), "redis://cache:6379/0");
    EXPECT_EQ(good("redis://cache/").shown(), "redis://cache:6379/0");
    EXPECT_EQ(good("redis://10.0.0.1:7000/12").shown(), "redis://10.0.0.1:7000/12");
    EXPECT_EQ(good("redis://[::1]:7000").host, "::1");
    EXPECT_EQ(good("redis://[::1]:7000").shown(), "redis://[::1]:7000/0");
}

TEST(RedisUrl, ReadsUserAndPasswordAndShowsNeither) {
    const RedisUrl url = good("redis://desk:s3cr%40t:x@cache:1/2");
    EXPECT_EQ(url.user, "desk");
    EXPECT_EQ(url.password, "s3cr@t:x");
    EXPECT_EQ(url.shown(), "redis://cache:1/2");
    EXPECT_EQ(good("redis://:pass@cache").user, "");
    EXPECT_EQ(good("redis://:pass@cache").password, "pass");
    // A password with an '@' or '/' that was not encoded.
    EXPECT_EQ(good("redis://:p@/ss@cache").password, "p@/ss");
}

TEST(RedisUrl, SaysWhatIsWrongAndWhere) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", "the scheme, at character 1,"},
        {"http://cache", "the scheme, at character 1, must be redis://"},
        {"rediss://cache", "TLS (rediss://) is not available"},
        {"redis://", "the host, at character 9, is missing"},
        {"redis://:6379", "the host, at character 9, is missing"},
        {"redis://cache:0", "the port, at character 14, must be ':' and a number from 1 to 65535"},
        {"redis://cache:70000", "the port, at character 14,"},
        {"redis://cache:", "the port, at character 14,"},
        {"redis://[::1", "the bracket, at character 9, is not closed"},
        {"redis://[::1]x", "the port, at character 14,"},
        {"redis://cache/x", "the database, at character 15, must be a number"},
        {"redis://cache/1/2", "the database, at character 15,"},
        {"redis://cache/-1", "the database, at character 15,"},
        {"redis://user@cache", "what is before the '@', at character 9, must be USER:PASSWORD"},
        {"redis://:@cache", "the password, at character 10, is empty"},
        {"redis://:%zz@cache", "the password, at character 10, has a '%'"},
        {"redis://%f:x@cache", "the user, at character 9, has a '%'"},
        {"redis://ca che", "printable"},
    };
    for (const auto& [text, sentence] : cases) {
        const auto url = parse_redis_url(text);
        ASSERT_FALSE(url.ok()) << text;
        EXPECT_THAT(url.error(), HasSubstr(sentence)) << text;
        EXPECT_THAT(url.error(), HasSubstr("write redis://HOST:PORT/DB"));
    }
}

TEST(RedisUrl, NoErrorQuotesThePassword) {
    for (const std::string_view text :
         {"redis://:hunter2@cache:x", "redis://u:hunter2@", "redis://u:hunter2@cache/x",
          "redis://:hunter2", "redis://:hunter2%@cache", "redis:/u:hunter2@cache",
          "rediss://:hunter2@cache", "redis://hunter2@cache", "redis://:hunter2 @cache"}) {
        const auto url = parse_redis_url(text);
        ASSERT_FALSE(url.ok()) << text;
        EXPECT_THAT(url.error(), Not(HasSubstr("hunter2"))) << text;
    }
}

}  // namespace
}  // namespace scanmq::cache
