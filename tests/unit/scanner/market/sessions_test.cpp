#include <gtest/gtest.h>

#include <ql/time/calendars/unitedstates.hpp>

#include "scanner/market/calendar.hpp"
#include "scanner/market/contract.hpp"

namespace scanmq::market {
namespace {

QuantLib::Date quantlib_date(YearMonthDay date) {
    return {date % 100, static_cast<QuantLib::Month>(date / 100 % 100), date / 10000};
}

TEST(Sessions, AgreeWithQuantLibsNewYorkStockExchange) {
    const QuantLib::UnitedStates oracle(QuantLib::UnitedStates::NYSE);
    int sessions = 0;
    // Its table of Easter ends with 2199.
    for (YearMonthDay date = 19730426; date < 21991225; date = add_days(date, 1)) {
        if (date == 20250109) continue;  // President Carter's, after QuantLib 1.29
        const bool open = is_session(date);
        ASSERT_EQ(open, oracle.isBusinessDay(quantlib_date(date))) << date;
        sessions += open ? 1 : 0;
    }
    EXPECT_GT(sessions, 50'000);
}

TEST(Sessions, ClosingsOutsideTheRules) {
    for (const YearMonthDay closed : {19770714, 19801104, 19850927, 19940427, 20010911, 20010914,
                                      20040611, 20070102, 20121029, 20121030, 20181205, 20250109}) {
        EXPECT_FALSE(is_session(closed)) << closed;
    }
    EXPECT_TRUE(is_session(20010910));
    EXPECT_TRUE(is_session(20010917));
    EXPECT_EQ(previous_session(20010917), 20010910);
}

TEST(Sessions, EarlyClosesByRule) {
    for (const YearMonthDay early :
         {19931126, 20151127, 20231124, 20241129, 20151224, 20181224, 20201224,
          20241224, 19950703, 20000703, 20030703, 20070703, 20120703, 20140703,
          20170703, 20180703, 20230703, 20130703, 20190703, 20240703, 20250703}) {
        EXPECT_TRUE(is_session(early)) << early;
        EXPECT_EQ(close_minute(early), 13 * 60) << early;
    }
    for (const YearMonthDay full :
         {20151223, 20151228, 20230705, 20190705, 20240705, 20020703, 19960703, 20220705, 20200702,
          20210702, 20211223, 20231222, 20151125}) {
        EXPECT_TRUE(is_session(full)) << full;
        EXPECT_EQ(close_minute(full), kCloseMinute) << full;
    }
    // Observed holidays: no session at all.
    EXPECT_FALSE(is_session(20200703));
    EXPECT_FALSE(is_session(20211224));
    EXPECT_FALSE(is_session(20261225));
}

TEST(Sessions, EarlyClosesOutsideTheRules) {
    EXPECT_EQ(close_minute(20020705), 13 * 60);
    EXPECT_EQ(close_minute(19960705), 13 * 60);
    EXPECT_EQ(close_minute(20031226), 13 * 60);
    EXPECT_EQ(close_minute(19991231), kCloseMinute) << "in no list of the exchange";
    EXPECT_EQ(close_minute(19940211), 14 * 60 + 30);
    EXPECT_EQ(close_minute(19971027), 15 * 60 + 30);
    EXPECT_EQ(close_minute(19960108), 14 * 60);
    EXPECT_EQ(close_minute(19901224), 14 * 60);
}

Expiry settled(YearMonthDay date, Settlement settlement) {
    Expiry expiry;
    expiry.date = date;
    expiry.settlement = settlement;
    set_settlement_moments(expiry);
    return expiry;
}

TEST(Settlement, PmSettlesAtThatDaysClose) {
    EXPECT_EQ(settled(20151224, Settlement::pm).moment, new_york_moment(20151224, 13 * 60));
    EXPECT_EQ(settled(20151224, Settlement::pm).last_trade, new_york_moment(20151224, 13 * 60));
    EXPECT_EQ(settled(20151231, Settlement::pm).moment, new_york_moment(20151231, 16 * 60));
}

TEST(Settlement, AmLastTradesTheSessionBefore) {
    const auto expiry = settled(20241129, Settlement::am);  // the day after Thanksgiving
    EXPECT_EQ(expiry.moment, new_york_moment(20241129, kOpenMinute));
    EXPECT_EQ(expiry.last_trade, new_york_moment(20241127, kCloseMinute));
    const auto monday = settled(20231127, Settlement::am);  // after an early close
    EXPECT_EQ(monday.last_trade, new_york_moment(20231124, 13 * 60));
}

TEST(Settlement, ADateWithoutASessionIsTheSessionBefore) {
    const auto saturday = settled(20110122, Settlement::am);
    EXPECT_EQ(saturday.moment, new_york_moment(20110121, kOpenMinute));
    EXPECT_EQ(saturday.last_trade, new_york_moment(20110120, kCloseMinute));
    EXPECT_EQ(settled(20250109, Settlement::pm).moment, new_york_moment(20250108, kCloseMinute));
}

}  // namespace
}  // namespace scanmq::market
