#include "common/http/chunked_body.hpp"

#include <gtest/gtest.h>

namespace scanmq::http {
namespace {

using Step = ChunkedBody::Step;

struct Fed {
    Step step{Step::more};
    std::string body;
    std::string rest;
};

Fed feed(ByteView input, std::size_t piece, std::uint64_t body_max = 1000) {
    ChunkedBody chunked;
    Fed out;
    while (!input.empty() && out.step == Step::more) {
        ByteView part = input.substr(0, piece);
        const std::size_t size = part.size();
        out.step = chunked.feed(part, out.body, body_max);
        input.remove_prefix(size - part.size());
    }
    out.rest = input;
    return out;
}

TEST(ChunkedBody, IsTheSameHoweverItIsCut) {
    const struct {
        const char* bytes;
        const char* body;
    } valid[] = {
        {"0\r\n\r\n", ""},
        {"000\r\n\r\n", ""},
        {"5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"3;a=b;c\r\nabc\r\nA\t\r\n0123456789\r\n0;x\r\nA: b\r\nC: d\r\n\r\n", "abc0123456789"},
    };
    for (const auto& each : valid) {
        for (const std::size_t piece : {1U, 2U, 3U, 5U, 100U}) {
            const Fed fed = feed(std::string(each.bytes) + "GET", piece);
            EXPECT_EQ(fed.step, Step::complete) << each.bytes << piece;
            EXPECT_EQ(fed.body, each.body) << each.bytes << piece;
            EXPECT_EQ(fed.rest, "GET") << each.bytes << piece;
        }
        for (std::size_t size = 0; size < std::string_view(each.bytes).size(); ++size) {
            EXPECT_EQ(feed(std::string_view(each.bytes).substr(0, size), 100).step, Step::more);
        }
    }
}

TEST(ChunkedBody, RefusesWhatIsNone) {
    for (const char* bytes : {"\r\n", "g\r\n", "-1\r\n", ";\r\n", "5\nhello", "5\r\r",
                              "5\r\nhelloo\r\n", "5\r\nhello\n", "5;a\nhello", "0\r\n\n",
                              "0\r\nA\n", "0\r\nA: b\r\r", "0\r\n\r\r", "1000000000000000\r\n"}) {
        for (const std::size_t piece : {1U, 100U}) {
            EXPECT_EQ(feed(bytes, piece).step, Step::malformed) << bytes;
        }
    }
}

TEST(ChunkedBody, IsBounded) {
    EXPECT_EQ(feed("3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n", 64).step, Step::complete);
    EXPECT_EQ(feed("3e9\r\n", 64).step, Step::too_large);
    EXPECT_EQ(feed("3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\n", 64).step, Step::too_large);
    EXPECT_EQ(feed("fffffffffffffff\r\n", 64).step, Step::too_large);
    const std::string line(ChunkedBody::kLineBytesMax, 'x');
    EXPECT_EQ(feed("5;" + line, 64).step, Step::malformed);
    EXPECT_EQ(feed("0\r\nA: " + line, 64).step, Step::malformed);
    std::string trailers = "0\r\n";
    while (trailers.size() < ChunkedBody::kLineBytesMax) trailers += "A: b\r\n";
    EXPECT_EQ(feed(trailers + "\r\n", 64).step, Step::malformed);
}

}  // namespace
}  // namespace scanmq::http
