#include "common/http/message.hpp"

#include <gtest/gtest.h>

namespace scanmq::http {
namespace {

TEST(Message, ReadsTargets) {
    Request request;
    ASSERT_TRUE(read_target("/a%20b/c?x=1&y=a+b%2B&flag&=", request));
    EXPECT_EQ(request.path, "/a b/c");
    EXPECT_EQ(request.query_value("x"), "1");
    EXPECT_EQ(request.query_value("y"), "a b+");
    EXPECT_EQ(request.query_value("flag"), "");
    EXPECT_EQ(request.query_value("z"), std::nullopt);
    ASSERT_TRUE(read_target("http://host:1/p?q=2", request));
    EXPECT_EQ(request.path, "/p");
    EXPECT_EQ(request.query.size(), 1U);
}

TEST(Message, RefusesTargetsThatAreNone) {
    Request request;
    for (const char* target : {"", "a", "/%", "/%4", "/%gg", "/%00", "/?a=%x1"}) {
        EXPECT_FALSE(read_target(target, request)) << target;
    }
}

TEST(Message, HeadersCompareWithoutCase) {
    Request request;
    request.headers = {{"Content-Type", "Application/JSON; charset=utf-8"},
                       {"ACCEPT", " Application/X-NDJSON;q=0.9, */*"}};
    EXPECT_TRUE(request.content_is("application/json"));
    EXPECT_FALSE(request.content_is("application/js"));
    EXPECT_EQ(request.accepted_first(), "application/x-ndjson");
    EXPECT_EQ(request.header("x-none"), "");
}

TEST(Message, ErrorsAreJsonThatHoldsAnything) {
    EXPECT_EQ(error_response(400, "bad", "a \"quote\", a \\ and a\nline").body,
              R"({"error":{"code":"bad","sentence":"a \"quote\", a \\ and a\u000aline"}})");
}

TEST(Message, RetryAfterIsWholeSecondsRoundedUp) {
    const auto after = [](Duration wait) {
        return retry_response(429, "x", "y", wait).headers.at(0).second;
    };
    EXPECT_EQ(after(std::chrono::milliseconds(1)), "1");
    EXPECT_EQ(after(Duration{}), "1");
    EXPECT_EQ(after(std::chrono::milliseconds(2001)), "3");
}

TEST(Message, PrintableCutsAndReplaces) {
    EXPECT_EQ(printable("a\x01\xff z", 10), "a?? z");
    EXPECT_EQ(printable(std::string(20, 'x'), 3), "xxx...");
}

}  // namespace
}  // namespace scanmq::http
