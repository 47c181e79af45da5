#include "scanner/market/date_text.hpp"

#include <array>
#include <string>

#include "scanner/market/calendar.hpp"

namespace scanmq::market {

namespace {

constexpr int kUnset = -1;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
// Letters of UTF-8 beyond ASCII count as letters: "août", "février".
bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
}

// Lower case, with the typographic blanks and the Unicode minus that browsers' locales produce
// replaced by their ASCII forms.
std::string plain_text(std::string_view text) {
    struct Replacement {
        std::string_view from;
        char to;
    };
    static constexpr std::array kReplacements{
        Replacement{"\u2212", '-'}, Replacement{"\u202f", ' '}, Replacement{"\u00a0", ' '},
        Replacement{"\u2009", ' '}};
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        bool replaced = false;
        for (const auto& r : kReplacements) {
            if (text.substr(i, r.from.size()) == r.from) {
                out.push_back(r.to);
                i += r.from.size();
                replaced = true;
                break;
            }
        }
        if (replaced) continue;
        const char c = text[i++];
        out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    return out;
}

// 1 to 12; 0 for a word that is no month.
int month_of(std::string_view word) noexcept {
    struct Month {
        std::string_view word;
        int number;
    };
    static constexpr std::array kMonths{
        Month{"jan", 1},       Month{"january", 1},   Month{"janvier", 1},   Month{"janv", 1},
        Month{"feb", 2},       Month{"february", 2},  Month{"février", 2},   Month{"févr", 2},
        Month{"fevrier", 2},   Month{"mar", 3},       Month{"march", 3},     Month{"mars", 3},
        Month{"apr", 4},       Month{"april", 4},     Month{"avril", 4},     Month{"avr", 4},
        Month{"may", 5},       Month{"mai", 5},       Month{"jun", 6},       Month{"june", 6},
        Month{"juin", 6},      Month{"jul", 7},       Month{"july", 7},      Month{"juillet", 7},
        Month{"juil", 7},      Month{"aug", 8},       Month{"august", 8},    Month{"août", 8},
        Month{"aout", 8},      Month{"sep", 9},       Month{"sept", 9},      Month{"september", 9},
        Month{"septembre", 9}, Month{"oct", 10},      Month{"october", 10},  Month{"octobre", 10},
        Month{"nov", 11},      Month{"november", 11}, Month{"novembre", 11}, Month{"dec", 12},
        Month{"december", 12}, Month{"décembre", 12}, Month{"decembre", 12}, Month{"déc", 12}};
    for (const auto& month : kMonths) {
        if (month.word == word) return month.number;
    }
    return 0;
}

struct Zone {
    bool known = false;
    bool new_york = false;
    int offset_minutes = 0;
};

Zone zone_of(std::string_view word) noexcept {
    struct Named {
        std::string_view word;
        int hours;
    };
    static constexpr std::array kZones{Named{"utc", 0},  Named{"gmt", 0},  Named{"z", 0},
                                       Named{"est", -5}, Named{"edt", -4}, Named{"cst", -6},
                                       Named{"cdt", -5}, Named{"mst", -7}, Named{"mdt", -6},
                                       Named{"pst", -8}, Named{"pdt", -7}};
    if (word == "et") return {true, true, 0};
    for (const auto& zone : kZones) {
        if (zone.word == word) return {true, false, zone.hours * 60};
    }
    return {};
}

// Reads a text from left to right, token by token.
class MomentParser {
  public:
    explicit MomentParser(std::string_view text) : text_(text) {}

    std::optional<WallMillis> parse() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            bool good = true;
            if (is_digit(c)) {
                good = take_number();
            } else if (is_letter(c)) {
                good = take_word();
            } else if ((c == '+' || c == '-') && zone_.known) {
                good = take_offset();
            } else {
                ++at_;
            }
            if (!good) return std::nullopt;
        }
        return result();
    }

  private:
    // Digits from here on, at most four; kUnset for more.
    int number() {
        int value = 0;
        int digits = 0;
        while (at_ < text_.size() && is_digit(text_[at_])) {
            if (++digits > 4) return kUnset;
            value = value * 10 + (text_[at_++] - '0');
        }
        digits_ = digits;
        return value;
    }

    bool take_number() {
        const int value = number();
        if (value == kUnset) return false;
        if (at_ < text_.size() && text_[at_] == ':') {
            ++at_;
            if (hour_ != kUnset || digits_ > 2) return false;
            hour_ = value;
            minute_ = number();
            if (digits_ != 2) return false;
            if (at_ < text_.size() && text_[at_] == ':') {  // seconds do not matter to a quote file
                ++at_;
                return number() < 60 && digits_ == 2;
            }
            return true;
        }
        if (digits_ == 4 && year_ == kUnset) return (year_ = value, true);
        if (digits_ <= 2 && day_ == kUnset) return (day_ = value, true);
        return false;
    }

    bool take_word() {
        const auto begin = at_;
        while (at_ < text_.size() && is_letter(text_[at_])) ++at_;
        const auto word = std::string_view(text_).substr(begin, at_ - begin);
        if (const int month = month_of(word); month != 0) {
            if (month_ != kUnset) return false;
            month_ = month;
            return true;
        }
        if (hour_ == kUnset) return true;  // "Date", "at", a weekday
        if ((word == "am" || word == "pm") && meridiem_ == kUnset) {
            meridiem_ = word == "pm" ? 12 : 0;
            return true;
        }
        if (zone_.known) return false;
        zone_ = zone_of(word);
        return zone_.known;
    }

    // "UTC-5", "UTC+05:30", "GMT-0500".
    bool take_offset() {
        if (has_offset_ || zone_.offset_minutes != 0 || zone_.new_york) return false;
        has_offset_ = true;
        const int sign = text_[at_++] == '-' ? -1 : 1;
        int hours = number();
        if (hours == kUnset || digits_ == 0 || digits_ == 3) return false;
        int minutes = 0;
        if (digits_ == 4) {
            minutes = hours % 100;
            hours /= 100;
        } else if (at_ < text_.size() && text_[at_] == ':') {
            ++at_;
            minutes = number();
            if (digits_ != 2) return false;
        }
        if (hours > 14 || minutes > 59 || minutes < 0) return false;
        zone_.offset_minutes = sign * (hours * 60 + minutes);
        return true;
    }

    std::optional<WallMillis> result() const {
        if (year_ == kUnset || month_ == kUnset || day_ == kUnset || hour_ == kUnset ||
            !zone_.known)
            return std::nullopt;
        const YearMonthDay date = make_date(year_, month_, day_);
        if (!valid_date(date) || minute_ > 59 || minute_ < 0) return std::nullopt;
        int hour = hour_;
        if (meridiem_ != kUnset) {
            if (hour < 1 || hour > 12) return std::nullopt;
            hour = hour % 12 + meridiem_;
        }
        if (hour > 23) return std::nullopt;
        const int minute = hour * 60 + minute_;
        if (zone_.new_york) return new_york_moment(date, minute);
        return utc_midnight(date) + (minute - zone_.offset_minutes) * kMillisPerMinute;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int digits_ = 0;
    int year_ = kUnset;
    int month_ = kUnset;
    int day_ = kUnset;
    int hour_ = kUnset;
    int minute_ = kUnset;
    int meridiem_ = kUnset;
    bool has_offset_ = false;
    Zone zone_;
};

