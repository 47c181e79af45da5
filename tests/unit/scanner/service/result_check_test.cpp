#include "scanner/service/result_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scanner/service/codec.hpp"

namespace scanmq::service {
namespace {

using testing::HasSubstr;

TEST(CheckResult, TakesWhatTheEncoderMakes) {
    ScanResult result;
    result.symbol = "SPY";
    result.spreads.resize(40);
    const std::string bytes = encode(result, Encoding::msgpack);
    const auto checked = check_result(bytes);
    EXPECT_TRUE(checked) << checked.error();
    for (std::size_t size = 0; size < bytes.size(); size += 7) {
        EXPECT_FALSE(check_result(ByteView(bytes).substr(0, size))) << size;
    }
    EXPECT_FALSE(check_result(bytes + "x"));
}

TEST(CheckResult, RefusesOtherShapes) {
    using namespace std::string_literals;
    EXPECT_FALSE(check_result(""));
    EXPECT_FALSE(check_result("<html>"));
    EXPECT_FALSE(check_result("{\"spreads\":[]}"));
    EXPECT_THAT(check_result("\x80").error(), HasSubstr("spreads"));
    EXPECT_TRUE(check_result("\x81\xa7spreads\x90"));
    EXPECT_FALSE(check_result("\x81\x01\x90"));                         // a key that is no text
    EXPECT_FALSE(check_result("\x81\xa7spreads\xdd\xff\xff\xff\xff"));  // a count that is a lie
    EXPECT_FALSE(check_result("\x81\xa7spreads"s + std::string(64, '\x91')));  // too deep
    EXPECT_FALSE(check_result("\x81\xa7spreads\xc1"));
}

TEST(CheckResult, WalksOverEveryTypeOfValue) {
    using namespace std::string_literals;
    const std::string head = "\x82\xa7spreads\x90\xa1x"s;
    for (const std::string& value : {"\xc0"s,
                                     "\xc3"s,
                                     "\x05"s,
                                     "\xff"s,
                                     "\xc4\x01r"s,
                                     "\xc5\x00\x01r"s,
                                     "\xc6\x00\x00\x00\x01r"s,
                                     "\xc7\x01\x05r"s,
                                     "\xca\x00\x00\x00\x00"s,
                                     "\xcb" + std::string(8, '\0'),
                                     "\xcc\x01"s,
                                     "\xcd\x01\x01"s,
                                     "\xd0\x80"s,
                                     "\xd3" + std::string(8, '\1'),
                                     "\xd4\x05r"s,
                                     "\xd8" + std::string(17, 'x'),
                                     "\xd9\x01r"s,
                                     "\xda\x00\x01r"s,
                                     "\xdc\x00\x01\x05"s,
                                     "\xdd\x00\x00\x00\x01\x05"s,
                                     "\xde\x00\x01\xa1k\x05"s,
                                     "\xdf\x00\x00\x00\x01\xa1k\x05"s,
                                     "\x92\x91\x05\x80"s}) {
        EXPECT_TRUE(check_result(head + value)) << testing::PrintToString(value);
        EXPECT_FALSE(check_result(head + value + "\x05"s)) << testing::PrintToString(value);
        EXPECT_FALSE(check_result((head + value).substr(0, head.size() + value.size() - 1)))
            << testing::PrintToString(value);
    }
}

}  // namespace
}  // namespace scanmq::service
