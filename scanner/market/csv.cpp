#include "scanner/market/csv.hpp"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "scanner/market/chain.hpp"

namespace scanmq::market {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Digits, with a point between them or none, and perhaps a minus before: what nearly every field is. Up
// to fifteen digits are a double exactly, and so is the power of ten that divides them: the quotient is
// the double nearest to the text (Clinger 1990). False for anything else, which may still be a number.
bool read_short(std::string_view text, double& value) noexcept {
    constexpr std::size_t kDigitsMax = 15;
    static constexpr std::array<double, kDigitsMax + 1> kPowers{
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (text.size() == 1 && is_digit(text[0])) {  // mostly zeros
        value = text[0] - '0';
        return true;
    }
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    at += negative ? 1 : 0;
    if (static_cast<std::size_t>(end - at) > kDigitsMax + 1) return false;
    std::uint64_t digits = 0;
    const auto take = [&] {
        const char* const begin = at;
        for (; at != end && is_digit(*at); ++at) {
            digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
        }
        return static_cast<std::size_t>(at - begin);
    };
    const std::size_t whole = take();
    std::size_t fraction = 0;
    if (whole != 0 && at != end && *at == '.') {
        ++at;
        fraction = take();
        if (fraction == 0) return false;
    }
    if (whole == 0 || at != end || whole + fraction > kDigitsMax) return false;
    value = static_cast<double>(digits);
    if (fraction != 0) value /= kPowers[fraction];
    if (negative) value = -value;
    return true;
}

// The whole text as a finite number, in the plain spelling.
bool read_plain(std::string_view text, double& value) noexcept {
    if (read_short(text, value)) return true;
    const auto* end = text.data() + text.size();
    const auto [stop, status] = fast_float::from_chars(text.data(), end, value);
    return status == std::errc{} && stop == end && std::isfinite(value);
}

// The quote that ends a field whose text starts at `at`; a doubled quote does not. nullptr: none.
const char* closing_quote(const char* at, const char* end) noexcept {
    for (;; at += 2) {
        at = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
        if (at == nullptr || at + 1 == end || at[1] != '"') return at;
    }
}

// Three digits, and not a fourth.
bool three_digits(std::string_view text) noexcept {
    return text.size() >= 3 && is_digit(text[0]) && is_digit(text[1]) && is_digit(text[2]) &&
           (text.size() == 3 || !is_digit(text[3]));
}

// A field's text for an error message, cut to a length that fits a line.
std::string shown(std::string_view text) {
    constexpr std::size_t kShownMax = 40;
    if (text.size() <= kShownMax) return std::string(text);
    return std::string(text.substr(0, kShownMax)) + "...";
}

}  // namespace

std::optional<double> parse_number_text(std::string_view text) {
    double value = 0;
    if (read_plain(text, value)) return value;
    static constexpr std::array<std::string_view, 5> kGroupers{"\u202f", "\u00a0", "\u2009", " ",
                                                               ","};
    static constexpr std::string_view kMinus = "\u2212";
    std::string plain;
    for (std::size_t i = 0; i < text.size();) {
        const auto rest = text.substr(i);
        std::size_t skipped = 0;
        for (const auto grouper : kGroupers) {
            if (rest.substr(0, grouper.size()) == grouper) skipped = grouper.size();
        }
        if (skipped != 0) {
            // Groups have three digits: "1,5" is no number, for it may mean one and a half.
            const bool inside =
                !plain.empty() && is_digit(plain.back()) && three_digits(rest.substr(skipped));
            if (!inside) return std::nullopt;
            i += skipped;
        } else if (rest.substr(0, kMinus.size()) == kMinus) {
            plain.push_back('-');
            i += kMinus.size();
        } else {
            plain.push_back(rest.front());
            ++i;
        }
    }
    if (!read_plain(plain, value)) return std::nullopt;
    return value;
}

CsvRows::CsvRows(ByteView text, std::string_view name, char delimiter)
    : rest_(text), name_(name), delimiter_(delimiter), fields_{} {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (rest_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
        rest_.remove_prefix(kByteOrderMark.size());
    }
}

bool CsvRows::next() {
    while (!rest_.empty() && !failed()) {
        const auto end = rest_.find('\n');
        row_ = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        ++line_;
        const auto inner = trimmed(row_);
        if (inner.empty()) continue;
        // Tabs at the ends are empty fields where they are the delimiter.
        if (delimiter_ != '\t') row_ = inner;
        split();
        return !failed();
    }
    return false;
}

// Eight bytes at a time: in most rows no field is quoted or has blanks around it.
bool CsvRows::split_plain() {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7fU;
    const std::uint64_t wanted = kOnes * static_cast<unsigned char>(delimiter_);
    const char* const base = row_.data();
    const std::size_t size = row_.size();
    std::size_t begin = 0;
    size_ = 0;
    const auto take = [&](std::size_t end) {
        const auto field = row_.substr(begin, end - begin);
        begin = end + 1;
        if (size_ == kColumnsMax) return false;
        if (!field.empty()) {
            const auto first = static_cast<unsigned char>(field.front());
            if (first <= ' ' || first == '"' || static_cast<unsigned char>(field.back()) <= ' ') {
                return false;
            }
        }
        fields_[size_++] = field;
        return true;
    };
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        std::uint64_t word;
        std::memcpy(&word, base + at, 8);
        word ^= wanted;  // the delimiters' bytes are zero now, and have their top bit set below
        std::uint64_t found = ~(((word & kLow) + kLow) | word | kLow);
        for (; found != 0; found &= found - 1) {
            if (!take(at + static_cast<std::size_t>(std::countr_zero(found)) / 8)) return false;
        }
    }
    for (; at < size; ++at) {
        if (base[at] == delimiter_ && !take(at)) return false;
    }
    return take(size);
}

