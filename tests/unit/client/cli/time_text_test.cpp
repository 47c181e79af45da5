#include "client/cli/time_text.hpp"

#include <gtest/gtest.h>

namespace scanmq::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr WallMillis kNow = 1'714'552'200'000;  // 2024-05-01T08:30:00Z

std::int64_t moment(std::string_view text) {
    const auto out = parse_moment(text, kNow);
    EXPECT_TRUE(out.ok()) << text;
    return out ? *out : 0;
}

TEST(TimeText, DatesAndTimesAreUtcUnlessTheyHaveAZone) {
    EXPECT_EQ(moment("1970-01-01"), 0);
    EXPECT_EQ(moment("2024-05-01T08:30:00Z"), kNow * 1'000'000);
    EXPECT_EQ(moment("2024-05-01T08:30"), kNow * 1'000'000);
    EXPECT_EQ(moment("2024-05-01 08:30:00"), kNow * 1'000'000);
    EXPECT_EQ(moment("2024-05-01T10:30:00+02:00"), kNow * 1'000'000);
    EXPECT_EQ(moment("2024-05-01T03:30:00-0500"), kNow * 1'000'000);
    EXPECT_EQ(moment("2024-05-01T12:30+04"), kNow * 1'000'000);
    EXPECT_EQ(moment("1969-12-31T23:59:59"), -kSecond);
    EXPECT_EQ(moment("2024-02-29"), moment("2024-02-28") + 86'400 * kSecond);
}

TEST(TimeText, FractionsReachNanoseconds) {
    EXPECT_EQ(moment("1970-01-01T00:00:00.5Z"), kSecond / 2);
    EXPECT_EQ(moment("1970-01-01T00:00:00.000000001"), 1);
}

TEST(TimeText, DurationsAreSoLongAgo) {
    EXPECT_EQ(moment("10m"), kNow * 1'000'000 - 600 * kSecond);
    EXPECT_EQ(moment("10min"), moment("10m"));
    EXPECT_EQ(moment("90s"), kNow * 1'000'000 - 90 * kSecond);
    EXPECT_EQ(moment("1d"), kNow * 1'000'000 - 86'400 * kSecond);
    EXPECT_EQ(moment("0"), kNow * 1'000'000);
}

TEST(TimeText, WhatIsNoMomentIsNamedWithExamples) {
    for (const char* text : {"",
                             "yesterday",
                             "2024",
                             "2024-5-1",
                             "2024-13-01",
                             "2023-02-29",
                             "2024-05-01T",
                             "m",
                             "2024-05-01T24:00",
                             "2024-05-01T10:60",
                             "2024-05-01T10",
                             "2024-05-01T10:00:00.",
                             "2024-05-01T10:00:00.1234567890",
                             "2024-05-01T10:00+",
                             "2024-05-01Z10",
                             "10",
                             "-10m",
                             "1500-01-01",
                             "9999-01-01",
                             "2024-05-01T10:00Zx"}) {
        const auto out = parse_moment(text, kNow);
        ASSERT_FALSE(out.ok()) << text;
        EXPECT_NE(out.error().find("2024-05-01T09:30:00Z"), std::string::npos) << out.error();
    }
}

}  // namespace
}  // namespace scanmq::cli
