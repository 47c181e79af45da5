#include "scanner/market/long_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/base/nearest.hpp"
#include "scanner/market/calendar.hpp"
#include "scanner/market/date_text.hpp"
#include "scanner/market/formats.hpp"

namespace scanmq::market {

namespace {

constexpr int kHeaderLinesMax = 8;

// The first letter in upper case when the text is that letter or one of the words; 0 otherwise.
char letter_of(std::string_view text, std::string_view first, std::string_view second) noexcept {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
    for (const auto word : {first, second}) {
        const bool whole =
            text.size() == word.size() && std::equal(text.begin(), text.end(), word.begin(),
                                                     [&](char a, char b) { return upper(a) == b; });
        if (whole || (text.size() == 1 && upper(text[0]) == word[0])) return word[0];
    }
    return 0;
}

bool optional_field(Field field) noexcept {
    switch (field) {
        case Field::gamma:
        case Field::theta:
        case Field::vega:
        case Field::rho:
        case Field::forward:
            return true;
        default:
            return false;
    }
}

}  // namespace

std::size_t LongFields::named_in_row() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(mapping_.names.begin(), mapping_.names.end(), [&](const std::string& name) {
            return !name.empty() && find_column(rows_, name, 0, rows_.size()) < rows_.size();
        }));
}

void LongFields::read_header() {
    // A copy looks ahead, so that the rows then stand at the header row.
    CsvRows ahead = rows_;
    std::size_t best = 0;
    int best_line = 0;
    for (int line = 0; line < kHeaderLinesMax && ahead.next(); ++line) {
        std::swap(ahead, rows_);
        const auto named = named_in_row();
        std::swap(ahead, rows_);
        if (named > best) {
            best = named;
            best_line = line;
        }
    }
    for (int line = 0; line <= best_line; ++line) {
        if (!rows_.next()) return;
    }
    find_columns();
}

void LongFields::find_columns() {
    row_size_ = rows_.size();
    columns_.fill({kNowhere, {}});
    for (std::size_t i = 0; i < kFields; ++i) {
        const std::string& name = mapping_.names[i];
        if (name.empty()) continue;
        const auto index = find_column(rows_, name, 0, rows_.size());
        if (index < rows_.size()) {
            columns_[i] = {index, name};
        } else if (!mapping_.greeks_optional || !optional_field(static_cast<Field>(i))) {
            std::vector<std::string_view> known;
            for (std::size_t at = 0; at < rows_.size(); ++at) known.push_back(rows_.field(at));
            rows_.fail_at(
                ErrorCode::missing_column, name,
                fmt::format("the header row has no such column (for {}); did you mean \"{}\"? "
                            "Correct the mapping, or export the file with all columns",
                            kFieldNames[i], nearest_name(name, known)));
            return;
        }
    }
}

void LongFields::fail_field(Field field, ErrorCode code, std::string_view wanted) {
    rows_.fail_at(
        code, column(field).name,
        fmt::format("cannot read \"{}\"; expected {}", text(field).substr(0, 40), wanted));
}

double LongFields::price(Field field) { return has(field) ? rows_.price(column(field)) : kMissing; }

double LongFields::scaled(Field field, double factor) {
    if (!has(field)) return kMissing;
    const double value = rows_.number(column(field)) * factor;
    return std::isfinite(value) ? value : kMissing;
}

std::uint32_t LongFields::count(Field field) {
    return has(field) ? rows_.count(column(field)) : kNoCount;
}

double LongFields::strike() {
    const double value = rows_.required_number(column(Field::strike));
    if (!(value > 0)) {
        rows_.fail_at(ErrorCode::bad_number, column(Field::strike).name,
                      "a strike must be above zero");
    }
    return value;
}

