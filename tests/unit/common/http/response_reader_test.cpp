#include "common/http/response_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::http {
namespace {

using Step = ResponseReader::Step;

constexpr std::string_view kChunked =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Name: "
    "value\r\n\r\n"
    "5\r\nhello\r\n6;note=x\r\n world\r\n0\r\nTrailer: x\r\n\r\n";

class Reader : public testing::Test {
  protected:
    Step feed_all(std::string_view bytes, std::size_t piece) {
        reader.begin(false);
        Step step = Step::more;
        for (std::size_t at = 0; at < bytes.size() && step == Step::more; at += piece) {
            step = reader.feed(bytes.substr(at, piece));
        }
        return step;
    }

    ResponseReader reader{200, 100};
};

TEST_F(Reader, ReadsAnAnswerHoweverItIsCut) {
    const std::string with_length =
        "HTTP/1.1 404 No\r\nContent-Length: 11\r\nX-Name: value\r\n\r\nhello world";
    for (const std::string_view answer : {kChunked, std::string_view(with_length)}) {
        for (std::size_t piece = 1; piece <= answer.size(); ++piece) {
            ASSERT_EQ(feed_all(answer, piece), Step::complete) << piece;
            EXPECT_TRUE(reader.keeps_connection());
            const ClientResponse response = reader.take();
            EXPECT_EQ(response.body, "hello world") << piece;
            EXPECT_EQ(response.header("x-name"), "value");
        }
    }
}

TEST_F(Reader, LimitsDoNotDependOnTheCut) {
    const std::string header = "HTTP/1.1 200 OK\r\nX: " + std::string(200, 'x') + "\r\n\r\n";
    const std::string length =
        "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x');
    const std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                               std::string(101, 'x') + "\r\n";
    const std::string open = "HTTP/1.1 200 OK\r\n\r\n" + std::string(101, 'x');
    for (std::size_t piece = 1; piece < 250; ++piece) {
        EXPECT_EQ(feed_all(header, piece), Step::header_too_large) << piece;
        for (const std::string& large : {length, chunks, open}) {
            EXPECT_EQ(feed_all(large, piece), Step::body_too_large) << piece;
        }
    }
    EXPECT_EQ(feed_all("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", 9),
              Step::body_too_large);
}

TEST_F(Reader, WhatIsNotHttpIsKnownAtOnce) {
    EXPECT_EQ(feed_all("\x81\xa5hello", 1), Step::malformed);
    EXPECT_EQ(feed_all("SSH-2.0-OpenSSH", 100), Step::malformed);
    for (const char* bad :
         {"HTTP/1.1\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
          "HTTP/1.1 101 Switching\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
        EXPECT_EQ(feed_all(bad, 1000), Step::malformed) << bad;
    }
}

TEST_F(Reader, TheConnectionsEndEndsABodyWithoutALength) {
    EXPECT_EQ(feed_all("HTTP/1.1 200 OK\r\n\r\nall", 4), Step::more);
    EXPECT_EQ(reader.end(), Step::complete);
    EXPECT_FALSE(reader.keeps_connection());
    EXPECT_EQ(reader.take().body, "all");
    EXPECT_EQ(feed_all("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall", 4), Step::more);
    EXPECT_EQ(reader.expected(), 6U);
    EXPECT_EQ(reader.end(), Step::more);
    EXPECT_EQ(feed_all("HTTP/1.1 200", 4), Step::more);
    EXPECT_EQ(reader.end(), Step::more);
}

TEST_F(Reader, AnswersWithoutABody) {
    EXPECT_EQ(feed_all("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", 3), Step::complete);
    EXPECT_EQ(feed_all("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 3), Step::complete);
    reader.begin(true);
    EXPECT_EQ(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), Step::complete);
    EXPECT_TRUE(reader.keeps_connection());
}

TEST_F(Reader, ACloseOrSurplusBytesEndTheConnection) {
    EXPECT_EQ(feed_all("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 300),
              Step::complete);
    EXPECT_FALSE(reader.keeps_connection());
    EXPECT_EQ(feed_all("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 300), Step::complete);
    EXPECT_FALSE(reader.keeps_connection());
    EXPECT_EQ(feed_all("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", 300), Step::complete);
    EXPECT_FALSE(reader.keeps_connection());
}

}  // namespace
}  // namespace scanmq::http
