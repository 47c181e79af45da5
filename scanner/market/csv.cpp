#include "scanner/market/csv.hpp"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
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

// The whole text as a finite number, in the plain spelling.
bool read_plain(std::string_view text, double& value) noexcept {
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

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

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

void CsvRows::split() {
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