// Exactly `size` digits at `at`; kUnset otherwise.
int digits_at(std::string_view text, std::size_t at, std::size_t size) noexcept {
    if (at + size > text.size()) return kUnset;
    int value = 0;
    for (std::size_t i = at; i < at + size; ++i) {
        if (!is_digit(text[i])) return kUnset;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

std::optional<YearMonthDay> checked(int year, int month, int day) noexcept {
    if (year < 0 || month < 0 || day < 0 || month > 12 || day > 31) return std::nullopt;
    const YearMonthDay date = make_date(year, month, day);
    if (!valid_date(date)) return std::nullopt;
    return date;
}

}  // namespace

std::optional<YearMonthDay> parse_date_text(std::string_view text, DateOrder order) noexcept {
    if (text.size() == 10 && text[4] == '-' && text[7] == '-') {
        return checked(digits_at(text, 0, 4), digits_at(text, 5, 2), digits_at(text, 8, 2));
    }
    if (const auto slash = text.find('/'); slash == 1 || slash == 2) {
        const auto second = text.find('/', slash + 1);
        if (second == std::string_view::npos || second - slash < 2 || second - slash > 3 ||
            text.size() != second + 5) {
            return std::nullopt;
        }
        int month = digits_at(text, 0, slash);
        int day = digits_at(text, slash + 1, second - slash - 1);
        if (order == DateOrder::day_first) std::swap(month, day);
        return checked(digits_at(text, second + 1, 4), month, day);
    }
    if (text.size() == 8) {
        return checked(digits_at(text, 0, 4), digits_at(text, 4, 2), digits_at(text, 6, 2));
    }
    // "Thu Sep 14 2023"
    if (text.size() != 15 || text[3] != ' ' || text[7] != ' ' || text[10] != ' ')
        return std::nullopt;
    std::array<char, 3> month{text[4], text[5], text[6]};
    for (auto& c : month) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    const int number = month_of({month.data(), month.size()});
    if (number == 0) return std::nullopt;
    return checked(digits_at(text, 11, 4), number, digits_at(text, 8, 2));
}

std::optional<WallMillis> parse_moment_text(std::string_view text) {
    const std::string plain = plain_text(text);
    return MomentParser(plain).parse();
}

std::optional<WallMillis> parse_time_text(std::string_view text) {
    const auto date = parse_date_text(text.substr(0, 10));
    const bool iso =
        date && text.size() >= 16 && (text[10] == ' ' || text[10] == 'T') && text[4] == '-';
    if (!iso) return parse_moment_text(text);
    const int hour = digits_at(text, 11, 2);
    const int minute = digits_at(text, 14, 2);
    if (text[13] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
    WallMillis millis = 0;
    auto rest = text.substr(16);
    if (rest.size() >= 3 && rest[0] == ':') {
        const int seconds = digits_at(rest, 1, 2);
        if (seconds < 0 || seconds > 59) return std::nullopt;
        millis = seconds * WallMillis{1000};
        rest.remove_prefix(3);
        if (!rest.empty() && rest[0] == '.') {
            rest.remove_prefix(1);
            for (WallMillis unit = 100; !rest.empty() && is_digit(rest[0]); unit /= 10) {
                millis += (rest[0] - '0') * unit;
                rest.remove_prefix(1);
            }
        }
    }
    const int minute_of_day = hour * 60 + minute;
    if (rest.empty()) return new_york_moment(*date, minute_of_day) + millis;
    int offset = 0;
    if (rest != "Z") {
        const bool shaped =
            rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':';
        const int hours = shaped ? digits_at(rest, 1, 2) : kUnset;
        const int minutes = shaped ? digits_at(rest, 4, 2) : kUnset;
        if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return std::nullopt;
        offset = (rest[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    }
    return utc_midnight(*date) + (minute_of_day - offset) * kMillisPerMinute + millis;
}

}  // namespace scanmq::market
