#include "common/http/endpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::http {
namespace {

using testing::HasSubstr;

TEST(Endpoint, ReadsHostPortAndPrefix) {
    const auto endpoint = parse_endpoint("http://scanner.desk:8702/v2/eu/");
    ASSERT_TRUE(endpoint) << endpoint.error();
    EXPECT_EQ(endpoint->host, "scanner.desk");
    EXPECT_EQ(endpoint->port, 8702);
    EXPECT_EQ(endpoint->prefix, "/v2/eu");
    EXPECT_EQ(endpoint->url(), "http://scanner.desk:8702/v2/eu");
}

TEST(Endpoint, SchemePortAndPathMayBeLeftOut) {
    const auto endpoint = parse_endpoint("localhost");
    ASSERT_TRUE(endpoint) << endpoint.error();
    EXPECT_EQ(endpoint->port, 80);
    EXPECT_EQ(endpoint->prefix, "");
    EXPECT_EQ(parse_endpoint("127.0.0.1:8702")->authority(), "127.0.0.1:8702");
}

TEST(Endpoint, V6AddressesAreInBrackets) {
    const auto endpoint = parse_endpoint("http://[::1]:8702");
    ASSERT_TRUE(endpoint) << endpoint.error();
    EXPECT_EQ(endpoint->host, "::1");
    EXPECT_EQ(endpoint->authority(), "[::1]:8702");
}

TEST(Endpoint, RefusalsNameTheUrlAndWhatToDo) {
    for (const char* url : {"", "http://", "https://a:1", "ftp://a", "http://a:0", "http://a:65536",
                            "http://a:x", "http://a:", "http://[::1", "http://[::1]x",
                            "http://a/b?c", "http://u@a", "http://a b", "http://a\r\nX: y"}) {
        const auto endpoint = parse_endpoint(url);
        EXPECT_FALSE(endpoint) << url;
    }
    EXPECT_THAT(parse_endpoint("https://a:1").error(), HasSubstr("https"));
    EXPECT_THAT(parse_endpoint("http://a:0").error(), HasSubstr("'http://a:0'"));
}

}  // namespace
}  // namespace scanmq::http