YearMonthDay LongFields::date(Field field) {
    DateMemory& memory = field == Field::date ? date_ : expiry_;
    const auto written = text(field);
    if (written != memory.text || memory.date == 0) {
        // Midnight may follow the day.
        const auto day =
            parse_date_text(written.substr(0, written.find_first_of(" T", 8)), mapping_.date_order);
        const auto date = day ? day : parse_date_text(written, mapping_.date_order);
        if (!date) {
            fail_field(field, ErrorCode::bad_date,
                       mapping_.date_order == DateOrder::month_first
                           ? "a date like 01/21/2011 (month first) or 2011-01-21"
                           : "a date like 21/01/2011 (day first) or 2011-01-21");
            return 0;
        }
        memory = {written, *date};
    }
    return memory.date;
}

Right LongFields::right() {
    const char letter = letter_of(text(Field::right), "CALL", "PUT");
    if (letter == 0) fail_field(Field::right, ErrorCode::bad_field, "C, P, call or put");
    return letter == 'P' ? Right::put : Right::call;
}

ExerciseStyle LongFields::style(ExerciseStyle otherwise) {
    if (!has(Field::style)) return otherwise;
    const char letter = letter_of(text(Field::style), "EUROPEAN", "AMERICAN");
    if (letter == 0) fail_field(Field::style, ErrorCode::bad_field, "E (European) or A (American)");
    return letter == 'A' ? ExerciseStyle::american : ExerciseStyle::european;
}

Settlement LongFields::settlement(Settlement otherwise) {
    if (!has(Field::settlement) || text(Field::settlement).empty()) return otherwise;
    const char letter = letter_of(text(Field::settlement), "AM", "PM");
    if (letter == 0) fail_field(Field::settlement, ErrorCode::bad_field, "am or pm");
    return letter == 'A' ? Settlement::am : Settlement::pm;
}

std::optional<OccSymbol> LongFields::series() {
    auto written = text(Field::option_symbol);
    if (written.substr(0, 2) == "O:") written.remove_prefix(2);  // as some services write it
    auto series = parse_occ_symbol(written);
    if (!series && !mapping_.old_option_symbols) {
        fail_field(Field::option_symbol, ErrorCode::bad_field,
                   "an option symbol like \"SPX   110122C01250000\"");
    }
    return series;
}

bool LongFields::standard_deliverable(std::uint32_t multiplier) {
    if (!has(Field::multiplier)) return true;
    const double shares = rows_.number(column(Field::multiplier));
    return std::isnan(shares) || shares == static_cast<double>(multiplier);
}

bool LongFields::marked(Field field) const noexcept {
    if (!has(field)) return false;
    const auto mark = text(field);
    return mark == "*" || mark == "1" || letter_of(mark, "TRUE", "YES") != 0;
}

WallMillis LongFields::quoted(YearMonthDay day) {
    if (!has(Field::quoted)) return 0;
    const auto written = text(Field::quoted);
    if (written.empty()) return 0;
    if (mapping_.quoted_as == QuotedAs::text) {
        const auto moment = parse_time_text(written);
        if (!moment) {
            fail_field(Field::quoted, ErrorCode::bad_date,
                       "a moment like 2021-11-22 15:59:58 (New York) or 2021-11-22T20:59:58Z");
        }
        return moment.value_or(0);
    }
    const double number = rows_.number(column(Field::quoted));
    if (!(number > 0)) return 0;
    const double millis = mapping_.quoted_as == QuotedAs::unix_s ? number * 1000 : number;
    const bool since_midnight = mapping_.quoted_as == QuotedAs::ms_since_midnight;
    const double limit = since_midnight ? static_cast<double>(kMillisPerDay)
                                        : static_cast<double>(utc_midnight(29991231));
    if (millis >= limit) {
        fail_field(Field::quoted, ErrorCode::bad_number,
                   since_midnight ? "milliseconds since midnight, below 86400000"
                                  : "a moment of the years 1970 to 2999");
        return 0;
    }
    const auto at = static_cast<WallMillis>(millis);
    return since_midnight ? new_york_moment(day, 0) + at : at;
}

}  // namespace scanmq::market
