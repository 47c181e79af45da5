#include "scanner/market/formats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "scanner/market/date_text.hpp"

namespace scanmq::market {

namespace {

// The format's marks: column names that other vendors' files do not share. A header row that has
// this many of them is that format, so that one lacking a column gets an error that says which.
constexpr std::array<std::string_view, 4> kCboeMarks{"Expiration Date", "Calls", "Puts", "Strike"};
constexpr std::size_t kCboeMarksMin = 3;
// Cboe's header row stands on the fourth line, below the title.
constexpr int kHeaderLinesMax = 8;

std::size_t marks_in(const CsvRows& rows, std::span<const std::string_view> marks) noexcept {
    const auto present = [&](std::string_view mark) {
        return find_column(rows, mark, 0, rows.size()) < rows.size();
    };
    return static_cast<std::size_t>(std::count_if(marks.begin(), marks.end(), present));
}

// Only the text's beginning matters, and a damaged one must cost no more.
bool has_header(ByteView text, std::span<const std::string_view> marks,
                std::size_t marks_min) noexcept {
    constexpr std::size_t kHeadBytes = 8192;
    CsvRows rows(text.substr(0, kHeadBytes), "");
    for (int i = 0; i < kHeaderLinesMax && rows.next(); ++i) {
        if (marks_in(rows, marks) >= marks_min) return true;
    }
    return false;
}

}  // namespace

bool looks_like_cboe(ByteView text) noexcept { return has_header(text, kCboeMarks, kCboeMarksMin); }

bool looks_like_tda(ByteView text) noexcept {
    const auto begin = text.find_first_not_of(" \t\r\n");
    return begin != ByteView::npos && text[begin] == '{' &&
           text.find("ExpDateMap\"") != ByteView::npos;
}

const LongFormat* find_long_format(ByteView text) noexcept {
    for (const auto& known : long_formats()) {
        if (has_header(text, known.marks, known.marks_min)) return &known;
    }
    return nullptr;
}

NameHint hint_of(std::string_view name) {
    if (const auto slash = name.rfind('/'); slash != std::string_view::npos) {
        name.remove_prefix(slash + 1);
    }
    NameHint hint;
    std::string_view word;  // the last one of letters before the date
    for (std::size_t at = 0; at < name.size() && hint.date == 0;) {
        for (const std::size_t size : {std::size_t{10}, std::size_t{8}}) {
            const bool ends =
                at + size >= name.size() || name[at + size] < '0' || name[at + size] > '9';
            const auto date = ends ? parse_date_text(name.substr(at, size)) : std::nullopt;
            if (date && name.substr(at, size).size() == size) {
                hint.date = *date;
                break;
            }
        }
        const auto end = std::min(name.find_first_of("_-. ", at), name.size());
        const auto token = name.substr(at, end - at);
        const bool letters =
            !token.empty() && token.size() <= 6 &&
            token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
                std::string_view::npos;
        if (hint.date == 0 && letters) word = token;
        at = end + 1;
    }
    if (hint.date == 0) return {};
    for (const char c : word)
        hint.symbol.push_back(c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c);
    return hint;
}

Error no_contracts(std::string_view name, const ReadReport& report) {
    auto message = fmt::format("{}: has no usable contract ({} rows read", name, report.rows);
    if (report.skipped.total() > 0)
        message += fmt::format("; left out: {}", report.skipped.sentence());
    message +=
        "); a file needs a header row and below it rows with expiry, strike, right, bid and ask";
    return {ErrorCode::no_contracts, std::move(message)};
}

std::size_t find_column(const CsvRows& rows, std::string_view name, std::size_t first,
                        std::size_t end) noexcept {
    for (std::size_t i = first; i < end; ++i) {
        if (rows.field(i) == name) return i;
    }
    return rows.size();
}

bool check_row_size(CsvRows& rows, std::size_t expected) {
    std::size_t size = rows.size();
    while (size > expected && rows.field(size - 1).empty()) --size;
    if (size == expected) return true;
    rows.fail_row(
        ErrorCode::truncated_row,
        fmt::format("has {} fields where the header row has {}; the file is cut off or damaged, "
                    "download it again",
                    size, expected));
    return false;
}

}  // namespace scanmq::market
