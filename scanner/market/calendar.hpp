#pragma once
// Dates and moments of the New York session.
//
// Source:  the system's time zone database through Howard Hinnant's date library; on a machine
//          without one, the United States rule since 2007 (second Sunday of March to first of
//          November).
// Sessions: the exchange's full-day closings and early closes by rule (NYSE Rule 7.2 and its yearly
//          notices), with the exceptions of exchange_calendar.inc; right from 26 April 1973 on, early
//          closes from 1990. What the exchange has not announced is not known.
// Threads: any; the functions are pure but for a per-thread cache of one day's offset.

#include <cstdint>

#include "common/base/time.hpp"
#include "scanner/market/chain.hpp"

namespace scanmq::market {

inline constexpr int kOpenMinute = 9 * 60 + 30;
inline constexpr int kCloseMinute = 16 * 60;  // of a full session
inline constexpr WallMillis kMillisPerMinute = 60'000;
inline constexpr WallMillis kMillisPerDay = 86'400'000;

[[nodiscard]] constexpr YearMonthDay make_date(int year, int month, int day) noexcept {
    return year * 10000 + month * 100 + day;
}
// True for a date of the Gregorian calendar in the years 1900 to 2999.
[[nodiscard]] bool valid_date(YearMonthDay date) noexcept;

// The functions below need valid dates.
[[nodiscard]] int days_between(YearMonthDay from, YearMonthDay to) noexcept;
[[nodiscard]] YearMonthDay add_days(YearMonthDay date, int days) noexcept;
// 0 is Sunday, 6 Saturday.
[[nodiscard]] int weekday(YearMonthDay date) noexcept;
// The n-th given weekday of a month (n = 5: the last).
[[nodiscard]] YearMonthDay nth_weekday(int year, int month, unsigned day_of_week,
                                       unsigned n) noexcept;
// Midnight UTC of the date.
[[nodiscard]] WallMillis utc_midnight(YearMonthDay date) noexcept;
// The date in UTC of a moment in the years 1900 to 2999.
[[nodiscard]] YearMonthDay utc_date(WallMillis moment) noexcept;

// A session is a day on which the exchange opens, if only till noon.
[[nodiscard]] bool is_session(YearMonthDay date) noexcept;
[[nodiscard]] YearMonthDay previous_session(YearMonthDay date) noexcept;
// The minute of that session's close in New York: 16:00, or what an early close makes of it.
[[nodiscard]] int close_minute(YearMonthDay date) noexcept;

// UTC moment of a New York wall-clock minute (0..1439). The hour that a spring change leaves out
// reads as the one after it.
[[nodiscard]] WallMillis new_york_moment(YearMonthDay date, int minute_of_day) noexcept;
// The date that New York has at a moment.
[[nodiscard]] YearMonthDay new_york_date(WallMillis moment) noexcept;

// New York's offset from UTC at noon of the date, in minutes, by the rule since 2007 alone.
[[nodiscard]] int new_york_offset_by_rule(YearMonthDay date) noexcept;

}  // namespace scanmq::market
