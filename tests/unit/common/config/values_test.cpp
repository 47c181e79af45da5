#include "common/config/values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::config {
namespace {

using testing::HasSubstr;

TEST(Values, BytesTakeDecimalAndBinaryUnits) {
    EXPECT_EQ(*parse_bytes("4096"), 4096U);
    EXPECT_EQ(*parse_bytes("64KiB"), 65'536U);
    EXPECT_EQ(*parse_bytes("512MiB"), 512U << 20);
    EXPECT_EQ(*parse_bytes("1GB"), 1'000'000'000U);
    EXPECT_EQ(*parse_bytes("2 TiB"), 2ULL << 40);
    EXPECT_EQ(*parse_bytes("0"), 0U);
}

TEST(Values, BytesRefuseWhatIsNoSize) {
    for (const char* text : {"", "MiB", "-1", "1.5GiB", "12mb", "1KiBx", "99999999999TiB", " 1"}) {
        const auto parsed = parse_bytes(text);
        ASSERT_FALSE(parsed.ok()) << text;
        EXPECT_THAT(parsed.error(), HasSubstr("64KiB")) << "says how to write it";
    }
}

TEST(Values, DurationsNeedAUnit) {
    EXPECT_EQ(*parse_duration("2500ms"), std::chrono::milliseconds(2500));
    EXPECT_EQ(*parse_duration("10s"), std::chrono::seconds(10));
    EXPECT_EQ(*parse_duration("15min"), std::chrono::minutes(15));
    EXPECT_EQ(*parse_duration("24h"), std::chrono::hours(24));
    EXPECT_EQ(*parse_duration("7d"), std::chrono::hours(168));
    EXPECT_EQ(*parse_duration("250us"), std::chrono::microseconds(250));
    EXPECT_EQ(*parse_duration("0"), Duration::zero());
    EXPECT_FALSE(parse_duration("10").ok());
    EXPECT_FALSE(parse_duration("10 sec").ok());
    EXPECT_FALSE(parse_duration("9999999d").ok()) << "beyond 64 bits of nanoseconds";
}

TEST(Values, NumbersAreWholeAndComplete) {
    EXPECT_EQ(*parse_number("17"), 17U);
    EXPECT_FALSE(parse_number("17x").ok());
    EXPECT_FALSE(parse_number("-1").ok());
    EXPECT_FALSE(parse_number("18446744073709551616").ok());
    EXPECT_DOUBLE_EQ(*parse_decimal("0.25"), 0.25);
    EXPECT_FALSE(parse_decimal("nan").ok());
    EXPECT_FALSE(parse_decimal("1,5").ok());
}

TEST(Values, TruthHasFewSpellings) {
    EXPECT_TRUE(*parse_truth("on"));
    EXPECT_FALSE(*parse_truth("0"));
    EXPECT_FALSE(parse_truth("maybe").ok());
}

TEST(Values, FormattedValuesReadBackTheSame) {
    for (const std::uint64_t bytes :
         {0ULL, 1ULL, 1000ULL, 1024ULL, 1536ULL, 1ULL << 30, 12345ULL}) {
        EXPECT_EQ(*parse_bytes(format_bytes(bytes)), bytes) << format_bytes(bytes);
    }
    EXPECT_EQ(format_bytes(512U << 20), "512MiB");
    for (const Duration duration :
         {Duration(0), Duration(1), Duration(2'500'000'000), Duration(900'000'000'000)}) {
        EXPECT_EQ(*parse_duration(format_duration(duration)), duration);
    }
    EXPECT_EQ(format_duration(std::chrono::milliseconds(2500)), "2500ms");
    EXPECT_EQ(format_duration(std::chrono::minutes(15)), "15min");
}

}  // namespace
}  // namespace scanmq::config
