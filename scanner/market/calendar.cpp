#include "scanner/market/calendar.hpp"

#include <date/tz.h>

#include <chrono>
#include <exception>

namespace scanmq::market {

namespace {

namespace chr = std::chrono;

chr::sys_days to_days(YearMonthDay date) noexcept {
    return chr::sys_days{chr::year{date / 10000} / (date / 100 % 100) / (date % 100)};
}

YearMonthDay from_days(chr::sys_days days) noexcept {
    const chr::year_month_day ymd{days};
    return make_date(static_cast<int>(ymd.year()),
                     static_cast<int>(static_cast<unsigned>(ymd.month())),
                     static_cast<int>(static_cast<unsigned>(ymd.day())));
}

const date::time_zone* new_york_zone() noexcept {
    // The library throws where the machine has no zone database; the rule stands in for it then.
    static const date::time_zone* const zone = []() -> const date::time_zone* {
        try {
            return date::locate_zone("America/New_York");
        } catch (const std::exception&) {
            return nullptr;
        }
    }();
    return zone;
}

int offset_at(WallMillis moment) noexcept {
    if (const auto* zone = new_york_zone()) {
        try {
            const date::sys_seconds when{chr::seconds{moment / 1000 - (moment % 1000 < 0 ? 1 : 0)}};
            return static_cast<int>(
                chr::duration_cast<chr::minutes>(zone->get_info(when).offset).count());
        } catch (const std::exception&) {
            return new_york_offset_by_rule(utc_date(moment));
        }
    }
    return new_york_offset_by_rule(utc_date(moment - 5 * 60 * kMillisPerMinute));
}

// The offset at one minute of a New York date: that of the moment the standard offset would give,
// taken again at the result, so that minutes on both sides of a change come out right.
int offset_on(YearMonthDay date, int minute_of_day) noexcept {
    const WallMillis local = utc_midnight(date) + minute_of_day * kMillisPerMinute;
    const int first = offset_at(local + 5 * 60 * kMillisPerMinute);
    return offset_at(local - first * kMillisPerMinute);
}

}  // namespace

bool valid_date(YearMonthDay date) noexcept {
    if (date < 19000101 || date > 29991231) return false;
    return chr::year_month_day{chr::year{date / 10000} / (date / 100 % 100) / (date % 100)}.ok();
}

int days_between(YearMonthDay from, YearMonthDay to) noexcept {
    return static_cast<int>((to_days(to) - to_days(from)).count());
}

YearMonthDay add_days(YearMonthDay date, int days) noexcept {
    return from_days(to_days(date) + chr::days{days});
}

int weekday(YearMonthDay date) noexcept {
    return static_cast<int>(chr::weekday{to_days(date)}.c_encoding());
}

YearMonthDay nth_weekday(int year, int month, unsigned day_of_week, unsigned n) noexcept {
    const auto month_of = chr::year{year} / month;
    const chr::weekday day{day_of_week};
    return n == 5 ? from_days(chr::sys_days{month_of / day[chr::last]})
                  : from_days(chr::sys_days{month_of / day[n]});
}

WallMillis utc_midnight(YearMonthDay date) noexcept {
    return static_cast<WallMillis>(to_days(date).time_since_epoch().count()) * kMillisPerDay;
}

YearMonthDay utc_date(WallMillis moment) noexcept {
    return from_days(
        chr::floor<chr::days>(chr::sys_time<chr::milliseconds>{chr::milliseconds{moment}}));
}

WallMillis new_york_moment(YearMonthDay date, int minute_of_day) noexcept {
    // Readers ask for the same minute of the same few dates over and over.
    thread_local YearMonthDay cached_date = 0;
    thread_local int cached_minute = 0;
    thread_local int cached_offset = 0;
    if (date != cached_date || minute_of_day != cached_minute) {
        cached_offset = offset_on(date, minute_of_day);
        cached_date = date;
        cached_minute = minute_of_day;
    }
    return utc_midnight(date) + (minute_of_day - cached_offset) * kMillisPerMinute;
}

YearMonthDay new_york_date(WallMillis moment) noexcept {
    return utc_date(moment + offset_at(moment) * kMillisPerMinute);
}

int new_york_offset_by_rule(YearMonthDay date) noexcept {
    const int year = date / 10000;
    const bool summer = date >= nth_weekday(year, 3, 0, 2) && date < nth_weekday(year, 11, 0, 1);
    return summer ? -4 * 60 : -5 * 60;
}

}  // namespace scanmq::market