void CsvRows::split() {
    static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
    if (split_plain()) return;
    size_ = 0;
    const char* at = row_.data();
    const char* const end = at + row_.size();
    for (;;) {
        if (size_ == kColumnsMax) {
            fail_row(ErrorCode::too_large,
                     fmt::format("more than {} fields in a row; the file is damaged "
                                 "or not a CSV of quotes",
                                 kColumnsMax));
            return;
        }
        const char* begin = at;
        if (at != end && *at == '"') {
            ++begin;
            at = closing_quote(at + 1, end);
            if (at == nullptr) {
                fail_row(ErrorCode::bad_field, "a quoted field does not end on its line");
                return;
            }
            fields_[size_++] = {begin, static_cast<std::size_t>(at - begin)};
            ++at;
            if (at != end && *at != delimiter_) {
                fail_row(ErrorCode::bad_field, "text follows a field's closing quote");
                return;
            }
        } else {
            while (at != end && *at != delimiter_) ++at;
            fields_[size_++] = trimmed({begin, static_cast<std::size_t>(at - begin)});
        }
        if (at == end) return;
        ++at;
    }
}

double CsvRows::read(const Column& column, bool required) {
    const auto text = field(column.index);
    double value = 0;
    if (read_plain(text, value)) return value;
    if (text.empty()) {
        if (required) fail_at(ErrorCode::bad_number, column.name, "is empty; a number is needed");
        return kMissing;
    }
    if (std::find(missing_.begin(), missing_.end(), text) != missing_.end()) return kMissing;
    if (const auto grouped = parse_number_text(text)) return *grouped;
    fail_at(ErrorCode::bad_number, column.name,
            fmt::format("cannot read \"{}\" as a number; correct or remove the row", shown(text)));
    return kMissing;
}

double CsvRows::number(const Column& column) { return read(column, false); }
double CsvRows::required_number(const Column& column) { return read(column, true); }

double CsvRows::price(const Column& column) {
    const double value = read(column, false);
    if (value >= 0) return value;
    if (value < 0) ++negatives_;
    return kMissing;
}

std::uint32_t CsvRows::count(const Column& column) {
    const auto text = field(column.index);
    std::uint32_t value = 0;
    const bool digits_only = [&] {
        if (text.empty() || text.size() > 9) return false;
        for (const char c : text) {
            if (c < '0' || c > '9') return false;
            value = value * 10 + static_cast<std::uint32_t>(c - '0');
        }
        return true;
    }();
    if (digits_only) return value;
    const double number = read(column, false);
    if (!(number >= 0)) return kNoCount;
    if (number != std::floor(number) || number >= static_cast<double>(kNoCount)) {
        fail_at(ErrorCode::bad_number, column.name,
                fmt::format("\"{}\" is not a whole number below 4,294,967,295", shown(text)));
        return kNoCount;
    }
    return static_cast<std::uint32_t>(number);
}

void CsvRows::fail_at(ErrorCode code, std::string_view column, std::string_view sentence) {
    if (failed()) return;
    error_ = Error{code, fmt::format("{}:{}: column \"{}\": {}", name_, line_, column, sentence)};
}

void CsvRows::fail_row(ErrorCode code, std::string_view sentence) {
    if (failed()) return;
    error_ = Error{code, fmt::format("{}:{}: {}", name_, line_, sentence)};
}

}  // namespace scanmq::market
