#include "scanner/market/formats.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace scanmq::market {

namespace {

// The format's marks: column names that other vendors' files do not share. A header row that has
// this many of them is that format, so that one lacking a column gets an error that says which.
constexpr std::array<std::string_view, 4> kCboeMarks{"Expiration Date", "Calls", "Puts", "Strike"};
constexpr std::size_t kCboeMarksMin = 3;
constexpr std::array<std::string_view, 8> kIvolatilityMarks{
    "option_symbol",      "option_expiration", "call/put",       "stock_price_close",
    "stock_price_for_iv", "forward_price",     "isinterpolated", "mean_price"};
constexpr std::size_t kIvolatilityMarksMin = 4;

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

bool looks_like_ivolatility(ByteView text) noexcept {
    return has_header(text, kIvolatilityMarks, kIvolatilityMarksMin);
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
