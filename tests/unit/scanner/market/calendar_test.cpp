#include "scanner/market/calendar.hpp"

#include <gtest/gtest.h>

#include "scanner/market/date_text.hpp"

namespace scanmq::market {
namespace {

TEST(Calendar, NewYorkMomentFollowsDaylightSaving) {
    EXPECT_EQ(new_york_moment(20230914, kCloseMinute), 1694721600000);  // 20:00 UTC, EDT
    EXPECT_EQ(new_york_moment(20110103, kCloseMinute), 1294088400000);  // 21:00 UTC, EST
    // The change of 2024-03-10: 01:59 is EST, 03:00 the minute after it.
    EXPECT_EQ(new_york_moment(20240310, 180) - new_york_moment(20240310, 119), kMillisPerMinute);
}

TEST(Calendar, NewYorkMomentBefore2007UsesTheOldRule) {
    // Daylight saving began on the first Sunday of April then: 2006-03-20 was still EST.
    EXPECT_EQ(new_york_moment(20060320, kCloseMinute),
              utc_midnight(20060320) + 21 * 60 * kMillisPerMinute);
}

TEST(Calendar, NewYorkDateChangesAtLocalMidnight) {
    const WallMillis midnight = new_york_moment(20230915, 0);
    EXPECT_EQ(new_york_date(midnight), 20230915);
    EXPECT_EQ(new_york_date(midnight - 1), 20230914);
}

TEST(Calendar, OffsetByRuleAgreesWithTheZoneDatabaseSince2007) {
    for (YearMonthDay date = 20070101; date < 20360101; date = add_days(date, 1)) {
        const auto offset =
            (utc_midnight(date) - new_york_moment(date, 720)) / kMillisPerMinute + 720;
        ASSERT_EQ(offset, new_york_offset_by_rule(date)) << date;
    }
}

TEST(Calendar, ValidDateKnowsLeapYears) {
    EXPECT_TRUE(valid_date(20240229));
    EXPECT_FALSE(valid_date(20230229));
    EXPECT_FALSE(valid_date(20231301));
    EXPECT_FALSE(valid_date(20230100));
    EXPECT_FALSE(valid_date(0));
    EXPECT_FALSE(valid_date(-20230101));
}

TEST(Calendar, DaysBetweenCrossesMonthsAndYears) {
    EXPECT_EQ(days_between(20231231, 20240301), 61);
    EXPECT_EQ(days_between(20240301, 20231231), -61);
    EXPECT_EQ(add_days(20240228, 2), 20240301);
}

TEST(Calendar, SessionsSkipWeekendsAndRegularHolidays) {
    for (const YearMonthDay closed :
         {20230102, 20230116, 20230220, 20230407, 20230529, 20230619, 20230704, 20230904, 20231123,
          20231225, 20240329, 20240101, 20210705, 20211224}) {
        EXPECT_FALSE(is_session(closed)) << closed;
    }
    for (const YearMonthDay open : {20230103, 20211231, 20230914, 20200619, 20231009, 20231110}) {
        EXPECT_TRUE(is_session(open)) << open;
    }
}

TEST(Calendar, PreviousSessionCrossesALongWeekend) {
    EXPECT_EQ(previous_session(20230905), 20230901);  // Tuesday after Labor Day
    EXPECT_EQ(previous_session(20250620), 20250618);  // Juneteenth on a Thursday
    EXPECT_EQ(previous_session(20230915), 20230914);
}

TEST(DateText, ReadsVendorsDates) {
    EXPECT_EQ(parse_date_text("Thu Sep 14 2023"), 20230914);
    EXPECT_EQ(parse_date_text("01/21/2011"), 20110121);
    EXPECT_EQ(parse_date_text("2017-03-17"), 20170317);
    EXPECT_EQ(parse_date_text("20151224"), 20151224);
}

TEST(DateText, RefusesWhatIsNoDate) {
    for (const auto* text : {"", "Thu Sep 31 2023", "Thu Foo 14 2023", "21/01/2011", "2017-3-17",
                             "2023", "now", "Thu Sep 1x 2023", "99999999"}) {
        EXPECT_EQ(parse_date_text(text), std::nullopt) << text;
    }
}

TEST(DateText, ReadsMomentsInEnglishAndFrench) {
    const WallMillis english = utc_midnight(20230914) + (20 * 60 + 31) * kMillisPerMinute;
    EXPECT_EQ(parse_moment_text("Date: September 14, 2023 at 4:31 PM EDT"), english);
    EXPECT_EQ(parse_moment_text("September 14, 2023 at 4:31 PM ET"), english);
    EXPECT_EQ(parse_moment_text("Sep 14, 2023, 16:31:00 GMT-0400"), english);
    const WallMillis french = utc_midnight(20231110) + (23 * 60 + 55) * kMillisPerMinute;
    EXPECT_EQ(parse_moment_text("Date: 10 novembre 2023 à 18:55 UTC\u22125"), french);
    EXPECT_EQ(parse_moment_text("10 novembre 2023 à 18:55\u202fUTC-05:00"), french);
    EXPECT_EQ(parse_moment_text("1 août 2023 à 12:05 UTC"),
              utc_midnight(20230801) + 725 * kMillisPerMinute);
    EXPECT_EQ(parse_moment_text("1 Feb 2024 12:05 AM EST"),
              utc_midnight(20240201) + (5 * 60 + 5) * kMillisPerMinute);
}

TEST(DateText, RefusesMomentsThatAreNotWhole) {
    for (const auto* text :
         {"September 14, 2023", "September 14, 2023 at 4:31 PM",
          "September 14, 2023 at 4:31 PM XYZ", "September 31, 2023 at 4:31 PM EDT",
          "September 14, 2023 at 14:31 PM EDT", "14, 2023 at 4:31 PM EDT",
          "September 14, 2023 at 4:61 PM EDT", "September 14 May 2023 at 4:31 PM EDT",
          "September 14, 2023 at 4:31 PM UTC-25", "September 14, 20231 at 4:31 PM EDT", ""}) {
        EXPECT_EQ(parse_moment_text(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace scanmq::market
