#include <algorithm>
#include <array>

#include "scanner/market/calendar.hpp"

// The exchange's sessions: rules of NYSE Rule 7.2 and its yearly notices, and a table of exceptions.

namespace scanmq::market {

namespace {

constexpr int kClosed = -1;
constexpr int kEarlyCloseMinute = 13 * 60;

struct Exception {
    YearMonthDay date;
    int close_minute;
};

constexpr auto kExceptions = std::to_array<Exception>({
#define SCANMQ_SESSION(date, minute, reason) {date, minute},
#include "scanner/market/exchange_calendar.inc"
#undef SCANMQ_SESSION
});
static_assert(std::is_sorted(kExceptions.begin(), kExceptions.end(),
                             [](const Exception& a, const Exception& b) {
                                 return a.date < b.date;
                             }));

const Exception* exception_on(YearMonthDay date) noexcept {
    const auto found = std::lower_bound(
        kExceptions.begin(), kExceptions.end(), date,
        [](const Exception& entry, YearMonthDay wanted) { return entry.date < wanted; });
    return found != kExceptions.end() && found->date == date ? &*found : nullptr;
}

// Good Friday, two days before Easter (Meeus/Jones/Butcher).
YearMonthDay good_friday(int year) noexcept {
    const int a = year % 19;
    const int b = year / 100;
    const int c = year % 100;
    const int g = (8 * b + 13) / 25;
    const int h = (19 * a + b - b / 4 - g + 15) % 30;
    const int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    const int m = (a + 11 * h + 19 * l) / 433;
    const int month = (h + l - 7 * m + 90) / 25;
    const int day = (h + l - 7 * m + 33 * month + 19) % 32;
    return add_days(make_date(year, month, day), -2);
}

// A fixed-date holiday is kept on Friday when it falls on Saturday, on Monday when on Sunday.
bool observed(YearMonthDay date, YearMonthDay holiday) noexcept {
    const int day = weekday(holiday);
    return date == (day == 6 ? add_days(holiday, -1) : day == 0 ? add_days(holiday, 1) : holiday);
}

bool is_holiday(YearMonthDay date) noexcept {
    const int year = date / 10000;
    const YearMonthDay new_year = make_date(year, 1, 1);
    // New Year's Day on a Saturday is not kept: 31 December is a session.
    if (weekday(new_year) != 6 && observed(date, new_year)) return true;
    if (year >= 1998 && date == nth_weekday(year, 1, 1, 3)) return true;  // Martin Luther King
    if (date == nth_weekday(year, 2, 1, 3)) return true;                  // Washington's Birthday
    if (date == good_friday(year)) return true;
    if (date == nth_weekday(year, 5, 1, 5)) return true;  // Memorial Day
    if (year >= 2022 && observed(date, make_date(year, 6, 19))) return true;
    if (observed(date, make_date(year, 7, 4))) return true;
    if (date == nth_weekday(year, 9, 1, 1)) return true;   // Labor Day
    if (date == nth_weekday(year, 11, 4, 4)) return true;  // Thanksgiving
    return observed(date, make_date(year, 12, 25));
}

// Early by rule: the day after Thanksgiving and Christmas Eve since 1993; the day before Independence
// Day since 1995, where that is no Saturday or Sunday and (Thursday the 4th) since 2013 only: before, it
// was the Friday after then.
bool closes_early(YearMonthDay date) noexcept {
    const int year = date / 10000;
    const int day = weekday(date);
    if (year >= 1993 && date == add_days(nth_weekday(year, 11, 4, 4), 1)) return true;
    if (year >= 1993 && date == make_date(year, 12, 24)) return day >= 1 && day <= 4;
    if (year >= 1995 && date == make_date(year, 7, 3)) {
        return day == 1 || day == 2 || day == 4 || (day == 3 && year >= 2013);
    }
    return false;
}

}  // namespace

bool is_session(YearMonthDay date) noexcept {
    const int day = weekday(date);
    if (day == 0 || day == 6 || is_holiday(date)) return false;
    const auto* exception = exception_on(date);
    return exception == nullptr || exception->close_minute != kClosed;
}

YearMonthDay previous_session(YearMonthDay date) noexcept {
    do {
        date = add_days(date, -1);
    } while (!is_session(date));
    return date;
}

int close_minute(YearMonthDay date) noexcept {
    const auto* exception = exception_on(date);
    if (exception != nullptr && exception->close_minute != kClosed) return exception->close_minute;
    return closes_early(date) ? kEarlyCloseMinute : kCloseMinute;
}

}  // namespace scanmq::market
